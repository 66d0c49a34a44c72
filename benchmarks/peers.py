"""The peers of the benchmarks: an environment of their own with pinned versions, and how to run them.

$TAPIR_PEER_PYTHON names a python that has the packages already; otherwise they are installed into .venv-peers
(git-ignored) on first use.
"""
import json
import os
import pathlib
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ["torch==2.11.0", "transformers==4.57.1", "numpy==2.4.6"]
LLAMA_CPP = ["llama-cpp-python==0.3.36", "gguf==0.19.0"]
TOKENIZERS = ["tokenizers==0.23.3", "sentencepiece==0.2.3", "protobuf==7.36.2"]
TRL = ["trl==0.24.0", "datasets==4.3.0", "accelerate==1.11.0", "tokenizers==0.22.1"]


def peer_python(folder, packages=PEERS):
    """A python that has the packages; `folder`: of the environment that is made when there is none."""
    if "TAPIR_PEER_PYTHON" in os.environ:
        return pathlib.Path(os.environ["TAPIR_PEER_PYTHON"])
    python = pathlib.Path(folder) / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    pinned = [package.split("==") for package in packages]
    wanted = "from importlib.metadata import version; " + "; ".join(
        f"assert version('{name}').split('+')[0] == '{version}'" for name, version in pinned)
    if subprocess.run([python, "-c", wanted], stderr=subprocess.DEVNULL).returncode != 0:
        print("installing", ", ".join(packages), "into", folder, file=sys.stderr)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def run_json(command, **environment):
    """Runs a program, with these variables added to its environment; its last line of output as JSON."""
    out = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True,
                         env=os.environ | environment).stdout
    return json.loads(out.strip().splitlines()[-1])


def our_program(build, name):
    """Builds one of our measuring programs in a configured build folder; its path."""
    subprocess.run(["ninja", "-C", build, name], check=True, stdout=subprocess.DEVNULL)
    return next(pathlib.Path(build).rglob(name))
