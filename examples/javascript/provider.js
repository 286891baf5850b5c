// Answers from a register: provider.js AGENCY-DIR AGENCY-ID PORT REGISTER.csv
"use strict";
const { randomUUID } = require("node:crypto");
const { readFileSync } = require("node:fs");
const https = require("node:https");
const { basename } = require("node:path");
const { instant, messageId } = require("./consumer.js");
const { digest, sign, verify } = require("./ogsig.js");
const { fill, select } = require("./xml.js");

// The rows of a table of comma-separated values without quotes, each with the names of the first row.
function rows(register) {
  const [names, ...lines] = readFileSync(register, "utf8").trim().split(/\r?\n/).map((line) => line.split(","));
  return lines.map((line) => Object.fromEntries(names.map((name, at) => [name, line[at]])));
}

// A signed answer to a signed request.
function answer(text, agency, agencyId, register) {
  const request = verify(text, `${agency}/ca.pem`);
  const value = (path) => select(`string(/m:Message/${path})`, request);
  const expires = value("m:Header/m:ExpiresAt");
  if (value("m:Header/m:Kind") !== "request" || expires <= instant()) throw new Error("no request, or an expired one");
  const header = { MessageId: messageId(), CreatedAt: instant(), ExpiresAt: expires, From: agencyId, To: value("m:Header/m:From") };
  const wanted = {
    DocumentType: value("m:Body/m:Ask/m:DocumentType"),
    Scheme: value("m:Context/m:Subject/t:Id/@scheme"),
    Value: value("m:Context/m:Subject/t:Id"),
  };
  const found = rows(register).find((row) => Object.keys(wanted).every((name) => row[name] === wanted[name]));
  const body = found
    ? fill(`${found.DocumentType}.xml`, { ...header, ...found, DocumentId: randomUUID() })
    : fill("no-record.xml", { ...wanted, Register: basename(register, ".csv") });
  const reply = { InReplyTo: value("m:Header/m:MessageId"), Sha256: digest(text) };
  const context = select("/m:Message/m:Context", request)[0].toString();
  const message = fill("answer.xml", { ...header, ...reply, Context: context, Body: body });
  return sign(message, agency, process.env.SIGN ?? "sign");
}

function main(agency, agencyId, port, register) {
  const [ca, cert, key] = ["ca.pem", "tls.pem", "tls.key"].map((name) => readFileSync(`${agency}/${name}`));
  const server = https.createServer({ ca, cert, key, requestCert: true, rejectUnauthorized: true }, async (request, response) => {
    try {
      const text = Buffer.concat(await request.toArray()).toString();
      response.setHeader("Content-Type", "application/xml");
      response.end(answer(text, agency, agencyId, register));
    } catch (error) {
      response.writeHead(400, { "Content-Type": "application/problem+xml" });
      response.end(fill("problem.xml", { Detail: error.message }));
    }
  });
  server.listen(Number(port), "127.0.0.1");
}

main(...process.argv.slice(2));
