// Asks for a document: consumer.js AGENCY-DIR GATEWAY-URL AGENCY-ID DOCUMENT-TYPE SCHEME:VALUE PURPOSE LEGAL-BASIS
"use strict";
const { randomBytes } = require("node:crypto");
const { readFileSync } = require("node:fs");
const https = require("node:https");
const { digest, sign, verify } = require("./ogsig.js");
const { fill, parse, select } = require("./xml.js");

// A UUID of version 7: 48 bits of time in milliseconds, then random bits (RFC 9562).
function messageId() {
  const octets = randomBytes(16);
  octets.writeUIntBE(Date.now(), 0, 6);
  octets[6] = (octets[6] & 0x0f) | 0x70;
  octets[8] = (octets[8] & 0x3f) | 0x80;
  return octets.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const instant = (minutes = 0) => new Date(Date.now() + minutes * 60_000).toISOString();

function post(url, agency, message) {
  const [ca, cert, key] = ["ca.pem", "tls.pem", "tls.key"].map((name) => readFileSync(`${agency}/${name}`));
  const headers = { "Content-Type": "application/xml", "Content-Length": Buffer.byteLength(message) };
  return new Promise((resolve, reject) => {
    const request = https.request(`${url}/v1/messages`, { method: "POST", ca, cert, key, headers }, async (response) => {
      resolve({ status: response.statusCode, text: Buffer.concat(await response.toArray()).toString() });
    });
    request.on("error", reject).end(message);
  });
}

function fail(status, ...words) {
  console.error(...words);
  process.exit(status);
}

async function main(agency, url, agencyId, documentType, subject, purpose, legalBasis) {
  const asked = messageId(), [scheme, value] = subject.split(/:(.*)/s);
  const message = fill("request.xml", {
    MessageId: asked, From: agencyId, CreatedAt: instant(), ExpiresAt: instant(5), Purpose: purpose,
    LegalBasis: legalBasis, Scheme: scheme, Value: value, DocumentType: documentType,
  });
  const request = sign(message, agency, process.env.SIGN ?? "sign");
  const { status, text } = await post(url, agency, request);
  if (status >= 400) fail(3, ...["code", "detail"].map((name) => select(`string(//*[local-name()='${name}'])`, parse(text))));
  if (status !== 200) fail(1, `not answered yet: GET ${url}/v1/messages/${asked}/answer`);
  const answer = verify(text, `${agency}/ca.pem`);
  const reply = select("/m:Message/m:Header/m:InReplyTo", answer)[0];
  if (reply?.textContent !== asked || reply.getAttribute("sha256") !== digest(request)) fail(1, "the answer is to another request");
  console.log(select("/m:Message/m:Body", answer)[0].toString());
}

module.exports = { instant, messageId };
if (require.main === module) {
  if (process.argv.length !== 9) fail(2, "usage: AGENCY-DIR GATEWAY-URL AGENCY-ID DOCUMENT-TYPE SCHEME:VALUE PURPOSE LEGAL-BASIS");
  main(...process.argv.slice(2)).catch((error) => fail(1, error.message));
}
