// xml-crypto as a peer: xml-crypto.js sign AGENCY-DIR KEY-NAME IN OUT | verify AGENCY-DIR FILE...
"use strict";
const { readFileSync, writeFileSync } = require("node:fs");
const { digest, sign, verify } = require("../../examples/javascript/ogsig.js");

const [command, agency, ...rest] = process.argv.slice(2);
if (command === "sign") {
  const [name, source, target] = rest;
  writeFileSync(target, sign(readFileSync(source, "utf8"), agency, name));
} else {
  for (const file of rest) {
    const text = readFileSync(file, "utf8");
    try {
      verify(text, `${agency}/ca.pem`);
      console.log("valid", digest(text));
    } catch (reason) {
      console.log("refused", reason.name);
    }
  }
}
