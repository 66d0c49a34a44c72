"""Levels are levels: a fixed half-trained student (the committed base) does worse at levels 4-5 than at 1-2."""

import json
import sys

import tapir_run

POINTS = 10


def pooled(levels, wanted):
    return 100 * sum(levels[str(level)] for level in wanted) / len(wanted)


def main():
    exam = json.loads(tapir_run.tapir("gym", "exam", "--model", tapir_run.BASE, "--uniform", 2000,
                                      "--pool", 0, "--beyond", 0, "--json", check=0).stdout)
    families = exam["sets"]["uniform"]["families"]
    drops = {name: pooled(f["levels"], (1, 2)) - pooled(f["levels"], (4, 5)) for name, f in families.items()}
    for name, drop in sorted(drops.items(), key=lambda item: -item[1]):
        print(f"{name:<16} levels 1-2 above 4-5 by {drop:5.1f} points{'' if drop >= POINTS else '   not monotone in this student'}")
    mean = sum(drops.values()) / len(drops)
    print(f"{'all families':<16} {mean:.1f} points")
    assert len(families) == 16, sorted(families)
    assert mean >= POINTS, f"levels 4-5 lie only {mean:.1f} points below levels 1-2"
    return 0


if __name__ == "__main__":
    sys.exit(main())
