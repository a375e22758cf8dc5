"""What a Python program does with the providers' own clients. Only the base URL and the key come from Claviger
(OPENAI_BASE_URL, OPENAI_API_KEY, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY); no line knows that there is a proxy.

Prints one JSON object a line: {"call": NAME, "model": …, "in": N, "out": N, "cached": N, …}; exits 1 at the first
call that does not succeed.
"""

import hashlib
import io
import json
import random
import sys

import anthropic
import openai

MODEL, CLAUDE = "gpt-test", "claude-test"
ASK = [{"role": "user", "content": "ping"}]


def done(call, model=None, tokens_in=0, tokens_out=0, cached=0, **more):
    print(json.dumps({"call": call, "model": model, "in": tokens_in, "out": tokens_out, "cached": cached, **more}), flush=True)


def same(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: got {got!r}, wanted {wanted!r}")


def chat(client):
    answer = client.chat.completions.create(model=MODEL, messages=ASK)
    same("chat", answer.choices[0].message.content, "pong")
    usage = answer.usage
    done("chat", answer.model, usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens)


def chat_stream(client):
    text, usage, model, chunks = "", None, None, 0
    for chunk in client.chat.completions.create(model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}):
        chunks += 1
        model = chunk.model
        usage = chunk.usage or usage
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    same("streamed chat", text, "pong")
    done("chat_stream", model, usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens, chunks=chunks)


def responses(client):
    answer = client.responses.create(model=MODEL, input="ping")
    same("responses", answer.output_text, "pong")
    usage = answer.usage
    done("responses", answer.model, usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens)


def responses_stream(client):
    text, usage, model = "", None, None
    for event in client.responses.create(model=MODEL, input="ping", stream=True):
        if event.type == "response.output_text.delta":
            text += event.delta
        if event.type == "response.completed":
            usage, model = event.response.usage, event.response.model
    same("streamed responses", text, "pong")
    done("responses_stream", model, usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens)


def embeddings(client):
    answer = client.embeddings.create(model="embed-test", input="ping")
    same("embeddings", answer.data[0].embedding, [0.25, -0.5, 0.125])
    done("embeddings", answer.model, answer.usage.prompt_tokens)


def upload(client):
    content = random.Random(7).randbytes(20 * 1024 * 1024)
    answer = client.files.create(file=("upload.bin", io.BytesIO(content)), purpose="user_data")
    if answer.bytes < len(content):
        sys.exit(f"upload: {answer.bytes} bytes arrived")
    done("upload", size=len(content), sha256=hashlib.sha256(content).hexdigest())


def messages(client):
    answer = client.messages.create(model=CLAUDE, max_tokens=16, messages=ASK)
    same("messages", answer.content[0].text, "pong")
    usage = answer.usage
    whole = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    done("messages", answer.model, whole, usage.output_tokens, usage.cache_read_input_tokens)


def messages_stream(client):
    with client.messages.stream(model=CLAUDE, max_tokens=16, messages=ASK) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
    same("streamed messages", text, "pong")
    usage = answer.usage
    whole = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    done("messages_stream", answer.model, whole, usage.output_tokens, usage.cache_read_input_tokens)


def count_tokens(client):
    same("count_tokens", client.messages.count_tokens(model=CLAUDE, messages=ASK).input_tokens, 7)
    done("count_tokens")


if __name__ == "__main__":
    for call in (chat, chat_stream, responses, responses_stream, embeddings, upload):
        call(openai.OpenAI(max_retries=0))
    for call in (messages, messages_stream, count_tokens):
        call(anthropic.Anthropic(max_retries=0))
