//! A log in memory: its leaves, the hashes of its tree, and its key.

use oncegate::evidence::tlog::note::{Checkpoint, LogSigner, Role};
use oncegate::evidence::tlog::proof::Proof;
use oncegate::evidence::tlog::tree::{Edge, Hash, Hashes, Head, consistency, inclusion};
use oncegate::gateway::witness::Log;
use oncegate::message::crypto::PrivateKey;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

/// The hashes of a tree, level by level.
#[derive(Clone, Default)]
pub struct Levels(Vec<Vec<Hash>>);

impl Hashes for Levels {
    type Error = Infallible;

    fn read(&self, level: u32, from: u64, count: u64, out: &mut Vec<Hash>) -> Result<(), Infallible> {
        out.extend_from_slice(&self.0[level as usize][from as usize..(from + count) as usize]);
        Ok(())
    }
}

/// A tree with its leaves.
#[derive(Clone, Default)]
pub struct Tree {
    pub leaves: Vec<Vec<u8>>,
    pub hashes: Levels,
    edge: Edge,
}

impl Tree {
    pub fn of(leaves: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut this = Self::default();
        leaves.into_iter().for_each(|leaf| this.push(leaf));
        this
    }

    pub fn push(&mut self, leaf: Vec<u8>) {
        let levels = &mut self.hashes.0;
        self.edge.push(Hash::of_leaf(&leaf), |level, hash| {
            levels.resize(levels.len().max(level as usize + 1), Vec::new());
            levels[level as usize].push(hash);
        });
        self.leaves.push(leaf);
    }

    pub fn head(&self) -> Head {
        Head { size: self.edge.size(), root: self.edge.root() }
    }

    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    pub fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        let Ok(proof) = consistency(&self.hashes, old, new);
        proof
    }

    pub fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        let Ok(proof) = inclusion(&self.hashes, index, size);
        proof
    }

    /// The receipt for a record, under a checkpoint of this tree.
    pub fn receipt(&self, index: u64, checkpoint: &Checkpoint) -> Proof {
        let hashes = self.inclusion(index, checkpoint.claimed().size);
        Proof { leaf: self.leaves[index as usize].clone(), index, hashes, checkpoint: checkpoint.clone() }
    }
}

pub fn signer(name: &str, role: Role, seed: u8) -> LogSigner {
    LogSigner::new(name, role, PrivateKey::from_seed(&[seed; 32]).expect("a seed")).expect("an Ed25519 key")
}

/// A log that others may ask about while it grows.
pub struct MemoryLog {
    pub signer: LogSigner,
    tree: Mutex<Tree>,
}

impl MemoryLog {
    pub fn new(signer: LogSigner, tree: Tree) -> Arc<Self> {
        Arc::new(Self { signer, tree: Mutex::new(tree) })
    }

    pub fn grow(&self, count: usize) {
        let mut tree = self.tree.lock().expect("not poisoned");
        for _ in 0..count {
            let leaf = format!("record {}", tree.size());
            tree.push(leaf.into_bytes());
        }
    }

    /// The log is another one from now on.
    pub fn replace(&self, tree: Tree) {
        *self.tree.lock().expect("not poisoned") = tree;
    }

    pub fn tree(&self) -> Tree {
        self.tree.lock().expect("not poisoned").clone()
    }
}

impl Log for MemoryLog {
    type Error = Infallible;

    fn checkpoint(&self) -> Arc<Checkpoint> {
        Arc::new(self.signer.checkpoint(self.tree.lock().expect("not poisoned").head()).expect("signs"))
    }

    fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, Infallible> {
        Ok(self.tree.lock().expect("not poisoned").consistency(old, new))
    }
}
