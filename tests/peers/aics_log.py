"""A log by aics-tlog that has itself cosigned by a witness through the client of aics-witness, and then forks.

python3 aics_log.py SEED WITNESS-URL WITNESS-KEY. Prints one line for each submission: what it was, and what became of it."""

import sys

from aics_tlog import Checkpoint, MerkleTree, sign_checkpoint
from aics_witness.feeder import FeederError, WitnessClient
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "foreign.example/log"
seed, url, witness = sys.argv[1:]
key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))


def submit(what, size, prefix):
    tree = MerkleTree([f"{prefix} {number}".encode() for number in range(size)])
    note = sign_checkpoint(Checkpoint(ORIGIN, size, tree.root()), key, ORIGIN)
    # Each time a new client, which knows nothing of what the witness has.
    with WitnessClient(url, witness) as client:
        try:
            client.submit(note.to_bytes(), tree.consistency_proof)
            print(what, "cosigned")
        except FeederError as refused:
            print(what, type(refused).__name__, getattr(refused, "status", ""))


for size in (1, 5, 5, 256, 300):
    submit(f"size {size}", size, "entry")
submit("rolled back", 200, "entry")
submit("another tree of this size", 300, "other")
submit("another tree", 400, "other")
submit("size 301", 301, "entry")
