"""`tapir serve` and `tapir chat` as users start and end them."""

import http.client
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time

import serving
import tapir_run


def answers():
    with serving.serve("--served-model-name", "base") as served:
        assert served.model == "base"
        assert served.get("/health") == (200, {"status": "ok"})
        assert served.get("/v1/models")[1]["data"][0]["id"] == "base"
        status, one = served.chat("What is 2+3?", temperature=0, max_tokens=20)
        assert status == 200 and one["usage"]["completion_tokens"] > 0, one
        assert served.chat("What is 2+3?", temperature=0, max_tokens=20)[1]["choices"] == one["choices"]
        seeded = [served.chat("Tell me", seed=5, max_tokens=20)[1]["choices"] for _ in range(2)]
        assert seeded[0] == seeded[1], "a seed gives the same answer again"
        status, wrong = served.chat("x", presence_penalty=1)
        assert status == 400 and wrong["error"]["param"] == "presence_penalty", wrong
        status, long = served.chat("word " * 20000)
        assert status == 400 and long["error"]["code"] == "context_length_exceeded", long
        assert "tapir_completion_tokens_total" in served.get("/metrics")[1]
        assert served.interrupt() == 0


def stops_after_the_answers_in_work():
    with serving.serve() as served:
        connection = http.client.HTTPConnection(served.url.split("//")[1], timeout=60)
        body = {"model": served.model, "messages": [{"role": "user", "content": "Hello"}], "stream": True, "max_tokens": 200,
                "temperature": 2, "seed": 1}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        assert reply.readline().startswith(b"data: ")
        served.process.send_signal(signal.SIGINT)
        events = [line for line in reply.read().decode().splitlines() if line]
        assert events[-1] == "data: [DONE]", events[-1]
        assert served.process.wait(60) == 0


def asks_for_its_key():
    environment = dict(os.environ, TAPIR_TEST_KEY="open-sesame")
    with serving.serve("--host", "0.0.0.0", "--api-key-env", "TAPIR_TEST_KEY", env=environment) as served:
        served.url = served.url.replace("0.0.0.0", "127.0.0.1")
        assert served.chat("x")[0] == 401
        key = {"Authorization": "Bearer open-sesame"}
        assert served.get("/v1/models", key)[0] == 200


def refuses_to_start():
    taken = socket.create_server(("127.0.0.1", 0))
    for arguments, word in [(("--host", "0.0.0.0"), "API key"), (("--api-key-env", "NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE"),
                            (("--port", taken.getsockname()[1]), "cannot listen")]:
        done = tapir_run.tapir("serve", "--model", serving.BASE, *arguments, check=2)
        assert word in done.stderr and "->" in done.stderr, done.stderr
    taken.close()
    tapir_run.tapir("serve", "--model", tapir_run.ROOT / "docs", check=3)


def chats_on_a_pipe():
    command = tapir_run.command("chat", "--model", serving.BASE, "--max-new-tokens", 20)
    done = subprocess.run(command, input="What is 2+3?\n/reset\nWhat is 2+3?\n", capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) >= 2, done
    assert lines[:len(lines) // 2] == lines[len(lines) // 2:], "the same question after /reset has the same answer"
    assert done.stderr == "", done.stderr


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, command):
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        self.seen = ""

    def wait_for(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, f"{text!r} did not come: {self.seen[-300:]!r}"
            if select.select([self.file], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.file, 65536).decode(errors="replace")
                except OSError:
                    break
        assert text in self.seen, self.seen
        before, self.seen = self.seen.split(text, 1)
        return before

    def type(self, text):
        os.write(self.file, text.encode())

    def status(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def chats_on_a_terminal():
    try:
        for end in os.openpty():
            os.close(end)
    except OSError as error:  # no /dev/pts, as in a bare chroot
        print(f"chats_on_a_terminal: not run: {error}")
        return
    terminal = Terminal(tapir_run.command("chat", "--model", serving.BASE, "--temperature", 2, "--max-new-tokens", 2000))
    terminal.wait_for("> ")
    terminal.type("/help\n")
    terminal.wait_for("/reset")
    terminal.wait_for("> ")
    terminal.type("Tell me a story\n")
    terminal.wait_for("story\r\n")
    time.sleep(0.1)
    terminal.type("\x03")  # stops the answer, if it is still being written, and not the program
    terminal.wait_for("> ")
    terminal.type("/exit\n")
    assert terminal.status() in (0, 130)


def main():
    for test in (answers, stops_after_the_answers_in_work, asks_for_its_key, refuses_to_start, chats_on_a_pipe,
                 chats_on_a_terminal):
        test()
        print(f"{test.__name__}: ok")


if __name__ == "__main__":
    sys.exit(main())
