// oidc-provider on the loopback interface: node oidc_provider.mjs MODULES PORT
//
// MODULES is the directory that holds node_modules. Clients are fixed; every user may log in with
// any password (its own development forms). CLIENT_JWK in the environment is the public key of
// the client asserting-robot; a client's certificate is in X-Client-Certificate, percent-encoded,
// as behind a proxy that ends TLS.

import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, port] = process.argv.slice(2);
const library = join(modules, "node_modules", "oidc-provider", "lib", "index.js");
const { Provider } = await import(pathToFileURL(library));

const issuer = `http://127.0.0.1:${port}`;

function makeKey(kid, alg, type, options) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: "jwk" }), kid, alg, use: "sig" };
}

const keys = [
  makeKey("rs", "RS256", "rsa", { modulusLength: 2048 }),
  makeKey("ps", "PS256", "rsa", { modulusLength: 2048 }),
  makeKey("es", "ES256", "ec", { namedCurve: "P-256" }),
];

// The resource servers that tokens can be for (RFC 8707).
const resources = {
  "https://inventory.example": { accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } } },
  "https://es.example": { accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } },
  "https://ps.example": { accessTokenFormat: "jwt", jwt: { sign: { alg: "PS256" } } },
  "https://opaque.example": { accessTokenFormat: "opaque" },
};

function makeClient(name, more = {}) {
  return {
    client_id: name,
    client_secret: `${name}-secret-${"x".repeat(32)}`,
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
    ...more,
  };
}

const clients = [
  makeClient("robot"),
  makeClient("posting-robot", { token_endpoint_auth_method: "client_secret_post" }),
  makeClient("signing-robot", {
    token_endpoint_auth_method: "client_secret_jwt",
    token_endpoint_auth_signing_alg: "HS256",
  }),
  makeClient("asserting-robot", {
    token_endpoint_auth_method: "private_key_jwt",
    token_endpoint_auth_signing_alg: "ES256",
    jwks: { keys: [JSON.parse(process.env.CLIENT_JWK)] },
  }),
  makeClient("tls-robot", {
    token_endpoint_auth_method: "tls_client_auth",
    tls_client_auth_subject_dn: "CN=tls-robot",
  }),
  makeClient("bound-robot", { tls_client_certificate_bound_access_tokens: true }),
  makeClient("web", {
    grant_types: ["authorization_code"],
    redirect_uris: ["https://web.example/callback"],
    response_types: ["code"],
  }),
];

function findCertificate(ctx) {
  const said = ctx.get("x-client-certificate");
  return said ? decodeURIComponent(said) : undefined;
}

const provider = new Provider(issuer, {
  clients,
  jwks: { keys },
  cookies: { keys: ["of a test"] },
  scopes: ["openid", "inventory.read", "inventory.write"],
  clientAuthMethods: [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
  ],
  extraTokenClaims: () => ({ roles: ["member"], tenant: "p1" }),
  ttl: { AccessToken: 900, ClientCredentials: 900, IdToken: 900, Interaction: 60, Session: 60, Grant: 900 },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    dPoP: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      tlsClientAuth: true,
      getCertificate: findCertificate,
      certificateAuthorized: (ctx) => findCertificate(ctx) !== undefined,
      certificateSubjectMatches: (ctx, _, expected) =>
        new X509Certificate(findCertificate(ctx)).subject === expected,
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "https://inventory.example",
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({
        audience: resource,
        scope: "inventory.read inventory.write",
        accessTokenTTL: 900,
        ...resources[resource],
      }),
    },
  },
});

createServer(provider.callback()).listen(Number(port), "127.0.0.1");
