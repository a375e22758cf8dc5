// oauth2-mock-server for tests, on a free port of 127.0.0.1.
//
// Prints one JSON line {"issuer": …} when it is ready and ends with its standard input. CLAVIGER_TEST_OAUTH_MODULES names
// the folder that holds the package.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const home = join(process.env.CLAVIGER_TEST_OAUTH_MODULES, "oauth2-mock-server");
const about = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
// By its path: the package does not let itself be resolved by `require`.
const { OAuth2Server } = await import(pathToFileURL(join(home, about.main)).href);

const server = new OAuth2Server();
await server.issuer.keys.generate("RS256");
await server.start(0, "127.0.0.1");
// It calls itself `localhost` otherwise, which is a name that may lead elsewhere.
server.issuer.url = `http://127.0.0.1:${server.address().port}`;

console.log(JSON.stringify({ issuer: server.issuer.url, version: about.version }));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
