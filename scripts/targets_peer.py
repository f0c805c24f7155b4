"""Chooses the targets of internal/lexical TestTargetsAtScale with scikit-learn and compares time and choices.

targets_peer.py FOLDER"""
import sys
import time

import numpy as np
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer

d = sys.argv[1]
names = [x.rstrip("\n") for x in open(d + "/names.txt", encoding="utf-8")]
rows = [x.rstrip("\n").split("\t") for x in open(d + "/mentions.txt", encoding="utf-8")]
concept = np.array([int(r[0]) for r in rows])
mentions = [r[1] for r in rows]
ours = np.array([int(r[2]) for r in rows])
start = time.time()
v = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), lowercase=True).fit(names)
print("scikit-learn", sklearn.__version__, "fit %.1f s" % (time.time() - start), flush=True)
best, at = np.full(len(rows), -1.0), np.zeros(len(rows), int)
m = v.transform(mentions)
for k in range(3):
    c = np.asarray(m.multiply(v.transform([names[3 * i + k] for i in concept])).sum(axis=1)).ravel()
    better = c > best + 1e-6
    best[better], at[better] = c[better], k
print("all %.1f s; choices that differ: %d of %d" % (time.time() - start, int((at != ours).sum()), len(rows)))
