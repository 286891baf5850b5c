"""Verifies a receipt (C2SP tlog-proof) offline: python3 verify_receipt.py RECEIPT LOG-KEY [WITNESS-KEY...]
Keys are name+hash+base64. All witnesses that are named must have cosigned. Prints the records that are proved."""
import base64
import hashlib
import sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

def read_key(text):
    name, key_id, key = text.split("+", 2)
    key = base64.b64decode(key, validate=True)
    if key[0] not in (1, 4) or hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] != key_id:
        raise ValueError("not a verifier key: " + text)
    return name, bytes.fromhex(key_id), key[0], Ed25519PublicKey.from_public_bytes(key[1:])

def check_signature(text, signatures, key):
    name, key_id, role, public = key
    for line in signatures:
        dash, signer, value = line.split(" ")
        value = base64.b64decode(value, validate=True)
        if dash == "\u2014" and signer == name and value[:4] == key_id:
            if role == 1:  # the log signs its checkpoint
                return public.verify(value[4:], text.encode())
            time = int.from_bytes(value[4:12], "big")  # a witness signs when it saw it
            return public.verify(value[12:], f"cosignature/v1\ntime {time}\n{text}".encode())
    raise ValueError("no signature of " + name)

def root_of(leaf, index, size, hashes):  # RFC 9162, section 2.1.3.2
    if not 0 <= index < size:
        raise ValueError("no such record in the tree")
    node, last, digest = index, size - 1, hashlib.sha256(b"\0" + leaf).digest()
    for sibling in hashes:
        if last == 0:
            raise ValueError("the proof is too long")
        is_right = node & 1 or node == last
        digest = hashlib.sha256(b"\1" + (sibling + digest if is_right else digest + sibling)).digest()
        while is_right and not node & 1 and node:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    return digest if last == 0 else b""

def verify(proof, keys):
    head, text, signatures = proof.split("\n\n")
    (extra, leaf), (word, index), *hashes = (line.split(" ") for line in head.split("\n")[1:])
    leaf, origin, size, root = base64.b64decode(leaf, validate=True), *text.split("\n")[:3]
    for key in keys:
        check_signature(text + "\n", signatures.strip("\n").split("\n"), key)
    hashes = [base64.b64decode(line, validate=True) for (line,) in hashes]
    if (extra, word, origin) != ("extra", "index", keys[0][0]) or keys[0][2] != 1:
        raise ValueError("not a receipt of this log")
    if root_of(leaf, int(index), int(size), hashes) != base64.b64decode(root, validate=True):
        raise ValueError("the record is not in the tree that was signed")
    return leaf.decode()

first, *rest = open(sys.argv[1], encoding="utf-8", newline="").read().split("c2sp.org/tlog-proof@v1\n")
if first or not rest:
    sys.exit("not a receipt")
for proof in rest:
    print(verify("c2sp.org/tlog-proof@v1\n" + proof, [read_key(key) for key in sys.argv[2:]]))
