"""Writes testdata/callbacks.json: what Keras's callbacks do with given logs.

    oracle/.venv/bin/python oracle/callbacks.py

Each case calls a callback with its logs, epoch by epoch, as fit would, on a model whose only weight is the number of the epoch. Recorded
are, after every epoch, whether training stops, the learning rate and the files that were saved; at the end the weight, and a CSVLogger's file.
"""

import json
import os
import pathlib
import tempfile
import warnings

import backend
import keras
import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata"
FALLS = [1.0, 0.9, 0.91, 0.89999, 0.95, 0.7, 0.71, 0.72, 0.73, 0.69, 0.8, 0.81, 0.82, 0.83]
RISES = [0.5, 0.6, 0.6, 0.65, 0.64, 0.64, 0.66, 0.1, 0.2, 0.3, 0.4, 0.45]
NAN = [1.0, float("nan"), 0.5, float("nan"), 0.6, 0.7]

CASES = [
    ("EarlyStopping", dict(), "val_loss", FALLS),
    ("EarlyStopping", dict(patience=2), "val_loss", FALLS),
    ("EarlyStopping", dict(patience=3, restore_best_weights=True), "val_loss", FALLS),
    ("EarlyStopping", dict(patience=20, restore_best_weights=True), "val_loss", FALLS),
    ("EarlyStopping", dict(patience=2, min_delta=0.05), "val_loss", FALLS),
    ("EarlyStopping", dict(patience=2, min_delta=-0.05), "val_loss", FALLS),
    ("EarlyStopping", dict(patience=4, baseline=0.8), "val_loss", FALLS),
    ("EarlyStopping", dict(patience=2, start_from_epoch=3, restore_best_weights=True), "val_loss", FALLS),
    ("EarlyStopping", dict(monitor="val_acc", patience=2, restore_best_weights=True), "val_acc", RISES),
    ("EarlyStopping", dict(monitor="acc", mode="min", patience=5), "acc", RISES),
    ("EarlyStopping", dict(monitor="x", mode="max", patience=3), "x", RISES),
    ("EarlyStopping", dict(patience=2, restore_best_weights=True), "val_loss", NAN),
    ("ReduceLROnPlateau", dict(), "val_loss", FALLS),
    ("ReduceLROnPlateau", dict(patience=1, factor=0.5), "val_loss", FALLS),
    ("ReduceLROnPlateau", dict(patience=2, factor=0.3, cooldown=2), "val_loss", FALLS),
    ("ReduceLROnPlateau", dict(patience=1, factor=0.1, min_lr=0.004), "val_loss", FALLS),
    ("ReduceLROnPlateau", dict(monitor="val_acc", patience=1, factor=0.5, min_delta=0.03), "val_acc", RISES),
    ("ReduceLROnPlateau", dict(patience=0, factor=0.5), "val_loss", NAN),
    ("ModelCheckpoint", dict(filepath="{epoch:02d}-{val_loss:.3f}.keras"), "val_loss", FALLS[:4]),
    ("ModelCheckpoint", dict(filepath="m{epoch}_{val_loss}.keras", save_best_only=True), "val_loss", FALLS),
    ("ModelCheckpoint", dict(filepath="sub/{epoch:3d}.weights.h5", save_weights_only=True, save_best_only=True, monitor="val_acc"), "val_acc", RISES),
    ("ModelCheckpoint", dict(filepath="{epoch}-{val_loss:8.2e}.keras", save_best_only=True, initial_value_threshold=0.9), "val_loss", FALLS),
    ("CSVLogger", dict(), "val_loss", FALLS[:3] + [1e-5, 1.5e-7, 1e16, 123456789.0, 1e22, float("nan"), float("inf"), 100.0]),
    ("CSVLogger", dict(separator=";"), "acc", RISES[:3]),
    ("CSVLogger", dict(append=True), "val_loss", FALLS[:2]),
]


def run(name, arguments, key, values, folder):
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, name="d")])
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["acc"], jit_compile=False)
    x = np.ones((2, 1), np.float32)
    model.evaluate(x, x, verbose=0)  # so that metrics have their names
    before = []
    given = dict(arguments)
    if name == "ModelCheckpoint":
        given["filepath"] = str(folder / arguments["filepath"])
    if name == "CSVLogger":
        given["filename"] = str(folder / "log.csv")
        if arguments.get("append"):
            (folder / "log.csv").write_bytes(b"epoch,loss,val_loss\r\n0,1.0,2.0\r\n")
    callback = getattr(keras.callbacks, name)(**given)
    callback.set_model(model)
    model.stop_training = False
    callback.on_train_begin()
    case = {"callback": name, "arguments": arguments, "key": key, "values": [str(v) for v in values], "epochs": []}
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        model.set_weights([np.full((1, 1), epoch, np.float32)])
        callback.on_epoch_end(epoch, {"loss": 0.25, key: value})
        files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.suffix != ".csv")
        case["epochs"].append({"stop": model.stop_training, "rate": float(np.asarray(model.optimizer.learning_rate)), "saved": [f for f in files if f not in before]})
        before = files
        if model.stop_training:
            break
    callback.on_train_end()
    case["weight"] = float(model.get_weights()[0][0, 0])
    if name == "CSVLogger":
        case["text"] = (folder / "log.csv").read_bytes().decode()
    return case


def main():
    warnings.filterwarnings("ignore")
    cases = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            cases.append(run(*case, pathlib.Path(folder)))
    text = json.dumps({"script": "oracle/callbacks.py", "versions": backend.versions(), "cases": cases}, separators=(",", ":"))
    (FOLDER / "callbacks.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
