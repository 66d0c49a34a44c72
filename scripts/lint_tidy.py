#!/usr/bin/env python3
"""Runs clang-tidy on the files named on standard input, as many at a time as there are cores, and remembers the clean ones.

    git ls-files 'src/*.cpp' | python3 scripts/lint_tidy.py build-lint

A file found clean is passed over until it, one of the project's headers that it reaches, its compile command or
.clang-tidy changes: a full pass takes an hour of a core, and goes on where it was stopped.
"""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.M)
ROOTS = [pathlib.Path("src"), pathlib.Path("tests"), pathlib.Path(".")]
NOISE = re.compile(r"warnings? generated|^Suppressed|^Use -header-filter")


@functools.cache
def includes(path):
    """The project's own headers that a file names."""
    found = []
    for name in INCLUDE.findall(path.read_bytes()):
        candidates = [path.parent / name.decode(), *(root / name.decode() for root in ROOTS)]
        found += [next((pathlib.Path(os.path.normpath(c)) for c in candidates if c.exists()), None)]
    return [header for header in found if header]


def reached(path):
    seen, queue = set(), [path]
    while queue:
        file = queue.pop()
        if file not in seen:
            seen.add(file)
            queue += includes(file)
    return sorted(seen)


def digest(path, command):
    """Of everything of the project that clang-tidy's verdict on a file depends on."""
    whole = hashlib.sha256(command.encode())
    for file in [pathlib.Path(".clang-tidy"), *reached(path)]:
        whole.update(file.read_bytes())
    return whole.hexdigest()


def look(build, path):
    """What clang-tidy says about a file; nothing when it is clean."""
    done = subprocess.run(["clang-tidy-16", "-p", build, "--quiet", path], capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    said = [line for line in (done.stdout + done.stderr).splitlines() if not NOISE.search(line)]
    return "\n".join(said) or f"{path}: clang-tidy ended with exit code {done.returncode}"


def main():
    build = pathlib.Path(sys.argv[1])
    commands = {os.path.relpath(entry["file"]): entry["command"]
                for entry in json.loads((build / "compile_commands.json").read_text())}
    stamps = build / "clean"
    stamps.mkdir(exist_ok=True)
    wanted = {}
    for path in sys.stdin.read().split():
        if path not in commands:
            print(f"{path}: not part of this build", flush=True)
            continue
        stamp = stamps / digest(pathlib.Path(path), commands[path])
        if not stamp.exists():
            wanted[path] = stamp
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        looks = {pool.submit(look, build, path): path for path in wanted}
        for number, ready in enumerate(concurrent.futures.as_completed(looks), 1):
            path, said = looks[ready], ready.result()
            if said:
                bad += 1
                print(said, flush=True)
            else:
                wanted[path].touch()
            print(f"[{number}/{len(wanted)}] {path}: {'findings' if said else 'clean'}", file=sys.stderr, flush=True)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
