"""Writes the files of this folder: arrays of every dtype, order and format version, as NumPy itself writes them.

Run here with NumPy 1 or 2:  python make.py
"""
import io
import zipfile

import numpy as np

NUMBERS = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]

arrays = {}
for kind in NUMBERS:
    for order, name in (("<", "le"), (">", "be")):
        a = (np.arange(24) - (0 if kind[0] == "u" else 7)).reshape(2, 3, 4).astype(order + kind)
        arrays[f"{kind}_{name}_c"] = a
        arrays[f"{kind}_{name}_f"] = np.asfortranarray(a)
arrays["b1"] = np.array([True, False, True])
arrays["scalar"] = np.float64(2.5)
arrays["empty"] = np.zeros((3, 0, 2), np.float32)
arrays["f2_special"] = np.array([0.0, -0.0, 6e-8, 6.1e-5, 65504, np.inf, -np.inf, np.nan], np.float16)
arrays["S"] = np.array([[b"one", b"three\x00x"], [b"", b"\xff"]])
arrays["U"] = np.array(["naïve", "", "日本", "𝄞 a\x00b"])
arrays["U_be"] = arrays["U"].astype(">U6")
np.savez("stored.npz", **arrays)
np.savez_compressed("deflated.npz", **arrays)

with zipfile.ZipFile("versions.npz", "w") as z:
    for version in ((1, 0), (2, 0), (3, 0)):
        b = io.BytesIO()
        np.lib.format.write_array(b, np.arange(5, dtype=np.int16), version=version)
        z.writestr(f"v{version[0]}.npy", b.getvalue())
