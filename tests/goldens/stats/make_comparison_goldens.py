#!/usr/bin/env python3
"""Writes comparisons.json beside this file: what scipy and statsmodels give for comparisons of systems.

python3 -m venv .venv-peers && .venv-peers/bin/pip install scipy==1.17.1 statsmodels==0.15.0 pandas
.venv-peers/bin/python tests/goldens/stats/make_comparison_goldens.py
"""

import itertools
import json
import pathlib
import random
from fractions import Fraction

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats import contingency_tables, multitest, power, weightstats

rng = random.Random(20260112)


def holm():
    families = [[0.01], [0.04, 0.01, 0.03], [0.5, 0.9, 0.2, 0.2], [0.0, 1.0, 0.049999, 0.012, 0.012]]
    families.append([rng.random() ** 3 for _ in range(40)])
    return [[p, list(multitest.multipletests(p, method="holm")[1])] for p in families]


def clustered():
    rows = []
    for groups, most in ((2, 1), (5, 4), (80, 2), (40, 7)):
        values, labels = [], []
        for group in range(groups):
            effect = rng.gauss(0, 1)
            for _ in range(rng.randint(1, most)):
                values.append(effect + rng.gauss(0.4, 0.7))
                labels.append(1000 - 3 * group)
        fit = sm.OLS(np.array(values), np.ones(len(values))).fit(
            cov_type="cluster", cov_kwds={"groups": np.array(labels)}, use_t=True)
        low, high = fit.conf_int(alpha=0.05)[0]
        rows.append({"values": values, "labels": labels, "mean": fit.params[0], "standard_error": fit.bse[0],
                     "low": low, "high": high})
    return rows


def equivalence():
    rows = []
    for size, centre in ((2, 0.0), (5, 0.3), (30, -0.1), (80, 0.45)):
        values = [rng.gauss(centre, 0.8) for _ in range(size)]
        for low, high in ((-0.5, 0.5), (-0.1, 1.0), (0.4, 0.5)):
            _, (_, p_low, _), (_, p_high, _) = weightstats.DescrStatsW(values).ttost_mean(low, high)
            rows.append({"values": values, "low": low, "high": high, "p_low": p_low, "p_high": p_high})
    return rows


def sample_size():
    """Effects in standard errors, and the items for a given standard deviation and difference."""
    rows = []
    for alpha, wanted in ((0.05, 0.8), (0.05, 0.9), (0.01, 0.8), (0.2, 0.5)):
        effect = optimize.brentq(lambda d: power.normal_power(d, 1, alpha) - wanted, 0, 20, xtol=1e-14, rtol=1e-14)
        rows.append({"alpha": alpha, "power": wanted, "effect": effect,
                     "items": [[sd, difference, int(np.ceil((effect * sd / difference) ** 2))]
                               for sd, difference in ((0.5, 0.02), (2.4, 0.3), (1.0, 5.0))]})
    return rows


def scipy_flip(values):
    return float(stats.permutation_test((np.array(values),), np.sum, permutation_type="samples", n_resamples=np.inf,
                                        alternative="two-sided").pvalue)


def counted_flip(units):
    """All sign patterns by their sums, in whole numbers."""
    patterns = {0: 1}
    for unit in units:
        more = {}
        for total, count in patterns.items():
            for after in (total + unit, total - unit):
                more[after] = more.get(after, 0) + count
        patterns = more
    hits = sum(count for total, count in patterns.items() if abs(total) >= abs(sum(units)))
    return float(Fraction(hits, 2 ** len(units)))


def sign_flip():
    rows = []
    for units, unit in (([1, 1, -1, 2, 3, -2, 1, 4, 1, -1, 2, 2], 0.25), ([3, -6, 9, 3, 3, 3, -3, 6], 0.1)):
        values = [unit * u for u in units]
        rows.append({"values": values, "p": scipy_flip(values)})
        assert abs(rows[-1]["p"] - counted_flip(units)) < 1e-12
    for size, unit, shift in ((80, 0.25, 0.0), (80, 0.25, 1.0), (80, 1 / 6, 2.0), (300, 1 / 306, 0.5), (2000, 1.0, 0.1)):
        units = [round(rng.gauss(shift, 5)) for _ in range(size)]
        rows.append({"values": [unit * u for u in units], "p": counted_flip(units)})
    return rows


def permuted_three(values):
    """Of three systems: the share of all permutations within the items whose sums spread at least as far, counted."""
    items = (np.array(values).T * 2).round().astype(int)  # ranks with ties become whole
    sums = {(0, 0): 1.0}
    for item in items:
        orders = list(itertools.permutations(item.tolist()))
        if len(set(orders)) == 1:
            continue
        after = {}
        for (first, second), share in sums.items():
            for order in orders:
                key = (first + order[0], second + order[1])
                after[key] = after.get(key, 0) + share / len(orders)
        sums = after
    kept = [item for item in items if len(set(item.tolist())) > 1]
    total = sum(int(item.sum()) for item in kept)

    def spread(first, second):
        return sum((3 * s - total) ** 2 for s in (first, second, total - first - second))

    observed = spread(sum(int(item[0]) for item in kept), sum(int(item[1]) for item in kept))
    return sum(share for (first, second), share in sums.items() if spread(first, second) >= observed)


def systems():
    """Several systems on the same items: right and wrong (Cochran's Q), and scores by their ranks (Friedman). Their p is the
    limit of many items; of three systems the exact one is counted too."""
    rows = []
    for count, items, spread in ((3, 40, 0.0), (4, 300, 0.08), (3, 500, 0.02), (2, 60, 0.1)):
        values = [[float(rng.random() < 0.5 + spread * system) for _ in range(items)] for system in range(count)]
        result = contingency_tables.cochrans_q(np.array(values).T)
        rows.append({"values": values, "q": result.statistic, "p": result.pvalue})
        if count == 3:
            rows[-1]["exact"] = permuted_three(values)
    for count, items, spread in ((3, 30, 0.0), (5, 200, 0.4)):
        # Rounded: with ties.
        scores = [[round(rng.gauss(spread * system, 2)) for _ in range(items)] for system in range(count)]
        result = stats.friedmanchisquare(*scores)
        ranks = np.apply_along_axis(stats.rankdata, 0, np.array(scores))
        rows.append({"values": ranks.tolist(), "q": result.statistic, "p": result.pvalue})
        if count == 3:
            rows[-1]["exact"] = permuted_three(ranks)
    return rows


def main():
    goldens = {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "holm": holm(), "clustered": clustered(),
               "equivalence": equivalence(), "sample_size": sample_size(), "sign_flip": sign_flip(),
               "systems": systems()}
    path = pathlib.Path(__file__).with_name("comparisons.json")
    path.write_text(json.dumps(goldens, default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
