"""Compare a trie file with the reference's trie: nested Python dicts, pickled, one per token.

    python scripts/trie_peer.py [NAMES]

Builds the trie of NAMES (default 300,000) invented names with `go test -bench OpenTrie ./internal/link`, which also says how long
opening takes, reads the names' tokens out of the file, builds the dicts as the published code does (a dict a node, a leaf an
empty dict), and prints memory and load time of both. Needs Python and numpy.
"""

import gc
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import time

import numpy as np


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def sections(path):
    data = np.memmap(path, dtype=np.uint8, mode="r")
    n = int.from_bytes(bytes(data[8:16]), "little")
    head = json.loads(bytes(data[16:16 + n]))
    out = {}
    for s in head["Sections"]:
        if s["Name"] != "texts":
            out[s["Name"]] = data[s["Offset"]:s["Offset"] + 4 * s["Count"]].view(np.uint32)
    return head, out


def dicts(head, sec):
    """Nested dicts of the first root."""
    tokens, first = (sec["meta"] >> 8).tolist(), sec["first"].tolist()
    root = head["Roots"][0]
    nodes = {root: {}}
    top = nodes[root]
    todo = [(root, top)]
    while todo:
        n, d = todo.pop()
        for c in range(first[n], first[n + 1]):
            d[tokens[c]] = child = {}
            todo.append((c, child))
    return top


def main():
    names = sys.argv[1] if len(sys.argv) > 1 else "300000"
    sys.setrecursionlimit(5000)
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "names.trie")
        out = subprocess.run(["go", "test", "-run", "xxx", "-bench", "OpenTrie", "-benchtime", "200x", "./internal/link"], text=True, check=True,
                             env=dict(os.environ, SYNCABEL_TRIE=path, SYNCABEL_NAMES=names), stdout=subprocess.PIPE).stdout
        opened = float(re.search(r"([\d.]+) ns/op", out).group(1)) / 1e9
        head, sec = sections(path)
        nodes, ours = len(sec["meta"]), 16 * len(sec["meta"])
        root = dicts(head, sec)
        pkl = os.path.join(tmp, "trie.pkl")
        with open(pkl, "wb") as f:
            pickle.dump(root, f)
        del root, sec
        gc.collect()
        # A fresh process, so that nothing freed is used again.
        code = ("import pickle,time,sys,gc; sys.path.insert(0,%r); from trie_peer import resident; gc.disable(); a=resident(); t=time.perf_counter();"
                "d=pickle.load(open(%r,'rb')); print(time.perf_counter()-t, resident()-a)") % (os.path.dirname(os.path.abspath(__file__)), pkl)
        load, memory = map(float, subprocess.run([sys.executable, "-c", code], text=True, check=True, stdout=subprocess.PIPE).stdout.split())
        print(f"{names} names, {nodes} nodes; Python {sys.version.split()[0]}")
        print(f"memory: dicts {memory/1e6:.0f} MB ({memory/nodes:.0f} B a node), ours {ours/1e6:.1f} MB (16 B a node): {memory/ours:.1f} times less")
        print(f"load: pickle {load:.2f} s, ours {opened*1e6:.0f} us: {load/opened:.0f} times faster")


if __name__ == "__main__":
    main()
