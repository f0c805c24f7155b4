"""Writes internal/lexical/testdata/tfidf.json: cosines and nearest names of scikit-learn's TfidfVectorizer(analyzer="char_wb",
ngram_range=(3,3), lowercase=True) fitted on names of the demonstration and odd strings. Nothing of the program needs it.

lexical_fixture.py REPOSITORY"""
import csv
import json
import random
import sys

import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer

root = sys.argv[1]
rows = list(csv.DictReader(open(root + "/internal/demo/data/kb.tsv", encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE))
odd = ["Émile's disease", "İstanbul FEVER", "ΟΔΟΣ ΣΙΓΜΑ", "ΑΣ.", "x", "", "  two  spaces\tand\u00a0nbsp ", "a\u001cb", "β-thalassaemia (HbE)", "日本脳炎",
       "\U0001F600 fever", "ss ß SS", "aaa aaaa", "1,25-(OH)2", "ﬁbrosis", "naïve\u2009thin"]
names = [r["name"] for r in rows] + odd
rng = random.Random(7)


def perturb(s):
    w = s.split()
    if len(w) > 1 and rng.random() < 0.5:
        rng.shuffle(w)
    s = " ".join(w)
    if len(s) > 4 and rng.random() < 0.7:
        i = rng.randrange(1, len(s) - 1)
        s = s[:i] + s[i + 1:]
    return s.upper() if rng.random() < 0.2 else s


v = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), lowercase=True).fit(names)
cosines, choices = [], []
for _ in range(600):
    a, b = perturb(rng.choice(names)), rng.choice(names)
    if rng.random() < 0.5:
        b = perturb(a)
    cosines.append([a, b, round(float(v.transform([a]).multiply(v.transform([b])).sum()), 9)])
for a in odd:
    for b in odd:
        cosines.append([a, b, round(float(v.transform([a]).multiply(v.transform([b])).sum()), 9)])
concepts = {}
for r in rows:
    concepts.setdefault(r["code"], []).append(r["name"])
groups = [n for n in concepts.values() if len(n) > 1] + [odd] + [["Gout", "gout", "GOUT"], ["ab", "cd"]]
for g in groups:
    for m in [perturb(rng.choice(g)), rng.choice(g), rng.choice(g).upper(), "zzz"]:
        c = (v.transform(g) @ v.transform([m]).T).toarray().ravel()
        best, at = -1.0, 0
        for i, x in enumerate(c):  # ties within 1e-6: the earlier name
            if x > best + 1e-6:
                best, at = x, i
        choices.append([m, g, at])
json.dump({"scikit-learn": sklearn.__version__, "names": names, "cosines": cosines, "choices": choices},
          open(root + "/internal/lexical/testdata/tfidf.json", "w", encoding="utf-8"), ensure_ascii=False)
print(len(names), len(cosines), len(choices))
