"""Answers from a register: provider.py AGENCY-DIR AGENCY-ID PORT REGISTER.csv"""

import csv
import os
import ssl
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from consumer import instant, message_id
from lxml import etree
from ogsig import NS, digest, fill, sign, verify


def answer(octets, agency, agency_id, register):
    """A signed answer to a signed request."""
    request = verify(octets, agency / "ca.pem")
    value = {name: request.findtext(f"m:Header/m:{name}", "", NS) for name in ("MessageId", "Kind", "From", "ExpiresAt")}
    if value["Kind"] != "request" or value["ExpiresAt"] <= instant():
        raise ValueError("no request, or an expired one")
    wanted = request.findtext("m:Body/m:Ask/m:DocumentType", "", NS)
    subject = request.find("m:Context/m:Subject/t:Id", NS)
    header = dict(MessageId=message_id(), CreatedAt=instant(), ExpiresAt=value["ExpiresAt"], From=agency_id, To=value["From"])
    with open(register, encoding="utf-8", newline="") as rows:
        found = [row for row in csv.DictReader(rows)
                 if (row["DocumentType"], row["Scheme"], row["Value"]) == (wanted, subject.get("scheme"), subject.text)]
    if found:
        body = fill(f"{found[0]['DocumentType']}.xml", **header, **found[0], DocumentId=str(uuid.uuid4()))
    else:
        body = fill("no-record.xml", DocumentType=wanted, Register=Path(register).stem)
    context = etree.tostring(request.find("m:Context", NS), method="c14n", exclusive=True, with_tail=False).decode()
    message = fill("answer.xml", **header, InReplyTo=value["MessageId"], Sha256=digest(octets), Context=context, Body=body)
    return sign(message, agency, os.environ.get("SIGN", "sign"))


def main(agency, agency_id, port, register):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            octets = self.rfile.read(min(int(self.headers["Content-Length"]), 1 << 20))
            try:
                status, kind, body = 200, "application/xml", answer(octets, Path(agency), agency_id, register)
            except Exception as reason:  # whatever is wrong with a request, its sender learns that it is refused
                status, kind, body = 400, "application/problem+xml", fill("problem.xml", Detail=str(reason)).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=Path(agency) / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(Path(agency) / "tls.pem", Path(agency) / "tls.key")
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 5 else sys.exit(__doc__)
