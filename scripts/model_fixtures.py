"""Write the frozen fixtures of internal/model: tiny random models with their logits, gradients and AdamW losses.

Needs torch, transformers and safetensors (the versions used are recorded in versions.json beside the fixtures):

    python scripts/model_fixtures.py internal/model/checkpoint/testdata/hf

Each folder is what save_pretrained writes plus expected.safetensors:
    tokens (2,24), targets (2,24) with -1 where nothing is trained, logits (2,24,V),
    grad.<name> of the mean loss over targets, losses (10) of AdamW steps on that batch
    (lr 3e-3, betas 0.9 0.98, eps 1e-8, weight decay 0.05 on matrices only, gradient norm clipped to 1).

With --check DIR... it loads folders that syncabel wrote (SYNCABEL_HF_OUT=DIR go test -run WriteForHuggingFace ./internal/model/checkpoint) with
AutoModelForCausalLM, AutoTokenizer and, for adapters, PEFT, and compares the logits and token ids in expected.json.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

COMMON = dict(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, initializer_range=0.2,
              bos_token_id=1, eos_token_id=2, pad_token_id=None, attn_implementation="eager")

LLAMA3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16, rope_theta=10000.0)

# What each one covers beside its family: grouped queries, Llama-3 frequencies, an untied head, float32; q/k/v biases, a window from
# layer 1 on, bfloat16 in shards; norms of q and k, heads wider than C/H, float16; a window in every layer, an untied head.
CONFIGS = {
    "llama": (LlamaConfig(**COMMON, tie_word_embeddings=False, rope_parameters=LLAMA3), torch.float32, "1GB"),
    "qwen2": (Qwen2Config(**COMMON, tie_word_embeddings=True, use_sliding_window=True, sliding_window=5, max_window_layers=1), torch.bfloat16, "20KB"),
    "qwen3": (Qwen3Config(**COMMON, tie_word_embeddings=True, head_dim=12), torch.float16, "1GB"),
    "mistral": (MistralConfig(**COMMON, tie_word_embeddings=False, sliding_window=7), torch.bfloat16, "1GB"),
}


def loss_of(model, tokens, targets):
    logits = model(input_ids=tokens).logits
    keep = targets >= 0
    return torch.nn.functional.cross_entropy(logits[keep], targets[keep]), logits


def train(model, tokens, targets):
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    opt = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.98), eps=1e-8)
    losses = []
    for _ in range(10):
        opt.zero_grad()
        loss, _ = loss_of(model, tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float32)


def write(root, name, config, dtype, shard):
    torch.manual_seed(sum(name.encode()))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    for n, p in model.named_parameters():  # norms and biases away from 1 and 0, so that a mix-up shows
        if p.dim() == 1:
            p.data += 0.2 * torch.randn_like(p)
    out = root / name
    model.to(dtype).save_pretrained(out, max_shard_size=shard)
    # read back, not model.float(): casting would have rounded the rotary frequencies, too
    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, attn_implementation="eager").eval()
    tokens = torch.randint(0, 64, (2, 24))
    targets = torch.roll(tokens, -1, 1)
    targets[:, :8] = -1
    targets[:, -1] = -1
    loss, logits = loss_of(model, tokens, targets)
    loss.backward()
    t = {"tokens": tokens.int(), "targets": targets.int(), "logits": logits.detach().contiguous()}
    for n, p in model.named_parameters():
        t["grad." + n] = p.grad.clone().contiguous()
    t["losses"] = train(model, tokens, targets)
    save_file(t, out / "expected.safetensors")
    print(name, sum(p.numel() for p in model.parameters()), t["losses"][[0, -1]].tolist())


def check(folder):
    folder = pathlib.Path(folder)
    base = folder / "base" if (folder / "base").exists() else folder
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    kind = type(model).__name__
    if base != folder:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, folder)
        kind += " with PEFT adapter"
    want = json.loads((folder / "expected.json").read_text())
    with torch.no_grad():
        got = model.eval()(input_ids=torch.tensor([want["tokens"]])).logits[0]
    ref = torch.tensor(want["logits"]).view_as(got)
    err = ((got - ref).abs().max() / ref.abs().max()).item()
    tok = AutoTokenizer.from_pretrained(folder)
    cuts = [tok(s, add_special_tokens=False)["input_ids"] for s in want["texts"]]
    raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
    same = cuts == want["ids"] and [raw.encode(s, add_special_tokens=False).ids for s in want["texts"]] == want["ids"]
    print(f"{folder}: {kind}, max relative error of logits {err:.2e}, {len(cuts)} texts cut {'equally' if same else 'DIFFERENTLY'}")
    if not (err < 1e-4 and same):
        sys.exit(1)


def main():
    if sys.argv[1] == "--check":
        for folder in sys.argv[2:]:
            check(folder)
        return
    torch.set_num_threads(1)
    root = pathlib.Path(sys.argv[1])
    for name, (config, dtype, shard) in CONFIGS.items():
        write(root, name, config, dtype, shard)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    (root / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


main()
