"""Prints the cosines that internal/lexical/lexical_test.go holds. Written with scikit-learn 1.x; nothing of the program needs it."""
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer

names = ["gout", "gouty arthritis", "arthritis", "acute gout", "Émile's disease"]
pairs = [("gout", "gout"), ("Gout", "gouty arthritis"), ("gouty", "acute gout"), ("émile disease", "Émile's disease"),
         ("arthritis gout", "gouty arthritis"), ("x", "gout"), ("unknown words", "gout")]
v = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3)).fit(names)
print("// scikit-learn", sklearn.__version__)
for a, b in pairs:
    print('\t\t{"%s", "%s", %.9f},' % (a, b, v.transform([a]).multiply(v.transform([b])).sum()))
