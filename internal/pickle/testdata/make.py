"""Writes the pickles of this folder: the same values in every protocol, as Python and NumPy write them.

Run here with NumPy 1 or 2:  python make.py
"""
import pickle

import numpy as np


def objects(items):
    a = np.empty(len(items), object)
    for i, item in enumerate(items):
        a[i] = item
    return a


same = [7, 8]
VALUES = {
    "plain": [None, True, False, 0, -1, 255, 256, 65536, -(2**31), 2**31, 2**63 - 1, -(2**63), 0.5, -1e300, float("inf"),
              "", "naïve \\ \n日本𝄞", b"", b"\x00\xff\n", (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1, [2]],
              {}, {"a": 1, 2: [3]}],
    "sequences": objects([[1, 300, 70000, -5], [], list(range(2500)), same, (4, 5), np.array([1, 2], ">i2"),
                          np.array([9, 200], np.uint8), same]),
    "numbers": [np.arange(6, dtype="<i4").reshape(2, 3), np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3)),
                np.float64(2.5), np.float32(0.5), np.int16(-3), np.bool_(True), np.uint8(200)],
}
for name, v in VALUES.items():
    for protocol in range(6):
        with open(f"{name}{protocol}.pickle", "wb") as f:
            pickle.dump(v, f, protocol)
