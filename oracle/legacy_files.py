"""Writes testdata/legacy/<keras>_<model>.h5, small models saved in the legacy HDF5 form after two training steps, by Keras 3 as .keras too, and beside each a .npz of what
that Keras makes of it: predictions, and three more training steps. Run it with each Keras whose files are kept, in an environment of its own outside the repository:

    pip install tf-keras==2.15.1 tensorflow-cpu==2.15.1 'numpy<2'             # Python 3.11
    pip install keras==2.2.4 tensorflow==1.15.5 'h5py<3' 'protobuf<3.21' 'numpy<1.19'      # Python 3.7
    pip install keras==3.0.5 jax==0.4.30 jaxlib==0.4.30 'numpy<2'             # and 3.5.0; 3.10.0 and 3.15.1 with jax 0.10.2
    KERAS_BACKEND=jax python oracle/legacy_files.py [MODEL...]

Arrays of a .npz: x/i the inputs, out/i the outputs, xs/i and ys/i three batches more of inputs and targets, losses of the three, after/i the model's weights
in the order of the file afterwards. cudnn_*_weights.h5 are weights alone, of layers for cuDNN that no processor runs: their .npz has predictions by the layer
of the same equations into which that Keras loads them, and tf-keras alone makes them.
"""

import os
import pathlib
import sys
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

try:
    import tf_keras as keras

    FAMILY = "tf_keras"
except ImportError:
    import keras

    FAMILY = "keras"

layers, Model, Input = keras.layers, keras.models.Model, keras.layers.Input
VERSION = keras.__version__
MAJOR = int(VERSION.split(".")[0])
OLD = FAMILY == "keras" and MAJOR == 2  # of its own, not within TensorFlow
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "legacy"
STEPS = 3


def in_order(get_updates):
    """Keras 2.2 on TensorFlow 1 says of a step's updates no order: whether an optimizer reads the number of steps before it is counted up is chance. Count last."""

    def updates(self, loss, params):
        count, keras.backend.update_add = keras.backend.update_add, lambda x, by: (x, by)
        try:
            self.updates = get_updates(self, loss, params)
        finally:
            keras.backend.update_add = count
        with tf.control_dependencies(self.updates[1:]):
            self.updates[0] = count(*self.updates[0])
        return self.updates

    return updates


if OLD:
    import tensorflow as tf

    # Nor does it say that gradients are computed before the weights that they hang on change: with variables that are read once they are.
    tf.compat.v1.enable_resource_variables()
    for optimizer in (keras.optimizers.SGD, keras.optimizers.RMSprop, keras.optimizers.Adam):
        optimizer.get_updates = in_order(optimizer.get_updates)


def ids(shape, high, rng):
    x = rng.integers(1, high, shape) if hasattr(rng, "integers") else rng.randint(1, high, shape)
    for row in range(1, shape[0]):
        x[row, : row % shape[1]] = 0
    return x.astype(np.int32)


def lecture():
    m = keras.models.Sequential()
    m.add(layers.Embedding(20, 4, input_length=6) if MAJOR == 2 else layers.Embedding(20, 4))
    m.add(layers.SimpleRNN(5))
    m.add(layers.Dense(1, activation="sigmoid"))
    return m, [lambda n, r: ids((n, 6), 20, r)], ["binary"], "rmsprop", "binary_crossentropy"


def gates():
    m = keras.models.Sequential()
    m.add(layers.Embedding(20, 4, mask_zero=True))
    m.add(layers.Bidirectional(layers.LSTM(3, return_sequences=True, recurrent_activation="hard_sigmoid", kernel_regularizer=keras.regularizers.l2(0.01))))
    m.add(layers.Dropout(0.0))
    m.add(layers.GRU(4, recurrent_initializer="glorot_uniform", go_backwards=True))
    m.add(layers.Dense(3, activation="softmax", kernel_constraint=keras.constraints.MaxNorm(2.0)))
    return m, [lambda n, r: ids((n, 5), 20, r)], [3], keras.optimizers.Adam(0.01), "categorical_crossentropy"


def around():
    m = keras.models.Sequential()
    m.add(layers.Conv1D(4, 2, activation="relu", padding="same", input_shape=(6, 3)) if MAJOR == 2 else layers.InputLayer(shape=(6, 3)))
    if MAJOR == 3:
        m.add(layers.Conv1D(4, 2, activation="relu", padding="same"))
    m.add(layers.BatchNormalization())
    m.add(layers.MaxPooling1D(2))
    m.add(layers.TimeDistributed(layers.Dense(3, activation="tanh")))
    if MAJOR == 2 and not OLD or MAJOR == 3:
        m.add(layers.LayerNormalization())
    m.add(layers.GRU(3, reset_after=True))
    m.add(layers.Dense(2))
    m.layers[-2].trainable = False
    # Keras 3 has SGD's momentum in its state, the others too.
    return m, [lambda n, r: r.standard_normal((n, 6, 3)).astype(np.float32)], [2], keras.optimizers.SGD(0.05, momentum=0.9), "mse"


def graph():
    words, numbers = Input((5,), name="words"), Input((2,), name="numbers")
    table = layers.Embedding(20, 4, name="table")
    sequence, h, c = layers.LSTM(3, return_sequences=True, return_state=True, name="encoder")(table(words))
    more = layers.LSTM(3, name="decoder")(sequence, initial_state=[h, c])
    tower_in = Input((3,), name="tower_in")
    tower = Model(tower_in, layers.Dense(2, activation="tanh", name="inner")(tower_in), name="tower")
    both = layers.Concatenate(name="both")([tower(more), tower(h), numbers])
    first = layers.Dense(1, activation="sigmoid", name="first")(both)
    second = layers.Dense(2, name="second")(layers.Add(name="sum")([tower(c), tower(more)]))
    m = Model([words, numbers], [first, second], name="graph")
    return m, [lambda n, r: ids((n, 5), 20, r), lambda n, r: r.standard_normal((n, 2)).astype(np.float32)], ["binary", 2], "adam", {"first": "binary_crossentropy", "second": "mse"}


def legacy_adam():
    m, x, y, _, loss = gates()
    return m, x, y, keras.optimizers.legacy.Adam(0.01), loss


def legacy_rmsprop():
    # Without an embedding: with momentum this optimizer leaves rows alone that a batch did not read.
    m, x, y, _, loss = around()
    return m, x, y, keras.optimizers.legacy.RMSprop(0.01, momentum=0.5, centered=True), loss


def targets(kind, n, r):
    if kind == "binary":
        return (r.random_sample((n, 1)) < 0.5).astype(np.float32)
    if kind == 3:
        return np.eye(3, dtype=np.float32)[r.randint(0, 3, n)]
    return r.standard_normal((n, kind)).astype(np.float32)


def one(list_):
    return list_[0] if len(list_) == 1 else list_


def weights(m):
    """Layer by layer, those that are trained first, as the files have them."""
    return [np.asarray(keras.backend.get_value(w) if MAJOR == 2 else w.numpy() if hasattr(w, "numpy") else w) for l in m.layers for w in l.trainable_weights + l.non_trainable_weights]


def write(name, make, prefix):
    keras.backend.clear_session()
    np.random.seed(zlib.crc32(name.encode()) % 2**31)
    r = np.random.RandomState(zlib.crc32(name.encode()) % 2**31)
    m, xs, ys, optimizer, loss = make()
    metrics = ["acc"] if len(ys) == 1 and loss != "mse" else ["mae"] if len(ys) == 1 else {"first": ["acc"]}
    m.compile(optimizer=optimizer, loss=loss, metrics=metrics)
    draw = lambda n: [x(n, r) for x in xs]
    goal = lambda n: [targets(y, n, r) for y in ys]
    for _ in range(2):
        m.train_on_batch(one(draw(4)), one(goal(4)))
    file = FOLDER / (prefix + "_" + name + ".h5")
    if MAJOR == 3:
        m.save(str(file.with_suffix(".keras")))
    try:
        m.save(str(file))
    except ValueError as e:  # Keras 3.0 has one name for several of an optimizer's variables
        file.unlink()
        print(file.name, e)
    arrays, x = {}, draw(4)
    out = m.predict(one(x), verbose=0)
    for i, a in enumerate(x):
        arrays["x/%d" % i] = a
    for i, a in enumerate(out if isinstance(out, list) else [out]):
        arrays["out/%d" % i] = np.asarray(a)
    batches, goals, losses = [draw(4) for _ in range(STEPS)], [goal(4) for _ in range(STEPS)], []
    if MAJOR == 2:
        m = keras.models.load_model(str(file))  # Keras 3 loads it too, but with an optimizer that is built for no weights, and trains no further
    for b, g in zip(batches, goals):
        if MAJOR == 3:
            m.reset_metrics()
        got = m.train_on_batch(one(b), one(g))
        losses.append(float(got[0] if isinstance(got, (list, tuple)) else got))
    if VERSION.startswith("3.0.") and getattr(m, "losses", None):
        print(name, "predicts only: Keras 3.0 on JAX counts what a weight's regularizer adds twice")
        xs, ys, losses = [], [], None
    for i in range(len(xs)):
        arrays["xs/%d" % i] = np.stack([b[i] for b in batches])
    for i in range(len(ys)):
        arrays["ys/%d" % i] = np.stack([g[i] for g in goals])
    if losses:
        arrays["losses"] = np.array(losses, np.float32)
        for i, w in enumerate(weights(m)):
            arrays["after/%d" % i] = w
    arrays["versions"] = np.frombuffer(("%s %s" % (FAMILY, VERSION)).encode(), np.uint8)
    np.savez(str(file.with_suffix(".npz")), **arrays)
    print(file.stem, losses)


def cudnn(prefix):
    """Weights of layers for cuDNN, and what the layers of the same equations predict with them."""
    import tensorflow as tf

    for name, fast, plain in [
        ("cudnn_lstm", tf.compat.v1.keras.layers.CuDNNLSTM(3), lambda: layers.LSTM(3)),
        ("cudnn_gru", tf.compat.v1.keras.layers.CuDNNGRU(3), lambda: layers.GRU(3, reset_after=True)),
    ]:
        r = np.random.RandomState(zlib.crc32(name.encode()) % 2**31)
        fast.build((None, 4, 2))
        m = keras.models.Sequential([Input((4, 2)), plain(), layers.Dense(1)])
        import h5py

        file = FOLDER / (prefix + "_" + name + "_weights.h5")
        values = [r.standard_normal(tuple(w.shape)).astype(np.float32) for w in fast.weights] + [r.standard_normal(tuple(w.shape)).astype(np.float32) for w in m.layers[-1].weights]
        with h5py.File(file, "w") as f:
            f.attrs["layer_names"] = [b"fast", b"dense"]
            f.attrs["backend"], f.attrs["keras_version"] = b"tensorflow", VERSION.encode()
            for group, names, arrays in [("fast", [b"kernel:0", b"recurrent_kernel:0", b"bias:0"], values[:3]), ("dense", [b"kernel:0", b"bias:0"], values[3:])]:
                g = f.create_group(group)
                g.attrs["weight_names"] = names
                for n, a in zip(names, arrays):
                    g.create_dataset(n.decode(), data=a)
        m.load_weights(str(file))
        x = r.standard_normal((3, 4, 2)).astype(np.float32)
        np.savez(str(FOLDER / (prefix + "_" + name + ".npz")), **{"x/0": x, "out/0": m.predict(x, verbose=0)})
        print(file.name)


def main():
    short = "".join(VERSION.split(".")[:2]) if not OLD else "".join(VERSION.split("."))
    prefix = {"tf_keras": "tf", "keras": "k"}[FAMILY] + short
    FOLDER.mkdir(parents=True, exist_ok=True)
    all_ = {"lecture": lecture, "gates": gates, "around": around, "graph": graph}
    if FAMILY == "tf_keras":
        all_.update(legacy_adam=legacy_adam, legacy_rmsprop=legacy_rmsprop)
    chosen = sys.argv[1:] or list(all_)
    for name in chosen:
        if name in all_:
            write(name, all_[name], prefix)
    if FAMILY == "tf_keras" and (not sys.argv[1:] or "cudnn" in chosen):
        cudnn(prefix)


main()
