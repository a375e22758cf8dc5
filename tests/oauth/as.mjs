// A certified OAuth and OpenID Connect server for tests (oidc-provider), on a free port of 127.0.0.1.
//
// Prints one JSON line {"issuer": …} when it is ready and ends with its standard input. CLAVIGER_TEST_OAUTH_MODULES names
// the folder that holds the package. REQUIRE_PAR=1, DPOP_NONCE=1, AT_TTL=seconds and CLIENT_JWK={…} change what it does;
// PORT takes a port instead of a free one, and TELL_TOKENS=1 prints a line {"tokens": …} for each answer that gives some.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.env.CLAVIGER_TEST_OAUTH_MODULES}/`));
const { Provider, errors } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

const server = createServer();
await new Promise((ready) => server.listen(Number(process.env.PORT || 0), "127.0.0.1", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

const secret = "svc-secret-0123456789abcdef0123456789";
const service = (client_id, token_endpoint_auth_method, more = {}) => ({
  client_id,
  token_endpoint_auth_method,
  client_secret: secret,
  redirect_uris: [],
  response_types: [],
  grant_types: ["client_credentials"],
  ...more,
});

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "native",
      application_type: "native",
      token_endpoint_auth_method: "none",
      // RFC 8252 §7.3: the port of a loopback redirect is not compared.
      redirect_uris: ["http://127.0.0.1/callback", "http://[::1]/callback"],
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
      response_types: ["code"],
    },
    service("svc", "client_secret_basic"),
    service("svcpost", "client_secret_post"),
    service("svcodd", "client_secret_basic", { client_secret: "p:%+&= /x~s3cret-0123456789abcdef" }),
    ...(process.env.CLIENT_JWK
      ? [
          service("svcjwt", "private_key_jwt", {
            client_secret: undefined,
            jwks: { keys: [JSON.parse(process.env.CLIENT_JWK)] },
            token_endpoint_auth_signing_alg: "ES256",
          }),
        ]
      : []),
  ],
  clientAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
  enabledJWA: { clientAuthSigningAlgValues: ["ES256", "RS256", "PS256"] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  scopes: ["openid", "offline_access", "api:read", "api:write"],
  claims: { openid: ["sub", "name", "email"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["test-cookie-key"] },
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    registration: { enabled: true },
    registrationManagement: { enabled: true },
    pushedAuthorizationRequests: {
      enabled: true,
      requirePushedAuthorizationRequests: process.env.REQUIRE_PAR === "1",
    },
    dPoP: {
      enabled: true,
      nonceSecret: Buffer.alloc(32, 1),
      requireNonce: () => process.env.DPOP_NONCE === "1",
    },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      defaultResource: () => `${issuer}/api`,
      getResourceServerInfo: (_, resource) => {
        if (!resource.startsWith(issuer)) throw new errors.InvalidTarget();
        return {
          scope: "api:read api:write",
          audience: resource,
          accessTokenTTL: Number(process.env.AT_TTL || 120),
          accessTokenFormat: "opaque",
        };
      },
    },
  },
  ttl: { DeviceCode: 60, RefreshToken: 3600, AuthorizationCode: 30 },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: "Alice Example", email: "alice@example.com" }) }),
});
if (process.env.TELL_TOKENS === "1") {
  provider.on("grant.success", (ctx) => console.log(JSON.stringify({ tokens: ctx.body })));
}
provider.on("server_error", (_, error) => console.error("server_error", error));
server.on("request", provider.callback());

const about = join(process.env.CLAVIGER_TEST_OAUTH_MODULES, "oidc-provider/package.json");
console.log(JSON.stringify({ issuer, version: JSON.parse(readFileSync(about, "utf8")).version }));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
