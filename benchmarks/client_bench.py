#!/usr/bin/env python3
"""Requests a second and CPU per request of the client, beside OpenAI's own Python client.

    python3 benchmarks/client_bench.py [--requests 5000] [--in-flight 256] [--long 100000]

A stub endpoint on the loopback answers at once with 1.4 kB; prompts are 1.5 kB, so many in flight. Ours goes through all
wrappers of a run, and every reply is durable in a store when it counts; the peer (AsyncOpenAI) keeps nothing. Both in turn;
medians, and the median of the ratios, as one JSON object. --long N: ours once more with so many requests, for its
memory (64 MB of it is the cache of the store, once it is full).
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import peers

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLIENT = ["openai==3.54.0"]

PEER = r"""
import asyncio, json, resource, sys, time
import openai

url, requests, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
padding = "p" * 1500

async def main():
    client = openai.AsyncOpenAI(base_url=url, api_key="none")
    numbers = iter(range(requests))
    ok = 0

    async def work():
        nonlocal ok
        for i in numbers:
            reply = await client.chat.completions.create(
                model="stub", temperature=0, max_tokens=1024, messages=[{"role": "user", "content": padding + str(i)}])
            ok += reply.choices[0].finish_reason == "stop"

    cpu, start = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"requests": requests, "ok": ok, "seconds": seconds, "cpu_ms_each": 1000 * cpu / requests}))

asyncio.run(main())
"""


class Endpoint:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}/v1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()


def ours(program, url, requests, in_flight):
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        return peers.run_json([program, url, pathlib.Path(folder) / "run.db", requests, in_flight])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="a configured build folder")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--long", type=int, default=0, help="requests of one long run of ours; 0: none")
    options = parser.parse_args()
    stub, client = (peers.our_program(options.build, name) for name in ("stub_endpoint", "client_speed"))
    result = {"requests": options.requests, "in_flight": options.in_flight}
    with Endpoint(stub) as endpoint:
        if options.runs:
            result |= compare(options, client, endpoint.url)
        if options.long:
            long = ours(client, endpoint.url, options.long, options.in_flight)
            result |= {"long_requests": options.long, "long_req_s": round(options.long / long["seconds"]),
                       "long_cpu_ms_each": long["cpu_ms_each"], "mb_after_each_tenth": long["mb"]}
    print(json.dumps(result))


def compare(options, client, url):
    python = peers.peer_python(ROOT / ".venv-peers-client", CLIENT)
    rates, cpus = [], []
    for run in range(options.runs):
        us = ours(client, url, options.requests, options.in_flight)
        peer = peers.run_json([python, "-c", PEER, url, options.requests, options.in_flight])
        assert us["ok"] == peer["ok"] == options.requests
        rates.append((options.requests / us["seconds"], options.requests / peer["seconds"]))
        cpus.append((us["cpu_ms_each"], peer["cpu_ms_each"]))
        print(f"run {run + 1}: ours {rates[-1][0]:.0f} req/s, {cpus[-1][0]:.3f} ms CPU each; "
              f"openai {rates[-1][1]:.0f} req/s, {cpus[-1][1]:.3f} ms", file=sys.stderr)
    return {
        "our_req_s": round(statistics.median(a for a, _ in rates)),
        "openai_req_s": round(statistics.median(b for _, b in rates)),
        "ratio": round(statistics.median(a / b for a, b in rates), 2),
        "our_cpu_ms": round(statistics.median(a for a, _ in cpus), 4),
        "openai_cpu_ms": round(statistics.median(b for _, b in cpus), 4),
    }


if __name__ == "__main__":
    main()
