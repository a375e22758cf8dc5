"""What a Python program does with the official MCP client. It knows a URL and a token (MCP_URL, MCP_TOKEN), or a command
(MCP_COMMAND, a JSON list) that it speaks to over stdio; no line knows that there is a proxy.

MCP_CALLS is a JSON list of {"tool": NAME, "arguments": {…}}. Prints one JSON object a line: first {"tools": […]}, then
{"call": NAME, "error": …, "is_error": …, "text": …, "structured": …, "progress": N} for each call.
"""

import asyncio
import json
import os

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


def server():
    if "MCP_COMMAND" in os.environ:
        command, *args = json.loads(os.environ["MCP_COMMAND"])
        # As a program's own configuration would: the token in the environment of the server that it starts.
        return StdioServerParameters(command=command, args=args, env=dict(os.environ))
    headers = {"Authorization": f"Bearer {os.environ['MCP_TOKEN']}"}
    return streamable_http_client(os.environ["MCP_URL"], http_client=httpx2.AsyncClient(headers=headers, timeout=60))


def say(**line):
    print(json.dumps(line), flush=True)


async def main():
    async with Client(server()) as client:
        listed = await client.list_tools()
        say(tools=[tool.name for tool in listed.tools])
        for call in json.loads(os.environ["MCP_CALLS"]):
            name, seen = call["tool"], []

            async def progress(*told):
                seen.append(told)

            try:
                answer = await client.call_tool(name, call["arguments"], progress_callback=progress)
            except MCPError as error:
                say(call=name, error=str(error), is_error=True, text="", structured=None, progress=len(seen))
                continue
            text = "".join(getattr(part, "text", "") for part in answer.content)
            told = answer.model_dump(by_alias=True, mode="json")
            say(
                call=name,
                error=None,
                is_error=bool(told.get("isError")),
                text=text,
                structured=told.get("structuredContent"),
                progress=len(seen),
            )


asyncio.run(main())
