"""Writes testdata/tensorboard.json: the tags and steps that Keras's TensorBoard writes, and its histograms (tf.summary.histogram) of given numbers.

    pip install --no-deps --target FOLDER tensorboard
    PYTHONPATH=FOLDER oracle/.venv/bin/python oracle/board.py
"""

import json
import pathlib
import tempfile

import backend
import keras
import numpy as np
import tensorflow as tf

FILE = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "tensorboard.json"


def values(folder):
    """The tags and steps of an event file, with what is in it."""
    for path in sorted(pathlib.Path(folder).rglob("events.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                yield path.parent.name, value.tag, event.step, tf.make_ndarray(value.tensor)


def run(arguments):
    """Three epochs of three batches with a validation, as TestTensorBoardTags trains."""
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="d"), keras.layers.Dense(1, name="e")])
    model.compile("sgd", "mse", metrics=["mae"], jit_compile=False)
    x = np.arange(12, dtype=np.float32).reshape(-1, 2) / 10
    with tempfile.TemporaryDirectory() as folder:
        model.fit(x, x[:, :1], batch_size=2, epochs=3, verbose=0, shuffle=False, validation_data=(x[:2], x[:2, :1]),
                  callbacks=[keras.callbacks.TensorBoard(folder, write_graph=False, **arguments)])
        found = {}
        for part, tag, step, _ in values(folder):
            found.setdefault(part, []).append([tag, step])
    return {"arguments": arguments, "written": found}


def main():
    runs = [run(a) for a in (dict(histogram_freq=2, write_steps_per_second=True), dict(update_freq=1, write_steps_per_second=True), dict(histogram_freq=1), dict())]
    r = np.random.default_rng(5)
    arrays = [
        r.normal(size=200), r.uniform(-1, 1, size=33), np.full(7, 0.25), np.zeros(4), np.array([3.0]), np.array([-1e30, 1e30, 0.0]),
        np.arange(31.0), np.array([1.0, 1.0 + 2**-23]), np.array([1e-37, -1e-37, 2e-37]),
    ]
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        writer = tf.summary.create_file_writer(folder)
        with writer.as_default():
            for i, a in enumerate(arrays):
                tf.summary.histogram("h", tf.constant(a, tf.float32), step=i)
        writer.close()
        for _, _, step, buckets in values(folder):
            cases.append({"data": [float(v) for v in arrays[step].astype(np.float32)], "buckets": buckets.tolist()})
    FILE.write_text(json.dumps({"script": "oracle/board.py", "versions": backend.versions(), "runs": runs, "cases": cases}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
