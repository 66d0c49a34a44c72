"""`tapir train --ranks`: several processes learn what one learns; one that is killed ends all with its name, and the same
command goes on to the bytes of an uninterrupted training."""

import array
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import tapir_run

DATA, INTERRUPTED = 3, 130
STEPS = 24
LOSS_TOLERANCE, WEIGHT_TOLERANCE = 1e-6, 1e-5
SECONDS_TO_END = 10


def sums():
    return [{"prompt": f"add:{a}+{b}", "completion": f" #{a + b}"} for a in range(10) for b in range(10)]


def training(folder, output, *more, device="cpu"):
    return ("train", "--model", tapir_run.BASE, "--data", folder / "rows.jsonl", "--output", folder / output,
            "--device", device, "--learning-rate", 1e-4, "--batch-tokens", 512, "--max-steps", STEPS, "--logging-steps", 1,
            "--save-steps", 4, "--val-size", 10, "--eval-steps", 8, "--lanes", 1, "--check-prompts", 0, *more)


def start(arguments, **environment):
    return subprocess.Popen(tapir_run.command(*arguments), cwd=tapir_run.ROOT, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})


def metrics(folder):
    try:
        return [(row["step"], row["loss"], row.get("eval_loss")) for row in tapir_run.read_jsonl(folder / "metrics.jsonl")]
    except FileNotFoundError:
        return []


def floats(file):
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    found = {}
    for name, tensor in header.items():
        assert tensor["dtype"] == "F32", tensor
        first, last = tensor["data_offsets"]
        found[name] = array.array("f", data[8 + size + first:8 + size + last])
    return found


def largest_difference(a, b):
    left, right = floats(a), floats(b)
    assert left.keys() == right.keys()
    return max(abs(x - y) for name in left for x, y in zip(left[name], right[name], strict=True))


def same_within_tolerance(one, many, file):
    left, right = metrics(one), metrics(many)
    assert [row[0] for row in left] == [row[0] for row in right] == list(range(1, STEPS + 1))
    loss = max(abs(a - b) / max(1, a) for x, y in zip(left, right) for a, b in zip(x[1:], y[1:]) if a is not None)
    weight = largest_difference(one / file, many / file)
    print(f"{many.name}: largest difference of a loss {loss:.1e} (of its size, above 1), of a weight {weight:.1e}")
    assert loss <= LOSS_TOLERANCE and weight <= WEIGHT_TOLERANCE, (loss, weight)


def same_bytes(one, other):
    for file in ("model.safetensors", "optimizer.safetensors"):
        assert (one / file).read_bytes() == (other / file).read_bytes(), f"{file} differs"
    assert metrics(one) == metrics(other)


def ranks_of(output):
    """Pids by rank, of the processes that rank 0 started."""
    found = {}
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            environment = dict(entry.split(b"=", 1) for entry in (place / "environ").read_bytes().split(b"\0") if b"=" in entry)
        except OSError:
            continue
        if str(output).encode() in words and b"train" in words and b"RANK" in environment:
            found[int(environment[b"RANK"])] = int(place.name)
    return found


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "nothing within the time"
        time.sleep(0.005)
    return found


def begin(arguments, output, step):
    process = start(arguments)
    wait_for(lambda: process.poll() is not None or len(metrics(output.with_suffix(".work"))) >= step)
    assert process.poll() is None, process.communicate()[1]
    return process


def one_is_killed(folder, whole, rank, step):
    output = folder / f"killed-{rank}"
    arguments = training(folder, output.name, "--ranks", 3)
    process = begin(arguments, output, step)
    pids = ranks_of(output)
    assert sorted(pids) == [1, 2], pids
    began = time.monotonic()
    os.kill(pids[rank], signal.SIGKILL)
    words = process.communicate(timeout=60)[1]
    seconds = time.monotonic() - began
    print(f"rank {rank} killed after step {step}: all ended within {seconds:.2f} s")
    assert seconds < SECONDS_TO_END
    assert process.returncode == DATA and f"rank {rank} (pid {pids[rank]}) ended" in words, words
    assert not ranks_of(output)
    said = tapir_run.tapir(*arguments, check=0).stderr
    resumed = re.search(r"going on from step (\d+)", said)
    assert resumed and int(resumed[1]) >= step // 4 * 4, said
    same_bytes(whole, output)


def rank_0_is_killed(folder, whole):
    output = folder / "killed-0"
    arguments = training(folder, output.name, "--ranks", 3)
    process = begin(arguments, output, 6)
    process.kill()
    process.communicate()
    wait_for(lambda: not ranks_of(output), SECONDS_TO_END)
    tapir_run.tapir(*arguments, check=0)
    same_bytes(whole, output)


def interrupted(folder, whole):
    output = folder / "interrupted"
    arguments = training(folder, output.name, "--ranks", 3)
    process = begin(arguments, output, 6)
    process.send_signal(signal.SIGINT)
    words = process.communicate(timeout=60)[1]
    assert process.returncode == INTERRUPTED, words
    wait_for(lambda: not ranks_of(output), SECONDS_TO_END)
    tapir_run.tapir(*arguments, check=0)
    same_bytes(whole, output)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def by_environment(folder, whole):
    """As torchrun starts them: the variables, the same command for all."""
    output = folder / "environment"
    environment = {"WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1",
                   "MASTER_PORT": free_port()}
    ranks = [start(training(folder, output.name), RANK=str(rank), LOCAL_RANK=str(rank), **environment) for rank in range(3)]
    words = [process.communicate(timeout=120)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0, 0], words
    same_bytes(whole, output)


def by_torchrun(folder, whole):
    python = os.environ.get("TAPIR_TORCH_PYTHON", tapir_run.ROOT / ".venv/bin/python")
    if subprocess.run([python, "-c", "import torch.distributed.run"], capture_output=True).returncode != 0:
        return print("torchrun cannot be started here: left out")
    output = folder / "torchrun"
    command = tapir_run.command(*training(folder, output.name))
    done = subprocess.run([python, "-m", "torch.distributed.run", "--nproc_per_node", "3", "--master_port", free_port(),
                           "--no-python", *command], cwd=tapir_run.ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    same_bytes(whole, output)


def one_cannot_read(folder):
    """Standard input is rank 0's alone."""
    arguments = training(folder, "input", "--ranks", 2)
    arguments = [("-" if str(word).endswith("rows.jsonl") else word) for word in arguments]
    done = subprocess.run(tapir_run.command(*arguments), cwd=tapir_run.ROOT, capture_output=True, text=True, timeout=60,
                          input=(folder / "rows.jsonl").read_text())
    assert done.returncode == DATA and re.search(r"rank 1 \(pid \d+\): ", done.stderr), done.stderr
    return done.stderr


def refused(folder):
    done = tapir_run.tapir(*training(folder, "gpu", "--ranks", 2, device="torch-cpu"))
    assert done.returncode == 2 and "torch-cpu for several processes" in done.stderr, done.stderr
    os.environ.update(RANK="0", WORLD_SIZE="2", MASTER_PORT=free_port())
    done = tapir_run.tapir(*training(folder, "other", "--ranks", 3))
    for name in ("RANK", "WORLD_SIZE", "MASTER_PORT"):
        del os.environ[name]
    assert done.returncode == 2 and "--ranks: found 3" in done.stderr, done.stderr


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tapir_run.write_jsonl(folder / "rows.jsonl", sums())
        tapir_run.tapir(*training(folder, "one"), check=0)
        for ranks in (2, 3, 4):
            tapir_run.tapir(*training(folder, f"ranks-{ranks}", "--ranks", ranks), check=0)
            same_within_tolerance(folder / "one", folder / f"ranks-{ranks}", "model.safetensors")
        lora = ("--finetuning-type", "lora", "--lora-dropout", 0.1)
        tapir_run.tapir(*training(folder, "lora", *lora), check=0)
        tapir_run.tapir(*training(folder, "lora-2", "--ranks", 2, *lora), check=0)
        same_within_tolerance(folder / "lora", folder / "lora-2", "adapter_model.safetensors")
        whole = folder / "ranks-3"
        one_is_killed(folder, whole, 2, 6)
        one_is_killed(folder, whole, 1, 14)
        rank_0_is_killed(folder, whole)
        interrupted(folder, whole)
        by_environment(folder, whole)
        by_torchrun(folder, whole)
        print(one_cannot_read(folder).splitlines()[-2])
        refused(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
