#!/usr/bin/env python3
"""The quickstart over several seeds: accuracy of S_0 and every arm, paired differences with intervals and sign-flip p."""

import argparse
import itertools
import json
import pathlib
import resource
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
T_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # by number of seeds
LADDER = ["s0", "plain", "refined", "random_fresh", "tapir"]
PAIRS = [("tapir", "s0"), ("tapir", "plain"), ("plain", "s0"), ("refined", "plain"), ("random_fresh", "refined"),
         ("tapir", "random_fresh")]


def run(program, recipe, folder, seed, settings):
    """Accuracy by arm, in per cent, and the wall time of one run."""
    start = time.monotonic()
    done = subprocess.run([program, "run", recipe, "--run-dir", folder / f"seed-{seed}", "--json", f"seed={seed}", *settings],
                          cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"seed {seed}: exit {done.returncode}\n{done.stderr}")
    status = json.loads(done.stdout)
    by_student = {s["student"]: 100 * s["macro_accuracy"] for s in status["students"]}
    last = max(int(s.rsplit("-", 1)[1]) for s in by_student if s != "s0")
    scores = {arm: by_student["s0" if arm == "s0" else f"{arm}/round-{last}"] for arm in LADDER}
    return scores, time.monotonic() - start


def interval(values):
    mean = statistics.mean(values)
    if len(values) < 2:
        return mean, float("nan")
    return mean, T_975[len(values)] * statistics.stdev(values) / len(values) ** 0.5


def sign_flip(values):
    """Exact two-sided p: the share of sign patterns whose sum is as far from 0."""
    observed = abs(sum(values)) - 1e-12
    patterns = list(itertools.product((1, -1), repeat=len(values)))
    return sum(abs(sum(s * v for s, v in zip(p, values))) >= observed for p in patterns) / len(patterns)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--program", default=str(ROOT / "build" / "tapir"))
    parser.add_argument("--recipe", default="recipes/quickstart.yaml")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "runs" / "seeds")
    parser.add_argument("settings", nargs="*", help="key=value, over the recipe's own")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    print("seed  " + "".join(f"{arm:>13}" for arm in LADDER) + "   seconds")
    for seed in options.seeds:
        scores, seconds = run(options.program, options.recipe, options.folder, seed, options.settings)
        rows.append(scores)
        print(f"{seed:>4}  " + "".join(f"{scores[arm]:>13.1f}" for arm in LADDER) + f"   {seconds:7.1f}", flush=True)
    print("mean  " + "".join(f"{statistics.mean(r[arm] for r in rows):>13.1f}" for arm in LADDER))
    print("\ndifference in points            mean   95 % interval over seeds   sign-flip p")
    for a, b in PAIRS:
        values = [r[a] - r[b] for r in rows]
        mean, half = interval(values)
        print(f"{a + ' - ' + b:<28} {mean:>+7.1f}   [{mean - half:+.1f}, {mean + half:+.1f}]"
              f"{'':<12} {sign_flip(values):.3f}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"\npeak memory of a run {peak:.2f} GB")


if __name__ == "__main__":
    main()
