"""Writes one trained model of Keras: model.keras; its weights as NumPy's arrays under their paths in HDF5, stored.npz and deflated.npz; and
pickled.keras, which is what Keras calls npz.

    python oracle/weights_npz.py testdata/npz

Keras 3.15.1 writes the last form (saving_lib.save_model, weights_format="npz") and refuses to read it again, since it pickles dicts of
TensorFlow's variables. Not the same at every run: the date in a file.

Versions: Keras 3.15.1 with TensorFlow 2.21.0, NumPy 2.4.6.
"""

import io
import os
import sys
import zipfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import h5py
import keras
import numpy as np
from keras.src.saving import saving_lib


def main(folder):
    keras.utils.set_random_seed(1)
    x = np.arange(24, dtype="i4").reshape(4, 6) % 5
    y = np.array([0, 1, 1, 0], "f4")
    model = keras.Sequential(
        [
            keras.layers.Input((6,), dtype="int32"),
            keras.layers.Embedding(5, 3),
            keras.layers.LSTM(2),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    model.fit(x, y, epochs=3, verbose=0)
    at = lambda name: os.path.join(folder, name)
    model.save(at("model.keras"))
    saving_lib.save_model(model, at("pickled.keras"), weights_format="npz")
    try:
        saving_lib.load_model(at("pickled.keras"))
    except ValueError as e:
        assert "allow_pickle=False" in str(e), e
    else:
        raise AssertionError("Keras reads what it calls npz")
    arrays = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with zipfile.ZipFile(at("model.keras")) as z, h5py.File(io.BytesIO(z.read("model.weights.h5"))) as f:
        f.visititems(visit)
    np.savez(at("stored.npz"), **arrays)
    np.savez_compressed(at("deflated.npz"), **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
