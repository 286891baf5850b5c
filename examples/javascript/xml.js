// Reading XML and filling the templates.
"use strict";
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { DOMParser } = require("@xmldom/xmldom");
const xpath = require("xpath");

const select = xpath.useNamespaces({
  m: "urn:oncegate:message:1",
  t: "urn:oncegate:types:1",
  ds: "http://www.w3.org/2000/09/xmldsig#",
});

const refuse = (level, what) => {
  throw new Error(what);
};
function parse(text) {
  if (text.includes("<!DOCTYPE")) throw new Error("a DOCTYPE");
  return new DOMParser({ errorHandler: refuse }).parseFromString(text, "text/xml");
}

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (text) => text.replace(/[&<>"]/g, (character) => escapes[character]);

// {Context} and {Body} stand for markup, every other name for text.
function fill(template, values) {
  const value = (name) => (name === "Context" || name === "Body" ? values[name] : escape(values[name]));
  const text = readFileSync(join(__dirname, "../templates", template), "utf8");
  return text.replace(/\{(\w+)\}/g, (_, name) => value(name)).trim();
}

module.exports = { fill, parse, select };
