"""Writes testdata/swap.json: trainings with Keras's SwapEMAWeights.

    oracle/.venv/bin/python oracle/swap.py

The model has one weight, 0.5 at first, and learns y = 2 x from x = 1, 2, row by row. Recorded are the losses of the validation, the weight that a
callback behind SwapEMAWeights sees at an epoch's end, and the weight at the end.
"""

import json
import pathlib
import warnings

import backend
import keras
import numpy as np

FILE = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "swap.json"
X = np.asarray([[1.0], [2.0]], np.float32)


def run(swap_on_epoch, overwrite):
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(0.5))])
    model.compile(keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=overwrite), "mse", jit_compile=False)
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(float(model.get_weights()[0][0, 0])))
    history = model.fit(X, 2 * X, batch_size=1, epochs=4, shuffle=False, verbose=0, validation_data=(X, 2 * X),
                        callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=swap_on_epoch), watch])
    return {"swap_on_epoch": swap_on_epoch, "overwrite": overwrite or 0, "val_loss": history.history["val_loss"], "seen": seen,
            "weight": float(model.get_weights()[0][0, 0])}


def main():
    warnings.filterwarnings("ignore")
    cases = [run(on, overwrite) for on in (False, True) for overwrite in (None, 3)]
    FILE.write_text(json.dumps({"script": "oracle/swap.py", "versions": backend.versions(), "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
