"""Asks for a document: consumer.py AGENCY-DIR GATEWAY-URL AGENCY-ID DOCUMENT-TYPE SCHEME:VALUE PURPOSE LEGAL-BASIS"""

import os
import secrets
import ssl
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from lxml import etree
from ogsig import NS, digest, fill, sign, verify


def message_id():
    """A UUID of version 7: 48 bits of time in milliseconds, then random bits (RFC 9562)."""
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(76)
    return str(uuid.UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62))


def instant(minutes=0):
    moment = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def post(url, agency, message):
    tls = ssl.create_default_context(cafile=agency / "ca.pem")
    tls.load_cert_chain(agency / "tls.pem", agency / "tls.key")
    with urlopen(Request(f"{url}/v1/messages", message, {"Content-Type": "application/xml"}), context=tls) as response:
        return response.status, response.read()


def main(agency, url, agency_id, document_type, subject, purpose, legal_basis):
    agency, asked, (scheme, value) = Path(agency), message_id(), subject.split(":", 1)
    request = sign(fill("request.xml", MessageId=asked, From=agency_id, CreatedAt=instant(), ExpiresAt=instant(5),
                        Purpose=purpose, LegalBasis=legal_basis, Scheme=scheme, Value=value, DocumentType=document_type),
                   agency, os.environ.get("SIGN", "sign"))
    try:
        status, answer = post(url, agency, request)
    except HTTPError as refusal:
        problem = etree.fromstring(refusal.read())
        print(problem.findtext("{*}code"), problem.findtext("{*}detail"), file=sys.stderr)
        sys.exit(3)
    if status != 200:
        sys.exit(f"not answered yet: GET {url}/v1/messages/{asked}/answer")
    message = verify(answer, agency / "ca.pem")
    reply = message.find("m:Header/m:InReplyTo", NS)
    if reply is None or (reply.text, reply.get("sha256")) != (asked, digest(request)):
        sys.exit("the answer is to another request")
    print(etree.tostring(message.find("m:Body", NS), encoding="unicode", with_tail=False))


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 8 else sys.exit(__doc__)
