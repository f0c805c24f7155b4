"""Writes the frozen cases of linking with a checkpoint of the kind that was released with arXiv 2601.19667: a tiny random Llama whose
tokenizer is of Llama-3's kind with `<SEP>` added as its separator, and what Hugging Face makes of the published way of prompting.
Needs torch, transformers and tokenizers (their versions are recorded in cases.json); nothing of the program needs any of them.

    python scripts/reference_fixture.py internal/demo/data internal/pipeline/testdata/reference

Writes model/ (as save_pretrained does, bfloat16), kb.tsv, documents.jsonl and cases.json. A case is a mention with the prompt, its token
ids, and the hypotheses of generate(num_beams=5): guided by the names of its group (name, code, exp(sequences_scores)), by several of them
with `<SEP>` between (those that ended within 128 tokens), and free (text).

The way of prompting, as published: brackets and braces of texts and names become parentheses and no-break spaces spaces; every part of
the mention in the sentence stands in brackets, the group in braces after the last; `<SEP>[first part] verb` follows; the trie of a group
holds the tokens of ` verb name` and the end; nothing is put before the prompt, as the tokenizer adds no first token.
"""

import json
import math
import pathlib
import random
import sys

import tokenizers
import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedTokenizerFast

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>", "<|eot_id|>"]
VERB = {"en": "is", "fr": "est", "es": "es"}

NAMES = {
    "Disorders": ["Gout", "Acute gout", "Gouty arthritis", "Saturnine gout [D]", "Diabetes mellitus", "Type 2 diabetes mellitus", "Diabète de type 2", "MS - Mitral stenosis",
                  "MS - Multiple sclerosis", "Fracture of ankle", "Fracture of foot", "Parkinson's disease", "Fièvre à 39\u00a0°C", "Neuropatía óptica {left}", "Hypo"],
    "Chemicals & Drugs": ["Aspirin", "5-HT3 receptor antagonist", "1,25-dihydroxyvitamin D3", "IL-2", "Acetylsalicylic acid", "β-catenin", "TCA - Tricyclic antidepressant",
                          "Tricyclic Antidepressants", "Benzo[a]pyrene", "Vitamin B12"],
}

# language, text, sentence, parts of the mention (what, which occurrence), group
CASES = [
    ("en", "[TCA] was not what was given. TCA was prescribed for depression.", 1, [("TCA", 1)], "Chemicals & Drugs"),
    ("en", "Patient diagnosed with MS yesterday", 0, [("MS", 0)], "Disorders"),
    ("en", "He had {no} gout [sic] in 2019.", 0, [("gout", 0)], "Disorders"),
    ("en", "Fractures of the ankle and foot were seen.", 0, [("Fractures", 0), ("foot", 0)], "Disorders"),
    ("en", "5-HT3 receptor blockade.", 0, [("5-HT3 receptor", 0)], "Chemicals & Drugs"),
    ("en", "Smoke holds benzo[a]pyrene.", 0, [("benzo[a]pyrene", 0)], "Chemicals & Drugs"),
    ("fr", "Le patient a une fièvre à 39\u00a0°C. Il va bien.", 0, [("fièvre à 39\u00a0°C", 0)], "Disorders"),
    ("fr", "Un diabète de type 2 et l'aspirine", 0, [("diabète de type 2", 0)], "Disorders"),
    ("es", "La neuropatía óptica izquierda (grave) persiste.", 0, [("neuropatía óptica izquierda", 0)], "Disorders"),
    ("es", "Recibió vitamina B12, 1000 µg.", 0, [("vitamina B12", 0)], "Chemicals & Drugs"),
]


def clean(s):
    return s.translate({0xA0: " ", ord("["): "(", ord("{"): "(", ord("]"): ")", ord("}"): ")"})


def lines(folder):
    out = []
    for f in sorted(pathlib.Path(folder).glob("*.train.pubtator")):
        out += [l.split("|", 2)[2] for l in f.read_text().splitlines() if l.count("|") >= 2]
    return out + [f"[{n}] is {n}" for names in NAMES.values() for n in names] * 3


def tokenizer(folder):
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    t.train_from_iterator(lines(folder), trainers.BpeTrainer(vocab_size=640, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token=SPECIAL[0], eos_token="<|eot_id|>", clean_up_tokenization_spaces=True)


def checkpoint(folder, out):
    """As the published training does it: a base, padding by the end token, `<SEP>` added and the embeddings grown by one row."""
    tok = tokenizer(folder)
    torch.manual_seed(11)
    model = AutoModelForCausalLM.from_config(LlamaConfig(
        vocab_size=len(tok), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
        rms_norm_eps=1e-5, rope_theta=500000.0, bos_token_id=0, eos_token_id=1, initializer_range=0.35, tie_word_embeddings=False), attn_implementation="eager")
    tok.add_special_tokens({"pad_token": tok.eos_token})
    assert tok.add_special_tokens({"sep_token": "<SEP>"}) == 1
    model.resize_token_embeddings(len(tok))
    model.to(torch.bfloat16).save_pretrained(out)
    tok.save_pretrained(out)


def place(text, parts):
    """Code-point spans of a mention's parts."""
    spans = []
    for what, nth in parts:
        at = -1
        for _ in range(nth + 1):
            at = text.index(what, at + 1)
        spans.append((at, at + len(what)))
    return spans


def source(text, sentence, spans, group):
    bounds, at = [], 0
    for i, c in enumerate(text):
        if c == "." and text[i + 1:i + 2] == " ":
            bounds.append((at, i + 1))
            at = i + 2
    bounds.append((at, len(text)))
    lo, hi = bounds[sentence]
    out, at = "", lo
    for i, (a, b) in enumerate(spans):
        out += clean(text[at:a]) + "[" + clean(text[a:b]) + "]" + ("{" + group + "}" if i == len(spans) - 1 else "")
        at = b
    return out + clean(text[at:hi])


def allowed(tok, names, verb, prompt_len, several=False):
    root = {}
    for n in names:
        at = root
        ids = tok.encode(f" {verb} {clean(n)}") + [tok.eos_token_id]
        for t in ids[1:]:  # the first is the verb, the prompt's last
            at = at.setdefault(t, {})

    def fn(_, ids):
        at = root
        for t in ids[prompt_len:].tolist():
            at = at.get(t)
            if at is None:
                return [tok.eos_token_id]
        return list(at) or [tok.eos_token_id]

    def leaves(node):
        return sum(leaves(x) for x in node.values()) if node else 1

    def fn_several(_, ids):
        """The published multi-answer search, which lets a separator follow wherever a name may end, but no name twice."""
        *written, begun = cut(ids[prompt_len:].tolist(), tok.sep_token_id)
        at = root
        for t in begun:
            at = at.get(t)
            if at is None:
                return [tok.eos_token_id]
        out = []
        for t, below in at.items():
            used = sum(w[:len(begun)] == begun and (w + [tok.eos_token_id])[len(begun)] == t for w in written)
            if used == leaves(below):
                continue
            out.append(t)
            if t == tok.eos_token_id and len(written) + 1 < leaves(root):
                out.append(tok.sep_token_id)
        return out or [tok.eos_token_id]

    return fn_several if several else fn


def cut(ids, sep):
    out = [[]]
    for t in ids:
        if t == sep:
            out.append([])
        else:
            out[-1].append(t)
    return out


def main():
    torch.set_num_threads(1)
    root = pathlib.Path(sys.argv[2])
    checkpoint(sys.argv[1], root / "model")
    tok = AutoTokenizer.from_pretrained(root / "model")
    model = AutoModelForCausalLM.from_pretrained(root / "model", dtype=torch.bfloat16, attn_implementation="eager").float().eval()
    codes, rows = {}, ["code\tname\tis_preferred\tsemantic_group"]
    for group, names in NAMES.items():
        for i, n in enumerate(names):
            codes[group, clean(n)] = code = f"{group[0]}{i // 2:03d}"
            rows.append(f"{code}\t{n}\t{int(i % 2 == 0)}\t{group}")
    (root / "kb.tsv").write_text("\n".join(rows) + "\n")
    docs, cases = [], []
    for k, (language, text, sentence, parts, group) in enumerate(CASES):
        spans, verb = place(text, parts), VERB[language]
        prompt = f"{source(text, sentence, spans, group)}<SEP>[{clean(text[slice(*spans[0])]).strip()}] {verb}"
        ids = tok(prompt)["input_ids"]
        args = dict(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), num_beams=5, num_return_sequences=5, do_sample=False,
                    return_dict_in_generate=True, output_scores=True, eos_token_id=tok.eos_token_id, pad_token_id=tok.pad_token_id)
        guided = model.generate(**args, max_new_tokens=128, prefix_allowed_tokens_fn=allowed(tok, NAMES[group], verb, len(ids)))
        want = []
        for seq, score in zip(guided.sequences.tolist(), guided.sequences_scores.tolist()):
            if score > -1e6:
                name = tok.decode(seq[len(ids):], skip_special_tokens=True).strip()
                want.append({"name": name, "code": codes[group, name], "beam_score": math.exp(score)})
        several = model.generate(**args, max_new_tokens=128, prefix_allowed_tokens_fn=allowed(tok, NAMES[group], verb, len(ids), several=True))
        composites = []
        for seq, score in zip(several.sequences.tolist(), several.sequences_scores.tolist()):
            while seq[-1] == tok.pad_token_id and seq[-2] == tok.pad_token_id:
                seq.pop()
            if score > -1e6 and seq[-1] == tok.eos_token_id:  # the others reached the limit
                parts = [tok.decode(p).strip() for p in cut(seq[len(ids):-1], tok.sep_token_id)]
                composites.append({"names": parts, "codes": [codes[group, n] for n in parts], "beam_score": math.exp(score)})
        free = model.generate(**args, max_new_tokens=40)
        bytes_at = lambda i: len(text[:i].encode())
        docs.append({"id": str(k), "split": "test", "language": language, "text": text, "mentions": [{
            "id": "1", "spans": [{"start": bytes_at(a), "end": bytes_at(b)} for a, b in spans], "text": " ".join(text[a:b] for a, b in spans), "type": group,
            "gold": [[codes[group, clean(NAMES[group][0])]]]}]})
        cases.append({"prompt": prompt, "ids": ids, "want": want, "several": composites, "free": tok.decode(free.sequences[0].tolist()[len(ids):], skip_special_tokens=True)})
    (root / "documents.jsonl").write_text("".join(json.dumps(d, ensure_ascii=False) + "\n" for d in docs))
    head = {"torch": torch.__version__, "transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "sep": tok.sep_token_id, "eos": tok.eos_token_id}
    body = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
    (root / "cases.json").write_text(json.dumps(head)[:-1] + ', "cases": [\n' + body + "\n]}\n")
    for c in cases:
        print(c["prompt"], "|", c["want"][0]["name"], f'{c["want"][0]["beam_score"]:.4f}', "|", c["free"][:40])


main()
