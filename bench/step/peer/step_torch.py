"""Peer of bench/step: a Llama-style model in PyTorch, one training step for every line on standard input, answered with
its nanoseconds. Usage: step_torch.py VOCAB TOKENS LENGTH THREADS eager|compile"""
import math
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

V, TOKENS, T, THREADS, MODE = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
C, L, H, HID = 256, 6, 4, 704
D = C // H
torch.manual_seed(1)
torch.set_num_threads(THREADS)


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(C))

    def forward(self, x):
        if hasattr(F, "rms_norm"):
            return F.rms_norm(x, (C,), self.w, 1e-5)
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.w


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.n1, self.n2 = Norm(), Norm()
        self.qkv, self.out = nn.Linear(C, 3 * C, bias=False), nn.Linear(C, C, bias=False)
        self.gate_up, self.down = nn.Linear(C, 2 * HID, bias=False), nn.Linear(HID, C, bias=False)

    def forward(self, x, cos, sin, mask):
        b = x.shape[0]
        q, k, v = self.qkv(self.n1(x)).view(b, T, 3, H, D).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            y = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(D) + mask, -1) @ v
        x = x + self.out(y.transpose(1, 2).reshape(b, T, C))
        g, u = self.gate_up(self.n2(x)).chunk(2, -1)
        return x + self.down(F.silu(g) * u)


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(V, C)
        self.blocks = nn.ModuleList(Block() for _ in range(L))
        self.norm = Norm()
        angle = torch.outer(torch.arange(T).float(), 10000.0 ** (-torch.arange(0, D, 2).float() / D))
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())
        self.register_buffer("mask", torch.full((T, T), -1e30).triu(1))

    def forward(self, x, y):
        h = self.embed(x)
        for b in self.blocks:
            h = b(h, self.cos, self.sin, self.mask)
        return F.cross_entropy(F.linear(self.norm(h), self.embed.weight).view(-1, V), y.view(-1))


model = Model()
run = torch.compile(model) if MODE == "compile" else model
try:
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
except (TypeError, RuntimeError):
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
x, y = torch.randint(0, V, (TOKENS // T, T)), torch.randint(0, V, (TOKENS // T, T))


def step():
    opt.zero_grad(set_to_none=True)
    run(x, y).backward()
    opt.step()


for _ in range(2):
    step()
print(f"PyTorch {torch.__version__} {MODE}, {THREADS} threads", flush=True)
for line in sys.stdin:
    t = time.perf_counter_ns()
    step()
    print(time.perf_counter_ns() - t, flush=True)
