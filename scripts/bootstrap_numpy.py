"""A document bootstrap in numpy, vectorised as well as numpy can: the peer of BenchmarkBootstrapPeer in internal/stat. Prints seconds
for 1,000 resamples of DOCUMENTS documents in STRATA strata, one numerator and one denominator each; best of five.

Usage: python scripts/bootstrap_numpy.py [DOCUMENTS] [STRATA]
"""
import sys, time
import numpy

docs = int(sys.argv[1]) if len(sys.argv) > 1 else 889
strata = int(sys.argv[2]) if len(sys.argv) > 2 else 20
rng = numpy.random.default_rng(1)
den = rng.integers(0, 45, (docs, strata)).astype(float)
num = rng.binomial(den.astype(int), 0.7).astype(float)


def run():
    w = rng.multinomial(docs, [1 / docs] * docs, size=1000).astype(float)
    ratio = (w @ num) / (w @ den)
    return numpy.quantile(ratio, [0.025, 0.975], axis=0)


def best(f):
    times = []
    for _ in range(5):
        t = time.perf_counter()
        f()
        times.append(time.perf_counter() - t)
    return min(times)


def reference_style():
    """One stratum after another, weights drawn anew for each, as published evaluation scripts do."""
    for k in range(strata):
        w = rng.multinomial(docs, [1 / docs] * docs, size=1000)
        numpy.quantile((w * num[:, k]).sum(1) / (w * den[:, k]).sum(1), [0.025, 0.975])


print(f"numpy {numpy.__version__}, {docs} documents, {strata} strata: matrix product {best(run):.3f} s, stratum by stratum {best(reference_style):.3f} s")
