"""Starting and ending `tapir serve`: what the tests of serving share."""

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


@contextlib.contextmanager
def serve(*arguments, env=None):
    command = tapir_run.command("serve", "--model", BASE, "--port", 0, "--json", *arguments)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    try:
        started = json.loads(process.stdout.readline())
        yield Served(process, started["url"], started["model"])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
