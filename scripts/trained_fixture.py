"""Writes internal/tokenizer/testdata/cases.json: what Hugging Face tokenizers makes of some texts with testdata/demo.json, a tokenizer
that syncabel trained. Needs tokenizers (the version is in the file); nothing of the program needs it.

    python scripts/trained_fixture.py internal/tokenizer/testdata
"""
import json
import sys

import tokenizers

TEXTS = ["gout", " gout", "Infarctus du myocarde", " fiebre   reumática\taguda\n\nNEW line", "T2D, HbA1c 8.1 % (n=12)", "don't we'll I'M",
         "É́cole œdème ß İstanbul", "ΣΊΣΥΦΟΣ", "中文 字符 🩺 emoji 👩‍⚕️", "", " ", "   ", "{Disorders}[ myocardial infarction] is heart attack</s>",
         "a<SEP>b", "[x]{y}\\[z\\]", "1234567890", "µg/mL ≥ 5·10⁹", "non-small-cell", "…“quoted”—dash", "\u00a0nbsp\u2003em", "x" * 50]
folder = sys.argv[1]
t = tokenizers.Tokenizer.from_file(folder + "/demo.json")
cases = [{"text": s, "ids": t.encode(s).ids, "decoded": t.decode(t.encode(s).ids, skip_special_tokens=False)} for s in TEXTS]
json.dump({"tokenizers": tokenizers.__version__, "cases": cases}, open(folder + "/cases.json", "w"), ensure_ascii=False, indent=1)
