#!/usr/bin/env python3
"""Models as people build them, in unroll and in Keras on its three backends: made-up data, the same weights, alternating. README.md says how."""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BATCHES = 5
TOLERANCE = 1e-3  # between predictions
BACKENDS = {"Keras/TF": "tensorflow", "Keras/JAX": "jax", "Keras/PyTorch": "torch"}


def models(keras):
    """By name: what it is, rows of a batch, loss, optimizer, the layers of the model or the model, and its data."""
    import numpy as np

    r = np.random.default_rng(1)
    words = lambda n, steps, most: np.minimum(r.zipf(1.2, (n, steps)), most - 1).astype("int32")
    floats = lambda *shape: r.normal(size=shape).astype("float32")
    classes = lambda k, *shape: r.integers(0, k, shape).astype("int32")
    L = keras.layers

    def behind(n, steps, most):
        """Rows of different lengths with zeros behind them."""
        x = words(n, steps, most)
        x[np.arange(steps) >= r.integers(steps // 10, steps, (n, 1))] = 0
        return x

    def transformer():
        i = keras.Input((200,), dtype="int32")
        x = L.Embedding(20000, 32)(i)
        a = L.Dropout(0.1)(L.MultiHeadAttention(2, 32)(x, x))
        x = L.LayerNormalization(epsilon=1e-6)(L.Add()([x, a]))
        f = L.Dropout(0.1)(L.Dense(32)(L.Dense(32, activation="gelu")(x)))
        x = L.GlobalAveragePooling1D()(L.LayerNormalization(epsilon=1e-6)(L.Add()([x, f])))
        return keras.Model(i, L.Dense(2, activation="softmax")(L.Dense(20, activation="relu")(x)))

    def translator():
        source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
        _, h, c = L.LSTM(256, return_state=True)(L.Embedding(5000, 128)(source))
        y = L.LSTM(256, return_sequences=True)(L.Embedding(5000, 128)(target), initial_state=[h, c])
        return keras.Model([source, target], L.Dense(5000, activation="softmax")(y))

    def two():
        text, numbers = keras.Input((200,), dtype="int32"), keras.Input((8,))
        x = L.Concatenate()([L.LSTM(32)(L.Embedding(10000, 32)(text)), L.Dense(16, activation="relu")(numbers)])
        return keras.Model([text, numbers], L.Dense(1, activation="sigmoid")(x))

    binary, sparse = "binary_crossentropy", "sparse_categorical_crossentropy"
    return {
        "reviews": ("SimpleRNN(32) over 400 words", 32, binary, "rmsprop", lambda: [L.Embedding(10000, 32), L.SimpleRNN(32), L.Dense(1, activation="sigmoid")], lambda n: ([words(n, 400, 10000)], classes(2, n, 1))),
        "characters": ("LSTM(256) that predicts each next of 80 characters", 64, sparse, "adam", lambda: [L.Embedding(80, 64), L.LSTM(256, return_sequences=True), L.Dense(80, activation="softmax")], lambda n: ([classes(80, n, 100)], classes(80, n, 100))),
        "words": ("two LSTM(200) that predict each next of 5,000 words", 20, sparse, "sgd", lambda: [L.Embedding(5000, 200), L.LSTM(200, return_sequences=True), L.LSTM(200, return_sequences=True), L.Dense(5000, activation="softmax")], lambda n: ([words(n, 35, 5000)], classes(5000, n, 35))),
        "tags": ("Bidirectional(LSTM(64)) that tags words, masked", 32, sparse, "adam", lambda: [L.Embedding(10000, 64, mask_zero=True), L.Bidirectional(L.LSTM(64, return_sequences=True)), L.Dense(9, activation="softmax")], lambda n: ([behind(n, 200, 10000)], classes(9, n, 200))),
        "windows": ("Conv1D(64), MaxPooling1D, LSTM(64) over words", 128, binary, "adam", lambda: [L.Embedding(10000, 64), L.Conv1D(64, 5, activation="relu"), L.MaxPooling1D(4), L.LSTM(64), L.Dense(1, activation="sigmoid")], lambda n: ([words(n, 400, 10000)], classes(2, n, 1))),
        "normalized windows": ("the same with BatchNormalization", 128, binary, "adam", lambda: [L.Embedding(10000, 64), L.Conv1D(64, 5), L.BatchNormalization(), L.Activation("relu"), L.MaxPooling1D(4), L.LSTM(64), L.Dense(1, activation="sigmoid")], lambda n: ([words(n, 400, 10000)], classes(2, n, 1))),
        "week": ("LSTM(64) over 168 hours of 8 numbers", 32, "mse", "adam", lambda: [L.LSTM(64), L.Dense(1)], lambda n: ([floats(n, 168, 8)], floats(n, 1))),
        "stack": ("two GRU(64) over 168 hours", 32, "mse", "adam", lambda: [L.GRU(64, return_sequences=True), L.GRU(64), L.Dense(1)], lambda n: ([floats(n, 168, 8)], floats(n, 1))),
        "dropouts": ("three LSTM(64), Dropout, BatchNormalization and LayerNormalization between", 64, "mse", "adam", lambda: [L.LSTM(64, return_sequences=True), L.Dropout(0.2), L.BatchNormalization(), L.LSTM(64, return_sequences=True), L.Dropout(0.2), L.LayerNormalization(), L.LSTM(64), L.Dense(32, activation="gelu"), L.Dense(1)], lambda n: ([floats(n, 60, 10)], floats(n, 1))),
        "gelu": ("LSTM(64), Dense(128, gelu) a step, maximum", 64, "mse", "adam", lambda: [L.LSTM(64, return_sequences=True), L.Dense(128, activation="gelu"), L.GlobalMaxPooling1D(), L.Dense(1)], lambda n: ([floats(n, 60, 10)], floats(n, 1))),
        "speech": ("two Bidirectional(GRU(128)) over 100 frames", 32, sparse, "adam", lambda: [L.Bidirectional(L.GRU(128, return_sequences=True)), L.Bidirectional(L.GRU(128, return_sequences=True)), L.Dense(30, activation="softmax")], lambda n: ([floats(n, 100, 40)], classes(30, n, 100))),
        "copy": ("LSTM(64), RepeatVector, LSTM(64), TimeDistributed(Dense)", 64, "mse", "adam", lambda: [L.LSTM(64), L.RepeatVector(60), L.LSTM(64, return_sequences=True), L.TimeDistributed(L.Dense(10))], lambda n: ([floats(n, 60, 10)], floats(n, 60, 10))),
        "long": ("GRU(32) over 2,000 steps", 16, "mse", "adam", lambda: [L.GRU(32), L.Dense(1)], lambda n: ([floats(n, 2000, 4)], floats(n, 1))),
        "large": ("Embedding(100000, 128), LSTM(64)", 32, binary, "adam", lambda: [L.Embedding(100000, 128), L.LSTM(64), L.Dense(1, activation="sigmoid")], lambda n: ([words(n, 100, 100000)], classes(2, n, 1))),
        "two inputs": ("LSTM(32) over words beside Dense(16) over numbers", 128, binary, "adam", two, lambda n: ([words(n, 200, 10000), floats(n, 8)], classes(2, n, 1))),
        "translator": ("LSTM(256) whose states begin another, 5,000 words", 64, sparse, "adam", translator, lambda n: ([words(n, 20, 5000), words(n, 20, 5000)], classes(5000, n, 20))),
        "transformer": ("MultiHeadAttention block over 200 words", 32, sparse, "adam", transformer, lambda n: ([words(n, 200, 20000)], classes(2, n, 1))),
    }  # fmt: skip


def make(folder):
    """Every model as a .keras file, and its data."""
    import keras
    import numpy as np

    listed = {}
    for name, (what, rows, loss, optimizer, build, data) in models(keras).items():
        x, y = data(rows * BATCHES)
        made = build()
        if isinstance(made, list):
            made = keras.Sequential([keras.Input(x[0].shape[1:], dtype=x[0].dtype.name), *made])
        made.save(folder / f"{name}.keras")
        names = ["x"] if len(x) == 1 else [f"x{i}" for i in range(len(x))]
        np.savez(folder / f"{name}.npz", y=y, **dict(zip(names, x)))
        np.savez(folder / f"{name} first.npz", **{k: v[:rows] for k, v in zip(names, x)})
        listed[name] = {"what": what, "rows": rows, "loss": loss, "optimizer": optimizer}
    (folder / "models.json").write_text(json.dumps(listed))


def worker(folder, name):
    """A model in this process's Keras: for each line of input, how long every batch took. First its predictions."""
    import keras
    import numpy as np
    from peer_keras import stepping

    m = json.loads((folder / "models.json").read_text())[name]
    model = keras.models.load_model(folder / f"{name}.keras")
    model.compile(optimizer=m["optimizer"], loss=m["loss"], jit_compile="auto")
    with np.load(folder / f"{name}.npz") as f:
        y, x = f["y"], [f[k] for k in f.files if k != "y"]
    cut = lambda b: slice(b * m["rows"], (b + 1) * m["rows"])
    batch = lambda b: x[0][cut(b)] if len(x) == 1 else [v[cut(b)] for v in x]
    answer = lambda o: print("answer " + json.dumps(o), flush=True)
    answer(np.asarray(model.predict_on_batch(batch(0))).reshape(-1)[:1000].tolist())

    step = stepping(model)
    train = lambda b: step(batch(b), y[cut(b)])

    def timed(run):
        ms = []
        for b in range(BATCHES):
            begin = time.perf_counter()
            run(b)
            ms.append((time.perf_counter() - begin) * 1e3)
        return ms

    timed(train), timed(lambda b: model.predict_on_batch(batch(b)))  # what is compiled
    for _ in sys.stdin:
        answer({"train": timed(train), "predict": timed(lambda b: model.predict_on_batch(batch(b)))})


class Peer:
    def __init__(self, folder, name, backend):
        env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--here", "--worker", name, "--folder", str(folder)],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env,
        )  # fmt: skip

    def answer(self):
        for line in self.process.stdout:
            if line.startswith("answer "):
                return json.loads(line[7:])
        raise RuntimeError("a peer ended")

    def measure(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def ours(binary, folder, name, m):
    """As the others, a pass that does not count and one that does."""
    out = subprocess.run(
        [binary, "bench", folder / f"{name}.keras", "--data", folder / f"{name}.npz", "--batch-size", str(m["rows"]), "--batches", str(BATCHES),
         "--repeats", "1", "--loss", m["loss"], "--optimizer", m["optimizer"], "--json"], capture_output=True, text=True,
    )  # fmt: skip
    if out.returncode:
        raise RuntimeError(out.stderr)
    r = json.loads(out.stdout)
    return {"train": r["train_step_ms"]["each"], "predict": r["predict_batch_ms"]["each"]}


def predictions(binary, folder, name):
    out = folder / "predictions.npy"
    subprocess.run([binary, "predict", folder / f"{name}.keras", "--data", folder / f"{name} first.npz", "--out", out], check=True, capture_output=True)
    import numpy as np

    return np.load(out).reshape(-1)[:1000].tolist()


def measure(binary, folder, name, m, rounds):
    from measure import keep

    peers = {k: Peer(folder, name, v) for k, v in BACKENDS.items()}
    first = {k: p.answer() for k, p in peers.items()}
    mine = predictions(binary, folder, name)
    apart = {k: max(abs(a - b) for a, b in zip(mine, v, strict=True)) for k, v in first.items()}
    best = {}
    for _ in range(rounds):
        for program, run in {"unroll": lambda: ours(binary, folder, name, m), **{k: p.measure for k, p in peers.items()}}.items():
            for kind, ms in run().items():
                keep(best, (program, kind), ms)
    for p in peers.values():
        p.stop()
    medians = {f"{program} {kind}": statistics.median(v) for (program, kind), v in best.items()}
    return {"name": name, **m, "apart": apart, "ms": medians}


def table(results, facts):
    lines = [f"# Everyday models, {facts['date']}", "", f"Machine: {facts['machine']}. {facts['note']}".strip(), "", facts["versions"], "",
             f"{BATCHES} batches, {facts['rounds']} rounds, programs alternating; milliseconds, the median over the batches of each one's fastest. Ratio: the fastest "
             "Keras over unroll. Same weights; first predictions agree to the figure at the end.", "",
             "| model | rows | step: unroll | Keras/TF | Keras/JAX | Keras/PyTorch | ratio | prediction: unroll | Keras/TF | Keras/JAX | Keras/PyTorch | ratio | apart |",
             "|---|---|---|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for r in results:
        cells = [f"**{r['name']}**: {r['what']}", str(r["rows"])]
        for kind in ("train", "predict"):
            ms = [r["ms"][f"{p} {kind}"] for p in ("unroll", *BACKENDS)]
            cells += [f"{v:.3g}" for v in ms] + [f"{min(ms[1:]) / ms[0]:.1f}"]
        lines.append("| " + " | ".join(cells) + f" | {max(r['apart'].values()):.0e} |")
    return "\n".join(lines) + "\n"


def main():
    if "--here" not in sys.argv:
        from run import setup

        setup(__file__)
    sys.argv.remove("--here")
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--models", action="append", metavar="NAME", help="only these; may be repeated")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--name", default="everyday", help="of the results, results/NAME.md and .json")
    p.add_argument("--note", default="", help="a sentence about the machine, for the results")
    for internal in ("--make", "--worker", "--folder"):
        p.add_argument(internal, help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.make:
        return make(pathlib.Path(args.make))
    if args.worker:
        return worker(pathlib.Path(args.folder), args.worker)
    from measure import machine, output

    version = importlib.metadata.version
    with tempfile.TemporaryDirectory() as d:
        folder = pathlib.Path(d)
        binary = folder / "unroll"
        subprocess.run(["go", "build", "-o", binary, "./cmd/unroll"], cwd=HERE.parent, check=True)
        env = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run([sys.executable, __file__, "--here", "--make", folder], env=env, check=True)
        listed = json.loads((folder / "models.json").read_text())
        m = machine()
        facts = {
            "date": datetime.date.today().isoformat(), "note": args.note, "rounds": args.rounds,
            "machine": f"{m['cpu']}, {m['cores']} cores, {' '.join(m['instructions'])}",
            "versions": f"Keras {version('keras')} on TensorFlow {version('tensorflow_cpu')}, JAX {version('jax')}, PyTorch {version('torch')}; "
            f"unroll {output('git', 'describe', '--always', '--dirty')}, {output('go', 'env', 'GOVERSION')}.",
        }  # fmt: skip
        results = []
        for name in args.models or listed:
            results.append(measure(binary, folder, name, listed[name], args.rounds))
            print(table(results[-1:], facts).splitlines()[-1], file=sys.stderr)
            far = {k: v for k, v in results[-1]["apart"].items() if not v <= TOLERANCE}
            if far:
                raise SystemExit(f"{name}: predictions are apart: {far}")
    (HERE / "results" / f"{args.name}.md").write_text(table(results, facts))
    (HERE / "results" / f"{args.name}.json").write_text(json.dumps({"facts": facts, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
