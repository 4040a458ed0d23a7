"""Loads a legacy .h5 file, predicts, with tf-keras trains on, and writes what came out, so that a file written by unroll can be checked.

    python oracle/check_legacy_file.py FILE.h5 BATCHES.npz OUT.npz

BATCHES.npz is as oracle/legacy_files.py writes them; OUT.npz has out/i and, by tf-keras, losses. Keras 3 loads a legacy file with an optimizer that is built
for no weights, and trains no further without a new compile.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

try:
    import tf_keras as keras
except ImportError:
    import keras

MAJOR = int(keras.__version__.split(".")[0])


def several(arrays, prefix):
    found = []
    while "%s/%d" % (prefix, len(found)) in arrays:
        found.append(arrays["%s/%d" % (prefix, len(found))])
    return found


def one(values):
    return values[0] if len(values) == 1 else values


def main():
    file, batches, out = sys.argv[1:]
    given = dict(np.load(batches))
    model = keras.models.load_model(file)
    predicted = model.predict(one(several(given, "x")), verbose=0)
    arrays = {"out/%d" % i: np.asarray(a) for i, a in enumerate(predicted if isinstance(predicted, list) else [predicted])}
    if MAJOR == 2:
        losses = []
        for step in range(len(given["losses"])):
            got = model.train_on_batch(one([a[step] for a in several(given, "xs")]), one([a[step] for a in several(given, "ys")]))
            losses.append(float(got[0] if isinstance(got, (list, tuple)) else got))
        arrays["losses"] = np.array(losses, np.float32)
    np.savez(out, **arrays)


main()
