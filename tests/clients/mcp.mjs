// What a Node program does with the official MCP client. It knows a URL and a token (MCP_URL, MCP_TOKEN), or a command
// (MCP_COMMAND, a JSON list) that it speaks to over stdio; no line knows that there is a proxy.
//
// MCP_CALLS is a JSON list of {"tool": NAME, "arguments": {…}}. Prints one JSON object a line: first {"tools": […]}, then
// {"call": NAME, "error": …, "is_error": …, "text": …, "structured": …, "progress": N} for each call.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.env.CLAVIGER_TEST_NODE_MODULES}/`));
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");

const transport = () => {
  if (process.env.MCP_COMMAND) {
    const [command, ...args] = JSON.parse(process.env.MCP_COMMAND);
    // As a program's own configuration would: the token in the environment of the server that it starts.
    return new StdioClientTransport({ command, args, env: { ...process.env }, stderr: "inherit" });
  }
  const headers = { Authorization: `Bearer ${process.env.MCP_TOKEN}` };
  return new StreamableHTTPClientTransport(new URL(process.env.MCP_URL), { requestInit: { headers } });
};

const say = (line) => console.log(JSON.stringify(line));
const client = new Client({ name: "journey", version: "1.0.0" });
const carrier = transport();
await client.connect(carrier);
const listed = await client.listTools();
say({ tools: listed.tools.map((tool) => tool.name) });
for (const { tool: name, arguments: given } of JSON.parse(process.env.MCP_CALLS)) {
  let progress = 0;
  try {
    const answer = await client.callTool({ name, arguments: given }, undefined, { onprogress: () => { progress += 1; } });
    const text = answer.content.map((part) => part.text ?? "").join("");
    say({ call: name, error: null, is_error: answer.isError ?? false, text, structured: answer.structuredContent ?? null, progress });
  } catch (error) {
    say({ call: name, error: String(error), is_error: true, text: "", structured: null, progress });
  }
}
// Ends the session at the server, where there is one.
await carrier.terminateSession?.().catch(() => {});
await client.close();
