"""The committed base student is what its command makes: the same bytes on the CPU type it was made on, and as good a
student on any other."""

import hashlib
import json
import pathlib
import sys
import tempfile

import tapir_run

ASSET = tapir_run.BASE
MADE_BY = json.loads((tapir_run.ROOT / "assets" / "gym-base.json").read_text())


def accuracy(model):
    exam = tapir_run.tapir("gym", "exam", "--model", model, "--uniform", 1600, "--pool", 0, "--beyond", 0, "--part", "dev",
                           "--json", check=0)
    return 100 * json.loads(exam.stdout)["sets"]["uniform"]["macro_accuracy"]


def digest(folder):
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def main():
    assert digest(ASSET) == MADE_BY["sha256"], "assets/gym-base.json names another file"
    engine = {c["what"]: c["found"] for c in json.loads(tapir_run.tapir("doctor", "--json", check=0).stdout)}["student engine"]
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / "base"
        tapir_run.tapir(*MADE_BY["command"].split()[1:], "--output", made, check=0)
        print(f"made on {engine}; the asset on {MADE_BY['engine']}")
        if engine == MADE_BY["engine"]:
            for name in sorted(p.name for p in ASSET.iterdir()):
                assert (made / name).read_bytes() == (ASSET / name).read_bytes(), f"{name} differs"
            print("the same bytes")
        ours, theirs = accuracy(made), accuracy(ASSET)
        print(f"exam: made {ours:.1f} %, asset {theirs:.1f} %")
        assert abs(ours - theirs) <= 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
