#!/usr/bin/env python3
"""What PyTorch really holds of a model, on the CPU. A line of JSON on stdout.

    hold.py CONFIG DTYPE      the modules of a llama-like config.json, by torch.nn alone

bytes: of all parameters, each storage once; anon: what the process's anonymous memory grew by while they
came; before: what it was with everything imported."""
import json
import sys

import torch

TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def anon():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024


def held(model):
    seen, sums = set(), 0
    for p in model.parameters():
        if p.data_ptr() not in seen:
            seen.add(p.data_ptr())
            sums += p.numel() * p.element_size()
    return sums


class Norm(torch.nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(n))


def modules(c):
    e, ff, v = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    h, kv = c["num_attention_heads"], c["num_key_value_heads"]
    d = c.get("head_dim", e // h)
    m = torch.nn.Module()
    m.embed = torch.nn.Embedding(v, e)
    m.layers = torch.nn.ModuleList()
    for _ in range(c["num_hidden_layers"]):
        b = torch.nn.Module()
        b.q, b.k = torch.nn.Linear(e, h * d, bias=False), torch.nn.Linear(e, kv * d, bias=False)
        b.v, b.o = torch.nn.Linear(e, kv * d, bias=False), torch.nn.Linear(h * d, e, bias=False)
        b.gate, b.up = torch.nn.Linear(e, ff, bias=False), torch.nn.Linear(e, ff, bias=False)
        b.down = torch.nn.Linear(ff, e, bias=False)
        b.before, b.after = Norm(e), Norm(e)
        m.layers.append(b)
    m.norm = Norm(e)
    m.head = torch.nn.Linear(e, v, bias=False)
    if c.get("tie_word_embeddings"):
        m.head.weight = m.embed.weight
    return m


def main():
    torch.set_default_dtype(TYPES[sys.argv[2]])
    before = anon()
    m = modules(json.loads(sys.argv[1]))
    print(json.dumps({"bytes": held(m), "anon": anon() - before, "before": before}))


main()
