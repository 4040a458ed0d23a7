"""Writes testdata/metrics.json and testdata/schedules.json: what METRICS and SCHEDULES of cases.py give.

    oracle/.venv/bin/python oracle/tables.py

A metric sees two batches, without weights, with a weight for each item, and with a mask on the predictions instead; its result after
each batch is recorded. A schedule is asked for its rate at the steps from 0 to 40. Keras on TensorFlow computes; Keras on JAX must agree.
"""

import json
import os
import pathlib
import subprocess
import sys
import warnings

import backend
import cases
import keras
import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata"
LIMIT = 1e-5  # between the backends, relative above 1
ITEMS, CLASSES, STEPS = 23, 4, 3


def data():
    """The batches by name: predictions, targets, weights of the items, masks."""
    rng = np.random.default_rng(7)
    f = lambda a: np.asarray(a, np.float32)
    softmax = lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)

    def one(pred, y, shape):
        weights = f(rng.choice([0, 0.5, 1, 2], shape))
        return {"pred": f(np.round(pred, 3)), "y": y, "weights": weights, "mask": rng.random(shape) < 0.7}

    found = {}
    for name in ("binary", "labels", "classes", "ids", "numbers", "steps", "logits", "whole", "ranked"):
        batches = []
        for _ in range(2):
            wide, narrow, ids = (ITEMS, CLASSES), (ITEMS, 1), rng.integers(0, CLASSES, ITEMS)
            if name == "binary":
                y = rng.integers(0, 2, narrow)
                # Some lie on thresholds.
                b = one(np.clip(np.round(0.5 * y + 0.7 * rng.random(narrow) - 0.1, 2), 0, 1), f(y), ITEMS)
            elif name == "labels":
                y = rng.integers(0, 2, wide)
                b = one(np.clip(0.4 * y + 0.6 * rng.random(wide), 0, 1), f(y), ITEMS)
            elif name == "classes":
                b = one(softmax(rng.standard_normal(wide) + np.eye(CLASSES)[ids]), f(np.eye(CLASSES)[ids]), ITEMS)
            elif name == "ids":
                b = one(softmax(rng.standard_normal(wide) + np.eye(CLASSES)[ids]), ids.astype(np.int32), ITEMS)
            elif name == "numbers":
                y = rng.uniform(0.1, 2, wide)
                b = one(np.abs(y + 0.4 * rng.standard_normal(wide)), f(np.round(y, 3)), ITEMS)
            elif name == "steps":
                y = rng.integers(0, 2, (ITEMS, STEPS, CLASSES))
                b = one(np.clip(0.4 * y + 0.6 * rng.random(y.shape), 0, 1), f(y), (ITEMS, STEPS))
            elif name == "logits":
                y = rng.integers(0, 2, wide)
                b = one(2 * rng.standard_normal(wide) + y, f(y), ITEMS)
            elif name == "whole":
                y = rng.integers(0, CLASSES, ITEMS)
                b = one(np.where(rng.random(ITEMS) < 0.5, y, rng.integers(0, CLASSES, ITEMS))[:, None], f(y)[:, None], ITEMS)
            else:
                b = one(np.stack([rng.permutation(CLASSES) for _ in range(ITEMS)]), ids.astype(np.int32), ITEMS)
            batches.append(b)
        found[name] = batches
    return found


def metric(name, arguments):
    if hasattr(keras.metrics, name) and isinstance(getattr(keras.metrics, name), type):
        return getattr(keras.metrics, name)(**arguments)
    return keras.metrics.MeanMetricWrapper(getattr(keras.losses, name), name=name, **arguments)


def compute():
    batches = data()
    results = []
    for name, kind, arguments in cases.METRICS:
        row = {"metric": None, "data": kind, "plain": [], "weighted": [], "masked": []}
        for how in ("plain", "weighted", "masked"):
            m = metric(name, arguments)
            config = keras.metrics.serialize(m)
            config["config"].pop("name")  # Keras numbers them
            row["metric"] = json.loads(json.dumps(config, default=lambda v: np.asarray(v).tolist()))
            for b in batches[kind]:
                pred = keras.ops.convert_to_tensor(b["pred"])
                if how == "masked":
                    keras.src.backend.set_keras_mask(pred, keras.ops.convert_to_tensor(b["mask"]))
                m.update_state(b["y"], pred, sample_weight=b["weights"] if how == "weighted" else None)
                row[how].append(float(np.asarray(m.result()).reshape(())))
        results.append(row)
    schedules = []
    for name, arguments in cases.SCHEDULES:
        s = getattr(keras.optimizers.schedules, name)(**arguments)
        schedules.append({"schedule": keras.optimizers.schedules.serialize(s), "rates": [float(s(step)) for step in range(41)]})
    return results, schedules


def main():
    warnings.filterwarnings("ignore")
    results, schedules = compute()
    if "--second-opinion" in sys.argv:
        print(json.dumps([results, schedules]))
        return
    out = subprocess.run([sys.executable, __file__, "--second-opinion"], env=os.environ | {"KERAS_BACKEND": "jax"}, check=True, capture_output=True, text=True)
    other = json.loads(out.stdout.splitlines()[-1])
    for mine, theirs in zip(results + schedules, other[0] + other[1], strict=True):
        for key in mine:
            if isinstance(mine[key], list):
                far = np.abs(np.subtract(mine[key], theirs[key])) / np.maximum(1, np.abs(mine[key]))
                if not far.max() <= LIMIT:
                    print(f"the backends differ by {far.max():.2g}: {key} of {mine}")
    short = lambda a: [float(str(v)) for v in a.reshape(-1)] if a.dtype == np.float32 else a.reshape(-1).tolist()
    pack = lambda a: {"shape": list(a.shape), "values": short(a), "ids": a.dtype == np.int32}
    batches = {k: [{n: pack(a) for n, a in b.items()} for b in v] for k, v in data().items()}
    head = {"script": "oracle/tables.py", "versions": backend.versions()}
    write = lambda name, v: (FOLDER / name).write_text(json.dumps(head | v, separators=(",", ":")) + "\n")
    write("metrics.json", {"data": batches, "metrics": results})
    write("schedules.json", {"schedules": schedules})


if __name__ == "__main__":
    main()
