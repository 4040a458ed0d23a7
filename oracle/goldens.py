"""Writes testdata/golden/<group>/<name>.npz, one file for each case of cases.py. The layout is in README.md.

    oracle/.venv/bin/python oracle/goldens.py [--only TEXT]

Keras on TensorFlow computes what is recorded. A second process, the same script with Keras on JAX, is given the model as JSON, the
weights and the batches, computes everything again, and the distance between the two is recorded as `tol`, times ten: a golden
cannot ask for more than Keras promises itself. A case whose distance is beyond LIMITS is not written and named at the end: a golden with
such a tolerance would hold nothing.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import backend
import cases
import dropout
import keras
import npz
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "testdata" / "golden"

# What a reader should hold: outputs absolutely, gradients relative to the tensor's largest magnitude, losses and weights
# absolutely. Adam and RMSprop divide by the gradient's size, which makes much of a small gradient's rounding.
TOLERANCES = {"out": 1e-5, "grads": 1e-4, "losses": 1e-4, "after": 1e-3}
AFTER_SGD = 1e-4
LIMITS = {"out": 1e-5, "grads": 2e-4, "losses": 2e-5, "after": 2e-4}


def build(case):
    """The compiled model of a case, its weights set, and its batches: (model, x, y, xs, ys)."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(case.seed)
    rng = np.random.default_rng(case.seed)
    x = case.data.draw(rng)
    stack = case.layers()
    if not case.implicit:
        stack.insert(0, keras.Input(case.data.input_shape(case.static), batch_size=case.data.batch if case.rows else None, dtype=case.data.dtype))
    model = keras.Sequential(stack)
    model.compile(case.make_optimizer(), case.make_loss(), jit_compile=False)
    shape = tuple(model(x).shape)
    weights = backend.get_weights(model)
    if not case.initial:
        weights = [w + np.float32(0.1) * rng.standard_normal(w.shape).astype(np.float32) for w in weights]
    if case.scale != 1:
        last = next(i for i, w in enumerate(model.weights) if w is model.layers[-1].kernel)
        weights[last] = weights[last] * np.float32(case.scale)
    backend.set_weights(model, weights)
    y = case.draw_targets(rng, shape)
    xs = np.stack([case.data.draw(rng) for _ in range(cases.STEPS)])
    ys = np.stack([case.draw_targets(rng, shape) for _ in range(cases.STEPS)])
    return model, x, y, xs, ys


def compute(model, arrays, train):
    """Adds out, and for a case that trains also loss, gx, g/n, losses and after/n, to arrays."""
    index = {id(w): n for n, w in enumerate(model.weights)}
    arrays["out"] = backend.outputs(model, arrays["x"])
    if not train:
        return
    before = backend.get_weights(model)
    loss, gx, gs = backend.gradients(model, arrays["x"], arrays["y"])
    backend.set_weights(model, before)  # a pass in training moves averages, on one of the backends
    arrays["loss"] = np.asarray([loss], np.float32)
    if gx is not None:
        arrays["gx"] = gx
    for weight, gradient in zip(model.trainable_weights, gs, strict=True):
        arrays[f"g/{index[id(weight)]}"] = gradient
    arrays["losses"] = backend.train(model, arrays["xs"], arrays["ys"])
    for n, w in enumerate(backend.get_weights(model)):
        arrays[f"after/{n}"] = w


def record(case):
    """(meta, arrays) of one case, on the backend of this process."""
    model, x, y, xs, ys = build(case)
    arrays = {"x": x}
    if case.train:
        arrays |= {"y": y, "xs": xs, "ys": ys}
    for n, w in enumerate(backend.get_weights(model)):
        arrays[f"w/{n}"] = w
    description = json.loads(model.to_json())
    masks = []
    if case.train:
        masks, drawn = dropout.draw(model, x)
        dropout.give(model, masks, drawn)
        arrays |= {f"mask/{n}": mask for n, mask in enumerate(drawn)}
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()
    compute(model, arrays, case.train)
    if case.shipped:
        again, *_ = build(case)
        arrays["shipped/losses"] = backend.train_as_shipped(again, xs, ys)
        for n, w in enumerate(backend.get_weights(again)):
            arrays[f"shipped/after/{n}"] = w
    tolerances = dict(TOLERANCES)
    if isinstance(model.optimizer, keras.optimizers.SGD):
        tolerances["after"] = AFTER_SGD
    meta = {
        "name": case.path,
        "script": "oracle/goldens.py",
        "seed": case.seed,
        "versions": backend.versions(),
        "backend": backend.BACKEND,
        "model": description,
        "compile": {
            "optimizer": keras.optimizers.serialize(model.optimizer),
            "loss": model.loss if isinstance(model.loss, str) else described(model.loss),
        },
        "input": {"dtype": str(x.dtype), "shape": list(x.shape)},
        "weights": [{"path": w.path, "shape": list(w.shape), "trainable": bool(w.trainable)} for w in model.weights],
        "initial": case.initial,
        "train": case.train,
        "tolerances": tolerances,
    }
    if masks:
        meta["masks"] = masks
    if case.one_backend:
        meta["one_backend"] = case.one_backend
    return meta, arrays


def described(loss):
    """The loss as Keras serializes it, and the argument that it forgets (3.15.1: Huber's delta)."""
    description = keras.losses.serialize(loss)
    if isinstance(loss, keras.losses.Huber):
        description["config"]["delta"] = loss._fn_kwargs["delta"]
    return description


def second_opinion(folder):
    """On this process's backend, computes every file of folder again and writes its distances beside it as JSON."""
    for path in sorted(folder.rglob("*.npz")):
        meta, first = npz.load(path)
        keras.backend.clear_session()
        model = keras.models.model_from_json(json.dumps(meta["model"]))
        # Keras 3.15.1 exports this class, but does not find it when it reads a config.
        with keras.saving.custom_object_scope({"CategoricalGeneralizedCrossEntropy": keras.losses.CategoricalGeneralizedCrossEntropy}):
            loss = keras.losses.get(meta["compile"]["loss"])
        model.compile(keras.saving.deserialize_keras_object(meta["compile"]["optimizer"]), loss)  # keras.optimizers knows no Lamb
        model(first["x"])
        weights = [first[f"w/{n}"] for n in range(len(meta["weights"]))]
        backend.set_weights(model, weights)
        masks = meta.get("masks", [])
        dropout.give(model, masks, [first[f"mask/{n}"] for n in range(len(masks))])
        second = {k: first[k] for k in ("x", "y", "xs", "ys") if k in first}
        compute(model, second, meta["train"])
        distance = lambda key: float(np.max(np.abs(first[key].astype(np.float64) - second[key]), initial=0))
        largest = lambda key: float(np.max(np.abs(first[key]), initial=0))
        found = {"out": distance("out")}
        if meta["train"]:
            grads = [k for k in first if k == "gx" or k.startswith("g/")]
            found["grads"] = {k: distance(k) / max(largest(k), 1e-30) for k in grads}
            found["losses"] = max(distance(k) / max(largest(k), 1) for k in ("losses", "loss"))  # absolute, above 1 relative
            found["after"] = {str(n): distance(f"after/{n}") for n in range(len(weights))}
        path.with_suffix(".json").write_text(json.dumps(found))


def beyond(found):
    """The parts of a second opinion that lie beyond LIMITS, as text; empty when there are none."""
    rows = []
    for kind, value in found.items():
        for key, distance in (value if isinstance(value, dict) else {"": value}).items():
            if not distance <= LIMITS[kind]:
                rows.append(f"{kind} {key}: {distance:.2g}, limit {LIMITS[kind]:.2g}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose path contains one of these texts, separated by commas")
    parser.add_argument("--second-opinion", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    if arguments.second_opinion:
        second_opinion(arguments.second_opinion)
        return
    chosen = [c for c in cases.all_cases() if any(text in c.path for text in arguments.only.split(","))]
    elsewhere = [c for c in chosen if c.recorded_on != backend.BACKEND]
    chosen = [c for c in chosen if c.recorded_on == backend.BACKEND]
    if elsewhere and backend.BACKEND == "tensorflow":
        subprocess.run([sys.executable, __file__, "--only", arguments.only], env=os.environ | {"KERAS_BACKEND": "jax"}, check=True)
    recorded, bad = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for case in chosen:
            meta, arrays = record(case)
            recorded[case.path] = meta, arrays
            if not all(np.isfinite(a).all() for a in arrays.values()):
                bad[case.path] = ["not finite"]
            if not case.one_backend:
                npz.save(pathlib.Path(scratch, case.path + ".npz"), arrays, meta)
        if any(not case.one_backend for case in chosen):
            subprocess.run([sys.executable, __file__, "--second-opinion", scratch], env=os.environ | {"KERAS_BACKEND": "jax"}, check=True)
        for path, (meta, arrays) in recorded.items():
            opinion = pathlib.Path(scratch, path + ".json")
            if opinion.exists():
                found = json.loads(opinion.read_text())
                if rows := beyond(found):
                    bad[path] = rows
                times = lambda v: {k: times(d) for k, d in v.items()} if isinstance(v, dict) else float(f"{10 * v:.3g}")
                meta["tol"] = times(found)
    for path, (meta, arrays) in recorded.items():
        if path not in bad:
            npz.save(GOLDEN / (path + ".npz"), arrays, meta)
    named = {GOLDEN / (c.path + ".npz") for c in cases.all_cases()}
    for stale in set(GOLDEN.rglob("*.npz")) - named:
        stale.unlink()
    print(f"{len(recorded) - len(bad)} goldens, {sum(p.stat().st_size for p in named if p.exists()):,} bytes in all")
    if bad:
        sys.exit("not written:\n" + "\n".join(f"{path}: {row}" for path, rows in bad.items() for row in rows))


if __name__ == "__main__":
    main()
