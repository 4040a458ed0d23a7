"""One peer in a process of its own, which stays alive so that what it compiled is compiled once.

Reads a JSON object a line and answers with one: {"do": "begin", ...} loads a model and says its first losses or predictions;
{"do": "measure", ...} says how long each batch took, ms.
"""

import importlib
import json
import os
import sys
import time

import numpy as np

from rows import BATCH, COMPARED, ONE, TRAIN, Cannot, Model


def load(files):
    """Batches (n, BATCH, steps) and targets (n, BATCH, 1), and the start weights in Keras's order, or by name for a text."""
    with np.load(files["data"]) as f:
        x, y = f["x"], f["y"]
    with np.load(files["weights"]) as f:
        weights = {k: f[k] for k in f.files}
    return x.reshape(-1, BATCH, x.shape[1]), y.reshape(-1, BATCH, 1), weights


class Worker:
    def __init__(self, peer):
        self.peer, self.work = peer, {}

    def begin(self, key, kind, model, files):
        x, y, weights = load(files)
        model = Model(**model)
        if kind == TRAIN:
            step = self.peer.train(model, weights)
            run = lambda b: step(x[b], y[b])
            first = [float(run(b % len(x))) for b in range(COMPARED)]  # compiles too
        else:
            predict = self.peer.predict(model, weights, files)
            rows = 1 if kind == ONE else BATCH
            run = lambda b: predict(x[b][:rows])
            first = np.asarray(run(0)).reshape(-1).tolist()
            run(0)
        self.work[key] = run, len(x)
        return {"first": first}

    def measure(self, key, repeats):
        run, n = self.work[key]
        best = [float("inf")] * n
        for _ in range(repeats):
            for b in range(n):
                begin = time.perf_counter()
                run(b)
                best[b] = min(best[b], (time.perf_counter() - begin) * 1e3)
        return {"ms": best}

    def end(self, key):
        self.work.pop(key, None)
        return {}

    def versions(self):
        return {"versions": self.peer.versions()}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    try:
        worker = Worker(importlib.import_module(sys.argv[1]))
        answer = {"ready": True}
    except ImportError as e:
        worker, answer = None, {"missing": str(e)}
    print(json.dumps(answer), file=answers, flush=True)
    for line in sys.stdin if worker else []:
        call = json.loads(line)
        try:
            answer = getattr(worker, call.pop("do"))(**call)
        except Cannot as e:
            answer = {"cannot": str(e)}
        except Exception as e:  # one model that fails is no reason to lose the others
            answer = {"failed": f"{type(e).__name__}: {e}"[:500]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
