"""Write the frozen cases of beam-hf: what Hugging Face generate(num_beams, prefix_allowed_tokens_fn) answers.

Needs torch and transformers (their versions are recorded in cases.json):

    python scripts/guided_fixture.py internal/link/testdata/hf [ROUNDS]

Writes tiny random models (as save_pretrained does) and cases.json. A case is a model, a number of beams, a prompt, the names
of a trie as token ids, and the hypotheses of generate, best first: tokens without the end token, and sequences_scores. Names
empty: no trie, generate writes what it likes. Where a trie offers fewer continuations than beams, generate carries beams of
score -1e9 or -inf along: for those, whose prefix no name has, the callback allows the end token (an empty list raises), and
their hypotheses, which are no answers, are left out.
"""

import json
import pathlib
import random
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM, LlamaConfig

VOCAB, BOS, EOS, PAD = 48, 1, 2, 0

MODELS = {
    "sharp": dict(initializer_range=0.6, num_hidden_layers=2, num_key_value_heads=2, tie_word_embeddings=False),
    "flat": dict(initializer_range=0.15, num_hidden_layers=1, num_key_value_heads=4, tie_word_embeddings=True),
}


def make(root, name, extra):
    torch.manual_seed(sum(name.encode()))
    config = LlamaConfig(vocab_size=VOCAB, hidden_size=16, intermediate_size=32, num_attention_heads=4,
                         max_position_embeddings=96, rms_norm_eps=1e-5, bos_token_id=BOS, eos_token_id=EOS,
                         pad_token_id=PAD, **extra)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    model.save_pretrained(root / name)
    return model


def tries(rng):
    """Kind -> names. Tokens 3.. are text."""
    word = lambda lo, hi, top=VOCAB: [rng.randrange(3, top) for _ in range(rng.randint(lo, hi))]
    deep = [5, 9, 11, 4]
    return {
        "random": [word(1, 6) for _ in range(60)],
        "few tokens": [word(1, 5, 7) for _ in range(40)],
        "one name": [word(3, 5)],
        "one token": [[7]],
        "two names": [word(2, 4), word(2, 4)],
        "prefixes": [deep[:n] for n in (1, 2, 3, 4)] + [[5], [5, 9, 12]],
        "long chain": [[20 + i for i in range(18)], [20, 21, 3], [8]],
        "few children": [[a] + word(3, 6) for a in (10, 11, 12) for _ in range(4)],
        "dead ends": [[30], [31], [32, 33], [34, 35, 36, 37, 38]],
        "wide": [[a] for a in range(3, VOCAB)],
        "short and long": [word(1, 1) for _ in range(8)] + [word(9, 14) for _ in range(12)],
        "free": [],
    }


def allowed(names, prompt_len):
    root = {}
    for n in names:
        at = root
        for t in n + [EOS]:
            at = at.setdefault(t, {})

    def fn(_, ids):
        at = root
        for t in ids[prompt_len:].tolist():
            at = at.get(t)
            if at is None:
                return [EOS]
        return list(at) or [EOS]

    return fn


def case(models, kind, model, beams, prompt, names, limit):
    ids = torch.tensor([prompt])
    guide = {"prefix_allowed_tokens_fn": allowed(names, len(prompt))} if names else {}
    out = models[model].generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), num_beams=beams, num_return_sequences=beams, do_sample=False,
        max_new_tokens=limit, return_dict_in_generate=True, output_scores=True, eos_token_id=EOS, pad_token_id=PAD, **guide)
    want = []
    for seq, score in zip(out.sequences.tolist(), out.sequences_scores.tolist()):
        tokens = seq[len(prompt):]
        if EOS in tokens:
            tokens = tokens[:tokens.index(EOS)]
        if score > -1e6:
            want.append({"tokens": tokens, "score": score})
    if names:
        assert all(w["tokens"] in names for w in want) and want, (kind, want)
    return {"kind": kind, "model": model, "beams": beams, "prompt": prompt, "names": names, "limit": limit, "want": want}


def main():
    torch.set_num_threads(1)
    root = pathlib.Path(sys.argv[1])
    models = {name: make(root, name, extra) for name, extra in MODELS.items()}
    rng = random.Random(7)
    cases = []
    for model in list(models) * int(sys.argv[2] if len(sys.argv) > 2 else 1):
        for kind, names in tries(rng).items():
            for beams in (5, 5, 5, 2, 3, 10):
                prompt = [BOS] + [rng.randrange(3, VOCAB) for _ in range(rng.randint(2, 12))]
                limit = max([len(n) + 1 for n in names], default=9)
                cases.append(case(models, kind, model, beams, prompt, names, limit))
    head = {"torch": torch.__version__, "transformers": transformers.__version__, "eos": EOS}
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    (root / "cases.json").write_text(json.dumps(head)[:-1] + ', "cases": [\n' + lines + "\n]}\n")
    print(len(cases), "cases,", sum(len(c["want"]) for c in cases), "hypotheses")


main()
