"""Writes internal/tokenizer/classes.txt: which code points the tokenizers library counts as letter, number, word ... Its parts are built on
different versions of Unicode, none of them Go's, so the classes are measured, not derived. Needs tokenizers.

    python scripts/tokenizer_classes.py > internal/tokenizer/classes.txt
"""
import tokenizers
from tokenizers import Regex
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(points):
    out = []
    for c in points:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def line(name, points):
    print(name, *("%X-%X" % (a, b) if a != b else "%X" % a for a, b in ranges(points)))


def matching(regex):
    split = P.Split(Regex(regex), "removed", invert=True)
    found = set()
    for base in range(0, 0x110000, 256):
        s = "".join(chr(c) for c in range(base, base + 256) if not 0xD800 <= c < 0xE000)
        if s:
            found.update(ord(x) for piece, _ in split.pre_tokenize_str(s) for x in piece)
    return sorted(found)


def where(f):
    return [c for c in POINTS if f("a" + chr(c) + "b")]


def mapped(name, normalizer, keep):
    """Code points that the normalizer maps and Go's tables, by the caller's choice, may not."""
    print(name, *("%X=%s" % (c, "+".join("%X" % ord(x) for x in normalizer.normalize_str(chr(c)))) for c in POINTS if keep(c)))


bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
print("# What tokenizers %s takes for what; written by scripts/tokenizer_classes.py." % tokenizers.__version__)
line("letter", matching(r"\p{L}"))
line("number", matching(r"\p{N}"))
numeric, punct, word = P.Digits(individual_digits=True), P.Punctuation(), P.Whitespace()
line("numeric", where(lambda s: len(numeric.pre_tokenize_str(s)) == 3))
line("punct", where(lambda s: len(punct.pre_tokenize_str(s)) == 3))
line("word", where(lambda s: len(word.pre_tokenize_str(s)) == 1))
clean = N.BertNormalizer(**{**bert, "clean_text": True})
line("control", where(lambda s: clean.normalize_str(s) == "ab"))
cjk = N.BertNormalizer(**{**bert, "handle_chinese_chars": True})
line("ideograph", where(lambda s: len(cjk.normalize_str(s)) == 5))
accents, mn = N.StripAccents(), N.BertNormalizer(**{**bert, "strip_accents": True})
line("mark", where(lambda s: accents.normalize_str(s) == "ab"))
line("nonspacing", where(lambda s: mn.normalize_str(s) == "ab"))
lower = N.Lowercase()
mapped("lower", lower, lambda c: lower.normalize_str(chr(c)) != chr(c))
for form in "NFD", "NFKD":
    f = getattr(N, form)()
    line(form, [c for c in POINTS if f.normalize_str(chr(c)) != chr(c) and not 0xAC00 <= c < 0xD7A4])
