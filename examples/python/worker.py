"""Answers what waits in the inbox, with no port open: worker.py AGENCY-DIR GATEWAY-URL AGENCY-ID REGISTER.csv"""

import ssl
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from provider import answer


def main(agency, gateway, agency_id, register):
    tls = ssl.create_default_context(cafile=Path(agency) / "ca.pem")
    tls.load_cert_chain(Path(agency) / "tls.pem", Path(agency) / "tls.key")

    def call(path, body=None):
        return urlopen(Request(gateway + path, body, {"Content-Type": "application/xml"}), context=tls)

    while True:
        with call("/v1/inbox?wait=30") as found:
            lease, kind, message = found.headers["Oncegate-Lease"], found.headers["Oncegate-Kind"], found.read()
        if kind == "request":
            try:  # the answer ends the lease
                call("/v1/messages", answer(message, Path(agency), agency_id, register)).close()
            except HTTPError as refusal:
                print(refusal.read().decode(), file=sys.stderr)
        elif kind:  # a cancel, an event, or an answer to a question of ours: do with it what is to be done, then
            call(f"/v1/inbox/{lease}/ack", b"").close()


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 5 else sys.exit(__doc__)
