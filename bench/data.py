"""The batches: real reviews, prepared as the lecture prepares them."""

import numpy as np

from rows import BATCH, STEPS, WORDS


def batches(imdb, kind, n):
    """n batches of (BATCH, STEPS) ids as int32, and the targets (n * BATCH,) as float32.

    imdb.npz holds sequences of ranks; load_data of Keras puts a 1 before each, adds 3 to every rank and makes what is beyond the
    vocabulary a 2. Rows are padded and cut in front. The order is one of its own, the same on every run.
    """
    with np.load(imdb, allow_pickle=True) as f:
        parts = ["train"] if kind == "imdb" else ["train", "test"]
        x = np.concatenate([f["x_" + p] for p in parts])
        y = np.concatenate([f["y_" + p] for p in parts])
    order = np.random.RandomState(113).permutation(len(x))
    if kind == "full":
        order = [i for i in order if len(x[i]) + 1 >= STEPS]
    order = order[: n * BATCH]
    if len(order) < n * BATCH:
        raise SystemExit(f"data: expected {n * BATCH} rows of at least {STEPS} words, got {len(order)}")
    ids = np.zeros((len(order), STEPS), np.int32)
    for row, i in zip(ids, order):
        seq = [1] + [w + 3 for w in x[i]]
        seq = [w if w < WORDS else 2 for w in seq][-STEPS:]
        row[STEPS - len(seq) :] = seq
    return ids, y[order].astype(np.float32)
