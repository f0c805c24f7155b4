"""Writes internal/stat/testdata/metrics.json: figures of scikit-learn, scipy and numpy on drawn data, for the tests of package stat.

Usage: python scripts/metric_fixture.py
"""
import json, pathlib
import numpy, scipy, sklearn
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (accuracy_score, brier_score_loss, cohen_kappa_score, confusion_matrix,
                             precision_recall_fscore_support, roc_auc_score)

rng = numpy.random.default_rng(8)
out = {"versions": {"numpy": numpy.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}}

labels = ["EXACT", "BROAD", "NARROW", "NO_RELATION"]
out["agreement"] = []
for n in (7, 145, 500):
    a = rng.choice(labels, n, p=[.3, .3, .2, .2])
    b = numpy.where(rng.random(n) < .55, a, rng.choice(labels, n))
    p, r, f, s = precision_recall_fscore_support(a, b, labels=labels, zero_division=0)
    out["agreement"].append({"a": a.tolist(), "b": b.tolist(), "accuracy": accuracy_score(a, b), "kappa": cohen_kappa_score(a, b, labels=labels),
                             "confusion": confusion_matrix(a, b, labels=labels).tolist(), "precision": p.tolist(), "recall": r.tolist(),
                             "f1": f.tolist(), "support": s.tolist()})

out["calibration"] = []
for n, step in ((50, 0), (400, 0.05)):
    p = rng.random(n)
    if step:  # ties
        p = numpy.round(p / step) * step
    y = rng.random(n) < p ** 1.5
    edges = numpy.minimum((p * 10).astype(int), 9)
    ece = sum((edges == k).sum() / n * abs(p[edges == k].mean() - y[edges == k].mean()) for k in range(10) if (edges == k).any())
    row = {"p": p.tolist(), "y": y.tolist(), "auroc": roc_auc_score(y, p), "brier": brier_score_loss(y, p), "ece": float(ece)}
    if not step:  # scikit-learn puts a value on an edge into the lower bin, we into the upper one
        true, pred = calibration_curve(y, p, n_bins=10)
        row["accuracy"], row["confidence"] = true.tolist(), pred.tolist()
    order = numpy.argsort(-p, kind="stable")
    if not step:
        risk = 1 - numpy.cumsum(y[order]) / numpy.arange(1, n + 1)
        row["aurc"] = float(risk.mean())
    out["calibration"].append(row)

out["mcnemar"] = [{"b": int(b), "c": int(c), "p": float(binomtest(int(b), int(b + c)).pvalue)} for b, c in ((1, 9), (10, 30), (589, 331), (192, 58), (3, 3))]
x = rng.normal(size=101)
out["quantile"] = {"x": x.tolist(), "q": [.025, .5, .975], "value": numpy.quantile(x, [.025, .5, .975]).tolist()}

# The paired document bootstrap with multinomial weights, as intervals to be near to.
docs = 80
den = rng.integers(1, 30, docs)
num = [rng.binomial(den, .6), None]
num[1] = numpy.clip(num[0] + rng.integers(-2, 2, docs), 0, den)
w = rng.multinomial(docs, [1 / docs] * docs, size=20000)
ratios = [(w @ k) / (w @ den) for k in num]
out["bootstrap"] = {"num": [k.tolist() for k in num], "den": den.tolist(), "interval": numpy.quantile(ratios[0], [.025, .975]).tolist(),
                    "difference": numpy.quantile(ratios[0] - ratios[1], [.025, .975]).tolist()}

path = pathlib.Path(__file__).parent.parent / "internal/stat/testdata/metrics.json"
path.write_text(json.dumps(out) + "\n")
