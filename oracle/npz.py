"""Writes .npz files that are small and the same at every run: fixed dates, deflate, and no 64-bit zip fields."""

import io
import json
import zipfile

import numpy as np


def save(path, arrays, meta=None):
    """Writes the arrays, and before them meta as the UTF-8 bytes of its JSON under the name `meta`."""
    if meta is not None:
        arrays = {"meta": np.frombuffer(json.dumps(meta, separators=(",", ":")).encode(), np.uint8)} | arrays
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(name + ".npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)


def load(path):
    """(meta, arrays) of a file written by save."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    meta = arrays.pop("meta", None)
    return (None if meta is None else json.loads(meta.tobytes())), arrays
