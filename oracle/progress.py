"""Writes testdata/progress.json: what Keras's Progbars print, by a clock that the script moves.

    pip download --no-deps -d FOLDER keras==2.2.4 && unzip -d FOLDER FOLDER/Keras-2.2.4-*.whl
    oracle/.venv/bin/python oracle/progress.py FOLDER/keras/utils/generic_utils.py FOLDER/keras/callbacks.py

Keras 3's ProgbarLogger is called as fit, evaluate and predict call it. Of Keras 2.2.4, which cannot be imported beside it, the classes Progbar and ProgbarLogger
alone are run; logs are summed by it, so they are what its fit hands over: means of a batch.
A case is a list of epochs, an epoch a list of steps: when (seconds since the last), rows, and the logs; the last step is the epoch's end.
"""

import ast
import collections
import io
import json
import pathlib
import sys
import types

import backend
import keras
import numpy as np
from keras.src.callbacks import progbar_logger
from keras.src.utils import progbar

FILE = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "progress.json"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def steps(n, every, rows=8, **slow):
    """Steps of an epoch, with logs that fall and rise."""
    out = []
    for i in range(n):
        out.append([every * (slow.get("first", 1) if i == 0 else 1), rows, [["loss", 0.7 / (i + 1)], ["acc", 0.5 + i / (4 * n)]]])
    return out


def end(after, loss=0.25, **more):
    return [after, 0, [["loss", loss], ["acc", 0.75]] + [[k, v] for k, v in more.items()]]


# verb, verbose, samples, batch, epochs
CASES = [
    ("fit", 1, 40, 8, [steps(5, 0.6) + [end(0.2)]]),
    ("fit", 2, 40, 8, [steps(5, 0.6) + [end(0.2)]]),
    ("fit", 0, 40, 8, [steps(5, 0.6) + [end(0.2)]]),
    ("fit", 1, 40, 8, [steps(5, 0.03, first=10) + [end(0.01, val_loss=0.5, val_acc=0.6)], steps(5, 0.03) + [end(1.0, val_loss=0.0004, val_acc=0.6)]]),
    ("fit", 2, 40, 8, [steps(5, 0.03, first=10) + [end(0.01, val_loss=0.5, val_acc=0.6)], steps(5, 0.03) + [end(1.0, val_loss=-0.3, val_acc=0.6)]]),
    ("fit", 1, 36, 8, [steps(4, 1500.0) + [[1500.0, 4, [["loss", 1e-5], ["acc", 1.0]]], end(3.0, loss=1e-5)]]),
    ("fit", 1, 24, 8, [steps(3, 70.0) + [end(0.0, loss=float("nan"))]]),
    ("fit", 2, 24, 8, [steps(3, 2e-5) + [end(0.0, loss=float("inf"), val_loss=float("nan"), val_acc=0.0)]]),
    ("fit", 1, 24, 8, [steps(3, 2e-5) + [end(0.0)]]),
    ("fit", 1, 8, 8, [steps(1, 0.5) + [end(0.5)], steps(1, 2.0) + [end(0.5)]]),
    ("fit", 1, 960, 8, [steps(120, 0.0203) + [end(0.0)]]),
    ("fit", 1, 16, 8, [steps(2, 0.5) + [end(0.0, val_loss=0.3, val_acc=0.5, learning_rate=0.001)]]),
    ("fit", 2, 16, 8, [steps(2, 0.5) + [end(0.0, val_loss=0.3, val_acc=0.5, learning_rate=0.001)]]),
    ("fit", 2, 16, 8, [steps(2, 0.5) + [end(0.0, learning_rate=0.01)]]),
    ("evaluate", 1, 40, 8, [steps(5, 0.2) + [end(0.0)]]),
    ("evaluate", 2, 40, 8, [steps(5, 0.2) + [end(0.0)]]),
    ("predict", 1, 40, 8, [steps(5, 0.2) + [end(0.0)]]),
    ("predict", 2, 40, 8, [steps(5, 0.2) + [end(0.0)]]),
]


class Clock:
    """Stands for the module time."""

    def __init__(self):
        self.now = 1000.0

    def time(self):
        return self.now


def in_order(logs):
    """As fit hands logs over: sorted, with what callbacks added last."""
    own = [(k, v) for k, v in logs if k != "learning_rate"]
    return dict(sorted(own) + [(k, v) for k, v in logs if k == "learning_rate"])


def keras3(verb, verbose, samples, batch, epochs):
    if verbose == 0:
        return ""  # fit makes no logger then
    clock, out = Clock(), Terminal()
    progbar.time, stdout, sys.stdout = clock, sys.stdout, out
    try:
        logger = progbar_logger.ProgbarLogger()
        logger.set_params({"verbose": verbose, "epochs": len(epochs), "steps": -(-samples // batch)})
        if verb == "fit":
            logger.on_train_begin()
        for number, epoch in enumerate(epochs):
            {"fit": lambda: logger.on_epoch_begin(number), "evaluate": logger.on_test_begin, "predict": logger.on_predict_begin}[verb]()
            for i, (wait, _, logs) in enumerate(epoch[:-1]):
                clock.now += wait
                {"fit": logger.on_train_batch_end, "evaluate": logger.on_test_batch_end, "predict": logger.on_predict_batch_end}[verb](i, in_order(logs))
            clock.now += epoch[-1][0]
            if verb == "predict":
                logger.on_predict_end()
            elif verb == "evaluate":
                logger.on_test_end(in_order(epoch[-1][2]))
            else:
                logger.on_epoch_end(number, in_order(epoch[-1][2]))
    finally:
        sys.stdout = stdout
    return out.getvalue()


def classes(path, names, into):
    """Runs the classes of a file that cannot be imported."""
    tree = ast.parse(pathlib.Path(path).read_text())
    tree.body = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name in names]
    exec(compile(tree, path, "exec"), into)


def keras2(files, verb, verbose, samples, batch, epochs):
    if verbose == 0 or verb != "fit" and verbose != 1:
        return ""
    clock, out = Clock(), Terminal()
    space = {"collections": collections, "np": np, "time": clock, "sys": types.SimpleNamespace(stdout=out, modules=sys.modules), "Callback": object,
             "print": lambda text: out.write(text + "\n")}
    classes(files[0], ["Progbar"], space)
    classes(files[1], ["ProgbarLogger"], space)
    if verb != "fit":  # keras/engine/training_arrays.py, test_loop and predict_loop
        bar, seen = space["Progbar"](target=samples), 0
        for epoch in epochs:
            for wait, rows, _ in epoch[:-1]:
                clock.now, seen = clock.now + wait, seen + rows
                bar.update(seen)
        return out.getvalue()
    names = ["loss", "acc", "val_loss", "val_acc"]
    logger = object.__new__(space["ProgbarLogger"])
    logger.use_steps, logger.stateful_metrics = False, {"loss", "acc", "val_loss", "val_acc"}  # means since the epoch's start, as ours are
    logger.params = {"verbose": verbose, "epochs": len(epochs), "samples": samples, "metrics": names}
    logger.on_train_begin()
    for number, epoch in enumerate(epochs):
        logger.on_epoch_begin(number)
        for i, (wait, rows, logs) in enumerate(epoch[:-1]):
            clock.now += wait
            logger.on_batch_begin(i)
            logger.on_batch_end(i, dict(map(tuple, logs)) | {"size": rows})
        clock.now += epoch[-1][0]
        logger.on_epoch_end(number, dict(map(tuple, epoch[-1][2])))
    return out.getvalue()


def main():
    cases = []
    for verb, verbose, samples, batch, epochs in CASES:
        case = {"verb": verb, "verbose": verbose, "samples": samples, "batch": batch,
                "epochs": [[[wait, rows, [[k, str(v)] for k, v in logs]] for wait, rows, logs in e] for e in epochs],
                "keras3": keras3(verb, verbose, samples, batch, epochs),
                "keras2": keras2(sys.argv[1:3], verb, verbose, samples, batch, epochs)}
        cases.append(case)
    text = json.dumps({"script": "oracle/progress.py", "versions": backend.versions() | {"keras2": "2.2.4"}, "cases": cases}, separators=(",", ":"))
    FILE.write_text(text + "\n")


if __name__ == "__main__":
    main()
