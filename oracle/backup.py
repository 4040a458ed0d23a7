"""What Keras's BackupAndRestore leaves, and what it makes of such a folder.

    oracle/.venv/bin/python oracle/backup.py           writes testdata/backup: a training that is interrupted after two epochs of four
    oracle/.venv/bin/python oracle/backup.py FOLDER    goes on from FOLDER and prints as JSON which epochs it trains and the weight at the end

The model has one weight, 0.5 at first, and learns y = 2 x from x = 1, 2 by SGD with momentum; both rows are one batch.
"""

import json
import pathlib
import shutil
import sys
import tempfile
import warnings

import backend  # noqa: F401
import keras
import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "backup"
X = np.asarray([[1.0], [2.0]], np.float32)


class Interrupt(keras.callbacks.Callback):
    def __init__(self, at):
        super().__init__()
        self.at, self.epochs = at, []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            raise KeyboardInterrupt
        self.epochs.append(epoch)


def fit(folder, at=None):
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, name="d", kernel_initializer=keras.initializers.Constant(0.5))])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", jit_compile=False)
    watch = Interrupt(at)
    backup = keras.callbacks.BackupAndRestore(str(folder), delete_checkpoint=False)
    try:
        model.fit(X, 2 * X, epochs=4, shuffle=False, verbose=0, callbacks=[backup, watch])
    except KeyboardInterrupt:
        pass
    return {"epochs": watch.epochs, "weight": float(model.get_weights()[0][0, 0])}


def main():
    warnings.filterwarnings("ignore")
    if len(sys.argv) > 1:
        print(json.dumps(fit(sys.argv[1])))
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    fit(FOLDER, at=2)
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(FOLDER, copy, dirs_exist_ok=True)
        after = fit(copy)
    (FOLDER / "after.json").write_text(json.dumps({"script": "oracle/backup.py", "versions": backend.versions()} | after) + "\n")


if __name__ == "__main__":
    main()
