#!/usr/bin/env python3
"""Rules for single files: length, where torch may be seen, what libraries may not do, words that must not stay."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

LENGTH = {"src": 450, "apps": 450, "tests": 600}  # lines
TORCH = re.compile(r'^\s*#\s*include\s*[<"](torch|ATen|c10)/')
UMBRELLA = re.compile(r'^\s*#\s*include\s*[<"](torch/(torch|all|extension)\.h|ATen/(ATen|Functions)\.h)')
PRINTS = re.compile(r"\bstd::(cout|cerr|clog|exit|abort|terminate|quick_exit)\b|\bf?printf\s*\(|\bputs\s*\(")
# Commands on files: `-` is standard output.
MAY_PRINT = {"src/pipeline/row_files.cpp"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE_PATH = re.compile(r"(?<![\w./])/(work|root|home/\w+)/")


def rules_for(name):
    """(pattern, complaint) pairs for the lines of that file."""
    rules = [(UNFINISHED, "unfinished: finish it or file it"), (MACHINE_PATH, "a path of one machine")]
    if not name.endswith((".h", ".cpp")):
        return rules
    if not name.startswith(("src/student/", "tests/student/")):
        rules.append((TORCH, "torch headers belong in src/student and tests/student only"))
    rules.append((UMBRELLA, "takes minutes to compile: include the per-operator header"))
    if name.startswith("src/") and name not in MAY_PRINT:
        rules.append((PRINTS, "library code never prints and never exits"))
    if name.endswith(".h"):
        rules.append((re.compile(r"^using namespace"), "no using namespace in a header"))
    return rules


def check_file(root, name):
    lines = (root / name).read_text(errors="replace").splitlines()
    limit = LENGTH.get(name.split("/")[0])
    if limit and name.endswith((".h", ".cpp")) and len(lines) > limit:
        yield f"{name}: {len(lines)} lines, at most {limit}: one concept a file"
    # An _impl.h is included several times on purpose, under different compiler settings.
    if name.endswith(".h") and not name.endswith("_impl.h") and "#pragma once" not in lines:
        yield f"{name}: no #pragma once"
    for number, line in enumerate(lines, 1):
        for pattern, complaint in rules_for(name):
            if pattern.search(line):
                yield f"{name}:{number}: {complaint}: {line.strip()[:80]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    patterns = ["*.h", "*.cpp", "*.cmake", "*CMakeLists.txt", "*.sh", "dev", "*.yaml", "*.py"]
    names = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=root, check=True, capture_output=True,
                           text=True).stdout.split("\0")
    findings = []
    for name in names:
        if name and (root / name).is_file() and name != "scripts/lint_files.py" and name != "tests/scripts/lint_test.py":
            findings += check_file(root, name)
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
