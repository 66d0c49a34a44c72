"""student.generation.backend: command. A student's answers through servers that a command line starts: complete when a
server is killed, none left behind when tapir is, and an error that says why when they do not come up."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import tapir_run

USAGE, ENDPOINT = 2, 4
ROWS = 500
UNTIL = "s0/answers"

RECIPE = f"""
name: served
seed: 1
student:
  model_name_or_path: {tapir_run.BASE}
  s0: as_is
  device: cpu
  generation: {{temperature: 0, max_new_tokens: 128, slots: 32}}
data: {{gym: {{rows: {ROWS}}}, responses: keep}}
teacher: {{kind: gym}}
judge: {{kind: gym}}
tasks: {{taxonomy: gym, classifier: given}}
curriculum: {{rounds: 1}}
train: {{learning_rate: 1.0e-3, cutoff_len: 320, batch_tokens: 512, tokens: 8000}}
evaluate: {{exam: {{uniform: 32, pool: 0, beyond: 0}}}}
"""

SERVE = f"{tapir_run.PROGRAM} serve --model {{model}} --host {{host}} --port {{port}} --served-model-name {{name}} --threads 1"
# Slow enough to be killed in the middle.
SLOW = ("student.generation.max_concurrent_requests=2",)


def settings(command, *more):
    return ["student.generation.backend=command", f"student.generation.command={json.dumps(command)}", *more]


def run(recipe, run_dir, *more, check=None):
    return tapir_run.tapir("run", recipe, "--run-dir", run_dir, "--until", UNTIL, *more, check=check)


def answers(run_dir):
    with tapir_run.database(run_dir) as db:
        return dict(db.execute("select instruction_id, text from responses where author = 'student/s0'"))


def answered_by(port):
    try:
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    except OSError:
        return 0
    found = re.search(r'tapir_requests_total\{path="/v1/chat/completions",status="200"\} (\d+)', page)
    return int(found[1]) if found else 0


def servers_of(run_dir):
    """Pids by port, of the servers over this run's student."""
    found = {}
    for place in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().decode().split("\0")
        except OSError:
            continue
        if len(words) > 2 and words[1] == "serve" and str(run_dir) in words[words.index("--model") + 1]:
            found[int(words[words.index("--port") + 1])] = int(place.parent.name)
    return found


def begin(recipe, run_dir, *more):
    """A run whose servers have answered some rows, and its servers."""
    command = tapir_run.command("run", recipe, "--run-dir", run_dir, "--until", UNTIL, *more)
    process = subprocess.Popen(command, cwd=tapir_run.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()[0]
        servers = servers_of(run_dir)
        if len(servers) == 2 and all(answered_by(port) >= 5 for port in servers):
            return process, servers
    raise AssertionError("the servers answer nothing")


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def one_is_killed(recipe, folder, native):
    process, servers = begin(recipe, folder / "one", *settings(SERVE, "student.generation.servers=2", *SLOW))
    kill(next(iter(servers.values())))
    words = process.communicate(timeout=120)[0]
    assert process.returncode == 0, words
    assert "by SIGKILL); its requests go to the others" in words, words
    got = answers(folder / "one")
    assert got.keys() == native.keys()
    assert not servers_of(folder / "one")
    same = sum(got[row] == native[row] for row in native)
    assert same == ROWS, f"{same} of {ROWS} answers are those of the native backend"


def all_are_killed(recipe, folder, native):
    more = settings(SERVE, "student.generation.servers=2", *SLOW)
    process, servers = begin(recipe, folder / "all", *more)
    for pid in servers.values():
        kill(pid)
    words = process.communicate(timeout=120)[0]
    assert process.returncode == ENDPOINT and "all servers have ended" in words, words
    assert words.count("by SIGKILL)") >= 2 and "server-s0-1.log" in words, words
    kept = answers(folder / "all")
    assert 0 < len(kept) < ROWS, len(kept)
    run(recipe, folder / "all", *more, check=0)
    assert answers(folder / "all") == native


def tapir_is_killed(recipe, folder, native):
    more = settings(SERVE, "student.generation.servers=2", *SLOW)
    process, _ = begin(recipe, folder / "killed", *more)
    process.kill()
    process.communicate()
    end = time.monotonic() + 20
    while servers_of(folder / "killed") and time.monotonic() < end:
        time.sleep(0.1)
    assert not servers_of(folder / "killed"), "servers outlive the run that started them"
    run(recipe, folder / "killed", *more, check=0)
    assert answers(folder / "killed") == native


def they_do_not_come_up(recipe, folder):
    def refused(name, command, code, *words, seconds=1):
        done = run(recipe, folder / name, *settings(command, f"student.generation.start_timeout={seconds}"))
        assert done.returncode == code, (command, done.returncode, done.stderr)
        for word in words:
            assert word in done.stderr, (command, word, done.stderr)

    refused("silent", "echo waiting; sleep 60; : {model} {port}", ENDPOINT, "is not healthy after 1 s", "waiting",
            "server-s0-1.log", "start_timeout")
    refused("ends", "echo no such option >&2; exit 3; : {model} {port}", ENDPOINT, "did not start: exit status 3",
            "no such option")
    refused("missing", "vllm-that-is-not-there {model} {port}", ENDPOINT, "the shell did not find the program",
            "is 'vllm-that-is-not-there' installed")
    refused("other", SERVE.replace("--served-model-name ", "--served-model-name other-"), ENDPOINT,
            "serves another model: other-s0; expected s0", seconds=60)
    refused("slot", SERVE + " --gpus {gpu}", USAGE, "student.generation.command: there is no slot {gpu}", "{port}")
    refused("port", "serve {model}", USAGE, "has no slot {port}")
    refused("fixed", "serve /models/seven --port {port}", USAGE, "neither {model} nor {gguf}")
    done = run(recipe, folder / "native", f"student.generation.command={SERVE}")
    assert done.returncode == USAGE and "student.generation.backend is native" in done.stderr, done.stderr


def other_backend_is_a_change(recipe, folder):
    done = run(recipe, folder / "native", *settings(SERVE))
    assert done.returncode == USAGE and UNTIL in done.stderr and "--accept-changes" in done.stderr, done.stderr


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE)
        run(recipe, folder / "native", check=0)
        native = answers(folder / "native")
        assert len(native) == ROWS
        one_is_killed(recipe, folder, native)
        all_are_killed(recipe, folder, native)
        tapir_is_killed(recipe, folder, native)
        they_do_not_come_up(recipe, folder)
        other_backend_is_a_change(recipe, folder)


if __name__ == "__main__":
    sys.exit(main())
