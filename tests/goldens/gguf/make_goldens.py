#!/usr/bin/env python3
"""Makes encoded.json for tests/student/gguf_test.cpp: how gguf-py stores the same numbers.

    python3 -m venv .venv-peers && .venv-peers/bin/pip install gguf==0.19.0 numpy==2.4.6
    .venv-peers/bin/python tests/goldens/gguf/make_goldens.py
"""
import json
import pathlib

import gguf
import numpy

TYPES = {"f16": gguf.GGMLQuantizationType.F16, "bf16": gguf.GGMLQuantizationType.BF16,
         "q8_0": gguf.GGMLQuantizationType.Q8_0}


def main():
    random = numpy.random.default_rng(7)
    values = numpy.concatenate([
        random.normal(0, 0.02, 32), numpy.zeros(32), random.normal(0, 1, 32) * 10.0 ** random.integers(-9, 4, 32),
        numpy.linspace(-127.5, 127, 32), [2.0 ** -14, 2.0 ** -24, 2.0 ** -25, 2.0 ** -26, 65504, 65519, -65504, -0.0],
        random.normal(0, 1, 24)]).astype(numpy.float32)
    golden = {"values": [float(v) for v in values]}
    for name, kind in TYPES.items():
        golden[name] = gguf.quants.quantize(values, kind).tobytes().hex()
    path = pathlib.Path(__file__).resolve().parent / "encoded.json"
    path.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
