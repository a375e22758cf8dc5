// What a Node program does with the providers' own clients. Only the base URL and the key come from Claviger
// (OPENAI_BASE_URL, OPENAI_API_KEY, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY); no line knows that there is a proxy.
//
// Prints one JSON object a line: {"call": NAME, "model": …, "in": N, "out": N, "cached": N, …}; exits 1 at the first
// call that does not succeed. CLAVIGER_TEST_NODE_MODULES names the folder that holds the clients.

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.env.CLAVIGER_TEST_NODE_MODULES}/`));
const OpenAI = require("openai").OpenAI;
const Anthropic = require("@anthropic-ai/sdk").Anthropic;

const model = "gpt-test";
const claude = "claude-test";
const ask = [{ role: "user", content: "ping" }];

const done = (call, model = null, tokensIn = 0, tokensOut = 0, cached = 0, more = {}) =>
  console.log(JSON.stringify({ call, model, in: tokensIn, out: tokensOut, cached, ...more }));

const same = (what, got, wanted) => {
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
};

const whole = (usage) => usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;

const openai = {
  async chat(client) {
    const answer = await client.chat.completions.create({ model, messages: ask });
    same("chat", answer.choices[0].message.content, "pong");
    const usage = answer.usage;
    done("chat", answer.model, usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens);
  },
  async chatStream(client) {
    let text = "", usage = null, name = null, chunks = 0;
    const stream = await client.chat.completions.create({
      model, messages: ask, stream: true, stream_options: { include_usage: true },
    });
    for await (const chunk of stream) {
      chunks += 1;
      name = chunk.model;
      usage = chunk.usage ?? usage;
      text += chunk.choices.map((choice) => choice.delta.content ?? "").join("");
    }
    same("streamed chat", text, "pong");
    done("chat_stream", name, usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens, { chunks });
  },
  async responses(client) {
    const answer = await client.responses.create({ model, input: "ping" });
    same("responses", answer.output_text, "pong");
    const usage = answer.usage;
    done("responses", answer.model, usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens);
  },
  async embeddings(client) {
    const answer = await client.embeddings.create({ model: "embed-test", input: "ping" });
    same("embeddings", answer.data[0].embedding, [0.25, -0.5, 0.125]);
    done("embeddings", answer.model, answer.usage.prompt_tokens);
  },
  async upload(client) {
    const content = Buffer.alloc(20 * 1024 * 1024, "claviger ");
    const answer = await client.files.create({ file: new File([content], "upload.bin"), purpose: "user_data" });
    if (answer.bytes < content.length) throw new Error(`upload: ${answer.bytes} bytes arrived`);
    done("upload", null, 0, 0, 0, { size: content.length, sha256: createHash("sha256").update(content).digest("hex") });
  },
};

const anthropic = {
  async messages(client) {
    const answer = await client.messages.create({ model: claude, max_tokens: 16, messages: ask });
    same("messages", answer.content[0].text, "pong");
    const usage = answer.usage;
    done("messages", answer.model, whole(usage), usage.output_tokens, usage.cache_read_input_tokens);
  },
  async messagesStream(client) {
    let text = "";
    const stream = client.messages.stream({ model: claude, max_tokens: 16, messages: ask });
    stream.on("text", (piece) => { text += piece; });
    const answer = await stream.finalMessage();
    same("streamed messages", text, "pong");
    const usage = answer.usage;
    done("messages_stream", answer.model, whole(usage), usage.output_tokens, usage.cache_read_input_tokens);
  },
};

for (const call of Object.values(openai)) await call(new OpenAI({ maxRetries: 0 }));
for (const call of Object.values(anthropic)) await call(new Anthropic({ maxRetries: 0 }));
