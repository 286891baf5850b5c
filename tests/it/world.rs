//! A world for tests: the demo's, in a folder that goes away, on a runtime of its own.

use crate::folder::Folder;
use oncegate::base::ids::AgencyId;
use oncegate::host::authority::KeyType;
use oncegate::program::demo;
use oncegate::program::setup::Installation;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Deadlines that do not make a test wait.
pub const QUICK: &str = "records = \"off\"\n\n[limits]\nanswer_ms = 4000\nbody_ms = 2000\n";

pub struct World {
    runtime: tokio::runtime::Runtime,
    world: Option<demo::World>,
    folder: Folder,
}

impl World {
    /// With everybody there.
    pub fn start() -> Self {
        Self::with(QUICK, &[])
    }

    /// With nobody in the clinic's place.
    pub fn start_without_provider() -> Self {
        // Whoever takes its place may need its time: a Java machine on a busy computer needs seconds.
        Self::with("records = \"off\"\n", &["xx.demo.clinic-3"])
    }

    pub fn with(config: &str, absent: &[&str]) -> Self {
        Self::prepared(config, absent, &enrol_further_keys)
    }

    /// One agency has another quota.
    pub fn with_quota(agency: &str, quota: &str) -> Self {
        Self::prepared(QUICK, &[], &|installation| {
            enrol_further_keys(installation);
            set_quota(installation, agency, quota);
        })
    }

    /// With something done to the installation before anything starts.
    pub fn prepared(config: &str, absent: &[&str], prepare: &(dyn Fn(&Installation) + Sync)) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let folder = Folder::new();
        let plan = demo::Plan { config, absent, prepare };
        let world = runtime.block_on(demo::World::start(&folder.path().join("gateway"), &plan)).expect("a world");
        Self { runtime, world: Some(world), folder }
    }

    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub fn demo(&self) -> &demo::World {
        self.world.as_ref().expect("it runs until it is dropped")
    }

    pub fn gateway_url(&self) -> String {
        format!("https://{}", self.demo().exchange_address())
    }

    pub fn agency_dir(&self, name: &str) -> PathBuf {
        self.demo().agency_folder(name)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn provider_port(&self) -> u16 {
        self.demo().provider_address("xx.demo.clinic-3").expect("a holder").port()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(world) = self.world.take() {
            self.runtime.block_on(world.stop());
        }
    }
}

/// Gives an agency another quota than the demo does.
pub fn set_quota(installation: &Installation, agency: &str, quota: &str) {
    let file = installation.folder().join("registry.toml");
    let text = std::fs::read_to_string(&file).expect("readable");
    let (before, after) = text.split_at(text.find(&format!("id = \"{agency}\"")).expect("the agency"));
    let after = after.replacen("requests_per_minute = 60000, burst = 5000", quota, 1);
    std::fs::write(&file, format!("{before}{after}")).expect("writable");
    installation.sign().expect("signed");
}

/// Further keys for those who test with foreign tools: RSA from a certificate request, and Ed25519.
fn enrol_further_keys(installation: &Installation) {
    for agency in ["xx.demo.school-17", "xx.demo.clinic-3"] {
        let id = AgencyId::parse(agency).expect("an agency");
        let folder = installation.agency_folder(&id);
        let (key, request) = (folder.join("sign-rsa.key"), folder.join("sign-rsa.csr"));
        let mut openssl = Command::new("openssl");
        openssl
            .args(["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&request);
        let made = openssl.output().expect("openssl starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let request = fs::read_to_string(request).expect("a request");
        let [p256, ed25519] = [KeyType::P256, KeyType::Ed25519];
        installation.add_key(&id, "sign-rsa", p256, Some(&request)).expect("a certificate");
        installation.add_key(&id, "sign-ed25519", ed25519, None).expect("a key");
    }
}
