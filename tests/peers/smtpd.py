"""A mail server by aiosmtpd, which reads what it is given as mail programs do.

python3 smtpd.py PORT FOLDER (plain | starttls | tls) [CERTIFICATE KEY]. Each mail is FOLDER/NUMBER.json: for whom, its header fields in
their order, what they and the text say once decoded, and what is wrong with it. Recipients mean what becomes of it: `busy` is told 451
until there is FOLDER/calm, `nobody` 550, and `full` 552 once the mail is there. While there is FOLDER/closed, every sender is told 550.
`gateway` with `secret` may log in."""

import asyncio
import email
import email.policy
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, folder, wire = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class Handler:
    taken = 0

    async def handle_MAIL(self, server, session, envelope, address, options):
        if os.path.exists(os.path.join(folder, "closed")):
            return "550 5.7.1 not from you"
        envelope.mail_from = address
        return "250 fine"

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "busy" and not os.path.exists(os.path.join(folder, "calm")):
            return f"451 4.3.2 {address} not now"
        if name == "nobody":
            return f"550 5.1.1 {address} is nobody here"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        if any(address.startswith("full@") for address in envelope.rcpt_tos):
            return "552 5.2.2 no room"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "fields": [[name, str(value)] for name, value in mail.items()],
            "text": mail.get_content().replace("\r\n", "\n").rstrip("\n"),
            "type": mail.get_content_type(),
            "defects": [str(defect) for defect in mail.defects],
            "octets": envelope.content.decode("ascii"),
            "login": session.auth_data.login.decode() if session.authenticated else None,
            "tls": session.ssl is not None or wire == "tls",
        }
        Handler.taken += 1
        path = os.path.join(folder, f"{Handler.taken}.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(told, file)
        os.rename(path + ".new", path)
        return "250 taken"


def authenticator(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"gateway" and data.password == b"secret", handled=False, auth_data=data)


async def main():
    context = None
    if wire != "plain":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[4], sys.argv[5])
    begins = wire == "starttls"

    def server():
        return SMTP(
            Handler(),
            hostname="mail.example",
            tls_context=context if begins else None,
            require_starttls=begins,
            authenticator=authenticator,
            auth_require_tls=begins,
        )

    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port, ssl=context if wire == "tls" else None)
    await listening.serve_forever()


asyncio.run(main())
