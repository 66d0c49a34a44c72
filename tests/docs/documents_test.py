#!/usr/bin/env python3
"""Checks what the documents say: the commands that they show in ```sh blocks, and their links.

  documents_test.py parse --root R [--tapir PROGRAM]   every command is known: verbs and flags of tapir and ./dev stand in
                                                      their own help, recipes and documents it names exist
  documents_test.py links --root R                     every link to a file of the repository leads somewhere
  documents_test.py run --root R --tapir PROGRAM       blocks that follow a line `<!-- run -->` are executed, each file's
                                                      blocks in order in one scratch folder
"""

import argparse
import contextlib
import functools
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

RUN_MARK = "<!-- run -->"
# Programs of the system that documents may show; they are not checked any further.
SYSTEM = {"apt-get", "cat", "cd", "cp", "curl", "docker", "echo", "export", "git", "head", "jq", "kill", "ls", "mkdir", "ninja", "nvidia-smi",
          "pip", "python", "python3", "rm", "sudo", "tail", "taskset", "timeout", "wait", "xdg-open"}
OUR_TOOLS = {"cmake", "ctest"}
LIMIT = 300  # seconds for one block that is run


class Block:
    def __init__(self, name, line, text, runs):
        self.name, self.line, self.text, self.runs = name, line, text, runs

    def where(self):
        return f"{self.name}:{self.line}"


def blocks_of(root):
    for path in [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").glob("*.md"))]:
        inside, marked = None, False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if inside is None and line.strip() == RUN_MARK:
                marked = True
            elif inside is None and line.strip() == "```sh":
                inside = (number + 1, [])
            elif inside is not None and line.strip() == "```":
                yield Block(str(path.relative_to(root)), inside[0], "\n".join(inside[1]), marked)
                inside, marked = None, False
            elif inside is not None:
                inside[1].append(line)
            elif line.strip():
                marked = False


def without_here_documents(text):
    """The lines but for what stands between <<'EOF' and EOF."""
    end = None
    for line in text.splitlines():
        if end is not None:
            end = None if line == end else end
            continue
        here = re.search(r"<<'(\w+)'", line)
        end = here.group(1) if here else None
        yield line.replace(here.group(0), "") if here else line


def commands_of(text):
    """Words of every simple command: comments gone, lines joined, split at pipes, `&&` and `;`."""
    text = "\n".join(without_here_documents(text))
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words, skip = [], False
        for word in lexer:
            if set(word) <= set("|&;"):
                yield words
                words = []
            elif set(word) <= set("<>"):
                skip = True  # the file of a redirection follows
            elif skip:
                skip = False
            else:
                words.append(word)
        yield words


def without_environment(words):
    while words and re.match(r"[A-Za-z_]\w*=", words[0]):
        words = words[1:]
    return words


class Checker:
    def __init__(self, root, tapir):
        self.root, self.tapir = root, tapir
        self.findings = []
        self.checked = 0

    def complain(self, where, words, what):
        self.findings.append(f"{where}: {what}: {' '.join(words)}")

    @functools.cache
    def help_of(self, *verbs):
        done = subprocess.run([self.tapir, *verbs, "--help"], capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr if done.returncode == 0 else None

    @functools.cache
    def dev_help(self):
        return subprocess.run(["bash", str(self.root / "dev")], capture_output=True, text=True, timeout=60).stdout

    def check(self, where, words):
        self.checked += 1
        program = words[0]
        if program == "sudo":
            program, words = words[1], words[1:]
        if program.startswith(".venv"):
            program = Path(program).name
        if program in ("tapir", "build/tapir"):
            self.check_tapir(where, words)
        elif program == "./dev":
            self.check_dev(where, words)
        elif program in OUR_TOOLS:
            self.check_presets(where, words)
        elif program not in SYSTEM:
            self.complain(where, words, f"'{program}' is no program the documents may show (tests/docs/documents_test.py)")
        self.check_paths(where, words)

    def check_tapir(self, where, words):
        if self.tapir is None:
            return
        verbs = []
        for word in words[1:]:
            if word.startswith("-") or self.help_of(*verbs, word) is None:
                break
            if self.help_of(*verbs, word) == self.help_of(*verbs):
                break  # an argument, not a verb: the help has not changed
            verbs.append(word)
        if not verbs and not words[1].startswith("-"):
            self.complain(where, words, f"tapir knows no verb '{words[1]}'")
            return
        text = self.help_of(*verbs)
        for flag in {word.split("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)}:
            if not re.search(re.escape(flag) + r"(?![\w-])", text):
                self.complain(where, words, f"'tapir {' '.join(verbs)}' has no option {flag}")

    def check_dev(self, where, words):
        if len(words) > 1 and not re.search(rf"^  {re.escape(words[1])}( |$)", self.dev_help(), re.M):
            self.complain(where, words, f"./dev knows no verb '{words[1]}'")

    def check_presets(self, where, words):
        presets = (self.root / "CMakePresets.json").read_text()
        for before, after in zip(words, words[1:]):
            if before == "--preset" and f'"name": "{after}"' not in presets:
                self.complain(where, words, f"there is no preset '{after}'")

    def check_paths(self, where, words):
        for word in words:
            if re.fullmatch(r"(recipes|docs|tests|scripts|benchmarks)/[\w./-]+", word) and not (self.root / word).exists():
                self.complain(where, words, f"there is no {word}")


def parse(root, tapir):
    checker = Checker(root, tapir)
    for block in blocks_of(root):
        for words in map(without_environment, commands_of(block.text)):
            if words:
                checker.check(block.where(), words)
    print("\n".join(checker.findings))
    print(f"{checker.checked} commands, {len(checker.findings)} wrong")
    return 1 if checker.findings or checker.checked == 0 else 0


def links(root):
    count, broken = 0, []
    for path in [*root.glob("*.md"), root / "src" / "README.md", *sorted((root / "docs").glob("*.md"))]:
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if not target.startswith(("http://", "https://", "mailto:")):
                count += 1
                if not (path.parent / target).exists():
                    broken.append(f"{path.relative_to(root)}: there is no {target}")
    print("\n".join(broken))
    print(f"{count} links, {len(broken)} broken")
    return 1 if broken or count == 0 else 0


def make_scratch(root, folder, tapir):
    """A folder that looks like the repository's root after ./dev build, in which runs may write."""
    for name in ("recipes", "assets", "docs", "prompts"):
        if (root / name).exists():
            (folder / name).symlink_to(root / name)
    (folder / "build").mkdir()
    (folder / "build" / "tapir").symlink_to(tapir)
    (folder / "bin").mkdir()
    (folder / "bin" / "tapir").symlink_to(tapir)


def run_block(text, folder, environment):
    """0 or what went wrong, and what it said. A server that it started in the background ends with it."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        shell = subprocess.Popen(["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environment, text=True,
                                 stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        try:
            code = shell.wait(LIMIT)
            status = f"exit {code}" if code else 0
        except subprocess.TimeoutExpired:
            status = f"still running after {LIMIT} s"
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
        output.seek(0)
        return status, output.read()


def run(root, tapir):
    count, failed, folders = 0, 0, {}
    with tempfile.TemporaryDirectory(prefix="tapir-docs-") as scratch:
        for block in blocks_of(root):
            if not block.runs:
                continue
            if block.name not in folders:
                folders[block.name] = Path(scratch) / str(len(folders))
                folders[block.name].mkdir()
                make_scratch(root, folders[block.name], tapir)
            folder = folders[block.name]
            environment = dict(os.environ, PATH=f"{folder / 'bin'}:{os.environ['PATH']}")
            status, said = run_block(block.text, folder, environment)
            count += 1
            if status != 0:
                failed += 1
                print(f"{block.where()}: {status}\n{block.text}\n{said[-6000:]}")
    print(f"{count} blocks run, {failed} failed")
    return 1 if failed or count == 0 else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=["parse", "links", "run"])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--tapir", type=Path)
    options = parser.parse_args()
    tapir = options.tapir.resolve() if options.tapir else None
    if options.mode == "links":
        return links(options.root.resolve())
    return (parse if options.mode == "parse" else run)(options.root.resolve(), tapir)


if __name__ == "__main__":
    sys.exit(main())
