"""Endpoints that are missing, wrong or hostile: clear words, the right exit code, a run that goes on when they are mended,
and keys that are seen nowhere."""

import contextlib
import http.server
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import serving
import tapir_run

KEY = "sk-planted-7d1f"


class Stub(http.server.ThreadingHTTPServer):
    """Answers every request by a function: request handler -> (status, headers, body)."""

    daemon_threads = True

    def __init__(self, script, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address):
        pass  # a client that hangs up, or does not like our certificate


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, body = self.server.script(self)
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def stub(script, certificate=None):
    server = Stub(script, certificate)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def always(status, body, **headers):
    return lambda request: (status, headers, body if isinstance(body, str) else json.dumps(body))


def error(message, code=None):
    return {"error": {"message": message, "type": "some_error", "code": code}}


def teacher(url, *more, key=True):
    key = ", api_key_env: PLANTED_KEY" if key else ""
    return ["teacher.kind=openai", "teacher.model=gym-teacher", f"teacher.endpoints=[{{base_url: \"{url}\"{key}}}]",
            "teacher.retry_delay=0.01", *more]


class Expect:
    """Runs tapir up to the teacher's first stage, and looks for words in what it says."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {**os.environ, "PLANTED_KEY": KEY}
        self.seen = ""

    def run(self, name, code, words, settings, **environment):
        run_dir = self.folder / name
        return self.command(code, words, "run", "recipes/e2e.yaml", "--run-dir", run_dir, "--until", "tasks", *settings,
                            **environment)

    def command(self, code, words, *arguments, **environment):
        start = time.monotonic()
        done = subprocess.run(tapir_run.command(*arguments), cwd=tapir_run.ROOT, capture_output=True, text=True,
                              env={**self.environment, **environment}, timeout=120)
        said = done.stdout + done.stderr
        self.seen += said
        assert done.returncode == code, f"{arguments}: exit {done.returncode}, expected {code}\n{said[-2000:]}"
        for word in words:
            assert word in said, f"{arguments}: expected {word!r} in\n{said[-2000:]}"
        print(f"ok  exit {code}  {time.monotonic() - start:4.1f} s  {said.strip().splitlines()[-1][:150]}")
        return done


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def refusals(expect):
    cases = [
        ("key", always(401, error(f"wrong key {KEY}")), ["401", "[key]", "not asked any more"]),
        ("money", always(402, error("no credit left")), ["402", "no credit"]),
        ("redirect", always(301, "", Location="http://elsewhere/"), ["redirects"]),
        ("path", always(404, "<html>nothing here</html>"), ["404", "/v1"]),
        ("html", always(200, "<!doctype html><p>Please log in"), ["HTML page"]),
        ("choices", always(200, {"choices": []}), ["no choices"]),
        ("half", always(200, '{"choices": [{"mess'), ["no whole JSON"]),
        ("broken", always(500, error("out of order")), ["500", "out of order"]),
    ]
    for name, script, words in cases:
        with stub(script) as server:
            expect.run(name, 4, [server.url, *words], teacher(server.url, "teacher.max_retries=1"))


def models_and(status, body):
    """Lists its models, and answers every question so."""
    listed = json.dumps({"data": [{"id": "gym-teacher"}]})
    return lambda request: (200, {}, listed) if request.command == "GET" else (status, {}, json.dumps(body))


def answer(text, reason="stop"):
    return {"choices": [{"message": {"content": text}, "finish_reason": reason}],
            "usage": {"prompt_tokens": 500, "completion_tokens": 1024}}


def bills(expect):
    """A model of which nothing can be used is not paid to the end."""
    with stub(models_and(400, error("Unsupported parameter: max_tokens"))) as server:
        expect.command(4, ["Unsupported parameter", "extra_body"], "doctor", "--recipe", "recipes/e2e.yaml", *teacher(server.url))
        expect.run("picky", 4, ["the first 32 requests all failed", "Unsupported parameter", "extra_body"], teacher(server.url))
    with stub(models_and(200, answer("Let me think. The", "length"))) as server:
        expect.run("rambling", 4, ["the first 32 requests all failed", "raise max_tokens"], teacher(server.url))
    with tapir_run.database(expect.folder / "rambling") as db:
        (sent,) = db.execute("select sum(sends) from replies").fetchone()
    assert 32 <= sent < 100, sent


def certificates(expect):
    pem = expect.folder / "certificate.pem"
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stub",
                           "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pem, "-out", expect.folder / "public.pem"],
                          capture_output=True)
    assert made.returncode == 0, made.stderr
    pem.write_text(pem.read_text() + (expect.folder / "public.pem").read_text())
    with stub(always(401, error("reached")), pem) as server:
        expect.run("certificate", 4, ["certificate", server.url], teacher(server.url))
        expect.run("trusted", 4, ["reached"], teacher(server.url), SSL_CERT_FILE=str(expect.folder / "public.pem"))


def mended(expect):
    """Nobody there, then somebody: the same command goes on."""
    port = free_port()
    settings = teacher(f"http://127.0.0.1:{port}/v1", "teacher.outage_timeout=1")
    expect.run("mended", 4, [f"127.0.0.1:{port}"], settings)
    command = tapir_run.command("gym", "serve", "--port", port, "--seed", 1, "--json")
    with serving.started(command, None, serving.Gym) as served:
        expect.run("wrong-name", 4, ["no model nobody", "offers gym-teacher, gym-judge"],
                   teacher(f"{served.url}/v1", "teacher.model=nobody"))
        expect.run("mended", 0, [], settings)
        recipe = ["--recipe", "recipes/e2e.yaml", *settings]
        expect.command(0, ["teacher [0]", "has gym-teacher", "answers in"], "doctor", *recipe)
        expect.command(0, ["has gym-teacher"], "validate", "recipes/e2e.yaml", *settings)
        expect.command(4, ["no model nobody", "gym-teacher"], "doctor", *recipe, "teacher.model=nobody")
    expect.command(4, [f"127.0.0.1:{port}", "is the server running"], "doctor", *recipe)


def recipes(expect):
    url = "http://127.0.0.1:9/v1"
    expect.run("no-key", 2, ["teacher.endpoints[0].api_key_env", "NOT_SET_ANYWHERE", "export"],
               [s.replace("PLANTED_KEY", "NOT_SET_ANYWHERE") for s in teacher(url)])
    expect.run("price", 2, ["teacher has no price", "price_per_million"], [*teacher(url), "budget.max_usd=1"])
    expect.run("unit", 2, ["teacher.price_per_million", "section"], [*teacher(url), "teacher.price_per_million=3"])
    expect.run("none", 2, ["teacher.endpoints is not set"], ["teacher.kind=openai", "teacher.model=m"])
    for name, place in [("user", f"http://user:{KEY}@127.0.0.1:9/v1"), ("query", f"http://127.0.0.1:9/v1?key={KEY}")]:
        expect.run(f"url-{name}", 2, ["teacher.endpoints[0].base_url"], teacher(place))
    expect.run("as-name", 2, ["name of an environment variable"],
               [s.replace("PLANTED_KEY", KEY) for s in teacher(url)])


def secrets(expect):
    """An endpoint that repeats the key in whatever it says."""
    def echo(request):
        said = f"you sent {request.headers['Authorization']}"
        return 200, {"X-Echo": said}, json.dumps(answer(f"{said} <answer>Math</answer>"))
    with stub(echo) as server:
        expect.run("echo", 0, [], teacher(server.url))
    assert KEY not in expect.seen, "the key was printed"
    kept = [file for file in expect.folder.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
    assert not kept, f"the key is in {kept}"
    with tapir_run.database(expect.folder / "echo") as db:
        texts = [text for (text,) in db.execute("select text from replies where status = 'ok'")]
    assert texts and all("[key]" in text for text in texts)
    print(f"ok  the key is in no file and was never printed; it was cut out of {len(texts)} replies")


def main():
    with tempfile.TemporaryDirectory() as folder:
        expect = Expect(pathlib.Path(folder))
        recipes(expect)
        refusals(expect)
        bills(expect)
        certificates(expect)
        mended(expect)
        secrets(expect)
    return 0


if __name__ == "__main__":
    sys.exit(main())
