// A remote MCP server for tests, built with the official SDK: streamable HTTP with sessions, protected by bearer tokens.
//
// Prints one JSON line {"url": …, "issuer": …} when it is ready, then one line for each request that it saw; ends with
// its standard input. CLAVIGER_TEST_NODE_MODULES names the folder that holds the SDK.
//
// TOKENS={"token": "scope scope"} are accepted as they are. With OAUTH=1 an authorization server (oidc-provider, from
// CLAVIGER_TEST_OAUTH_MODULES) runs beside it, clients register themselves there, and its tokens for this server are
// accepted; AT_TTL=seconds is how long they live. The tool "write" wants the scope mcp:write, all else mcp:read.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const from = (variable) => createRequire(pathToFileURL(`${process.env[variable]}/`));
const sdk = from("CLAVIGER_TEST_NODE_MODULES");
const express = sdk("express");
const { z } = sdk("zod");
const { McpServer } = sdk("@modelcontextprotocol/sdk/server/mcp.js");
const { StreamableHTTPServerTransport } = sdk("@modelcontextprotocol/sdk/server/streamableHttp.js");
const { isInitializeRequest } = sdk("@modelcontextprotocol/sdk/types.js");
const { requireBearerAuth } = sdk("@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js");
const { mcpAuthMetadataRouter, getOAuthProtectedResourceMetadataUrl } = sdk("@modelcontextprotocol/sdk/server/auth/router.js");
const { InvalidTokenError } = sdk("@modelcontextprotocol/sdk/server/auth/errors.js");

const say = (line) => console.log(JSON.stringify(line));
const listen = (server) => new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server.address().port)));

const app = express();
const resource = new URL(`http://127.0.0.1:${await listen(createServer(app))}/mcp`);
const fixed = JSON.parse(process.env.TOKENS ?? "{}");
const scopes = ["mcp:read", "mcp:write"];
let authorization = null;

if (process.env.OAUTH === "1") {
  const require = from("CLAVIGER_TEST_OAUTH_MODULES");
  const { Provider, errors } = await import(pathToFileURL(require.resolve("oidc-provider")).href);
  const server = createServer();
  const issuer = `http://127.0.0.1:${await listen(server)}`;
  const provider = new Provider(issuer, {
    pkce: { required: () => true },
    rotateRefreshToken: true,
    scopes: ["openid", "offline_access", ...scopes],
    cookies: { keys: ["test-cookie-key"] },
    features: {
      devInteractions: { enabled: true },
      registration: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, asked) => {
          if (asked !== resource.href) throw new errors.InvalidTarget();
          const accessTokenTTL = Number(process.env.AT_TTL || 120);
          return { scope: scopes.join(" "), audience: asked, accessTokenTTL, accessTokenFormat: "opaque" };
        },
      },
    },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: "Alice Example" }) }),
  });
  server.on("request", provider.callback());
  authorization = { issuer, provider };
}

const verifier = {
  async verifyAccessToken(token) {
    const expiresAt = Math.floor(Date.now() / 1000) + 60;
    if (token in fixed) return { token, clientId: "fixed", scopes: fixed[token].split(" "), expiresAt };
    const found = await authorization?.provider.AccessToken.find(token);
    if (!found?.isValid || found.aud !== resource.href) throw new InvalidTokenError("no token for this server");
    return { token, clientId: found.clientId, scopes: (found.scope ?? "").split(" "), expiresAt: found.exp };
  },
};

const make = () => {
  const server = new McpServer({ name: "remote", version: "1.0.0" });
  const text = (said) => ({ content: [{ type: "text", text: said }] });
  server.registerTool("echo", { description: "Says it again", inputSchema: { text: z.string() } }, ({ text: said }) => text(said));
  server.registerTool("write", { description: "Wants a scope of its own", inputSchema: {} }, () => text("written"));
  server.registerTool("count", { description: "Tells its progress", inputSchema: {} }, async (_, extra) => {
    const progressToken = extra._meta?.progressToken;
    for (let progress = 1; progress <= 3; progress += 1) {
      if (progressToken !== undefined)
        await extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress, total: 3 } });
      await new Promise((done) => setTimeout(done, 20));
    }
    return text("3");
  });
  return server;
};

const sessions = new Map();
const resourceMetadataUrl = getOAuthProtectedResourceMetadataUrl(resource);
app.use((request, _, next) => {
  const header = (name) => request.headers[name] ?? null;
  say({
    seen: `${request.method} ${request.url}`,
    authorization: header("authorization"),
    session: header("mcp-session-id"),
    version: header("mcp-protocol-version"),
    headers: request.rawHeaders.join("\n"),
  });
  next();
});
if (authorization) {
  const described = await (await fetch(`${authorization.issuer}/.well-known/openid-configuration`)).json();
  app.use(mcpAuthMetadataRouter({ oauthMetadata: described, resourceServerUrl: resource, scopesSupported: scopes, resourceName: "Remote tools" }));
}
app.use("/mcp", requireBearerAuth({ verifier, requiredScopes: ["mcp:read"], resourceMetadataUrl }), express.json());
app.post("/mcp", async (request, response) => {
  const { method, params } = request.body ?? {};
  if (method === "tools/call" && params?.name === "write" && !request.auth.scopes.includes("mcp:write")) {
    const challenge = `Bearer error="insufficient_scope", scope="mcp:write", resource_metadata="${resourceMetadataUrl}"`;
    response.status(403).set("WWW-Authenticate", challenge).json({ error: "insufficient_scope" });
    return;
  }
  let transport = sessions.get(request.headers["mcp-session-id"]);
  if (!transport && isInitializeRequest(request.body)) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => sessions.set(id, transport),
    });
    await make().connect(transport);
  }
  if (!transport) {
    response.status(404).json({ jsonrpc: "2.0", id: null, error: { code: -32001, message: "no such session" } });
    return;
  }
  await transport.handleRequest(request, response, request.body);
});
for (const method of ["get", "delete"])
  app[method]("/mcp", async (request, response) => {
    const transport = sessions.get(request.headers["mcp-session-id"]);
    if (!transport) return void response.status(404).end();
    await transport.handleRequest(request, response);
  });

say({ url: resource.href, issuer: authorization?.issuer ?? null });
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
