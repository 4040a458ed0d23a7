"""Writes testdata/fit.json: which rows Keras's fit, evaluate and predict take, batch by batch.

    oracle/.venv/bin/python oracle/fit.py

The rows of the data are their numbers, so that a layer sees which come. Nothing is shuffled, or shuffled within batches.
"""

import json
import pathlib
import warnings

import backend
import keras
import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata"

CASES = [
    ("fit", 10, 4, dict(batch_size=4, epochs=2)),
    ("fit", 10, 4, dict(epochs=3, initial_epoch=1, batch_size=4)),
    ("fit", 10, 4, dict(epochs=2, initial_epoch=2, batch_size=4)),
    ("fit", 10, 0, dict(batch_size=4, epochs=1)),
    ("fit", 10, 4, dict(batch_size=2, steps_per_epoch=3, epochs=5)),
    ("fit", 10, 4, dict(batch_size=2, steps_per_epoch=5, epochs=2)),
    ("fit", 10, 4, dict(batch_size=3, steps_per_epoch=2, epochs=5)),
    ("fit", 10, 4, dict(batch_size=4, steps_per_epoch=7, epochs=3)),
    ("fit", 10, 4, dict(steps_per_epoch=4, epochs=2)),
    ("fit", 10, 70, dict(steps_per_epoch=20, epochs=1)),
    ("fit", 7, 4, dict(steps_per_epoch=3, epochs=2, initial_epoch=1)),
    ("fit", 6, 7, dict(batch_size=4, validation_batch_size=3, epochs=1)),
    ("fit", 6, 7, dict(batch_size=4, validation_batch_size=2, validation_steps=2, epochs=2)),
    ("fit", 6, 7, dict(batch_size=2, validation_steps=2, epochs=2)),
    ("fit", 6, 7, dict(validation_steps=2, epochs=2)),
    ("fit", 6, 7, dict(batch_size=2, validation_steps=9, epochs=1)),
    ("fit", 4, 2, dict(batch_size=4, validation_freq=2, epochs=5)),
    ("fit", 4, 2, dict(batch_size=4, validation_freq=2, epochs=5, initial_epoch=1)),
    ("fit", 4, 2, dict(batch_size=4, validation_freq=[1, 4], epochs=5)),
    ("fit", 4, 2, dict(batch_size=4, validation_freq=[9], epochs=2)),
    ("fit", 10, 3, dict(batch_size=4, shuffle="batch", epochs=3)),
    ("fit", 10, 3, dict(batch_size=3, shuffle="batch", steps_per_epoch=2, epochs=4)),
    ("fit", 10, 0, dict(batch_size=3, validation_split=0.35, epochs=1)),
    ("evaluate", 10, 0, dict()),
    ("evaluate", 10, 0, dict(batch_size=4)),
    ("evaluate", 10, 0, dict(batch_size=4, steps=2)),
    ("evaluate", 10, 0, dict(steps=3)),
    ("evaluate", 10, 0, dict(batch_size=4, steps=5)),
    ("predict", 10, 0, dict(batch_size=4, steps=2)),
    ("predict", 10, 0, dict(steps=4)),
    ("predict", 10, 0, dict()),
]


class Tape:
    """A list that Keras does not take for a part of a layer."""

    on = None


class Recorder(keras.layers.Layer):
    """Hands its input on and writes down which rows it has."""

    def __init__(self, tape):
        super().__init__()
        self.tape = tape

    def call(self, x):
        if self.tape.on is not None and hasattr(x, "numpy"):
            self.tape.on.append([int(v) for v in x.numpy().reshape(-1)])
        return x


class Places(keras.callbacks.Callback):
    """Writes down what comes in each epoch."""

    def __init__(self, tape, epochs):
        super().__init__()
        self.tape, self.epochs = tape, epochs

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append({"epoch": epoch, "train": [], "test": None, "steps": self.params["steps"]})
        self.tape.on = self.epochs[-1]["train"]

    def on_test_begin(self, logs=None):
        self.epochs[-1]["test"] = self.tape.on = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs[-1]["keys"] = sorted(logs)


def run(verb, rows, validation, arguments):
    keras.backend.clear_session()
    tape = Tape()
    model = keras.Sequential([keras.Input((1,)), Recorder(tape), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), "mse", run_eagerly=True)
    x = np.arange(rows, dtype=np.float32).reshape(-1, 1)
    case = {"verb": verb, "rows": rows, "validation": validation, "arguments": arguments}
    if verb == "fit":
        case["epochs"] = []
        given = dict(shuffle=False) | arguments
        if validation:
            v = 100 + np.arange(validation, dtype=np.float32).reshape(-1, 1)
            given["validation_data"] = (v, v)
        history = model.fit(x, x, verbose=0, callbacks=[Places(tape, case["epochs"])], **given)
        case["history"] = {k: [float(v) for v in values] for k, values in history.history.items()}
        if arguments.get("shuffle") == "batch":
            for e in case["epochs"]:
                e["train"] = [sorted(b) for b in e["train"]]
    else:
        case["batches"] = tape.on = []
        if verb == "evaluate":
            case["loss"] = float(model.evaluate(x, x, verbose=0, **arguments))
        else:
            case["predicted"] = len(model.predict(x, verbose=0, **arguments))
    return case


def main():
    warnings.filterwarnings("ignore")
    text = json.dumps({"script": "oracle/fit.py", "versions": backend.versions(), "cases": [run(*c) for c in CASES]}, separators=(",", ":"))
    (FOLDER / "fit.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
