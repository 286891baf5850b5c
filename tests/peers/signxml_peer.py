"""signxml as a peer: signxml_peer.py sign AGENCY-DIR KEY-NAME IN OUT | verify AGENCY-DIR FILE..."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples/python"))
from ogsig import digest, sign, verify  # noqa: E402

command, agency, *rest = sys.argv[1:]
if command == "sign":
    name, source, target = rest
    Path(target).write_bytes(sign(Path(source).read_text("utf-8"), Path(agency), name))
else:
    for file in rest:
        octets = Path(file).read_bytes()
        try:
            verify(octets, Path(agency) / "ca.pem")
            print("valid", digest(octets))
        except Exception as reason:
            print("refused", type(reason).__name__)
