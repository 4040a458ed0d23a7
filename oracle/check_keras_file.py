"""Loads a .keras file in Keras, predicts, trains on, and writes what came out, so that a file written by unroll can be checked.

    oracle/.venv/bin/python oracle/check_keras_file.py FILE.keras BATCHES.npz OUT.npz

BATCHES.npz holds `x` and, to train on, `xs` and `ys` (their first axis counts the steps). OUT.npz holds `meta`, `w/n` and `opt/n`
(weights and optimizer variables as loaded), `out` (inference output for x) and, with xs and ys, `losses`, `after/n` and
`opt_after/n`. meta is JSON: versions, model (as Keras writes it again), weights and optimizer (paths and shapes, in
order). The same JSON without the model goes to stdout. KERAS_BACKEND chooses the backend; TensorFlow unless set. Optimizer state
that does not fit is an error here, where Keras only warns.
"""

import json
import pathlib
import sys
import warnings

import backend
import keras
import npz
import numpy as np


def describe(variables):
    return [{"path": v.path, "shape": list(v.shape), "dtype": str(v.dtype)} for v in variables]


def values(variables, prefix):
    return {f"{prefix}/{n}": np.asarray(keras.ops.convert_to_numpy(v)) for n, v in enumerate(variables)}


def weights(model, prefix):
    return {f"{prefix}/{n}": w for n, w in enumerate(backend.get_weights(model))}


def check(path, batches, train=backend.train):
    """(meta, arrays) for one file; train is how it trains on."""
    warnings.filterwarnings("error", message=".*[Ss]kipping variable loading.*")
    model = keras.models.load_model(path)
    optimizer = getattr(model, "optimizer", None)
    meta = {"versions": backend.versions(), "backend": backend.BACKEND, "weights": describe(model.weights)}
    meta["optimizer"] = describe(optimizer.variables) if optimizer else []
    arrays = weights(model, "w") | values(optimizer.variables if optimizer else [], "opt")
    arrays["out"] = backend.outputs(model, batches["x"])
    meta["model"] = json.loads(model.to_json())
    if "xs" in batches:
        if optimizer is None:
            sys.exit(f"{path}: expected a compiled model to train on, got one without an optimizer")
        arrays["losses"] = train(model, batches["xs"], batches["ys"])
        arrays |= weights(model, "after") | values(optimizer.variables, "opt_after")
    return meta, arrays


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: check_keras_file.py FILE.keras BATCHES.npz OUT.npz")
    file, batches, out = map(pathlib.Path, sys.argv[1:])
    meta, arrays = check(file, npz.load(batches)[1])
    npz.save(out, arrays, meta)
    print(json.dumps({k: v for k, v in meta.items() if k != "model"}))


if __name__ == "__main__":
    main()
