#!/usr/bin/env python3
"""Writes goldens.json beside this file: scikit-learn's L1 logistic regression (liblinear) on rows that the test makes too.

python3 -m venv .venv-peers && .venv-peers/bin/pip install scikit-learn==1.7.2
.venv-peers/bin/python tests/goldens/l1_logistic/make_goldens.py
"""

import json
import math
import pathlib

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

ROWS = 240
CS = [1e-3, 0.02, 0.5, 21.544346900318832, 1e4]


def rows():
    """Features, soft labels and weights by formula: the test has the same."""
    x, labels, weights = [], [], []
    for i in range(ROWS):
        a, b = math.sin(1.7 * i + 0.3), math.cos(0.9 * i * i)
        c = 1.0 if i % 5 else 0.0
        x.append([math.tanh(2 * a), b, c])
        labels.append(1 / (1 + math.exp(-(1.5 * a - 0.4 * b - 0.8 * c + math.sin(37.0 * i)))))
        weights.append(1.0 if i % 3 else 0.1)
    return np.array(x), np.array(labels), np.array(weights)


def objective(x, labels, weights, w, c):
    z = x @ w
    return np.abs(w).sum() + c * (weights * (np.logaddexp(0, z) - labels * z)).sum()


def main():
    x, labels, weights = rows()
    twice = np.concatenate([x, x])
    y = np.concatenate([np.ones(ROWS), np.zeros(ROWS)])
    soft = np.concatenate([weights * labels, weights * (1 - labels)])
    fits = []
    for c in CS:
        model = LogisticRegression(penalty="l1", solver="liblinear", fit_intercept=False, C=c, tol=1e-10, max_iter=100000,
                                   random_state=1)
        w = model.fit(twice, y, sample_weight=soft).coef_[0]
        fits.append({"c": c, "coefficients": w.tolist(), "objective": objective(x, labels, weights, w, c)})
    out = {"sklearn": sklearn.__version__, "fits": fits}
    (pathlib.Path(__file__).parent / "goldens.json").write_text(json.dumps(out, indent=1) + "\n")


main()
