"""The official `openai` client against `tapir serve`. Skipped, with the reason, where no Python has the package:
TAPIR_PEER_PYTHON names one; otherwise .venv-peers of the repository, then this interpreter."""

import os
import subprocess
import sys

import serving
import tapir_run

SKIPPED = 77


def python_with_openai():
    for python in (os.environ.get("TAPIR_PEER_PYTHON"), str(tapir_run.ROOT / ".venv-peers" / "bin" / "python"), sys.executable):
        if python and os.path.exists(python):
            if subprocess.run([python, "-c", "import openai"], capture_output=True).returncode == 0:
                return python
    return None


def chat(client, model):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2+3?"}]
    whole = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=24)
    assert whole.object == "chat.completion" and whole.choices[0].finish_reason in ("stop", "length"), whole
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    stream = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=24, stream=True,
                                            stream_options={"include_usage": True})
    text, usage = "", None
    for chunk in stream:
        usage = chunk.usage or usage
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    assert text == whole.choices[0].message.content, (text, whole)
    assert usage.completion_tokens == whole.usage.completion_tokens


def choices(client, model):
    messages = [{"role": "user", "content": "Say something"}]
    drawn = client.chat.completions.create(model=model, messages=messages, n=4, seed=3, temperature=1.5, max_completion_tokens=12)
    again = client.chat.completions.create(model=model, messages=messages, n=4, seed=3, temperature=1.5, max_completion_tokens=12)
    texts = [choice.message.content for choice in drawn.choices]
    assert len(set(texts)) > 1 and texts == [choice.message.content for choice in again.choices], texts


def logprobs(client, model):
    reply = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "What is 2+3?"}], temperature=0,
                                           max_tokens=8, logprobs=True, top_logprobs=3)
    for token in reply.choices[0].logprobs.content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 3
        assert token.token == token.top_logprobs[0].token, "greedy"
    old = client.completions.create(model=model, prompt="What is", temperature=0, max_tokens=8, logprobs=2)
    assert len(old.choices[0].logprobs.tokens) == len(old.choices[0].logprobs.token_logprobs)


def stops(client, model):
    whole = client.completions.create(model=model, prompt="What is", temperature=0, max_tokens=30).choices[0].text
    if len(whole) > 6:
        stop = whole[3:5]
        cut = client.completions.create(model=model, prompt="What is", temperature=0, max_tokens=30, stop=[stop])
        assert cut.choices[0].text == whole[:whole.index(stop)] and cut.choices[0].finish_reason == "stop", (cut, whole)


def errors(openai, client, model):
    def refused(kind, **arguments):
        try:
            client.chat.completions.create(**{"model": model, "messages": [{"role": "user", "content": "x"}], **arguments})
        except kind as error:
            return error
        raise AssertionError(f"{arguments} were not refused")

    assert refused(openai.NotFoundError, model="other").code == "model_not_found"
    assert refused(openai.BadRequestError, presence_penalty=1.0).param == "presence_penalty"
    assert refused(openai.BadRequestError, tools=[{"type": "function", "function": {"name": "f"}}]).param == "tools"
    assert refused(openai.BadRequestError, messages=[{"role": "user", "content": "word " * 20000}]).code == \
        "context_length_exceeded"
    wrong = openai.OpenAI(base_url=client.base_url, api_key="wrong", max_retries=0)
    try:
        wrong.models.list()
    except openai.AuthenticationError as error:
        assert error.code == "invalid_api_key"
    else:
        raise AssertionError("a wrong key was taken")


def main():
    python = python_with_openai()
    if python is None:
        print("skipped: no Python with the openai package (pip install openai in .venv-peers, or set TAPIR_PEER_PYTHON)")
        return SKIPPED
    if os.path.realpath(python) != os.path.realpath(sys.executable) or python != sys.executable:
        os.execv(python, [python, os.path.abspath(__file__)])
    import openai

    os.environ["TAPIR_TEST_KEY"] = "sesame"
    with serving.serve("--api-key-env", "TAPIR_TEST_KEY") as served:
        client = openai.OpenAI(base_url=served.url + "/v1", api_key="sesame", max_retries=0)
        assert [model.id for model in client.models.list()] == [served.model]
        chat(client, served.model)
        choices(client, served.model)
        logprobs(client, served.model)
        stops(client, served.model)
        errors(openai, client, served.model)
    print(f"openai {openai.__version__}: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
