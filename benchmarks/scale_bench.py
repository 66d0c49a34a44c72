#!/usr/bin/env python3
"""How time and memory grow with the rows: store, duplicates, quotas and mixture, packing, report, on made instructions.

    python3 benchmarks/scale_bench.py [--rows 10000 100000 1000000] [--build build] [--folder DIR]

Every part runs in a process of its own (benchmarks/scale_speed.cpp). Prints one JSON object: for each part and size
microseconds a row (wall and CPU) and the megabytes that the part added to the peak, and the slope: the exponent k of time ~ rows^k
between the last two sizes (1: linear). Texts are drawn from 200,000 words by Zipf's law, 12 words on average, 2 % copies
and 3 % with one word changed.
"""
import argparse
import json
import math
import pathlib
import sys
import tempfile

from peers import ROOT, our_program, run_json

PARTS = ["write", "read", "report", "exact", "minhash", "rouge_l", "mixture", "packing"]


def measure(program, part, rows, folder):
    found = run_json([program, part, rows, folder])
    row = {"rows": rows, "us_per_row": round(1e6 * found["seconds"] / rows, 3),
           "cpu_us_per_row": round(1e6 * found["cpu_seconds"] / rows, 3),
           "added_mb": round((found["peak_bytes"] - found["peak_before"]) / 1e6, 1), "found": found["found"]}
    if "file_bytes" in found:
        row["file_bytes_per_row"] = round(found["file_bytes"] / rows)
    return row


def slope(rows):
    """Of CPU time, over the last two sizes."""
    before, last = rows[-2:]
    times = [row["cpu_us_per_row"] * row["rows"] for row in (before, last)]
    return round(math.log(times[1] / times[0]) / math.log(last["rows"] / before["rows"]), 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--build", default=str(ROOT / "build"), help="a configured build folder")
    parser.add_argument("--folder", help="where the store is made (default: a temporary folder); its disk is measured too")
    arguments = parser.parse_args()
    if len(arguments.rows) < 2:
        parser.error("a slope needs two sizes or more")
    program = our_program(arguments.build, "scale_speed")
    parts = {part: [] for part in PARTS}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for rows in sorted(arguments.rows):
            for part in PARTS:
                parts[part].append(measure(program, part, rows, pathlib.Path(folder)))
                print(part, parts[part][-1], file=sys.stderr)
    print(json.dumps({part: {"sizes": rows, "slope": slope(rows)} for part, rows in parts.items()}))


if __name__ == "__main__":
    main()
