"""Writes testdata/graphs/<name>.keras, functional models saved by Keras after two training steps, and beside each a <name>.npz of what Keras makes of
the file: predictions, and three more training steps.

    oracle/.venv/bin/python oracle/graphs.py [NAME…]
    oracle/.venv/bin/python oracle/graphs.py check FILE.keras BATCHES.npz OUT.npz    what Keras makes of a file of ours
    oracle/.venv/bin/python oracle/graphs.py check FOLDER BATCHES OUT                the same of all files of a folder; the others are folders too

An .npz holds `x<i>` (a batch of input i), `out<i>` (what output i is for it), and of three training steps, which the first axis counts, `xs<i>`,
`ys<i>`, and where rows or steps are weighted `ws<i>`; `losses`, `logs` (loss and metrics that evaluate tells after the steps for the first of their batches,
in the order of `meta.logs`), `after/<n>` (weights after the steps), and `end<i>` (output i for the batch x then). The gradient of an embedding's row is added up before it is squared (README.md). BATCHES.npz and OUT.npz of check hold the same.
"""

import io
import json
import os
import pathlib
import sys
import zlib

os.environ["COLUMNS"] = "200"  # of the terminal, in which summaries are written

import backend
import keras
import npz
import numpy as np
from keras import layers

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "graphs"
BEFORE, AFTER = 2, 3


def floats(*shape):
    return lambda rng: rng.standard_normal(shape).astype(np.float32)


def ids(rows, steps, vocabulary, padding=False):
    def draw(rng):
        x = rng.integers(1, vocabulary, (rows, steps)).astype(np.int32)
        if padding:
            for r, k in enumerate(rng.integers(0, steps, rows)):
                x[r, steps - k :] = 0
        return x

    return draw


def binary(*shape):
    return lambda rng: rng.integers(0, 2, shape).astype(np.float32)


def classes(n, *shape):
    return lambda rng: rng.integers(0, n, shape).astype(np.int32)


def weights(*shape):
    return lambda rng: rng.random(shape).astype(np.float32) + np.float32(0.25)


def two_inputs():
    words, numbers = keras.Input((None,), dtype="int32", name="words"), keras.Input((3,), name="numbers")
    text = layers.LSTM(5)(layers.Embedding(20, 4, mask_zero=True)(words))
    both = layers.Concatenate()([text, layers.Dense(4, activation="relu")(numbers)])
    model = keras.Model([words, numbers], layers.Dense(1, activation="sigmoid")(both))
    model.compile("rmsprop", "binary_crossentropy", metrics=["acc"], weighted_metrics=["mae"])
    return model, [ids(6, 7, 20, True), floats(6, 3)], [binary(6, 1)], [weights(6)]


def seq2seq():
    source, target = keras.Input((None,), dtype="int32", name="source"), keras.Input((None,), dtype="int32", name="target")
    embedding = layers.Embedding(15, 4, mask_zero=True)
    _, h, c = layers.LSTM(5, return_state=True)(embedding(source))
    decoded = layers.LSTM(5, return_sequences=True)(embedding(target), initial_state=[h, c])
    model = keras.Model([source, target], layers.Dense(15, activation="softmax")(decoded))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["acc"])
    return model, [ids(5, 6, 15, True), ids(5, 4, 15, True)], [classes(15, 5, 4)], [weights(5, 4)]


def seq2seq_masked():
    source, target = keras.Input((None,), dtype="int32", name="source"), keras.Input((None,), dtype="int32", name="target")
    embedding = layers.Embedding(15, 4, mask_zero=True)
    state = layers.GRU(5, return_state=True)(embedding(source))[1]
    x = embedding(target)
    decoded = layers.GRU(5, return_sequences=True)(x, initial_state=state, mask=embedding.compute_mask(target))
    model = keras.Model([source, target], layers.Dense(15)(decoded))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["acc"])
    return model, [ids(5, 6, 15, True), ids(5, 4, 15, True)], [classes(15, 5, 4)], None


def siamese():
    a, b = keras.Input((None,), dtype="int32", name="a"), keras.Input((None,), dtype="int32", name="b")
    tower = keras.Sequential([layers.Embedding(20, 4, mask_zero=True), layers.Bidirectional(layers.GRU(3)), layers.Dense(4, activation="tanh")], name="tower")
    u, v = tower(a), tower(b)
    alike = layers.Dense(1, activation="sigmoid", name="alike")(layers.Multiply()([u, v]))
    distance = layers.Dot(axes=1, normalize=True, name="cosine")([u, v])
    model = keras.Model([a, b], [alike, distance])
    model.compile("adam", {"alike": "binary_crossentropy", "cosine": "mse"}, loss_weights={"alike": 1.0, "cosine": 0.3}, metrics={"alike": ["acc"], "cosine": ["mae"]})
    return model, [ids(6, 7, 20, True), ids(6, 5, 20, True)], [binary(6, 1), floats(6, 1)], [weights(6), weights(6)]


def residual():
    x = keras.Input((None, 3))
    masked = layers.Masking()(x)
    wide = layers.Dense(8)(masked)
    both = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(wide)
    total = layers.Add()([wide, both])
    first = layers.SimpleRNN(4, name="first")(total)
    second = layers.Dense(2, activation="softmax", name="second")(layers.GlobalAveragePooling1D()(total))
    model = keras.Model(x, [first, second])
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"], metrics=[["mae"], ["acc"]])

    def sequences(rng):
        v = rng.standard_normal((5, 6, 3)).astype(np.float32)
        v[0, 4:], v[1, 2:] = 0, 0
        return v

    return model, [sequences], [floats(5, 4), classes(2, 5)], None


def attention():
    """Of two sequences, both masked; the scores of one attention are an output. Keras takes the masks off what it hands to a MultiHeadAttention, so nobody reads that later."""
    source, target = keras.Input((None,), dtype="int32", name="source"), keras.Input((None,), dtype="int32", name="target")
    read = layers.GRU(6, return_sequences=True)(layers.Embedding(15, 4, mask_zero=True)(source))
    written = layers.GRU(6, return_sequences=True)(layers.Embedding(15, 4, mask_zero=True)(target))
    seen, scores = layers.Attention(use_scale=True, name="seen")([written, read], return_attention_scores=True)
    heads = layers.MultiHeadAttention(2, 3, name="heads")(seen, read)
    itself = layers.MultiHeadAttention(2, 2, output_shape=4, name="itself")(query=heads, value=heads, use_causal_mask=True)
    both = layers.Concatenate()([itself, layers.AdditiveAttention()([itself, layers.Dense(4)(itself)])])
    model = keras.Model([source, target], [layers.Dense(15, activation="softmax", name="next")(both), scores])
    model.compile("adam", {"next": "sparse_categorical_crossentropy", "seen": "mse"}, loss_weights={"next": 1.0, "seen": 0.1}, metrics={"next": ["acc"]})
    return model, [ids(5, 6, 15, True), ids(5, 4, 15, True)], [classes(15, 5, 4), floats(5, 4, 6)], None


def nested():
    x = keras.Input((4,), name="x")
    inner_in = keras.Input((4,))
    hidden = layers.Dense(5, activation="tanh", kernel_regularizer="l2")(inner_in)
    inner = keras.Model(inner_in, [hidden, layers.Dense(4)(hidden)], name="inner")
    a, b = inner(x)
    c, d = inner(b)
    block = keras.Sequential([keras.Input((5,)), layers.Dense(3, activation="relu"), layers.BatchNormalization()], name="block")
    out = layers.Concatenate()([block(a), block(c), layers.Subtract()([x, d])])
    model = keras.Model(x, [out, inner(d)[1]])
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), ["mse", "mae"], loss_weights=[1.0, 2.0])
    return model, [floats(6, 4)], [floats(6, 10), floats(6, 4)], None


def read_on():
    """An output with a sigmoid that another layer reads: it is no logit any more."""
    x = keras.Input((None, 3))
    p = layers.Dense(1, activation="sigmoid", name="p")(layers.GRU(4)(x))
    q = layers.Dense(2, name="q")(p)
    model = keras.Model(x, [p, q])
    model.compile("sgd", ["binary_crossentropy", "mse"])
    return model, [floats(6, 5, 3)], [binary(6, 1), floats(6, 2)], None


def middle():
    """A model whose input is a value within another."""
    x = keras.Input((None, 3))
    y = layers.LSTM(4, return_sequences=True)(x)
    z = layers.LSTM(3)(y)
    model = keras.Model(y, z)
    model.compile("sgd", "mse")
    return model, [floats(4, 5, 4)], [floats(4, 3)], None


def ctc():
    """Labels without a time: repeated ones, a row without any, one that just fits."""
    x = keras.Input((None, 3))
    model = keras.Model(x, layers.Dense(4)(layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)))
    model.compile(keras.optimizers.SGD(0.1), keras.losses.CTC())

    def labels(rng):
        y = rng.integers(1, 4, (5, 4)).astype(np.int32)
        y[0], y[1, 2:], y[2] = 0, 0, [1, 1, 2, 2]
        return y

    return model, [floats(5, 7, 3)], [labels], None


def circle():
    """Rows of three classes, one of which has a single row."""
    x = keras.Input((None, 3))
    model = keras.Model(x, layers.Dense(4, activation="tanh")(layers.LSTM(4)(x)))
    model.compile(keras.optimizers.SGD(0.01), keras.losses.Circle(gamma=5, margin=0.3))
    return model, [floats(7, 5, 3)], [lambda rng: np.array([0, 1, 0, 1, 2, 1, 0], np.int32)], None


def attention_beside():
    """x + MultiHeadAttention(x): in Keras the mask of x is gone once the attention has read it."""
    ids_in = keras.Input((None,), dtype="int32")
    x = layers.Embedding(12, 4, mask_zero=True)(ids_in)
    total = layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x)])
    out = layers.Dense(1, activation="sigmoid")(layers.GRU(3)(layers.LSTM(4, return_sequences=True)(total)))
    model = keras.Model(ids_in, out)
    model.compile("sgd", "binary_crossentropy")
    return model, [ids(5, 6, 12, True)], [binary(5, 1)], None


def penalties():
    """An activity regularizer looks at every result of a layer, read or not."""
    x = keras.Input((None, 3))
    out, state, carry = layers.LSTM(4, return_state=True, activity_regularizer="l2")(x)
    model = keras.Model(x, layers.Dense(2)(layers.Add()([out, carry])))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model, [floats(5, 6, 3)], [floats(5, 2)], None


MODELS = {f.__name__: f for f in (two_inputs, seq2seq, seq2seq_masked, siamese, residual, attention, nested, read_on, middle, attention_beside, penalties, ctc, circle)}


def listed(v):
    return v if isinstance(v, (list, tuple)) else [v]


def numbered(arrays, name):
    return [arrays[f"{name}{i}"] for i in range(len(arrays)) if f"{name}{i}" in arrays]


def only(v):
    return v[0] if len(v) == 1 else v


def weights_of(model, prefix):
    return {f"{prefix}/{n}": np.asarray(w) for n, w in enumerate(model.get_weights())}


def dense(model):
    """Lets the optimizer see the gradients of embeddings as tensors, and the training run step by step, without compiling."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    model.run_eagerly = True
    apply = model.optimizer.apply
    model.optimizer.apply = lambda gradients, *rest: apply([tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in gradients], *rest)


def check(path, batches, nudge=None):
    """(meta, arrays) of what Keras makes of a file; nudge changes its weights first."""
    model = keras.models.load_model(path)
    if nudge:
        model.set_weights([nudge(w) for w in model.get_weights()])
    arrays = weights_of(model, "w")
    for i, out in enumerate(listed(model(only(numbered(batches, "x")), training=False))):
        arrays[f"out{i}"] = np.asarray(keras.ops.convert_to_numpy(out))
    meta = {"versions": backend.versions(), "backend": keras.backend.backend(), "weights": [w.path for w in model.weights]}
    xs, ys, ws = (numbered(batches, k) for k in ("xs", "ys", "ws"))
    if xs:
        dense(model)
        at = lambda arrays, n: only([a[n] for a in arrays]) if arrays else None
        losses = []
        for n in range(len(xs[0])):
            model.reset_metrics()
            losses.append(listed(model.train_on_batch(at(xs, n), at(ys, n), at(ws, n)))[0])
        arrays["losses"] = np.array(losses, np.float32)
        arrays |= weights_of(model, "after")
        for i, out in enumerate(listed(model(only(numbered(batches, "x")), training=False))):
            arrays[f"end{i}"] = np.asarray(keras.ops.convert_to_numpy(out))
        logs = model.evaluate(at(xs, 0), at(ys, 0), sample_weight=at(ws, 0), batch_size=len(xs[0][0]), verbose=0, return_dict=True)
        meta["logs"] = sorted(logs)
        arrays["logs"] = np.array([logs[k] for k in sorted(logs)], np.float32)
    return meta, arrays


def write(name):
    seed = zlib.crc32(name.encode())
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model, xs, ys, ws = MODELS[name]()
    batches = {f"x{i}": draw(rng) for i, draw in enumerate(xs)}
    dense(model)
    for n in range(BEFORE):
        model.train_on_batch(only([d(rng) for d in xs]), only([d(rng) for d in ys]), only([d(rng) for d in ws]) if ws else None)
    file = FOLDER / f"{name}.keras"
    model.save(file)
    for key, draws in (("xs", xs), ("ys", ys), ("ws", ws or [])):
        for i, draw in enumerate(draws):
            batches[f"{key}{i}"] = np.stack([draw(rng) for _ in range(AFTER)])
    meta, arrays = check(file, batches)
    text = io.StringIO()
    model.summary(print_fn=lambda line, **_: text.write(line + "\n"))
    meta |= {"name": name, "script": "oracle/graphs.py", "seed": seed, "summary": text.getvalue()}
    npz.save(FOLDER / f"{name}.npz", batches | arrays, meta)
    print(name, file.stat().st_size, (FOLDER / f"{name}.npz").stat().st_size, arrays["losses"])


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    if sys.argv[1:2] == ["check"]:
        file, batches, out = map(pathlib.Path, sys.argv[2:])
        if file.is_dir():
            jobs = [(f, batches / f"{f.stem}.npz", out / f"{f.stem}.npz") for f in sorted(file.glob("*.keras"))]
        else:
            jobs = [(file, batches, out)]
        for file, batches, out in jobs:
            keras.backend.clear_session()
            try:
                meta, arrays = check(file, npz.load(batches)[1])
            except Exception as e:
                sys.exit(f"{file}: {type(e).__name__}: {e}")
            npz.save(out, arrays, meta)
        return
    for name in sys.argv[1:] or MODELS:
        write(name)


if __name__ == "__main__":
    main()
