"""Start weights, the same for all: `weights.py FOLDER` reads one model a line (JSON) and writes FOLDER/KEY.keras and KEY.npz."""

import json
import pathlib
import sys

import keras
import numpy as np

import peer_keras
from rows import Model


def main():
    folder = pathlib.Path(sys.argv[1])
    for line in sys.stdin:
        call = json.loads(line)
        keras.utils.set_random_seed(1)
        model = peer_keras.build(Model(**call["model"]))
        model.save(folder / f"{call['key']}.keras")
        np.savez(folder / f"{call['key']}.npz", **{str(i): w for i, w in enumerate(model.get_weights())})


if __name__ == "__main__":
    main()
