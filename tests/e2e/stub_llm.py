"""A teacher and a judge that know any text, behind an OpenAI-compatible endpoint, with faults on purpose: for runs on real text,
which the gym's models do not know. What they say is a function of the request alone; it makes no sense, but it can be told
from anything else. Counts what it was sent, as `tapir gym serve` does."""

import collections
import contextlib
import hashlib
import http.server
import json
import random
import re
import socket
import threading
import time

SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in ("a", "e", "i", "o", "u", "an", "or", "il")]
FAULTS = ("throttle", "error", "cut", "slow", "half", "garble")


def stream_of(*parts):
    return random.Random(hashlib.sha256("\0".join(parts).encode()).digest())


def words(stream, count):
    return " ".join("".join(stream.choices(SYLLABLES, k=stream.randint(2, 4))) for _ in range(count))


def fence(text, name):
    found = re.search(rf"<{name}>\n(.*?)\n</{name}>", text, re.S)
    return found.group(1) if found else None


def judged(prompt):
    scores = [stream_of("score", fence(prompt, name)).randint(1, 10) for name in ("answer_a", "answer_b")]
    return f"Both were read to their end.\nScore A: {scores[0]}\nScore B: {scores[1]}"


def taught(prompt, body):
    if types := fence(prompt, "task_types"):
        names = [line.split(":")[0].strip("- ") for line in types.splitlines()]
        return f"<answer>{stream_of('task', fence(prompt, 'instruction')).choice(names)}</answer>"
    if fence(prompt, "task_description"):
        return "Say what is meant by " + words(stream_of("new", body), 12) + "."
    return "The answer is this: " + words(stream_of("answer", prompt), 10) + "."


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):  # the list of models, for `tapir validate`
        self.reply(json.dumps({"object": "list", "data": [{"id": "stub-teacher"}, {"id": "stub-judge"}]}))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fault, draw = self.server.stub.meet(self.headers.get("tapir-attempt", ""), body)
        request = json.loads(body)
        prompt = request["messages"][-1]["content"]
        text = judged(prompt) if request["model"] == "stub-judge" else taught(prompt, body)
        if fault == "garble":
            text = text[:len(text) // 2]
        whole = json.dumps({"object": "chat.completion", "model": request["model"],
                            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                            "usage": {"prompt_tokens": len(body) // 4, "completion_tokens": len(text) // 4}})
        if fault == "throttle":
            return self.reply('{"error": {"message": "slower"}}', 429, ("retry-after-ms", "20"))
        if fault == "error":
            return self.reply("<html>Bad Gateway</html>" if draw.random() < 0.3 else '{"error": {"message": "broken"}}',
                              draw.choice((500, 502, 503)))
        if fault == "half":
            return self.reply(whole[:len(whole) // 2])
        if fault == "cut":
            return self.cut(f"HTTP/1.1 200 OK\r\nContent-Length: {len(whole)}\r\n\r\n{whole}"[:draw.randrange(len(whole))])
        if fault == "slow":
            time.sleep(0.05)
        return self.reply(whole)

    def reply(self, text, status=200, header=None):
        with contextlib.suppress(OSError):  # the client was killed
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            if header:
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(text.encode())

    def cut(self, text):
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.write(text.encode())
            self.connection.shutdown(socket.SHUT_RDWR)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass  # a client that was killed


class Stub:
    def __init__(self, fault_rate):
        self.fault_rate = fault_rate
        self.lock = threading.Lock()
        self.sends = collections.Counter()  # by request
        self.faults = collections.Counter({kind: 0 for kind in FAULTS})
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.stub = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def meet(self, attempt, body):
        """The fault of this request, by what it is and how often it came before; a stream for its details."""
        with self.lock:
            before = self.sends[(attempt, body)]
            self.sends[(attempt, body)] += 1
            draw = stream_of("fault", attempt, body, str(before))
            if draw.random() >= self.fault_rate:
                return None, draw
            kind = draw.choice(FAULTS)
            if kind == "garble" and '"model":"stub-judge"' not in body:
                return None, draw  # nobody could tell
            self.faults[kind] += 1
            return kind, draw

    def settings(self, *more):
        return [f"{role}.{setting}" for role in ("teacher", "judge")
                for setting in ("kind=openai", f"model=stub-{role}", f"endpoints=[{{base_url: {self.url}/v1}}]", "retry_delay=0.01",
                                *more)]


@contextlib.contextmanager
def serving(fault_rate=0.0):
    stub = Stub(fault_rate)
    thread = threading.Thread(target=stub.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.server.shutdown()
        stub.server.server_close()
