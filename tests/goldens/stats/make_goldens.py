#!/usr/bin/env python3
"""Writes goldens.json beside this file: what scipy and rouge_score give for the functions of src/stats.

python3 -m venv .venv-peers && .venv-peers/bin/pip install scipy==1.17.1 rouge-score==0.1.2
.venv-peers/bin/python tests/goldens/stats/make_goldens.py
"""

import json
import pathlib
import random

import numpy as np
import scipy
from rouge_score import rouge_scorer
from scipy import stats

rng = random.Random(20240501)


def distributions():
    return {
        "normal_quantile": [
            [p, stats.norm.ppf(p)] for p in (1e-9, 1e-4, 0.025, 0.1, 0.3, 0.5, 0.7, 0.975, 0.9999)
        ],
        "t_quantile": [
            [p, d, stats.t.ppf(p, d)]
            for p in (0.005, 0.025, 0.4, 0.9, 0.975, 0.995)
            for d in (1, 2, 5, 5.5, 30, 1000)
        ],
        "t_cdf": [
            [t, d, stats.t.cdf(t, d)]
            for t in (-8.0, -1.3, 0.0, 0.2, 2.5)
            for d in (1, 3, 17.5, 400)
        ],
        "incomplete_beta": [
            [a, b, x, scipy.special.betainc(a, b, x)]
            for a in (0.5, 2, 30)
            for b in (0.5, 3, 80)
            for x in (0.01, 0.3, 0.77, 0.999)
        ],
    }


def intervals():
    wilson = []
    for successes, trials in ((0, 10), (10, 10), (1, 3), (37, 100), (500, 2000), (0, 1)):
        for confidence in (0.9, 0.95, 0.99):
            interval = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
            wilson.append([successes, trials, confidence, interval.low, interval.high])
    samples = []
    for size in (2, 3, 6, 25):
        values = [rng.gauss(0.4, 2.0) for _ in range(size)]
        interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        samples.append(
            {
                "values": values,
                "mean": float(np.mean(values)),
                "sd": float(np.std(values, ddof=1)),
                "low": interval.low,
                "high": interval.high,
            }
        )
    return {"wilson": wilson, "samples": samples}


def sign_flip(values):
    test = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    return float(test.pvalue)


def resampling():
    exact = []
    for values in (
        [0.5, -0.25],
        [1, 1, 1, 1, 1, 1],
        [0, 0, 1, -1, 2],
        [0.1, 0.2, 0.3, -0.6],
        [rng.gauss(0.3, 1) for _ in range(12)],
        [rng.gauss(0.6, 1) for _ in range(16)],
    ):
        exact.append({"values": list(map(float, values)), "p": sign_flip(np.array(values, float))})
    many = [rng.gauss(0.12, 1) for _ in range(300)]
    large = stats.permutation_test(
        (np.array(many),),
        np.sum,
        permutation_type="samples",
        n_resamples=200000,
        alternative="two-sided",
        rng=1,
    )
    boot = stats.bootstrap(
        (np.array(many),),
        np.mean,
        n_resamples=200000,
        confidence_level=0.95,
        method="percentile",
        rng=2,
    )
    interval = boot.confidence_interval
    return {
        "exact": exact,
        "many": {
            "values": many,
            "p": float(large.pvalue),
            "bootstrap": [float(interval.low), float(interval.high)],
        },
    }


def rouge():
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    pairs = [
        ("", "a"),
        ("a", ""),
        ("", ""),
        ("The cat sat.", "the CAT  sat"),
        ("x-ray 3D", "x ray 3 d"),
        ("naïve café 42", "naive cafe 42"),
        ("\u212aelvin \u0130stanbul", "kelvin istanbul i stanbul"),
        ("Z\u00fcrich \u4f60\u597d end", "zurich end"),
        ("a b c d", "d c b a"),
        ("!!!", "???"),
    ]
    words = "the a of to and in is it you that he was for on are with as his they be at one have this from".split()
    for size in (3, 10, 63, 64, 65, 130, 300):
        left = [rng.choice(words) for _ in range(size)]
        right = [rng.choice(words) for _ in range(rng.randint(1, 2 * size))]
        pairs.append((" ".join(left), ", ".join(right)))
        mixed = list(left)
        for _ in range(size // 4):
            mixed[rng.randrange(size)] = rng.choice(words)
        pairs.append((" ".join(left), " ".join(mixed)))
    return [[a, b, scorer.score(a, b)["rougeL"].fmeasure] for a, b in pairs]


def main():
    goldens = {
        "scipy": scipy.__version__,
        "distributions": distributions(),
        "intervals": intervals(),
        "resampling": resampling(),
        "rouge_l": rouge(),
    }
    path = pathlib.Path(__file__).with_name("goldens.json")
    path.write_text(json.dumps(goldens, indent=1, default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
