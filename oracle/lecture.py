"""The lecture's two models on the IMDB reviews, in Keras on TensorFlow.

    python oracle/lecture.py steps IMDB.npz FOLDER    start weights, order of the rows and every loss of one epoch
    KERAS_BACKEND=jax python oracle/lecture.py again IMDB.npz FOLDER    that epoch on the other backend: what float32 can promise
    python oracle/lecture.py fit IMDB.npz FOLDER      the ten epochs as the lecture runs them; history as JSON
    python oracle/lecture.py fit --dense …            the same, an embedding's gradient summed before RMSprop squares it: see backend.train

IMDB.npz is Keras's imdb.npz: x_train, y_train, x_test, y_test. The reviews are prepared as keras.datasets.imdb.load_data(num_words=10000)
and pad_sequences(maxlen=500) do it. FOLDER must lie outside the repository: the start weights are 1.3 MB a model.

steps writes FOLDER/<model>.npz: `meta` (JSON: versions, model, optimizer, settings), `permutation` (int32: row i of the epoch is row permutation[i] of
the first 20,000 training rows), `w/n` (start weights), `losses` (one float32 for each of the 157 batches of 128, before its step), `after/n`, and
`out` (predictions for the first 256 validation rows with the weights after the epoch); and the same from train_on_batch itself
under `shipped/`, see backend.train. again adds `again/losses`. Training is chaotic after some ninety steps: from there on Keras's own
backends part, and each is as right as the other. fit writes FOLDER/<model>_history.json.
"""

import argparse
import io
import json
import pathlib
import pickle
import time
import zipfile

import backend
import keras
import npz
import numpy as np
from keras import layers

WORDS, LENGTH, BATCH, ROWS = 10000, 500, 128, 20000
MODELS = {"simple_rnn": lambda: layers.SimpleRNN(32), "lstm": lambda: layers.LSTM(32)}


class Unpickler(pickle.Unpickler):
    """Reads arrays of lists and nothing else: a pickle can name any function of Python."""

    ALLOWED = {(m, n) for m in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") for n in ("ndarray", "dtype", "_reconstruct")}

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"expected an array, got {module}.{name}")
        return super().find_class(module, name)


def read(path, name):
    """One array of the .npz, object arrays included."""
    with zipfile.ZipFile(path) as file:
        data = io.BytesIO(file.read(name + ".npy"))
    version = np.lib.format.read_magic(data)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    _, _, dtype = header(data)
    if dtype.hasobject:
        return Unpickler(data).load()
    data.seek(0)
    return np.lib.format.read_array(data, allow_pickle=False)


def imdb(path):
    """((x, y) for training, (x, y) for test) as the lecture prepares them: x (25000, 500) int32, y (25000,) float32."""
    rng = np.random.RandomState(113)  # one generator for both splits, as load_data has it
    splits = []
    for split in ("train", "test"):
        reviews, labels = read(path, f"x_{split}"), read(path, f"y_{split}")
        order = np.arange(len(reviews))
        rng.shuffle(order)
        x = np.zeros((len(order), LENGTH), np.int32)
        for row, review in enumerate(order):
            ids = np.asarray([1] + [w + 3 for w in reviews[review]], np.int32)
            ids = np.where(ids < WORDS, ids, 2)[-LENGTH:]
            x[row, LENGTH - len(ids) :] = ids
        splits.append((x, labels[order].astype(np.float32)))
    return splits


def lecture_model(name, seed):
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([layers.Embedding(WORDS, 32), MODELS[name](), layers.Dense(1, activation="sigmoid")])
    model.compile("rmsprop", "binary_crossentropy", metrics=["acc"], jit_compile=False)
    return model


def steps(name, x, y, folder, seed):
    """One epoch over the first 20,000 rows in a recorded order."""
    permutation = np.random.default_rng(seed).permutation(ROWS).astype(np.int32)
    batches = [permutation[i : i + BATCH] for i in range(0, ROWS, BATCH)]
    model = lecture_model(name, seed)
    model(x[:2])
    weights = backend.get_weights(model)
    meta = {
        "versions": backend.versions(),
        "script": "oracle/lecture.py",
        "seed": seed,
        "model": json.loads(model.to_json()),
        "optimizer": keras.optimizers.serialize(model.optimizer),
        "weights": [{"path": w.path, "shape": list(w.shape)} for w in model.weights],
        "settings": {"num_words": WORDS, "maxlen": LENGTH, "batch_size": BATCH, "rows": ROWS},
        "seconds": {},
    }
    arrays = {"permutation": permutation} | {f"w/{n}": w for n, w in enumerate(weights)}
    for prefix, train in (("", backend.train), ("shipped/", backend.train_as_shipped)):
        model = lecture_model(name, seed)
        model(x[:2])
        backend.set_weights(model, weights)
        start = time.monotonic()
        arrays[prefix + "losses"] = train(model, (x[b] for b in batches), (y[b][:, None] for b in batches))
        meta["seconds"][prefix + "losses"] = round(time.monotonic() - start, 1)
        arrays |= {f"{prefix}after/{n}": w for n, w in enumerate(backend.get_weights(model))}
        arrays[prefix + "out"] = backend.outputs(model, x[ROWS : ROWS + 256])
        found = np.asarray(arrays[prefix + "losses"])
        print(f"{name} {prefix or 'dense'}: losses {found[:3]} … {found[-3:]}, mean {found.mean():.4f}, {meta['seconds']}", flush=True)
    npz.save(folder / f"{name}.npz", arrays, meta)


def again(name, x, y, folder, seed):
    """The recorded epoch, by train_on_batch of the backend that is in use."""
    meta, arrays = npz.load(folder / f"{name}.npz")
    model = lecture_model(name, seed)
    model(x[:2])
    backend.set_weights(model, [arrays[f"w/{n}"] for n in range(len(model.weights))])
    losses = []
    for i in range(0, ROWS, BATCH):
        rows = arrays["permutation"][i : i + BATCH]
        losses.append(float(model.train_on_batch(x[rows], y[rows][:, None], return_dict=True)["loss"]))
        model.reset_metrics()
    arrays["again/losses"] = np.asarray(losses, np.float32)
    meta["again"] = keras.backend.backend()
    npz.save(folder / f"{name}.npz", arrays, meta)
    far = np.abs(arrays["again/losses"] - arrays["losses"])
    print(f"{name}: the backends' losses differ by more than 1e-3 from step {int(np.argmax(far > 1e-3))} on, by {far.max():.3f} at most")


class Dense(keras.optimizers.RMSprop):
    """RMSprop that sees every gradient dense on TensorFlow too."""

    def apply(self, grads, trainable_variables=None):
        return super().apply([backend.tf.convert_to_tensor(g) for g in grads], trainable_variables)


def fit(name, x, y, x_test, y_test, folder, seed, dense):
    """The lecture's run, Keras's own fit, shuffled by Keras."""
    model = lecture_model(name, seed)
    if dense:
        model.compile(Dense(), "binary_crossentropy", metrics=["acc"], jit_compile=False)
    start = time.monotonic()
    history = model.fit(x, y, epochs=10, batch_size=BATCH, validation_split=0.2, verbose=2)
    seconds = time.monotonic() - start
    loss, acc = model.evaluate(x_test, y_test, batch_size=BATCH, verbose=0)
    record = {"versions": backend.versions(), "seed": seed, "seconds": round(seconds, 1), "test": {"loss": loss, "acc": acc}, "history": history.history}
    (folder / f"{name}_history.json").write_text(json.dumps(record, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("steps", "again", "fit"))
    parser.add_argument("imdb", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dense", action="store_true")
    arguments = parser.parse_args()
    if arguments.folder.resolve().is_relative_to(pathlib.Path(__file__).resolve().parent.parent):
        parser.error("expected a FOLDER outside the repository")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (x, y), (x_test, y_test) = imdb(arguments.imdb)
    for name in arguments.models:
        if arguments.what == "steps":
            steps(name, x, y, arguments.folder, arguments.seed)
        elif arguments.what == "again":
            again(name, x, y, arguments.folder, arguments.seed)
        else:
            fit(name, x, y, x_test, y_test, arguments.folder, arguments.seed, arguments.dense)


if __name__ == "__main__":
    main()
