// The signature profile og-sig-1 with xml-crypto: sign a message, verify a message.
"use strict";
const crypto = require("node:crypto");
const { readFileSync } = require("node:fs");
const { SignedXml } = require("xml-crypto");
const { parse, select } = require("./xml.js");

const EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
const TRANSFORMS = ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", EXCLUSIVE];
const SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256";
const RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
const ED25519 = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519";

// xml-crypto has RSA; this adds ECDSA, whose signature value is r||s and not ASN.1, and Ed25519.
const algorithm = (uri, hash) => class {
  getSignature = (text, key) => crypto.sign(hash, Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64");
  verifySignature = (text, key, value) =>
    crypto.verify(hash, Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }, Buffer.from(value, "base64"));
  getAlgorithmName = () => uri;
};
function signedXml(options) {
  const xml = new SignedXml({ canonicalizationAlgorithm: EXCLUSIVE, ...options });
  const { [RSA]: rsa } = xml.SignatureAlgorithms;
  xml.SignatureAlgorithms = { [RSA]: rsa, [ECDSA]: algorithm(ECDSA, "sha256"), [ED25519]: algorithm(ED25519, null) };
  return xml;
}

// Signs the text of a message with the key NAME.key of an agency's folder.
function sign(message, agency, name) {
  const [privateKey, publicCert] = ["key", "pem"].map((kind) => readFileSync(`${agency}/${name}.${kind}`, "utf8"));
  const type = crypto.createPrivateKey(privateKey).asymmetricKeyType;
  const xml = signedXml({ privateKey, publicCert, signatureAlgorithm: { rsa: RSA, ec: ECDSA, ed25519: ED25519 }[type] });
  xml.addReference({ xpath: "/*", isEmptyUri: true, transforms: TRANSFORMS, digestAlgorithm: SHA256 });
  xml.computeSignature(message, { prefix: "ds", location: { reference: "/*", action: "append" } });
  return xml.getSignedXml();
}

// Gives the message as it was signed; throws if anything is not as og-sig-1 has it.
function verify(text, ca) {
  const root = parse(text), authority = new crypto.X509Certificate(readFileSync(ca));
  const values = (path) => select(path, root).map((node) => node.nodeValue);
  const leaf = new crypto.X509Certificate(Buffer.from(values("//ds:X509Certificate/text()").join(""), "base64"));
  const valid = new Date(leaf.validFrom) <= new Date() && new Date() <= new Date(leaf.validTo);
  if (leaf.ca || !valid || !leaf.checkIssued(authority) || !leaf.verify(authority.publicKey)) throw new Error("no trusted certificate");
  const xml = signedXml({ publicCert: leaf.toString() }), signatures = select("//ds:Signature", root);
  xml.loadSignature(signatures[0]);
  const closed = values("//ds:Reference/@URI | //ds:Transform/@Algorithm").join(" ") === ["", ...TRANSFORMS].join(" ");
  if (signatures.length !== 1 || !closed || !xml.checkSignature(text)) throw new Error("the signature is not valid");
  const message = parse(xml.getSignedReferences()[0]), sender = select("string(/m:Message/m:Header/m:From)", message);
  if (!leaf.subjectAltName.split(", ").includes(`URI:urn:oncegate:agency:${sender}`)) throw new Error("the signer is not the sender");
  return message;
}

// The digest of a signed message in hex: what an answer to it must name.
const digest = (text) => Buffer.from(select("string(//ds:DigestValue)", parse(text)), "base64").toString("hex");

module.exports = { digest, sign, verify };
