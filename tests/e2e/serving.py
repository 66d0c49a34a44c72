"""Starting and ending `tapir serve` and `tapir gym serve`: what the tests of serving and of endpoints share."""

import contextlib
import json
import signal
import subprocess
import urllib.error
import urllib.request

import tapir_run

BASE = tapir_run.BASE


class Served:
    def __init__(self, process, url, model):
        self.process, self.url, self.model = process, url, model

    def post(self, path, body, headers=None, timeout=60):
        """(status, JSON or text)"""
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **(headers or {})})
        return fetch(request, timeout)

    def get(self, path, headers=None):
        return fetch(urllib.request.Request(self.url + path, headers=headers or {}), 60)

    def chat(self, text, **more):
        return self.post("/v1/chat/completions",
                         {"model": self.model, "messages": [{"role": "user", "content": text}], **more})

    def interrupt(self):
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


def fetch(request, timeout):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never through a proxy
    try:
        with opener.open(request, timeout=timeout) as reply:
            status, text = reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except json.JSONDecodeError:
        return status, text


def serve(*arguments, env=None):
    return started(tapir_run.command("serve", "--model", BASE, "--port", 0, "--json", *arguments), env)


class Gym(Served):
    """`tapir gym serve`: teacher and judge of a recipe."""

    def settings(self, *more):
        endpoint = f"[{{base_url: {self.url}/v1}}]"
        both = ["kind=openai", f"endpoints={endpoint}", "retry_delay=0.01", *more]
        return [f"{role}.{setting}" for role in ("teacher", "judge") for setting in [*both, f"model=gym-{role}"]]

    def counts(self):
        """What /metrics counts: name and labels -> number."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith("tapir_")]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}

    def faults(self):
        return {name.split('"')[1]: int(n) for name, n in self.counts().items() if "faults_total" in name}


def gym(*arguments):
    return started(tapir_run.command("gym", "serve", "--port", 0, "--json", *arguments), None, Gym)


@contextlib.contextmanager
def started(command, env=None, kind=Served):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    try:
        told = json.loads(process.stdout.readline())
        yield kind(process, told["url"], told.get("model"))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
