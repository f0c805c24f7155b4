#!/usr/bin/env python3
"""Writes a model folder of the native engine (Llama, byte-level BPE, float32) as GGUF, for the tests against a real llama-server
(internal/oracle/llamacpp, internal/pipeline):

    pip install gguf==0.19.0 safetensors numpy
    python scripts/llama_server_model.py MODEL_FOLDER model.gguf
    llama-server -m model.gguf --port 8080 --parallel 4 -c 2048 -fa off --cache-type-k f32 --cache-type-v f32

The server's own tokenizer differs from the folder's, whose normalizer and patterns GGUF cannot name; the tests send token ids.
"""
import json
import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

LAYER = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def interleaved(w, heads):
    """Hugging Face rotates halves of a head, llama.cpp neighbours."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def name(key):
    key = key.removesuffix(".weight")
    if key in WHOLE:
        return WHOLE[key]
    _, _, layer, rest = key.split(".", 3)
    return f"blk.{layer}.{LAYER[rest]}"


def main():
    src = Path(sys.argv[1])
    config = json.loads((src / "config.json").read_text())
    tokenizer = json.loads((src / "tokenizer.json").read_text())
    w = gguf.GGUFWriter(sys.argv[2], "llama")
    w.add_context_length(config["max_position_embeddings"])
    w.add_embedding_length(config["hidden_size"])
    w.add_block_count(config["num_hidden_layers"])
    w.add_feed_forward_length(config["intermediate_size"])
    w.add_head_count(config["num_attention_heads"])
    w.add_head_count_kv(config["num_key_value_heads"])
    w.add_rope_dimension_count(config["head_dim"])
    w.add_rope_freq_base(config["rope_theta"])
    w.add_layer_norm_rms_eps(config["rms_norm_eps"])
    w.add_vocab_size(config["vocab_size"])
    w.add_file_type(gguf.LlamaFileType.ALL_F32)

    special = {t["id"]: t["content"] for t in tokenizer["added_tokens"]}
    tokens = [f"<unused{i}>" for i in range(config["vocab_size"])]
    for text, i in tokenizer["model"]["vocab"].items():
        tokens[i] = text
    for i, text in special.items():
        tokens[i] = text
    kind = gguf.TokenType
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([kind.CONTROL if i in special else kind.NORMAL for i in range(len(tokens))])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]])
    w.add_bos_token_id(config["bos_token_id"])
    w.add_eos_token_id(config["eos_token_id"])
    w.add_add_bos_token(False)

    for key, x in load_file(src / "model.safetensors").items():
        x = x.astype(np.float32)
        if "q_proj" in key:
            x = interleaved(x, config["num_attention_heads"])
        if "k_proj" in key:
            x = interleaved(x, config["num_key_value_heads"])
        w.add_tensor(name(key) + ".weight", np.ascontiguousarray(x))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


main()
