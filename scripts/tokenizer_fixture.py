"""Writes the frozen tokenizations of internal/tokenizer/testdata/hf: for each kind of tokenizer a small real one, trained here on the
invented texts of the demonstration with the settings of its model, and what the tokenizers library makes of texts.json.
Needs tokenizers and sentencepiece (versions are in versions.json); nothing of the program needs either.

    python scripts/tokenizer_fixture.py internal/demo/data internal/tokenizer/testdata
"""
import json
import pathlib
import random
import sys
import tempfile

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
MULTI = ["La fièvre à 39 °C, l'œdème", "Übelkeit und Kopfschmerzen", "中文医学字符和日本語の糖尿病、한국어", "Η νόσος του Σίσυφου", "боль в груди",
         "😀 👩‍⚕️ 🩺 émojis", "don't we'll I'm they've", "µg/mL ≥ 5·10⁹ ½ Ⅻ", "  spaces   and\ttabs\n\nlines\r\n", "1234567890 12.5 2024-11-25"] * 4


def corpus(folder):
    lines = list(MULTI)
    for f in sorted(pathlib.Path(folder).glob("*.train.pubtator")):
        lines += [l.split("|", 2)[2] for l in f.read_text().splitlines() if l.count("|") >= 2][:150]
    return lines


def texts():
    out = ["", " ", "  ", "gout", " gout", "gout ", "a  b", "a   b    c", "\n", "\n\n", " \n ", "\t\n x", "a\r\nb\r\n\r\nc", "x \n\n\n y", "trailing  \n",
           "don't we'll I'm they've I'd he's", "DON'T WE'LL I'M 'S 'T'RE", "'s't're've'm'll'd", "can'\u017f 'ſ it\u2019s", "'", "''", "' s",
           "1", "12", "123", "1234567890", "3.14159", "HbA1c 8.1 % (n=12)", "T2D2b2", "²³¹ ½ Ⅻ ٣٤٥ १२३", "a1b22c333", "2024-11-25T10:00",
           "Infarctus du myocarde", "La fièvre, l'œdème à 39°C", "É́cole e\u0301te\u0301 n\u0303 A\u030a", "Ångström ﬁ ﬂ ™ ① ㎏", "ß ẞ İstanbul ıI ΣΊΣΥΦΟΣ ς",
           "中文 字符", "日本語の糖尿病", "한국어 각", "ไทยภาษา", "עברית العربية", "हिन्दी", "боль в груди", "\u1100\u1161\u11a8",
           "😀", "👩‍⚕️ 🩺", "🇫🇷🇪🇸", "a😀b", "👍🏽!", "\u200b\u200d\ufeff", "\u00a0nbsp\u2003em\u3000id", "\u0085\u2028\u2029", "a\u00ad\u0301b",
           "non-small-cell", "…“quoted”—dash", "(test)!\n", "foo!!!\r\n\r\nbar", "_under_score_", "a_b-c.d/e\\f", "$#@%^&*()", "http://x.y/z?q=1&r=2",
           "<s>", "a<s>b", "<SEP>", "x <SEP> y", "x  <SEP>  y", "a<SEP><SEP>", "<mask>", "is <mask> here", "word<mask>", "[MASK]", "Sep sep SEP", "xSEPy SEP",
           "<|begin_of_text|>hello<|end_of_text|>", "<|reserved_special_token_0|>", "</s>", "<unk>", "<0x41>", "▁", "▁▁x", "a▁b", "Ġ", "Ċx",
           "\x00\x01\x7f", "tab\tsep", "\u0378\U000e0041", "\U0001e900\u1c89\u10d0\u1c90", "x" * 70, "ab " * 30, "9" * 40, "é" * 40, "  " * 20 + "x",
           "A patient with [von Hippel-Lindau]{Disease} disease", "\\[x\\]{y}"]
    random.seed(7)
    alphabet = ["a", "B", "é", "e\u0301", " ", "  ", "\n", "\r\n", "\t", "1", "23", "'", "'s", "'LL", "-", ".", "!", "中", "語", "🩺", "\u00a0", "\u3000", "<SEP>", "İ",
                "Σ", "ﬁ", "½", "\u0301", "\u200d", "_", "▁", "<mask>", "SEP"]
    out += ["".join(random.choice(alphabet) for _ in range(random.randint(2, 14))) for _ in range(120)]
    return out


INVALID = [b"\xff", b"a\xe4\xb8", b"\xe4\xb8\xad\xe6", b"\xf0\x9f\xa9", b"\xf0\x9f\xa9 x", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok \xc0\xaf ok",
           b"\x80\x80", b"\xe2\x82\xe2\x82\xac", b"\xfe\xfe\xff\xff"]


def byte_bpe(normalizer, pre, special, **model):
    t = Tokenizer(models.BPE(**model))
    t.normalizer = normalizer
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=700, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def split(regex):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def add(t, *more):
    t.add_special_tokens([AddedToken("<SEP>", normalized=False, special=True)])
    t.add_tokens(list(more))
    return t


def gpt2():
    t = byte_bpe(None, pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"])
    return add(t, AddedToken("<mask>", lstrip=True, normalized=True))


def roberta():
    t = byte_bpe(None, pre_tokenizers.ByteLevel(add_prefix_space=True), ["<s>", "<pad>", "</s>", "<unk>"])
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return add(t, AddedToken("<mask>", lstrip=True, rstrip=True))


def llama3():
    t = byte_bpe(None, split(LLAMA3), [])
    ids = ["<|begin_of_text|>", "<|end_of_text|>"] + ["<|reserved_special_token_%d|>" % i for i in range(4)]
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in ids])
    begin = t.token_to_id(ids[0])
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", special_tokens=[("<|begin_of_text|>", begin)])])
    doc = json.loads(add(t).to_str())
    doc["model"]["ignore_merges"] = True
    # words of the vocabulary that no merge reaches: ignore_merges takes them whole
    whole = [w for w in ("Ġpatient", "Ġwith", "Ġis") if w in doc["model"]["vocab"]]
    assert whole
    doc["model"]["merges"] = [m for m in doc["model"]["merges"] if "".join(m) not in whole]
    return Tokenizer.from_str(json.dumps(doc))


def qwen2():
    t = byte_bpe(normalizers.NFC(), split(QWEN2), [])
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]])
    return add(t, AddedToken("SEP", single_word=True, normalized=False))


def smollm():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    return add(byte_bpe(None, pre, ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<file_sep>"]))


def llama2():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")  # in training only: merges must not cross words
    t.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=900, special_tokens=["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)],
                                                     limit_alphabet=60))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    doc = json.loads(add(t).to_str())
    doc["pre_tokenizer"] = None
    doc["added_tokens"] = [a for a in doc["added_tokens"] if not a["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(doc))


def mistral():
    doc = json.loads(llama2().to_str())
    doc["normalizer"] = None
    doc["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    doc["decoder"]["decoders"] = doc["decoder"]["decoders"]
    return Tokenizer.from_str(json.dumps(doc))


def charsmap():
    with tempfile.TemporaryDirectory() as d:
        pathlib.Path(d, "x.txt").write_text("\n".join(LINES))
        sentencepiece.SentencePieceTrainer.train(input=d + "/x.txt", model_prefix=d + "/m", vocab_size=600, minloglevel=2, hard_vocab_limit=False,
                                                 normalization_rule_name="nmt_nfkc")
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(pathlib.Path(d, "m.model").read_bytes())
        return proto.normalizer_spec.precompiled_charsmap


def unigram():
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(LINES, trainers.UnigramTrainer(vocab_size=600, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.decoder = decoders.Metaspace()
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return add(t)


def xlmr():
    """SentencePiece's own normalizer table, cut to what the texts need: the whole one has 300 kB."""
    doc = json.loads(unigram().to_str())
    doc["normalizer"] = json.loads(json.dumps({"type": "Sequence", "normalizers": [
        {"type": "Precompiled", "precompiled_charsmap": __import__("base64").b64encode(charsmap()).decode()},
        {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]}))
    doc["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    return Tokenizer.from_str(json.dumps(doc))


def bert(lower):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lower)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(LINES, trainers.WordPieceTrainer(vocab_size=700, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], limit_alphabet=120))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    t.decoder = decoders.WordPiece(prefix="##", cleanup=lower)
    return add(t)


KINDS = {"gpt2": gpt2, "roberta": roberta, "llama3": llama3, "qwen2": qwen2, "smollm": smollm, "llama2": llama2, "mistral": mistral, "unigram": unigram,
         "xlmr": xlmr, "bert": lambda: bert(True), "bert-cased": lambda: bert(False)}


def cases(t, inputs):
    out = []
    for s in inputs:
        ids = t.encode(s, add_special_tokens=False).ids
        out.append({"ids": ids, "template": t.encode(s).ids, "decoded": t.decode(ids, skip_special_tokens=False),
                    "clean": t.decode(ids, skip_special_tokens=True), "middle": t.decode(ids[1:-1], skip_special_tokens=False)})
    return out


def compare(path, folder):
    """Prints cases for a tokenizer.json from elsewhere, for checks with real vocabularies that are not kept."""
    t = Tokenizer.from_file(path)
    t.no_truncation()
    inputs = texts() + [b.decode("utf-8", "replace") for b in INVALID]
    random.seed(11)
    blocks = [(0x20, 0x7f), (0xa0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0xe80), (0x1100, 0x1200), (0x1e00, 0x2c00), (0x3000, 0x3400),
              (0x4e00, 0x9fff), (0xac00, 0xd7a4), (0xf900, 0xfb50), (0xfe00, 0x10000), (0x1d400, 0x1d800), (0x1f300, 0x1fb00), (0x0, 0x20), (0xa640, 0xab70)]
    for _ in range(6000):
        word = [chr(random.randrange(*random.choice(blocks))) if random.random() < 0.5 else random.choice("aeinrst AB 12\n'.,") for _ in range(random.randint(1, 24))]
        inputs.append("".join(word))
    json.dump({"texts": inputs, "cases": cases(t, inputs)}, open(pathlib.Path(folder) / "compare.json", "w"))


if sys.argv[1] == "--compare":
    compare(*sys.argv[2:])
    sys.exit()
LINES = corpus(sys.argv[1])
root = pathlib.Path(sys.argv[2]) / "hf"
root.mkdir(exist_ok=True)
inputs = texts()
records = [{"text": s} for s in inputs] + [{"hex": b.hex()} for b in INVALID]
inputs += [b.decode("utf-8", "replace") for b in INVALID]
(root / "texts.json").write_text(json.dumps(records, ensure_ascii=True, indent=0))
for kind, make in KINDS.items():
    (root / kind).mkdir(exist_ok=True)
    t = make()
    (root / kind / "tokenizer.json").write_text(json.dumps(json.loads(t.to_str()), ensure_ascii=False, separators=(",", ":")))
    (root / kind / "cases.json").write_text(json.dumps(cases(t, inputs), ensure_ascii=True, separators=(",", ":")).replace("},{", "},\n{"))
    print(kind, t.get_vocab_size())
(root / "versions.json").write_text(json.dumps({"tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__}, indent=1) + "\n")
