#!/usr/bin/env python3
"""`tapir serve` under load beside the engine's own batch rate: the same student, prompts and lengths.

    python3 benchmarks/serve_bench.py [--size 5.9M | --model DIR] [--clients 64] [--requests 512] [--max-tokens 128] [--stream]

Offline: `tapir generate` on a file of all prompts. Served: so many clients, each asking its next request as soon as it has
the answer to the last one. Both greedy, alternating, on all cores (the clients, in Python, share them: a student as small
as the gym's, whose answers cost less than a request, shows the clients' speed rather than the server's). --size: random
weights of that size with the gym's tokenizer. Prints the median generated tokens per second of both and the median of
the ratios as one JSON object. Python's standard library only.
"""
import argparse
import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from peers import ROOT
from sizes import SIZES

GYM_BASE = ROOT / "assets" / "gym-base"


def prompt(i):
    return f"Question {i}: what is {i * 7919 % 1000} plus {i * 104729 % 1000}? " + "Think of a river. " * (i % 4)


def fresh_student(program, size, folder):
    """A student of that size over the gym's tokenizer; its folder."""
    shape = {key: value for key, value in SIZES[size].items() if key != "vocab_size"}
    (folder / "config.json").write_text(json.dumps(json.loads((GYM_BASE / "config.json").read_text()) | shape))
    subprocess.run([program, "student", "new", "--config", folder / "config.json", "--tokenizer", GYM_BASE, "--output",
                    folder / "student"], check=True, stdout=subprocess.DEVNULL)
    return str(folder / "student")


def offline(program, options, folder):
    rows, out = folder / "rows.jsonl", folder / "out.jsonl"
    rows.write_text("".join(json.dumps({"id": str(i), "messages": [{"role": "user", "content": prompt(i)}]}) + "\n"
                            for i in range(options.requests)))
    done = subprocess.run([program, "generate", "--model", options.model, "--input", rows, "--output", out, "--max-new-tokens",
                           str(options.max_tokens), "--json"], check=True, capture_output=True, text=True)
    texts = {row["id"]: row["response"] for row in map(json.loads, out.read_text().splitlines())}
    tokens = sum(json.loads(line)["usage"]["completion_tokens"] for line in out.read_text().splitlines())
    return tokens / json.loads(done.stdout)["seconds"], texts


class Client(threading.Thread):
    def __init__(self, served, numbers, options):
        super().__init__()
        self.served, self.numbers, self.options = served, numbers, options
        self.tokens, self.texts = 0, {}

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.served["port"], timeout=600)
        for i in self.numbers:
            body = {"model": self.served["model"], "messages": [{"role": "user", "content": prompt(i)}], "temperature": 0,
                    "max_tokens": self.options.max_tokens}
            if self.options.stream:
                body |= {"stream": True, "stream_options": {"include_usage": True}}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            data = reply.read()
            if reply.status != 200:
                raise RuntimeError(f"{reply.status}: {data[:300]!r}")
            self.take(i, data)
        connection.close()

    def take(self, i, data):
        if self.options.stream:
            chunks = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: {")]
            self.texts[str(i)] = "".join(c["delta"].get("content", "") for chunk in chunks for c in chunk["choices"])
            self.tokens += chunks[-1]["usage"]["completion_tokens"]
        else:
            whole = json.loads(data)
            self.texts[str(i)] = whole["choices"][0]["message"]["content"]
            self.tokens += whole["usage"]["completion_tokens"]


def served(program, options):
    process = subprocess.Popen([program, "serve", "--model", options.model, "--port", "0", "--max-queue",
                                str(max(options.clients, 256)), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = json.loads(process.stdout.readline())
        clients = [Client(address, range(c, options.requests, options.clients), options) for c in range(options.clients)]
        begin = time.perf_counter()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        seconds = time.perf_counter() - begin
    finally:
        process.terminate()
        process.wait()
    texts = {key: text for client in clients for key, text in client.texts.items()}
    return sum(client.tokens for client in clients) / seconds, texts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="a folder with the built program")
    parser.add_argument("--size", choices=SIZES, default="5.9M")
    parser.add_argument("--model", help="student folder, instead of a fresh one")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=512)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--stream", action="store_true", help="answers as server-sent events")
    options = parser.parse_args()
    program = options.build / "tapir"
    label = options.model or options.size
    rates = []
    with tempfile.TemporaryDirectory() as name:
        options.model = options.model or fresh_student(program, options.size, pathlib.Path(name))
        for run in range(options.runs):
            alone, expected = offline(program, options, pathlib.Path(name))
            under_load, texts = served(program, options)
            if texts != expected:
                sys.exit("the served answers are not those of tapir generate")
            rates.append((alone, under_load))
            print(f"run {run + 1}: offline {alone:.0f}, served {under_load:.0f} tok/s", file=sys.stderr)
    print(json.dumps({
        "model": label, "clients": options.clients, "requests": options.requests, "stream": options.stream,
        "offline_tok_s": round(statistics.median(a for a, _ in rates)),
        "served_tok_s": round(statistics.median(b for _, b in rates)),
        "ratio": round(statistics.median(b / a for a, b in rates), 3),
    }))


if __name__ == "__main__":
    main()
