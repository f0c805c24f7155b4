"""Compare linking with the reference's loop: transformers' generate(num_beams=5, prefix_allowed_tokens_fn) over nested dicts.

    python scripts/link_peer.py SYNCABEL RUN CORPUS.pubtator [BATCH]

SYNCABEL is the program, RUN a finished run trained without context, CORPUS what to link. Ours is `link --mode beam-hf` and
`--mode beam-trie`, start-up (a file of one mention) taken off. The reference's loop is written as published: a trie of dicts per group,
looked up from its root for every beam and step, batches of left-padded prompts, five beams. Both have the same model, names and
mentions. Prints mentions a second by wall clock and by processor time over two cores, the ratios, and on how many mentions both give the
same first name. Needs torch, transformers, tokenizers and numpy.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from trie_peer import sections  # noqa: E402

BEAMS, LIMIT = 5, 128


def ours(program, run, corpus, mode):
    """Seconds (wall, processor) and predictions."""
    def once(path):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        out = subprocess.run([program, "link", "--run", run, "--mode", mode, "--json", path], check=True, stdout=subprocess.PIPE).stdout
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        return np.array([wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime]), out
    with tempfile.NamedTemporaryFile("w", suffix=".pubtator") as one:
        one.write("1|t|gout\n1|a|\n1\t0\t4\tgout\tPhenotype\tX\n\n")
        one.flush()
        start_up = min((once(one.name)[0] for _ in range(3)), key=lambda t: t[1])
    spent, out = min((once(corpus) for _ in range(2)), key=lambda t: t[0][1])
    return spent - start_up, [json.loads(line) for line in out.decode().splitlines()]


def tries(path):
    head, sec = sections(path)
    tokens, first = (sec["meta"] >> 8).tolist(), sec["first"].tolist()

    def below(root):
        top = {}
        todo = [(root, top)]
        while todo:
            n, d = todo.pop()
            for c in range(first[n], first[n + 1]):
                d[tokens[c]] = child = {}
                todo.append((c, child))
        return top
    return head["EOS"], {g: below(r) for g, r in zip(head["Groups"], head["Roots"])}


def main():
    program, run, corpus = sys.argv[1:4]
    batch = int(sys.argv[4]) if len(sys.argv) > 4 else 16
    record = json.load(open(os.path.join(run, "run.json")))["models"][-1]
    times, preds = {}, {}
    for mode in ("beam-hf", "beam-trie"):
        times[mode], preds[mode] = ours(program, run, corpus, mode)
    mentions = preds["beam-hf"]
    folder = os.path.join(run, record["model"])
    tok = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    torch.set_num_threads(2)
    eos, roots = tries(os.path.join(run, record["trie"], "names.trie"))
    bos = model.config.bos_token_id
    ids = lambda s: tok.encode(s, add_special_tokens=False).ids
    prompts = [[bos] + ids("{" + m["group"] + "}") + ids("[") + ids(" " + m["text"]) + ids("] is") for m in mentions]
    first = []
    start = np.array([time.perf_counter(), time.process_time()])
    for lo in range(0, len(prompts), batch):
        part = prompts[lo:lo + batch]
        width = max(map(len, part))
        x = torch.tensor([[eos] * (width - len(p)) + p for p in part])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in part])

        def allowed(i, sent):
            at = roots[mentions[lo + i]["group"]]
            for t in sent.tolist()[width:]:
                if t not in at:
                    return [eos]
                at = at[t]
            return list(at) or [eos]
        with torch.no_grad():
            out = model.generate(input_ids=x, attention_mask=mask, num_beams=BEAMS, num_return_sequences=BEAMS, do_sample=False,
                                 max_new_tokens=LIMIT, eos_token_id=eos, pad_token_id=eos, prefix_allowed_tokens_fn=allowed,
                                 return_dict_in_generate=True, output_scores=True)
        for seq in out.sequences[::BEAMS].tolist():
            name = seq[width:]
            first.append(tok.decode(name[:name.index(eos)] if eos in name else name).strip())
    times["transformers"] = np.array([time.perf_counter(), time.process_time()]) - start
    n = len(mentions)
    print(f"{n} mentions, {BEAMS} beams, batches of {batch}, torch {torch.__version__}")
    for k, (wall, cpu) in times.items():
        print(f"{k:12s} {n/wall:8.1f} mentions/s by the clock, {2*n/cpu:8.1f} by two processors' time "
              f"({times['transformers'][0]/wall:.1f} and {times['transformers'][1]/cpu:.1f} times transformers)")
    same = sum(bool(m["candidates"]) and m["candidates"][0]["name"].lower() == f.lower() for m, f in zip(mentions, first))
    print(f"same first name: {same} of {n} (the others: abbreviations and coordinations that only we expand)")


main()
