"""Writes testdata/keras2: what Keras 2 computed where Keras 3 computes something else.

    python oracle/keras2.py         (needs tf-keras, see requirements.txt)

tf-keras is the code of Keras 2 on today's TensorFlow; its legacy optimizers are those of 2.x. Keras 2.2.4's binary crossentropy on
TensorFlow (keras/backend/tensorflow_backend.py, binary_crossentropy) is written down here, since later versions find the logits.
NAME.npz has the layout of a golden without gradients (README.md); callbacks.json what callbacks did with logs.
"""

import json
import os
import pathlib

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import npz
import numpy as np
import tensorflow as tf
import tf_keras as keras

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "keras2"
ROWS, STEPS, INPUTS, UNITS, BATCHES = 6, 5, 4, 3, 10
layers, legacy = keras.layers, keras.optimizers.legacy


def crossentropy(y, p):
    """Keras 2.2.4: clip to [epsilon, 1 - epsilon], turn into logits, mean over the last axis."""
    p = tf.clip_by_value(p, keras.backend.epsilon(), 1 - keras.backend.epsilon())
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=tf.math.log(p / (1 - p))), axis=-1)


# Name, layers, optimizer, loss, and what the weights are scaled with: hard sigmoids and probabilities have ends to be seen.
CASES = [
    ("lstm", lambda: [layers.LSTM(UNITS, recurrent_activation="hard_sigmoid"), layers.Dense(1)], lambda: legacy.RMSprop(0.001), "mse", 2.5),
    ("gru", lambda: [layers.GRU(UNITS, recurrent_activation="hard_sigmoid", reset_after=False), layers.Dense(1)], lambda: legacy.RMSprop(0.01, decay=0.05), "mse", 2.5),
    ("small_gradients", lambda: [layers.SimpleRNN(UNITS), layers.Dense(1, "hard_sigmoid")], lambda: legacy.RMSprop(0.001, rho=0.8, epsilon=1e-3), "mse", 1),
    ("probabilities", lambda: [layers.SimpleRNN(UNITS), layers.Dense(2, "sigmoid")], lambda: legacy.SGD(0.05, decay=0.1), crossentropy, 12),
    ("adam", lambda: [layers.SimpleRNN(UNITS), layers.Dense(1)], lambda: legacy.Adam(0.01, decay=0.2), "mse", 1),
]


def record(number, name, stack, optimizer, loss, scale):
    keras.utils.set_random_seed(number)
    rng = np.random.default_rng(number)
    model = keras.Sequential([layers.Input((None, INPUTS)), *stack()])
    model.compile(optimizer(), loss, run_eagerly=True)
    for w in model.weights:
        w.assign(scale * (w.numpy() + 0.1 * rng.standard_normal(w.shape)))
    width = model.output_shape[-1]
    x = rng.standard_normal((BATCHES + 1, ROWS, STEPS, INPUTS)).astype(np.float32)
    y = rng.integers(0, 2, (BATCHES, ROWS, width)).astype(np.float32)
    arrays = {"x": x[-1], "xs": x[:-1], "ys": y, "out": model(x[-1]).numpy()}
    arrays |= {f"w/{n}": w.numpy() for n, w in enumerate(model.weights)}
    losses = [model.train_on_batch(a, b) for a, b in zip(x[:-1], y, strict=True)]
    arrays["losses"] = np.asarray(losses, np.float32)
    arrays |= {f"after/{n}": w.numpy() for n, w in enumerate(model.weights)}
    meta = {
        "name": name, "script": "oracle/keras2.py", "seed": number, "train": True, "backend": "tensorflow",
        "versions": {"tf-keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__},
        "input": {"dtype": "float32", "shape": list(x.shape[1:])},
        "weights": [{"path": w.name, "shape": list(w.shape), "trainable": True} for w in model.weights],
        "tolerances": {"out": 1e-6, "losses": 1e-5, "after": 1e-5},
    }
    npz.save(FOLDER / f"{name}.npz", arrays, meta)


LOGS = [1.0, 0.9, 0.95, 0.91, 0.92, 0.7, 0.71]


def callback(cb, values):
    """What becomes of a model whose only weight is the number of the epoch: the last weight, and the logs of every epoch."""
    model = keras.Sequential([layers.Input((1,)), layers.Dense(1, use_bias=False)])
    model.compile(legacy.SGD(0.1), "mse")
    cb.set_model(model)
    model.stop_training = False
    cb.on_train_begin()
    seen = []
    for epoch, v in enumerate(values):
        model.layers[-1].kernel.assign([[float(epoch)]])
        logs = {"val_loss": v}
        cb.on_epoch_begin(epoch)
        cb.on_epoch_end(epoch, logs)
        seen.append({k: float(x) for k, x in logs.items()})
        if model.stop_training:
            break
    cb.on_train_end()
    return {"weight": float(model.layers[-1].kernel.numpy()[0, 0]), "logs": seen}


def main():
    for number, case in enumerate(CASES):
        record(number, *case)
    results = []
    for patience in (2, 3):  # tf-keras restores the best weights also where training was not stopped; Keras 2.2.4 did not
        cb = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
        results.append({"callback": "EarlyStopping", "patience": patience, "values": LOGS} | callback(cb, LOGS))
    cb = keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5)
    results.append({"callback": "ReduceLROnPlateau", "patience": 1, "values": LOGS} | callback(cb, LOGS))
    (FOLDER / "callbacks.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
