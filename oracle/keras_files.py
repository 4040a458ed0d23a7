"""Writes testdata/keras/<name>.keras, small models saved by Keras after two training steps, and beside each a <name>.npz of what Keras makes
of the file: predictions, and three more training steps. The layout is in README.md.

    oracle/.venv/bin/python oracle/keras_files.py [NAME…]

The .keras files carry the time of their making and the random state of two steps; made again they have the same sense, not the same
bytes.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import zlib

import backend
import check_keras_file
import keras
import npz
import numpy as np
from cases import Floats, Ids
from keras import layers, optimizers

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "keras"
BEFORE, AFTER = 2, 3  # training steps before saving and after loading
TOLERANCES = {"out": 1e-5, "grads": 1e-4, "losses": 1e-4, "after": 1e-3}
LIMITS = {"out": 1e-5, "losses": 2e-5, "after": 2e-4}  # between the backends, as in goldens.py


def models():
    """Name -> a function that returns (layers, data, optimizer, loss, whether an Input layer is given)."""
    embedding = lambda **arguments: layers.Embedding(40, 6, **arguments)
    sigmoid = lambda: layers.Dense(1, activation="sigmoid")
    binary = "binary_crossentropy"
    return {
        "lecture_simple_rnn": lambda: ([embedding(), layers.SimpleRNN(8), sigmoid()], Ids(4, 9, 40, "left"), optimizers.RMSprop(), binary, False),
        "lstm": lambda: ([embedding(), layers.LSTM(6), sigmoid()], Ids(4, 9, 40, "left"), optimizers.Adam(), binary, False),
        "gru": lambda: ([embedding(mask_zero=True), layers.GRU(5), sigmoid()], Ids(4, 9, 40, "right"), optimizers.SGD(momentum=0.9, nesterov=True), binary, True),
        "gru_reset_before": lambda: ([layers.GRU(5, reset_after=False, return_sequences=True), layers.Dense(3, activation="softmax")], Floats(3, 5, 4), optimizers.RMSprop(momentum=0.5, centered=True), "sparse_categorical_crossentropy", True),
        "bidirectional": lambda: ([embedding(), layers.Bidirectional(layers.LSTM(4)), sigmoid()], Ids(4, 7, 40), optimizers.RMSprop(), binary, True),
        "stack": lambda: ([layers.SimpleRNN(4, return_sequences=True, go_backwards=True), layers.LSTM(3), layers.Dense(2)], Floats(3, 5, 3), optimizers.Adam(amsgrad=True), "mse", True),
        "stack_dropout": lambda: ([embedding(mask_zero=True), layers.LSTM(4, return_sequences=True), layers.Dropout(0.25), layers.LSTM(3, dropout=0.2, recurrent_dropout=0.1), layers.Dropout(0.5), sigmoid()], Ids(4, 7, 40, "left"), optimizers.SGD(), binary, True),
        "around": lambda: ([embedding(embeddings_constraint="unit_norm"), layers.SpatialDropout1D(0.0), layers.Conv1D(4, 2, padding="causal", kernel_regularizer="l2"), layers.BatchNormalization(momentum=0.9), layers.Normalization(), layers.TimeDistributed(layers.Dense(3, activation="tanh")), layers.MaxPooling1D(2), layers.LayerNormalization(), layers.GlobalAveragePooling1D(), layers.BatchNormalization(renorm=True), layers.RepeatVector(2), layers.TimeDistributed(layers.LayerNormalization()), layers.Flatten(), sigmoid()], Ids(4, 8, 40), optimizers.RMSprop(), binary, True),
        "rnn": lambda: ([embedding(mask_zero=True), layers.RNN([layers.GRUCell(4), layers.LSTMCell(3), layers.GRUCell(3, name="top")], return_sequences=True), layers.Bidirectional(layers.RNN(layers.SimpleRNNCell(3), return_sequences=True), backward_layer=layers.RNN([layers.LSTMCell(3), layers.SimpleRNNCell(3)], go_backwards=True, return_sequences=True, name="back")), layers.RNN(layers.GRUCell(3)), sigmoid()], Ids(4, 7, 40, "left"), optimizers.Adam(), binary, True),
        "sgd": lambda: ([layers.SimpleRNN(3), layers.Dense(1)], Floats(3, 5, 2), optimizers.SGD(), "mse", True),
    }


def targets(rng, loss, shape):
    if loss == "mse":
        return rng.standard_normal(shape).astype(np.float32)
    if loss == "binary_crossentropy":
        return rng.integers(0, 2, shape).astype(np.float32)
    return rng.integers(0, shape[-1], shape[:-1]).astype(np.int32)


def write(name, specification):
    """Trains, saves, loads, and returns (meta, arrays) of what Keras makes of the file."""
    seed = zlib.crc32(name.encode())
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    stack, data, optimizer, loss, given = specification()
    if given:
        stack.insert(0, keras.Input(data.input_shape(False), dtype=data.dtype))
    model = keras.Sequential(stack)
    model.compile(optimizer, loss, metrics=["mae" if loss == "mse" else "acc"], jit_compile=False)
    x = data.draw(rng)
    shape = tuple(model(x).shape)
    draw = lambda n: (np.stack([data.draw(rng) for _ in range(n)]), np.stack([targets(rng, loss, shape) for _ in range(n)]))
    backend.train_as_shipped(model, *draw(BEFORE))
    file = FOLDER / f"{name}.keras"
    model.save(file)
    train = all(not getattr(layer, "dropout", 0) and not (isinstance(layer, layers.Dropout) and layer.rate) for layer in model.layers)
    batches = {"x": x}
    if train:
        batches["xs"], batches["ys"] = draw(AFTER)
    meta, arrays = check_keras_file.check(file, batches)
    if train:
        _, shipped = check_keras_file.check(file, batches, backend.train_as_shipped)
        arrays |= {f"shipped/{k}": v for k, v in shipped.items() if k == "losses" or k.startswith("after/")}
    tolerances = TOLERANCES | ({"after": 1e-4} if isinstance(optimizer, optimizers.SGD) else {})
    weights = [w | {"trainable": bool(v.trainable)} for w, v in zip(meta.pop("weights"), model.weights, strict=True)]
    meta = {"name": name, "script": "oracle/keras_files.py", "seed": seed, "train": train, "weights": weights, "tolerances": tolerances} | meta
    meta["compile"] = {"optimizer": keras.optimizers.serialize(optimizer), "loss": loss}
    meta["input"] = {"dtype": str(x.dtype), "shape": list(x.shape)}
    return meta, batches | arrays


def second_opinion(name, meta, arrays):
    """Ten times the distance to what Keras on JAX makes of the same file; stops the script when it is beyond LIMITS."""
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch, "out.npz")
        batches = pathlib.Path(scratch, "batches.npz")
        npz.save(batches, {k: arrays[k] for k in ("x", "xs", "ys") if k in arrays})
        script = pathlib.Path(check_keras_file.__file__)
        subprocess.run([sys.executable, script, FOLDER / f"{name}.keras", batches, out], env=os.environ | {"KERAS_BACKEND": "jax"}, check=True, stdout=subprocess.DEVNULL)
        _, second = npz.load(out)
    found = {"out": 0.0, "grads": {}, "losses": 0.0, "after": {}}
    for key, value in second.items():
        kind, _, n = key.partition("/")
        if kind not in LIMITS:
            continue
        distance = float(np.max(np.abs(arrays[key] - value)))
        if not distance <= LIMITS[kind]:
            sys.exit(f"{name}: {key}: {distance:.2g} between TensorFlow and JAX, limit {LIMITS[kind]:.2g}")
        if n:
            found[kind][n] = float(f"{10 * distance:.3g}")
        else:
            found[kind] = float(f"{10 * distance:.3g}")
    return found


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, specification in models().items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        meta, arrays = write(name, specification)
        meta["tol"] = second_opinion(name, meta, arrays)
        npz.save(FOLDER / f"{name}.npz", arrays, meta)
        print(name, (FOLDER / f"{name}.keras").stat().st_size, (FOLDER / f"{name}.npz").stat().st_size, meta["tol"])


if __name__ == "__main__":
    main()
