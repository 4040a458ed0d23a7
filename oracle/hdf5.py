"""Makes the test files of internal/hdf5, and tells what h5py reads in a file.

    python oracle/hdf5.py make internal/hdf5/testdata   files of h5py
    python oracle/hdf5.py keras internal/hdf5/testdata  files of Keras, with what h5py reads in them
    python oracle/hdf5.py describe FILE...              JSON on the standard output
    python oracle/hdf5.py large FILE                    a file that is too large to be kept
    python oracle/hdf5.py edit FILE                     adds to, changes and takes from every group of a file

Not the same at every run: the time at which a file was made, in files of the newer formats.

The h5repack that `make` runs is that of HDF5 1.10.8 (Debian's hdf5-tools).

Versions: h5py 3.14.0 with HDF5 1.14.6, NumPy 2.4.6; for the second mode Keras 3.15.1 with TensorFlow 2.21.0.
"""

import ctypes
import glob
import gzip
import json
import os
import subprocess
import sys

import h5py
import numpy as np


def type_name(kind, dtype):
    """The name that the Go package gives a type; of arrays as elements, that of what is in them."""
    if isinstance(kind, h5py.h5t.TypeArrayID):
        return type_name(kind.get_super(), dtype.base)
    if isinstance(kind, h5py.h5t.TypeStringID):
        if kind.is_variable_str():
            return "str" if kind.get_cset() == h5py.h5t.CSET_UTF8 else "bytes"
        return f"S{kind.get_size()}"
    if isinstance(kind, h5py.h5t.TypeOpaqueID):
        return f"V{kind.get_size()}"
    order = "big-endian " if dtype.byteorder == ">" and dtype.itemsize > 1 else ""
    return order + dtype.name


def values(array, name):
    """Elements in row-major order, in a form that JSON keeps exactly."""
    out = []
    for v in np.asarray(array).ravel():
        if isinstance(v, bytes):
            v = v.decode("utf8")
        elif name.startswith("V"):
            v = bytes(v).hex()
        elif isinstance(v, np.floating):
            v = float(v)
            v = v if np.isfinite(v) else str(v)
        elif isinstance(v, (np.integer, np.bool_)):
            v = int(v)
        out.append(v)
    return out


def describe_attrs(obj):
    attrs = {}
    for name in obj.attrs:
        a = obj.attrs.get_id(name)
        kind = type_name(a.get_type(), a.dtype)
        value = obj.attrs[name]
        if isinstance(value, h5py.Empty):
            attrs[name] = {"type": kind, "shape": [0], "values": []}
            continue
        shape = list(a.shape) + list(a.dtype.shape)
        attrs[name] = {"type": kind, "shape": shape, "values": values(value, kind)}
    return attrs


def describe(path):
    tree = {}
    seen = {}

    def visit(name, obj):
        first = seen.setdefault(h5py.h5o.get_info(obj.id).addr, name)
        if first != name:
            tree[name] = {"same": first}
            return
        item = {"attrs": describe_attrs(obj)}
        if isinstance(obj, h5py.Dataset):
            kind = type_name(obj.id.get_type(), obj.dtype)
            shape = list(obj.shape or ([0] if obj.shape is None else []))
            item |= {"type": kind, "shape": shape + list(obj.dtype.shape)}
            item["values"] = [] if obj.shape is None else values(obj[()], kind)
        tree[name] = {k: v for k, v in item.items() if v}
        if isinstance(obj, h5py.Group):
            for key in obj:
                visit(name.rstrip("/") + "/" + key, obj[key])

    with h5py.File(path, "r") as f:
        visit("/", f)
    return tree


def write_types(path):
    with h5py.File(path, "w") as f:
        g = f.create_group("numbers")
        for dtype in "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8".split():
            info = np.finfo(dtype) if dtype[0] == "f" else np.iinfo(dtype)
            g[dtype] = np.array([info.min, 0, 1, 3, info.max], dtype=dtype)
        g["special"] = np.array([np.nan, np.inf, -np.inf, -0.0, 6e-8], dtype="f2")
        g["big"] = np.array([[1, -2], [300, -32768]], dtype=">i2")
        g["bigfloat"] = np.array([1.5, -2.25], dtype=">f4")
        g["bool"] = np.array([True, False, True])
        g["raw"] = np.arange(6, dtype="u1").view("V2")
        g["cube"] = np.arange(24, dtype="f4").reshape(2, 3, 4)
        s = f.create_group("strings")
        s["scalar"] = "héllo"
        s["list"] = ["a", "", "日本", "d" * 4100]
        s["bytes"] = np.array([b"x", b"yz"], dtype=h5py.string_dtype("ascii"))
        s["fixed"] = np.array([[b"a", b"bcd"], [b"", b"ef"]])
        z = f.create_group("odd")
        z["scalar"] = np.int64(-5)
        z["none"] = np.zeros((0, 3), "f4")
        z["nostrings"] = np.array([], dtype=h5py.string_dtype())
        z["empty"] = h5py.Empty("f4")
        z.create_dataset("unwritten", (3,), "f4")
        z.create_dataset("filled", (3, 2), "i4", fillvalue=-7)
        z.create_group("group")
        a = f.create_group("attrs").attrs
        a["str"] = "dense"
        a["bytes"] = b"tensorflow"
        a["nostr"] = ""
        a["list"] = ["a", "bcd", ""]
        a["layer_names"] = np.asarray(["lstm".encode(), b"dense_1"])
        a["byteslist"] = [b"x", b"yy"]
        a["empty"] = []
        a["null"] = h5py.Empty("f4")
        a["int"] = 3
        a["float"] = 0.1
        a["float32"] = np.float32(0.1)
        a["half"] = np.float16(0.1)
        a["bool"] = True
        a["ints"] = [1, 2, 3]
        a["matrix"] = np.arange(4, dtype="i1").reshape(2, 2)
        g["f4"].attrs["dtype"] = "bfloat16"


def write_many(path):
    """A B-tree of two levels: one dataset under 260 names, in an order that splits nodes everywhere."""
    with h5py.File(path, "w") as f:
        g = f.create_group("many")
        g["n000"] = np.arange(4, dtype="i4")
        for i in range(1, 260):
            g[f"n{i * 7 % 260:03d}"] = g["n000"]


def write_chunks(path, libver):
    with h5py.File(path, "w", libver=libver) as f:
        x = np.arange(35, dtype="f4").reshape(5, 7)
        f.create_dataset("gzip", data=x, chunks=(2, 3), compression="gzip")
        f.create_dataset("all", data=x, chunks=(3, 4), compression="gzip", shuffle=True, fletcher32=True)
        f.create_dataset("odd", data=np.arange(9, dtype="u1"), chunks=(5,), fletcher32=True)
        d = f.create_dataset("holes", (6, 6), "i2", chunks=(2, 2), fillvalue=9)
        d[3, 3] = 1
        f.create_dataset("never", (2, 2), "i2", chunks=(1, 1), fillvalue=4)
        if libver != "latest":
            return
        f.create_dataset("plain", data=x, chunks=(2, 3))
        f.create_dataset("one", data=x, chunks=(5, 7), compression="gzip")
        f.create_dataset("oneplain", data=x, chunks=(5, 7))
        f.create_dataset("strings", data=["a", "b", "c"], chunks=(2,))
        # Space given at once, chunks without an index.
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((2, 3))
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple(x.shape)
        h5py.Dataset(h5py.h5d.create(f.id, b"early", h5py.h5t.IEEE_F32LE, space, plist))[...] = x


def write_indexes(path):
    """The indexes of chunks of datasets that grow, or could."""
    with h5py.File(path, "w", libver="latest") as f:
        x = np.arange(35, dtype="f4").reshape(5, 7)
        for name, most in [
            ("rows", (None, 20)),  # an extensible array
            ("columns", (20, None)),
            ("both", (None, None)),  # a version 2 B-tree
            ("bounded", (10, 14)),  # a fixed array, larger than the dataset
        ]:
            f.create_dataset(name, data=x, chunks=(2, 3), maxshape=most)
            f.create_dataset(name + "gzip", data=x, chunks=(2, 3), maxshape=most, compression="gzip", shuffle=True)
        f.create_dataset("long", data=np.arange(200, dtype="u1"), chunks=(1,), maxshape=(None,))
        f.create_dataset("deep", data=np.arange(120, dtype="u1").reshape(12, 10), chunks=(1, 1), maxshape=(None, None))
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((2, 3))
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple(x.shape, (6, 20))
        h5py.Dataset(h5py.h5d.create(f.id, b"early", h5py.h5t.IEEE_F32LE, space, plist))[...] = x
        # Chunks at the edges without filters, which h5py does not offer.
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((2, 3))
        plist.set_deflate(6)
        (lib,) = glob.glob(os.path.join(os.path.dirname(h5py.__file__), "..", "h5py.libs", "libhdf5-*"))
        assert ctypes.CDLL(lib).H5Pset_chunk_opts(ctypes.c_int64(plist.id), 2) >= 0
        space = h5py.h5s.create_simple(x.shape)
        h5py.Dataset(h5py.h5d.create(f.id, b"edges", h5py.h5t.IEEE_F32LE, space, plist))[...] = x


def write_sparse(path):
    """Arrays of chunks that are large enough for pages, most of which are not in use."""
    with h5py.File(path, "w", libver="latest") as f:
        for name, size, at, more in [
            ("fixed", 2100, [1030, 2099], {}),
            ("fixedgzip", 2100, [5, 2050], {"compression": "gzip"}),
            ("grows", 200_000, [0, 3, 4, 100, 150_000, 199_999], {"maxshape": (None,)}),
            ("growsgzip", 140_000, [7, 139_999], {"maxshape": (None,), "compression": "gzip"}),
        ]:
            d = f.create_dataset(name, (size,), "u1", chunks=(1,), **more)
            for i in at:
                d[i] = 1 + i % 255
    with h5py.File(path, "r") as f, open(path.removesuffix(".h5") + ".json", "w") as out:
        tell = {k: {"length": len(d), "at": np.flatnonzero(d[()]).tolist(), "values": d[()][d[()] != 0].tolist()} for k, d in f.items()}
        json.dump(tell, out, separators=(",", ":"), sort_keys=True)
        out.write("\n")
    with open(path, "rb") as f, open(path + ".gz", "wb") as out:
        out.write(gzip.compress(f.read(), mtime=0))  # most of it is bytes without meaning
    os.remove(path)


def write_arrays(path):
    """Elements that are arrays, and attributes that are too large for a header."""
    with h5py.File(path, "w", libver="latest") as f:
        t = np.dtype(("<f4", (2, 3)))
        x = np.arange(24, dtype="f4").reshape(4, 2, 3)
        for name, more in ("plain", {}), ("chunks", {"chunks": (3,), "compression": "gzip"}):
            d = f.create_dataset(name, (4,), t, **more)
            d[...] = x
        d = f.create_dataset("scalar", (), np.dtype((">i2", (3,))))
        d[()] = np.array([1, -2, 300])
        f.create_dataset("holes", (4,), np.dtype(("i1", (2,))), chunks=(1,))[2] = [5, 6]
        f.attrs.create("array", np.arange(4, dtype="i4").reshape(2, 2), (2,), np.dtype(("<i4", (2,))))
        g = f.create_group("attrs")
        for i in range(9):
            g.attrs[f"a{i}"] = i
        g.attrs["large"] = np.bytes_("large" * 1000)
        g.attrs["larger"] = np.arange(600, dtype="i8")


def write_new(path, libver, track_order=False):
    with h5py.File(path, "w", libver=libver, track_order=track_order) as f:
        f.attrs["name"] = "new"
        few = f.create_group("few", track_order=track_order)
        few["b"] = np.arange(3, dtype="f4")
        few["a"] = np.arange(3, dtype="f8")
        few.create_group("c")
        many = f.create_group("many", track_order=track_order)
        many["n00"] = np.arange(2, dtype="i8")
        for i in range(1, 11):
            many[f"n{i:02d}" + "x" * (i % 13)] = many["n00"]
        attrs = f.create_group("attrs", track_order=track_order).attrs
        for i in range(10):
            attrs[f"a{i:02d}"] = np.arange(i, dtype="i4") if i % 2 else "v" * i


def write_wide(path, links=60, name="n{:05d}"):
    """Enough dense links for a fractal heap of indirect blocks and a B-tree of two levels."""
    with h5py.File(path, "w", libver="latest") as f:
        g = f.create_group("wide")
        g["a"] = np.int8(1)
        for i in range(1, links):
            g[name.format(i)] = g["a"]


def write_places(path):
    """Compact data, a user block, and a header that grew after it was made."""
    with h5py.File(path, "w", userblock_size=512) as f:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((3,))
        h5py.Dataset(h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F32LE, space, plist))[...] = [1, 2, 3]
        f["number"] = np.float64(2.5)
        for i in range(30):
            f["number"].attrs[f"a{i}"] = i


def write_refused(path):
    with h5py.File(path, "w") as f:
        f["good"] = np.arange(3, dtype="f4")
        f["soft"] = h5py.SoftLink("/good")
        f["away"] = h5py.ExternalLink("other.h5", "/x")
        f["compound"] = np.zeros(2, dtype=[("a", "f4"), ("b", "i4")])
        f["complex"] = np.zeros(2, dtype="c8")
        f["reference"] = np.array([f["good"].ref], dtype=h5py.ref_dtype)
        f["pairs"] = np.zeros(2, dtype=[("a", "f4", (2,))])
        f.create_dataset("lzf", data=np.zeros(99), compression="lzf")
        f.create_dataset("outside", (3,), "f4", external=[("other.bin", 0, 12)])
        f["type"] = np.dtype("f4")
        f.create_dataset("named", (2,), dtype=f["type"])
        layout = h5py.VirtualLayout(shape=(3,), dtype="f4")
        layout[:] = h5py.VirtualSource("other.h5", "x", shape=(3,))
        f.create_virtual_dataset("virtual", layout)
        g = f.create_group("circle")
        g["again"] = g


def make(folder):
    os.makedirs(folder, exist_ok=True)
    at = lambda name: os.path.join(folder, name)
    write_types(at("types.h5"))
    write_many(at("many.h5"))
    write_chunks(at("chunks.h5"), "earliest")
    write_chunks(at("chunks_latest.h5"), "latest")
    write_new(at("new.h5"), ("v108", "v108"))
    write_new(at("new_tracked.h5"), "earliest", track_order=True)
    write_wide(at("wide.h5"))
    write_places(at("places.h5"))
    write_refused(at("refused.h5"))
    write_indexes(at("indexes.h5"))
    write_sparse(at("sparse.h5"))
    write_arrays(at("arrays.h5"))
    for name in "types", "many", "chunks", "chunks_latest", "new", "wide", "places", "indexes", "arrays":
        write_json(at(name + ".h5"))
    repack(at)
    assert describe(at("new_tracked.h5")) == describe(at("new.h5"))


def repack(at):
    """What h5repack makes of files: the same values in other structures."""
    for source, name, options in [
        ("types", "types_repacked", ["-L"]),
        ("keras.weights", "keras_repacked", ["-f", "SHUF", "-f", "GZIP=9", "-m", "8"]),
        ("keras_legacy", "keras_legacy_repacked", ["-L", "-f", "GZIP=1", "-f", "FLET", "-m", "8"]),
    ]:
        subprocess.run(["h5repack", *options, at(source + ".h5"), at(name + ".h5")], check=True)
        assert describe(at(name + ".h5")) == describe(at(source + ".h5")), name


def write_json(path):
    with open(path.removesuffix(".h5") + ".json", "w") as f:
        json.dump(describe(path), f, indent=None, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        f.write("\n")


def keras_files(folder):
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    import keras

    def fitted(name, optimizer, hidden):
        keras.utils.set_random_seed(1)  # before layers are made: their initializers draw seeds
        model = keras.Sequential([keras.layers.Input((3, 1)), *hidden(), keras.layers.Dense(1)])
        model.compile(optimizer=optimizer, loss="mse")
        model.fit(np.zeros((2, 3, 1), "f4"), np.ones((2, 1), "f4"), epochs=1, verbose=0)
        return model, os.path.join(folder, name)

    model, weights = fitted("keras.weights.h5", "rmsprop", lambda: [keras.layers.GRU(1)])
    model.save_weights(weights)
    model, legacy = fitted("keras_legacy.h5", "sgd", lambda: [keras.layers.LSTM(2), keras.layers.Dropout(0.5)])
    model.save(legacy)
    for path in weights, legacy:
        write_json(path)


def edit(path):
    """Changes a file as h5py would change its own, and reads it again."""
    before = describe(path)
    with h5py.File(path, "a") as f:
        groups = [name for name, item in before.items() if "type" not in item]
        for name in groups:
            g = f[name]
            keys = [key for key in g if isinstance(g[key], h5py.Dataset)]
            for i in range(20):
                g[f"added{i:02d}"] = np.full(3, i, "f4")
                g.attrs[f"added{i:02d}"] = "x" * i
            for key in keys[::3]:
                del g[key]
        for name, item in before.items():
            if name in f and item.get("type") == "float32" and item["values"]:
                f[name][...] = 1
    after = describe(path)
    for name in groups:
        if name in after:
            for i in range(20):
                at = name.rstrip("/") + f"/added{i:02d}"
                assert after[at]["values"] == [i] * 3, at
                assert after[name]["attrs"][f"added{i:02d}"]["values"] == ["x" * i], at
    print(len(groups), "groups changed")


def main():
    mode, args = sys.argv[1], sys.argv[2:]
    if mode == "make":
        make(args[0])
    elif mode == "keras":
        keras_files(args[0])
    elif mode == "describe":
        json.dump([describe(path) for path in args], sys.stdout)
    elif mode == "large":
        # Three levels of the B-tree, and indirect blocks in indirect blocks.
        write_wide(args[0], links=20000, name="n{:05d}" + "long" * 10)
    elif mode == "edit":
        edit(args[0])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
