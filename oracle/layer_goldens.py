"""Writes testdata/layers/<group>/<name>.npz, one file for each case of layer_cases.py. The layout is in README.md.

    oracle/.venv/bin/python oracle/layer_goldens.py [--only TEXT]

A layer is called by itself, on values whose masks are given, once as in prediction and once as in training; there every output has a
gradient, which is drawn. As for goldens.py a second process computes all of it with JAX, and the distance is recorded as `tol`, times ten.
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
import keras
import layer_cases
import npz
import numpy as np

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "layers"
TOLERANCES = {"out": 1e-5, "grads": 1e-4}
LIMITS = {"out": 1e-5, "grads": 1e-4}
# A gradient below this throughout, on both backends, is zero in exact arithmetic: the bias of keys moves all scores of a query alike, and
# what is left is rounding. Those of every other array are around 1.
ZERO = 1e-5

random = keras.src.backend.random
set_mask, get_mask = keras.src.backend.set_keras_mask, keras.src.backend.get_keras_mask


def call(layer, xs, masks, meta, training):
    """The outputs of the layer, a list."""
    for x, mask in zip(xs, masks, strict=True):
        if mask is not None:
            set_mask(x, keras.ops.convert_to_tensor(mask))
    more = dict(meta["call"])
    if meta.get("states") and masks[0] is not None:  # Keras does not take it from the sequence where states are given
        more["mask"] = keras.ops.convert_to_tensor(masks[0])
    return applied(layer, xs, meta, training=training, **more)


def applied(layer, xs, meta, **more):
    """The outputs of the layer, a list."""
    inputs = xs if meta["apart"] else [xs]
    if meta.get("states"):
        given, lists = list(xs[1:]), []
        for n in meta["states"]:
            lists.append(given[:n])
            given = given[n:]
        inputs, more = xs[:1], more | {"initial_state": lists if len(lists) > 1 else lists[0]}
    elif "states" in meta:
        inputs = xs
    return keras.tree.flatten(layer(*inputs, **more))


def go_through(layer, arrays, meta):
    """Resets a stateful layer and takes the batch through it that comes first."""
    if not meta.get("before"):
        return
    parts = [layer.forward_layer, layer.backward_layer] if isinstance(layer, keras.layers.Bidirectional) else [layer]
    for state in keras.tree.flatten([p.states for p in parts]):  # reset_state fails on a stack of cells in Keras 3.15.1
        state.assign(keras.ops.zeros_like(state.value))
    mask = arrays["bm/0"].astype(bool) if "bm/0" in arrays else None
    call(layer, [keras.ops.convert_to_tensor(arrays["b/0"])], [mask], meta, False)


def outputs(layer, xs, masks, meta, training=False):
    """(outputs, their masks) as numpy, None for no mask."""
    out = call(layer, [keras.ops.convert_to_tensor(x) for x in xs], masks, meta, training)
    numpy = lambda v: None if v is None else np.asarray(keras.ops.convert_to_numpy(v))
    return [numpy(o) for o in out], [numpy(get_mask(o)) for o in out]


def gradients(layer, xs, masks, meta, douts):
    """(gradients of the inputs, of the weights) of the sum of outputs times douts, in training."""
    if backend.BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            values = [tf.constant(x) for x in xs]
            tape.watch(values)
            out = call(layer, values, masks, meta, True)
            loss = sum(tf.reduce_sum(o * d) for o, d in zip(out, douts, strict=True))
        sources = values + [w.value for w in layer.trainable_weights]
        found = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    else:
        import jax

        def of(values, weights):
            with keras.StatelessScope(list(zip(layer.trainable_weights, weights, strict=True))):
                out = call(layer, values, masks, meta, True)
            return sum((o * d).sum() for o, d in zip(out, douts, strict=True))

        found = jax.grad(of, argnums=(0, 1))([jax.numpy.asarray(x) for x in xs], [w.value for w in layer.trainable_weights])
        found = list(found[0]) + list(found[1])
    found = [np.asarray(g) for g in found]
    return found[: len(xs)], found[len(xs) :]


def compute(layer, arrays, meta):
    """Adds out/i, om/i, train/i, gx/i and g/n to arrays."""
    count = len(meta["inputs"])
    xs, masks = [arrays[f"x/{i}"] for i in range(count)], [arrays.get(f"m/{i}") for i in range(count)]
    masks = [None if m is None else m.astype(bool) for m in masks]
    if "drop" in arrays:
        random.dropout = lambda inputs, rate, noise_shape=None, seed=None: inputs * arrays["drop"]
    go_through(layer, arrays, meta)
    out, out_masks = outputs(layer, xs, masks, meta)
    for i, o in enumerate(out):
        arrays[f"out/{i}"] = o
        # The scores of MultiHeadAttention come with the mask over them, (N, 1, T, S), from the Softmax within; its signature has none.
        if out_masks[i] is not None and out_masks[i].ndim == 2:
            arrays[f"om/{i}"] = out_masks[i].astype(np.uint8)
    if "drop" in arrays:
        arrays |= {f"train/{i}": o for i, o in enumerate(outputs(layer, xs, masks, meta, True)[0])}
    go_through(layer, arrays, meta)
    gx, gs = gradients(layer, xs, masks, meta, [arrays[f"d/{i}"] for i in range(len(out))])
    arrays |= {f"gx/{i}": g for i, g in enumerate(gx)} | {f"g/{n}": g for n, g in enumerate(gs)}


def symbolic(case):
    """(layer, what a model's file says of it, signatures of its outputs)."""
    layer = case.layer()
    batch = case.inputs[0].shape[0] if case.before else None
    new_inputs = lambda: [keras.Input(batch_shape=(batch, *i.signature())) for i in case.inputs]
    ins = new_inputs()
    for x, i in zip(ins, case.inputs, strict=True):
        if i.mask:
            set_mask(x, keras.KerasTensor((None, i.signature()[0]), dtype="bool"))
    recurrent = {"states": case.states} if case.group == "recurrent" else {}
    out = applied(layer, ins, {"apart": case.apart} | recurrent, **case.call)
    signatures = [{"shape": list(o.shape), "masked": get_mask(o) is not None} for o in out]
    if recurrent:  # takes the mask for an input, which a model's would have to be
        ins = new_inputs()
        out = applied(layer, ins, {"apart": case.apart} | recurrent, **case.call)
    model = json.loads(keras.Model(ins, out).to_json())
    return layer, next(entry for entry in model["config"]["layers"] if entry["name"] == layer.name), signatures


def record(case):
    """(meta, arrays) of one case."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(case.seed)
    rng = np.random.default_rng(case.seed)
    layer, entry, signatures = symbolic(case)
    arrays = {}
    for i, given in enumerate(case.inputs):
        arrays[f"x/{i}"] = given.draw(rng)
        if given.mask:
            arrays[f"m/{i}"] = given.draw_mask(rng).astype(np.uint8)
    if case.before:
        arrays["b/0"] = case.inputs[0].draw(rng)
        if case.inputs[0].mask:
            arrays["bm/0"] = case.inputs[0].draw_mask(rng).astype(np.uint8)
    for n, w in enumerate(layer.weights):
        value = np.asarray(keras.ops.convert_to_numpy(w))
        arrays[f"w/{n}"] = value + np.float32(0.1) * rng.standard_normal(value.shape).astype(np.float32)
        w.assign(arrays[f"w/{n}"])
    kwargs = entry["inbound_nodes"][0]["kwargs"]
    meta = {
        "name": case.path,
        "script": "oracle/layer_goldens.py",
        "seed": case.seed,
        "versions": backend.versions(),
        "backend": backend.BACKEND,
        "layer": {k: entry[k] for k in ("module", "class_name", "config", "registered_name", "build_config") if k in entry},
        "call": {k: v for k, v in kwargs.items() if not isinstance(v, dict)},
        "apart": case.apart,
        "inputs": [{"shape": [i.shape[0] if case.before else None, *i.signature()], "masked": i.mask is not None} for i in case.inputs],
        "outputs": signatures,
        "weights": [{"path": w.path, "shape": list(w.shape)} for w in layer.weights],
        "tolerances": TOLERANCES,
    }
    if case.group == "recurrent":
        meta |= {"states": list(case.states), "before": case.before}
        meta["call"] = {k: v for k, v in meta["call"].items() if v is not None and k not in ("initial_state", "training")}
    if case.one_backend:
        meta["one_backend"] = case.one_backend
    drawn, original = [], random.dropout

    def draw(inputs, rate, noise_shape=None, seed=None):
        drawn.append(np.asarray(original(keras.ops.ones_like(inputs), rate, seed=case.seed % 1000)))
        return inputs * drawn[-1]

    random.dropout = draw
    try:
        count = range(len(case.inputs))
        masks = [arrays[f"m/{i}"].astype(bool) if f"m/{i}" in arrays else None for i in count]
        shapes, _ = outputs(layer, [arrays[f"x/{i}"] for i in count], masks, meta, True)
        if drawn:
            arrays["drop"] = drawn[0]
        arrays |= {f"d/{i}": rng.standard_normal(o.shape).astype(np.float32) for i, o in enumerate(shapes)}
        compute(layer, arrays, meta)
    finally:
        random.dropout = original
    return meta, arrays


def second_opinion(folder):
    """On this process's backend, computes every file of folder again and writes its distances beside it as JSON."""
    for path in sorted(folder.rglob("*.npz")):
        meta, first = npz.load(path)
        keras.backend.clear_session()
        layer = keras.saving.deserialize_keras_object(meta["layer"])
        for n, w in enumerate(layer.weights):
            w.assign(first[f"w/{n}"])
        second = {k: v for k, v in first.items() if k.split("/")[0] in ("x", "m", "b", "bm", "d", "drop")}
        original = random.dropout
        compute(layer, second, meta)
        random.dropout = original
        masks = [k for k in first.keys() | second.keys() if k.startswith("om/")]
        assert all(k in first and k in second and (first[k] == second[k]).all() for k in masks), f"{meta['name']}: masks differ"
        distance = lambda key: float(np.max(np.abs(first[key].astype(np.float64) - second[key]), initial=0))
        largest = lambda key: float(np.max(np.abs(first[key]), initial=0))
        kinds = lambda *names: [k for k in first if k.split("/")[0] in names]
        zeros = [k for k in kinds("gx", "g") if max(largest(k), np.max(np.abs(second[k]))) < ZERO]
        found = {
            "out": max(distance(k) for k in kinds("out", "train")),
            "grads": {k: distance(k) / largest(k) for k in kinds("gx", "g") if k not in zeros},
            "zeros": zeros,
        }
        path.with_suffix(".json").write_text(json.dumps(found))


def beyond(found):
    """The parts of a second opinion that lie beyond LIMITS, as text."""
    rows = [f"out: {found['out']:.2g}, limit {LIMITS['out']:.2g}"] if not found["out"] <= LIMITS["out"] else []
    return rows + [f"grads {k}: {v:.2g}, limit {LIMITS['grads']:.2g}" for k, v in found["grads"].items() if not v <= LIMITS["grads"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose path contains one of these texts, separated by commas")
    parser.add_argument("--second-opinion", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    if arguments.second_opinion:
        import jax

        with jax.disable_jit():  # operation by operation: a program of its own for each case would have to be compiled
            second_opinion(arguments.second_opinion)
        return
    chosen = [c for c in layer_cases.all_cases() if any(text in c.path for text in arguments.only.split(","))]
    bad = {}
    with tempfile.TemporaryDirectory() as scratch:
        recorded = {}
        for case in chosen:
            meta, arrays = recorded[case.path] = record(case)
            if not all(np.isfinite(a).all() for a in arrays.values()):
                bad[case.path] = ["not finite"]
            if case.one_backend:
                meta["zeros"] = [k for k, v in arrays.items() if k.split("/")[0] in ("gx", "g") and np.max(np.abs(v)) < ZERO]
            else:
                npz.save(pathlib.Path(scratch, case.path + ".npz"), arrays, meta)
        subprocess.run([sys.executable, __file__, "--second-opinion", scratch], env=os.environ | {"KERAS_BACKEND": "jax"}, check=True)
        for path, (meta, arrays) in recorded.items():
            opinion = pathlib.Path(scratch, path + ".json")
            if opinion.exists():
                found = json.loads(opinion.read_text())
                if rows := beyond(found):
                    bad[path] = rows
                meta["zeros"] = found["zeros"]
                meta["tol"] = {"out": 10 * found["out"], "grads": {k: 10 * v for k, v in found["grads"].items()}}
            if path not in bad:
                npz.save(GOLDEN / (path + ".npz"), arrays, meta)
    named = {GOLDEN / (c.path + ".npz") for c in layer_cases.all_cases()}
    for stale in set(GOLDEN.rglob("*.npz")) - named:
        stale.unlink()
    print(f"{len(recorded) - len(bad)} goldens, {sum(p.stat().st_size for p in named if p.exists()):,} bytes in all")
    if bad:
        sys.exit("not written:\n" + "\n".join(f"{path}: {row}" for path, rows in bad.items() for row in rows))


if __name__ == "__main__":
    main()
