// oidc-provider as a peer: oidc.js PORT REDIRECT-URI CLAIMS [REDIRECT-URI...]. A provider of OpenID Connect at http://127.0.0.1:PORT that asks
// nobody anything: whoever comes is signed in as "maria" and agrees. CLAIMS says where the claims of scopes are: "userinfo", as the
// specification has it, or "token". Its clients are "console", with a secret, and "RS256", "PS256", "ES256" and "EdDSA", without one;
// "nobody" gets nobody. It is version 8, since 9 does not run on the Node.js of Debian 12.
"use strict";
const { generateKeyPairSync } = require("node:crypto");
const { createServer } = require("node:http");
const { pathToFileURL } = require("node:url");

const [port, redirect, place, ...others] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const algorithms = ["RS256", "PS256", "ES256", "EdDSA"];

function key(kid, kind, options) {
  return { ...generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" }), kid, use: "sig" };
}

const client = (client_id, more) => ({
  client_id,
  redirect_uris: [redirect, ...others],
  response_types: ["code"],
  grant_types: ["authorization_code"],
  ...more,
});

const configuration = {
  clients: [
    // A secret that is another one when it is not encoded before it is joined to the name (RFC 6749, section 2.3.1).
    client("console", { client_secret: "a:secret%2F of+some/length&=?", token_endpoint_auth_method: "client_secret_basic" }),
    client("nobody", { token_endpoint_auth_method: "none" }),
    ...algorithms.map((id_token_signed_response_alg) =>
      client(id_token_signed_response_alg, { token_endpoint_auth_method: "none", id_token_signed_response_alg }),
    ),
  ],
  jwks: {
    keys: [
      key("rsa", "rsa", { modulusLength: 2048 }),
      key("ec", "ec", { namedCurve: "P-256" }),
      key("ed", "ed25519"),
    ],
  },
  enabledJWA: { idTokenSigningAlgValues: algorithms },
  claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"], groups: ["groups"] },
  conformIdTokenClaims: place !== "token",
  pkce: { required: () => true },
  cookies: { keys: ["of no importance"] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, accountId) => ({
    accountId,
    claims: () => ({
      sub: accountId,
      name: "Мария Иванова",
      email: "maria@town.example",
      email_verified: true,
      groups: ["audit-office", "choir"],
    }),
  }),
};

(async () => {
  const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));
  const provider = new Provider(issuer, configuration);
  const answer = provider.callback();

  async function agree(request, response) {
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (params.client_id === "nobody") {
      return provider.interactionFinished(request, response, { error: "access_denied" });
    }
    if (prompt.name === "login") {
      return provider.interactionFinished(request, response, { login: { accountId: "maria" } });
    }
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  }

  createServer((request, response) => {
    if (!request.url.startsWith("/interaction/")) return answer(request, response);
    agree(request, response).catch((reason) => response.writeHead(500).end(String(reason)));
  }).listen(Number(port), "127.0.0.1");
})();
