// Asks at the desk of an agent: node ask.js PORT TOKEN-FILE DOCUMENT SCHEME:VALUE PURPOSE
const { readFileSync } = require("node:fs");
const [port, token, document, of, purpose] = process.argv.slice(2);
fetch(`http://127.0.0.1:${port}/ask`, {
  method: "POST",
  headers: { Authorization: `Bearer ${readFileSync(token, "utf8").trim()}` },
  body: JSON.stringify({ document, of, for: purpose }),
}).then((response) => response.json()).then((answer) => console.log(JSON.stringify(answer)));
