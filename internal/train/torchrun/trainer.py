"""Trainer that syncabel starts under torchrun: fine-tunes a causal language model with FSDP2 on any number of processes.

    torchrun --nproc-per-node 8 trainer.py settings.json

Go prepared everything that must not drift apart from linking and from the native engine: token ids, targets, which examples make a
step, how they are packed, and the learning rate of every step. The folder `data` holds them as plain little-endian arrays:

    tokens.i32     input ids of all examples, one behind the other
    targets.i32    what follows each of them where it is learnt, else -1
    lengths.i32    tokens of each example
    sequences.i32  examples of each packed sequence: positions and attention start anew at every example
    steps.i32      sequences of each step of the optimizer
    rates.f64      learning rate of each step
    data.json      how many there are of each

Sequences of a step are dealt to the processes in turn, so that neither data nor step depend on how many there are. The state in
`state/step-N` (weights or adapters, moments, the step) is written every few minutes and when the trainer is asked to stop, and holds
for any number of processes; random numbers are a function of seed, step and process. `metrics.jsonl` gets one event a line: start, step,
saved, stopped, done. The result is `model`, a folder as Hugging Face has it, with adapters merged and beside it.

Asked to stop by SIGTERM, SIGINT, SIGUSR1 or, under syncabel, by the end of standard input: it saves after the step at hand.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

try:
    import torch
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp
    import torch.nn.functional as F
    import transformers
    from huggingface_hub import save_torch_state_dict
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict, get_state_dict, set_state_dict
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
    from transformers import AutoModelForCausalLM
except ImportError as e:
    sys.exit(f"ImportError: {e}: torch 2.6 or later and transformers 5 or later are needed: pip install torch transformers peft")

LOCK_WAIT = 60  # seconds that an earlier trainer of the folder may take to end


class Failure(Exception):
    """What the user can do something about; told without a traceback."""


class Data:
    """The arrays of a folder, mapped."""

    def __init__(self, folder):
        self.about = json.loads((folder / "data.json").read_text())

        def array(name, n, dtype, width):
            path = folder / name
            if path.stat().st_size != n * width:
                raise Failure(f"{path} has {path.stat().st_size} bytes instead of {n * width}: delete the folder {folder} and run again")
            return torch.from_file(str(path), shared=False, size=n, dtype=dtype)

        a = self.about
        self.tokens, self.targets = (array(n, a["tokens"], torch.int32, 4) for n in ("tokens.i32", "targets.i32"))
        self.lengths = array("lengths.i32", a["examples"], torch.int32, 4).long()
        self.rates = array("rates.f64", a["steps"], torch.float64, 8)
        self.token_at = starts(self.lengths)
        self.example_at = starts(array("sequences.i32", a["sequences"], torch.int32, 4))
        self.sequence_at = starts(array("steps.i32", a["steps"], torch.int32, 4))

    def step(self, i):
        """Numbers of the sequences of a step, its tokens and its targets."""
        lo, hi = self.sequence_at[i], self.sequence_at[i + 1]
        a, b = (self.token_at[self.example_at[x]] for x in (lo, hi))
        return range(lo, hi), int(b - a), int((self.targets[a:b] >= 0).sum())

    def sequence(self, i, device):
        """Input ids, targets and number of the example of each token of a sequence."""
        a, b = self.example_at[i], self.example_at[i + 1]
        lo, hi = self.token_at[a], self.token_at[b]
        example = torch.repeat_interleave(torch.arange(b - a), self.lengths[a:b])
        return [x.to(device) for x in (self.tokens[lo:hi].long(), self.targets[lo:hi].long(), example)]


def starts(counts):
    return torch.cat([torch.zeros(1, dtype=torch.long), counts.long().cumsum(0)])


class Stop:
    """Set once somebody wants the trainer to end."""

    def __init__(self):
        self.asked = threading.Event()
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(s, lambda *_: self.asked.set())
        if os.environ.get("SYNCABEL_LAUNCHED"):  # whoever started us holds the other end
            threading.Thread(target=self.until_closed, daemon=True).start()

    def until_closed(self):
        while os.read(0, 4096):
            pass
        self.asked.set()


class Metrics:
    """Events of the first process; the others tell nothing."""

    def __init__(self, path, first):
        self.file = None
        if first:
            torn = path.exists() and not path.read_bytes()[-1:] in (b"", b"\n")
            self.file = open(path, "a", buffering=1)
            if torn:
                self.file.write("\n")

    def tell(self, event, **fields):
        if self.file:
            self.file.write(json.dumps({"event": event, **fields}) + "\n")


class Run:
    def __init__(self, settings):
        self.s = s = json.loads(Path(settings).read_text())
        self.dir = Path(settings).resolve().parent
        self.rank, self.world, local = (int(os.environ[k]) for k in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        self.stop = Stop()
        if self.rank == 0:
            self.lock()
        self.metrics = Metrics(self.dir / "metrics.jsonl", self.rank == 0)
        cuda = torch.cuda.is_available()
        if cuda and local >= torch.cuda.device_count():
            raise Failure(f"there are {torch.cuda.device_count()} GPUs for {os.environ['LOCAL_WORLD_SIZE']} processes: set train.torchrun.processes")
        self.device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(self.device)
        dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
        self.mesh = init_device_mesh(self.device.type, (self.world,))
        self.data = Data(self.dir / "data")
        self.model = self.load()
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.trainable = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        self.shard()
        self.optimizer = torch.optim.AdamW(self.groups(), lr=0.0, betas=(s["beta1"], s["beta2"]), eps=s["eps"], fused=cuda)
        self.done = self.restore()

    def lock(self):
        """Two trainers in one folder would spoil it: an earlier one that lost its parent may still be at its last step."""
        self.locked = open(self.dir / "lock", "w")
        for _ in range(LOCK_WAIT):
            try:
                return fcntl.flock(self.locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(1)
        raise Failure(f"another trainer is at work in {self.dir}: wait for it or end it")

    # The model

    def load(self):
        """The base as it is stored, its vocabulary grown, with adapters where they are asked for."""
        s = self.s
        model = AutoModelForCausalLM.from_pretrained(s["base"], dtype="auto", attn_implementation=s["attention"])
        window = getattr(model.config, "sliding_window", None)
        if window and self.data.about["longest"] > window:
            raise Failure(f"an example of {self.data.about['longest']} tokens is longer than the model's window of {window}: lower train.max_length")
        grow(model, s["vocab"])
        if s["lora"]:
            self.adapt(model)
        if s["recompute"]:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        return model.train()

    def adapt(self, model):
        from peft import LoraConfig, inject_adapter_in_model

        lora = self.s["lora"]
        torch.manual_seed(self.s["seed"] % 2**63)  # every process draws the same adapters
        self.lora = LoraConfig(r=lora["rank"], lora_alpha=lora["alpha"], target_modules=lora["targets"], lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
                               base_model_name_or_path=lora["base_name"])
        inject_adapter_in_model(self.lora, model)
        start = {}
        if lora["start"]:
            from safetensors.torch import load_file

            start = load_file(Path(lora["start"]) / "adapter_model.safetensors")
        for name, p in model.named_parameters():
            if p.requires_grad:
                p.data = start.get(peft_name(name), p.data)

    def shard(self):
        """Layer by layer, so that no process ever holds all weights in the wide type: what is trained is float32, the rest as it computes."""
        compute = getattr(torch, self.s["dtype"])
        mixed = MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=torch.float32)
        for module in [*self.model.model.layers, self.model]:
            for p in module.parameters():
                want = torch.float32 if p.requires_grad else compute
                if p.dtype != want:
                    p.data = p.data.to(want)
            fully_shard(module, mesh=self.mesh, mp_policy=mixed)

    def groups(self):
        """Parameters as the native engine treats them: no decay of norms and biases, a learning rate of their own for embeddings."""
        out = {}
        for name, p in self.model.named_parameters():
            if p.requires_grad:
                factor = self.s["embed_lr"] if "embed_tokens" in name or "lm_head" in name else 1.0
                out.setdefault((factor, self.s["decay"] / factor if p.ndim > 1 else 0.0), []).append(p)
        return [{"params": p, "weight_decay": decay, "factor": factor} for (factor, decay), p in out.items()]

    # A step

    def logits(self, tokens, example, rows):
        """Logits of some rows (n,V) of one packed sequence."""
        same = example[:, None] == example[None, :]
        position = torch.arange(len(tokens), device=self.device) - torch.searchsorted(example, example)
        mask = same.tril()[None, None] if self.s["attention"] == "sdpa" else None  # flash attention reads the positions
        out = self.model(input_ids=tokens[None], position_ids=position[None], attention_mask=mask, use_cache=False, logits_to_keep=rows)
        return out.logits[0].float()

    def loss(self, number):
        """Sum of the negative log-likelihoods of a sequence's targets."""
        tokens, targets, example = self.data.sequence(number, self.device)
        rows = (targets >= 0).nonzero()[:, 0]
        return F.cross_entropy(self.logits(tokens, example, rows), targets[rows], reduction="sum")

    def check_packing(self):
        """Examples of a sequence must not see each other, whatever the attention of this version does with masks and positions."""
        tokens, targets, example = self.data.sequence(0, self.device)
        last = example == example[-1]
        rows = last.nonzero()[:, 0]
        with torch.no_grad():
            packed = self.logits(tokens, example, rows).log_softmax(-1)
            alone = self.logits(tokens[last], example[last] * 0, rows - rows[0]).log_softmax(-1)
        picked = tokens[last][1:, None]
        differ = (packed[:-1].gather(1, picked) - alone[:-1].gather(1, picked)).abs().mean() if len(picked) else torch.zeros(())
        if not differ < 0.1:
            raise Failure(f"attention {self.s['attention']!r} mixes packed examples (log-probabilities differ by {differ:.3f}): choose train.torchrun.attention = \"sdpa\"")

    def step(self):
        """One step of the optimizer; returns the mean loss's sum on this process, tokens, targets and the gradient's norm."""
        torch.manual_seed(((self.s["seed"] * 1_000_003 + self.done) * 65_537 + self.rank) % 2**63)
        sequences, tokens, targets = self.data.step(self.done)
        total = 0.0
        for first in range(0, len(sequences), self.world):
            mine = first + self.rank
            # Every process takes part in every forward and backward pass, if only for nothing.
            loss = self.loss(sequences[mine]) if mine < len(sequences) else 0 * self.loss(sequences[first])
            (loss * (self.world / targets)).backward()  # FSDP takes the mean over the processes
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], self.s["clip"])
        for g in self.optimizer.param_groups:
            g["lr"] = float(self.data.rates[self.done]) * g["factor"]
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.done += 1
        return total / targets, tokens, targets, float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)

    def train(self):
        steps = len(self.data.rates)
        pids = [None] * self.world
        dist.all_gather_object(pids, os.getpid())
        self.metrics.tell("start", step=self.done, steps=steps, processes=self.world, device=torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
                          torch=torch.__version__, transformers=transformers.__version__, parameters=self.parameters, trainable=self.trainable, pids=pids)
        self.check_packing()
        saved = time.monotonic()
        while self.done < steps:
            began = time.monotonic()
            loss, tokens, targets, norm = self.step()
            late = self.rank == 0 and time.monotonic() - saved > self.s["every"]
            shared = torch.tensor([float(loss), self.stop.asked.is_set(), late], dtype=torch.float64, device=self.device)
            dist.all_reduce(shared)
            loss, stop, late = shared.tolist()
            self.tell_step(loss, norm, tokens, targets, time.monotonic() - began)
            if loss != loss or loss in (float("inf"), float("-inf")) or norm != norm:
                raise Failure("training diverged: loss or gradient is not finite: lower train.lr")
            if (stop or late) and self.done < steps:
                self.save()
                saved = time.monotonic()
            if stop and self.done < steps:
                self.metrics.tell("stopped", step=self.done)
                return
        self.export()

    def tell_step(self, loss, norm, tokens, targets, seconds):
        rate = tokens / max(seconds, 1e-9) / self.world
        tera = (6 if self.trainable == self.parameters else 4) * self.parameters * rate / 1e12
        more = {"mfu": tera / self.s["peak_tflops"]} if self.s["peak_tflops"] else {}
        if self.device.type == "cuda":
            more["memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
        self.metrics.tell("step", step=self.done, loss=loss, lr=float(self.data.rates[self.done - 1]), grad_norm=norm, tokens=tokens, targets=targets,
                          seconds=seconds, tokens_per_second=rate, tflops=tera, **more)

    # State and result

    def save(self):
        path = self.dir / "state" / f"step-{self.done:09d}"
        tmp = path.with_name("writing")
        if self.rank == 0:
            shutil.rmtree(tmp, ignore_errors=True)
        dist.barrier()
        model, optimizer = get_state_dict(self.model, self.optimizer, options=StateDictOptions(ignore_frozen_params=True))
        dcp.save({"model": model, "optimizer": optimizer}, checkpoint_id=tmp)
        if self.rank == 0:
            tmp.rename(path)
            for old in path.parent.glob("step-*"):
                if old != path:
                    shutil.rmtree(old)
            self.metrics.tell("saved", step=self.done)
        dist.barrier()

    def restore(self):
        """Loads the last complete state, if there is one, and returns how many steps were made."""
        found = [sorted(self.dir.glob("state/step-*"))]
        dist.broadcast_object_list(found)
        if not found[0]:
            return 0
        model, optimizer = get_state_dict(self.model, self.optimizer, options=StateDictOptions(ignore_frozen_params=True))
        dcp.load({"model": model, "optimizer": optimizer}, checkpoint_id=found[0][-1])
        set_state_dict(self.model, self.optimizer, model_state_dict=model, optim_state_dict=optimizer, options=StateDictOptions(strict=not self.s["lora"]))
        return int(found[0][-1].name.removeprefix("step-"))

    def export(self):
        weights = get_model_state_dict(self.model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
        if self.rank == 0:
            out = self.dir / "model"
            tmp = self.dir / "model.writing"
            for d in (out, tmp):
                shutil.rmtree(d, ignore_errors=True)
            tmp.mkdir()
            if self.s["lora"]:
                weights = self.merge(weights, tmp / "adapter")
            config = self.model.config
            if config.tie_word_embeddings:
                weights.pop("lm_head.weight", None)
            config.dtype = self.s["store"]
            store = getattr(torch, self.s["store"])
            for k in list(weights):  # copies: what is gathered may be part of something larger
                weights[k] = weights[k].to(store, copy=True)
            save_torch_state_dict(weights, tmp, metadata={"format": "pt"})
            config.save_pretrained(tmp)
            self.model.generation_config.save_pretrained(tmp)
            tmp.rename(out)
            files = {str(p.relative_to(out)): digest(p) for p in sorted(out.rglob("*")) if p.is_file()}
            self.metrics.tell("done", step=self.done, files=files)
        dist.barrier()

    def merge(self, weights, folder):
        """Writes the adapters as PEFT does and returns W + alpha/rank * B A under the base's names."""
        folder.mkdir()
        self.lora.inference_mode = True
        self.lora.save_pretrained(folder)
        adapters = {peft_name(k): v.clone() for k, v in weights.items() if ".lora_" in k}
        save_torch_state_dict(adapters, folder, filename_pattern="adapter_model{suffix}.safetensors", metadata={"format": "pt"})
        out = {}
        for k, v in weights.items():
            if ".base_layer." in k:
                a, b = (weights[k.replace("base_layer", f"lora_{x}.default")] for x in "AB")
                v = v.float() + self.lora.lora_alpha / self.lora.r * (b @ a)
            if ".lora_" not in k:
                out[k.replace(".base_layer", "")] = v
        return out


def peft_name(name):
    return "base_model.model." + name.replace(".default.", ".")


def grow(model, vocab):
    """Rows for new tokens: the mean of the others."""
    old = model.get_input_embeddings().weight.shape[0]
    if vocab <= old:
        return
    model.resize_token_embeddings(vocab, mean_resizing=False)
    with torch.no_grad():
        for m in (model.get_input_embeddings(), model.get_output_embeddings()):
            m.weight[old:] = m.weight[:old].double().mean(0).to(m.weight.dtype)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def main():
    try:
        Run(sys.argv[1]).train()
    except Failure as e:
        sys.exit(f"Failure: {e}")
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


if __name__ == "__main__":
    main()
