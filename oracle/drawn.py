"""Draws models and asks Keras what they compute: random stacks of layers with random arguments, masks, branches, heads, losses and optimizers.

    oracle/.venv/bin/python oracle/drawn.py FOLDER [--forward 300] [--train 120] [--first 0] [--only N]

Model n is drawn from the seed SEED + n, so that a run can be made again, and one model alone (--only). FOLDER gets <n>.keras and <n>.npz, laid out as graphs.py
says; the first --train models are trained, the others predict; more are drawn until every argument of every layer is in LEAST. Of training `meta.tol` has for losses, logs and after/<n> ten times what becomes of weights that are
changed in the last bit: where a gradient is zero but for rounding, some optimizers step by its sign. At the end the script prints how many models have each argument of each layer at a value that is not its
default. FOLDER lies outside the repository: `make drawn`, which runs the comparison.
"""

import argparse
import collections
import json
import pathlib
import sys

import graphs
import keras
import npz
import numpy as np
from keras import constraints, initializers, layers, losses, optimizers, regularizers

SEED = 20_000
LEAST = 3
ACTIVATIONS = ["tanh", "relu", "sigmoid", "hard_sigmoid", "elu", "selu", "softplus", "softsign", "linear", "silu", "gelu", "exponential", "leaky_relu", "relu6", "mish", "log_sigmoid", "hard_silu", "celu", "hard_tanh", "tanh_shrink", "soft_shrink", "squareplus"]
TAME = ["tanh", "sigmoid", "hard_sigmoid", "softsign", "hard_tanh"]  # bounded: a state that they make does not run away
INITIALIZERS = ["glorot_uniform", "glorot_normal", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "orthogonal", "random_normal", "random_uniform", "truncated_normal", "variance_scaling"]


class Draw:
    """One model's dice, and what they have shown."""

    def __init__(self, seed, train):
        self.rng = np.random.default_rng(seed)
        self.train = train
        self.seen = set()
        self.decay = False

    def one(self, values):
        return values[self.rng.integers(len(values))]

    def chance(self, p=0.5):
        return bool(self.rng.random() < p)

    def between(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def real(self, low, high):
        return float(np.round(self.rng.uniform(low, high), 3))

    def arguments(self, **choices):
        """Some of the arguments, each drawn by its function; most models have few of them."""
        part = self.one([0.1, 0.3, 0.6])
        return settled({k: draw() for k, draw in choices.items() if self.chance(part)})

    def made(self, cls, **given):
        """The layer, counted by what is not its default."""
        layer = cls(**given)
        self.note(cls.__name__, given)
        return layer

    def note(self, name, given):
        self.seen.add((name, ""))
        self.seen.update((name, k) for k, v in given.items() if not isinstance(v, keras.layers.Layer) or k in ("backward_layer",))


def weight_arguments(d, *names):
    """Initializers, regularizers and constraints of the weights of a layer."""
    choices = {}
    for name in names:
        small = name == "bias"
        choices[f"{name}_initializer"] = (lambda: d.one(["ones", "random_normal", "random_uniform"])) if small else (lambda: d.one(INITIALIZERS))
        choices[f"{name}_regularizer"] = lambda: d.one([regularizers.L1(0.01), regularizers.L2(0.02), regularizers.L1L2(0.01, 0.01)])
        choices[f"{name}_constraint"] = lambda: d.one([constraints.MaxNorm(1.0), constraints.NonNeg(), constraints.UnitNorm(), constraints.MinMaxNorm(0.2, 1.1)])
    return choices


def settled(given):
    """Where a constraint makes zeros, the derivative of L1 is what each backend of Keras takes it for."""
    for k, v in given.items():
        if k.endswith("_constraint") and isinstance(v, constraints.NonNeg):
            r = k.replace("_constraint", "_regularizer")
            if r in given:
                given[r] = regularizers.L2(0.02)
    return given


def activity(d):
    return lambda: d.one([regularizers.L1(0.01), regularizers.L2(0.01)])


def cell_arguments(d, kind):
    choices = {"activation": lambda: d.one(TAME), "use_bias": lambda: False} | weight_arguments(d, "kernel", "recurrent", "bias")
    del choices["recurrent_constraint"]
    choices["recurrent_constraint"] = lambda: d.one([constraints.MaxNorm(1.0), constraints.UnitNorm()])
    if kind != "SimpleRNN":
        choices["recurrent_activation"] = lambda: d.one(["sigmoid", "hard_sigmoid", "tanh", "softsign"])
    if kind == "LSTM":
        choices["unit_forget_bias"] = lambda: False
    if kind == "GRU":
        choices["reset_after"] = lambda: False
    if not d.train:
        choices["dropout"] = choices["recurrent_dropout"] = lambda: d.real(0.1, 0.5)
    given = d.arguments(**choices)
    if given.get("use_bias") is False:
        for k in ("bias_regularizer", "bias_constraint", "bias_initializer"):
            given.pop(k, None)
    return given


def walk_arguments(d, sequences, bidirectional=False):
    choices = {"zero_output_for_mask": lambda: True, "unroll": lambda: True}
    if not bidirectional:
        choices["go_backwards"] = lambda: True
    given = d.arguments(**choices)
    # A Bidirectional that returns sequences has zero_output_for_mask always.
    zeros = bidirectional and sequences or given.get("go_backwards", False) and given.get("zero_output_for_mask", False)
    if d.open or zeros:
        # Keras on TensorFlow, where it unrolls a walk backwards, takes the mask for the zeros in the other direction; on JAX it does not.
        given.pop("unroll", None)
    if sequences:
        given["return_sequences"] = True
    return given


CELLS = {"SimpleRNN": layers.SimpleRNNCell, "LSTM": layers.LSTMCell, "GRU": layers.GRUCell}
LAYERS = {"SimpleRNN": layers.SimpleRNN, "LSTM": layers.LSTM, "GRU": layers.GRU}


def simple(d, sequences, units=None, bidirectional=False):
    kind = d.one(list(LAYERS))
    given = cell_arguments(d, kind) | walk_arguments(d, sequences, bidirectional)
    if d.chance(0.15):
        given["activity_regularizer"] = activity(d)()
    return d.made(LAYERS[kind], units=units or d.between(1, 9), **given)


def rnn(d, sequences):
    cells = []
    for _ in range(d.between(1, 3)):
        kind = d.one(list(CELLS))
        given = cell_arguments(d, kind)
        d.note(CELLS[kind].__name__, given)
        cells.append(CELLS[kind](d.between(2, 6), **given))
    d.seen.add(("RNN", "list of cells" if len(cells) > 1 else "one cell"))
    return d.made(layers.RNN, cell=cells if len(cells) > 1 else cells[0], **walk_arguments(d, sequences))


def bidirectional(d, sequences):
    mode = d.one(["concat", "sum", "mul", "ave"])
    units = d.between(2, 6)
    given = {"merge_mode": mode} if mode != "concat" else {}
    forward = simple(d, sequences, units, True)
    if d.chance(0.3):
        kind = d.one(list(LAYERS))
        own = cell_arguments(d, kind) | ({"return_sequences": True} if sequences else {})
        if forward.zero_output_for_mask:
            own["zero_output_for_mask"] = True
        d.note(kind, own)
        given["backward_layer"] = LAYERS[kind](units, go_backwards=True, **own)
    return d.made(layers.Bidirectional, layer=forward, **given)


def recurrent(d, sequences):
    return d.one([simple, simple, simple, rnn, bidirectional, bidirectional])(d, sequences)


def dense(d, activation=None, units=None):
    given = d.arguments(use_bias=lambda: False, **weight_arguments(d, "kernel", "bias"))
    if given.get("use_bias") is False:
        for k in ("bias_regularizer", "bias_constraint", "bias_initializer"):
            given.pop(k, None)
    if activation is None and d.chance():
        activation = d.one(ACTIVATIONS)
    if activation:
        given["activation"] = activation
    if d.chance(0.1):
        given["activity_regularizer"] = activity(d)()
    return d.made(layers.Dense, units=units or d.between(2, 8), **given)


def conv(d):
    given = d.arguments(padding=lambda: d.one(["same", "causal"]), activation=lambda: d.one(ACTIVATIONS), use_bias=lambda: False, **weight_arguments(d, "kernel", "bias"))
    if given.get("use_bias") is False:
        for k in ("bias_regularizer", "bias_constraint", "bias_initializer"):
            given.pop(k, None)
    if d.chance(0.25):
        given["strides"] = 2
    elif d.chance(0.25):
        given["dilation_rate"] = 2
    return d.made(layers.Conv1D, filters=d.between(2, 6), kernel_size=d.between(1, 2), **given)


def normalization(d):
    if d.chance():
        return d.made(layers.LayerNormalization, **d.arguments(epsilon=lambda: 0.01, center=lambda: False, scale=lambda: False, beta_initializer=lambda: "random_normal", gamma_initializer=lambda: "random_uniform", beta_regularizer=lambda: regularizers.L2(0.01), gamma_regularizer=lambda: regularizers.L1(0.01), beta_constraint=lambda: constraints.NonNeg(), gamma_constraint=lambda: constraints.NonNeg()))
    return d.made(layers.BatchNormalization, **d.arguments(momentum=lambda: 0.8, epsilon=lambda: 0.01, center=lambda: False, scale=lambda: False, beta_initializer=lambda: "random_normal", gamma_initializer=lambda: "random_uniform", moving_mean_initializer=lambda: "random_normal", moving_variance_initializer=lambda: "ones", beta_regularizer=lambda: regularizers.L2(0.01), gamma_regularizer=lambda: regularizers.L1(0.01)))


def noise(d):
    rate = d.real(0.1, 0.6)
    if d.train:
        return d.made(layers.Dropout, rate=0.0)
    return d.one([lambda: d.made(layers.Dropout, rate=rate), lambda: d.made(layers.SpatialDropout1D, rate=rate), lambda: d.made(layers.GaussianNoise, stddev=rate), lambda: d.made(layers.GaussianDropout, rate=rate)])()


def pooling(d):
    cls = d.one([layers.MaxPooling1D, layers.AveragePooling1D])
    return d.made(cls, pool_size=2, **d.arguments(strides=lambda: d.between(1, 2), padding=lambda: "same"))


def attention(d, x, y):
    kind = d.between(0, 2)
    if kind == 2:
        given = d.arguments(use_bias=lambda: False, value_dim=lambda: 3, output_shape=lambda: 5, **weight_arguments(d, "kernel", "bias"))
        if given.get("use_bias") is False:
            for k in ("bias_regularizer", "bias_constraint", "bias_initializer"):
                given.pop(k, None)
        layer = d.made(layers.MultiHeadAttention, num_heads=d.between(1, 3), key_dim=d.between(2, 4), **given)
        causal = d.chance(0.3)
        d.seen.update({("MultiHeadAttention", "use_causal_mask")} if causal else set())
        return layer(x, y, **({"use_causal_mask": True} if causal else {}))
    if x.shape[-1] != y.shape[-1]:
        y = d.made(layers.Dense, units=x.shape[-1])(y)
    if kind == 0:
        layer = d.made(layers.Attention, **d.arguments(use_scale=lambda: True, score_mode=lambda: "concat"))
    else:
        layer = d.made(layers.AdditiveAttention, **d.arguments(use_scale=lambda: False))
    return layer([x, y])


def merged(d, x, y):
    """Two sequences as one."""
    if d.chance(0.3):
        return d.made(layers.Concatenate, **d.arguments(axis=lambda: -1))([x, y])
    if x.shape[-1] != y.shape[-1]:
        y = d.made(layers.Dense, units=x.shape[-1])(y)
    return d.made(d.one([layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum]))([x, y])


def block(d, x):
    """One more layer on a sequence; a sequence again."""
    kind = d.between(0, 15)
    if kind < 6:
        return recurrent(d, True)(x)
    if kind == 6:
        inner = d.one([lambda: dense(d), lambda: normalization(d), lambda: d.made(layers.Activation, activation=d.one(ACTIVATIONS))])()
        return d.made(layers.TimeDistributed, layer=inner)(x)
    if kind == 7:
        return conv(d)(x)
    if kind == 8:
        return normalization(d)(x)
    if kind == 9:
        return noise(d)(x)
    if kind == 10:
        return pooling(d)(x)
    if kind == 11:
        return merged(d, x, recurrent(d, True)(x))
    if kind == 12:
        return attention(d, x, recurrent(d, True)(x) if d.chance() else x)
    if kind == 13:
        return d.made(layers.Activation, activation=d.one(ACTIVATIONS + ["softmax"]))(x)
    if kind == 14:
        return d.made(layers.Rescaling, scale=d.real(0.3, 1.5), **d.arguments(offset=lambda: d.real(-1, 1)))(x)
    return dense(d)(x)


def end(d, x):
    """A sequence's summary: rows."""
    kind = d.between(0, 11)
    if kind < 7:
        return recurrent(d, False)(x)
    if kind == 7:
        return d.made(layers.GlobalMaxPooling1D)(x)
    if kind == 8:
        return d.made(layers.GlobalAveragePooling1D)(x)
    if kind == 9 and not d.open:
        return d.made(layers.Flatten)(x)
    if kind == 10 and not d.open:
        return d.made(layers.Reshape, target_shape=(-1,))(d.made(layers.Permute, dims=(2, 1))(x))
    h = layers.LSTM(d.between(2, 5), return_state=True)
    d.note("LSTM", {"return_state": True})
    _, state, carry = h(x)
    again = d.made(layers.RepeatVector, n=d.between(2, 4))(state)
    d.seen.add(("LSTM", "initial_state"))
    return d.made(layers.LSTM, units=h.units)(again, initial_state=[state, carry])


def sequence(d):
    """An input, its data, and the first sequence."""
    rows, steps = d.rows, d.between(4, 8)
    if d.chance(0.6):
        vocabulary = d.between(8, 30)
        padding = d.one(["none", "left", "right", "holes"])
        given = d.arguments(embeddings_initializer=lambda: d.one(INITIALIZERS), embeddings_regularizer=lambda: regularizers.L2(0.01), embeddings_constraint=lambda: constraints.MaxNorm(0.5))
        if padding != "none" or d.chance(0.2):
            given["mask_zero"] = True
        x = keras.Input((None if d.open else steps,), dtype="int32")

        def draw(rng):
            v = rng.integers(1, vocabulary, (rows, steps)).astype(np.int32)
            for r, k in enumerate(rng.integers(0, steps + 1, rows)):
                if padding == "left":
                    v[r, :k] = 0
                if padding == "right":
                    v[r, steps - k :] = 0
            if padding == "holes":
                v[rng.random((rows, steps)) < 0.3] = 0
            return v

        return x, draw, d.made(layers.Embedding, input_dim=vocabulary, output_dim=d.between(2, 7), **given)(x)
    width = d.between(1, 5)
    x = keras.Input((None if d.open else steps, width))
    masked = d.chance(0.4)

    def draw(rng):
        v = rng.standard_normal((rows, steps, width)).astype(np.float32)
        if masked:
            v[rng.random((rows, steps)) < 0.3] = 0
        return v

    return x, draw, d.made(layers.Masking)(x) if masked else x


def head(d, x):
    """The last layer, and its loss."""
    kind = d.between(0, 3)
    if kind == 0:
        y = dense(d, d.one(["sigmoid", None, "sigmoid"]) or "linear", 1)(x)
        loss = losses.BinaryCrossentropy(from_logits=y._keras_history.operation.activation.__name__ != "sigmoid", label_smoothing=d.one([0.0, 0.0, 0.1]))
        return y, loss
    if kind == 1:
        n = d.between(2, 5)
        y = dense(d, "softmax", n)(x)
        return y, losses.SparseCategoricalCrossentropy()
    if kind == 2:
        n = d.between(2, 5)
        y = dense(d, "softmax", n)(x)
        return y, losses.CategoricalCrossentropy(label_smoothing=d.one([0.0, 0.1]))
    n = d.between(1, 4)
    y = dense(d, "linear", n)(x)
    return y, d.one([losses.MeanSquaredError, losses.MeanAbsoluteError, losses.Huber, losses.LogCosh])()


def optimizer(d):
    """One of the optimizers. Ftrl is not among them: it takes differences of nearly equal roots, so that rounding decides; it has goldens."""
    common = d.arguments(clipnorm=lambda: d.real(0.1, 1), global_clipnorm=lambda: d.real(0.1, 1), clipvalue=lambda: d.real(0.01, 0.2), weight_decay=lambda: d.real(0.001, 0.01), use_ema=lambda: True)
    clips = [k for k in ("clipnorm", "global_clipnorm", "clipvalue") if k in common]
    for k in clips[1:]:
        del common[k]
    rate = {"learning_rate": d.real(0.002, 0.02)}
    name, given = d.one(
        [
            ("SGD", d.arguments(momentum=lambda: 0.9, nesterov=lambda: True)),
            ("RMSprop", d.arguments(rho=lambda: 0.8, momentum=lambda: 0.5, centered=lambda: True)),
            ("Adam", d.arguments(beta_1=lambda: 0.8, beta_2=lambda: 0.99, amsgrad=lambda: True)),
            ("AdamW", {}),
            ("Adagrad", {}),
            ("Adadelta", {}),
            ("Adamax", {}),
            ("Nadam", {}),
            ("Lion", {}),
        ]
    )
    d.note(name, given | common)
    return getattr(optimizers, name)(**rate, **given, **common)


def model(d):
    d.rows, d.open = d.between(2, 6), d.chance()
    inputs, draws, values = [], [], []
    for _ in range(1 if d.chance(0.75) else 2):
        x, draw, v = sequence(d)
        inputs.append(x)
        draws.append(draw)
        for _ in range(d.between(0, 3)):
            if v.shape[1] is None or v.shape[1] >= 4:
                v = block(d, v)
        values.append(v)
    x = values[0]
    rows = [end(d, v) for v in values] if len(values) > 1 or d.chance(0.75) else []
    if len(rows) > 1:
        if rows[0].shape[-1] == rows[1].shape[-1] and d.chance():
            d.seen.add(("Dot", ""))
            x = d.made(layers.Concatenate)([layers.Dot(axes=-1, normalize=d.chance())(rows), rows[0]])
        else:
            x = d.made(layers.Concatenate)(rows)
    elif rows:
        x = rows[0]
    outs, found = [], []
    for _ in range(1 if d.chance(0.8) else 2):
        y, loss = head(d, x)
        outs.append(y)
        found.append(loss)
    return inputs, draws, outs, found


def write(n, folder, train):
    keras.backend.clear_session()
    keras.utils.set_random_seed(SEED + n)
    d = Draw(SEED + n, train)
    inputs, draws, outs, found = model(d)
    m = keras.Model(inputs, outs)
    rng = np.random.default_rng([SEED + n, 1])
    x = [draw(rng) for draw in draws]
    shapes = [np.asarray(o).shape for o in graphs.listed(m(graphs.only(x), training=False))]
    targets = [target(loss, shape) for loss, shape in zip(found, shapes, strict=True)]
    batches = {f"x{i}": v for i, v in enumerate(x)}
    if train:
        weights = [1.0, d.real(0.2, 2)] if len(outs) == 2 else None
        m.compile(optimizer(d), found, loss_weights=weights)
        for key, draw in (("xs", draws), ("ys", targets)):
            for i, f in enumerate(draw):
                batches[f"{key}{i}"] = np.stack([f(rng) for _ in range(3)])
        graphs.dense(m)
        for _ in range(2):  # so that the file has an optimizer that has come some way
            m.train_on_batch(graphs.only([f(rng) for f in draws]), graphs.only([f(rng) for f in targets]))
    file = folder / f"{n:03}.keras"
    m.save(file)
    meta, arrays = graphs.check(file, batches)
    if train:
        meta["tol"] = tolerances(file, batches, arrays, rng)
    meta |= {"name": f"{n:03}", "script": "oracle/drawn.py", "seed": SEED + n, "seen": sorted(map(list, d.seen))}
    npz.save(folder / f"{n:03}.npz", batches | arrays, meta)
    bad = [k for k, v in arrays.items() if not np.all(np.isfinite(v))]
    return d.seen, bad


def tolerances(file, batches, arrays, rng):
    """Ten times the difference that the last bit of the weights makes, the largest of three draws."""
    found = collections.defaultdict(float)
    for _ in range(3):
        nudge = lambda w: (w * (1 + 1.2e-7 * rng.integers(-1, 2, w.shape))).astype(w.dtype)
        for key, v in graphs.check(file, batches, nudge)[1].items():
            if key in ("losses", "logs") or key.startswith(("after/", "end")):
                found[key] = max(found[key], 10 * float(np.max(np.abs(v - arrays[key]), initial=0)))
    return found


def target(loss, shape):
    """Draws targets for an output of this shape."""
    if isinstance(loss, losses.BinaryCrossentropy):
        return lambda rng: rng.integers(0, 2, shape).astype(np.float32)
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        return lambda rng: rng.integers(0, shape[-1], shape[:-1]).astype(np.int32)
    if isinstance(loss, losses.CategoricalCrossentropy):
        return lambda rng: np.eye(shape[-1], dtype=np.float32)[rng.integers(0, shape[-1], shape[:-1])]
    return lambda rng: rng.standard_normal(shape).astype(np.float32)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--forward", type=int, default=300)
    p.add_argument("--train", type=int, default=120)
    p.add_argument("--first", type=int, default=0)
    p.add_argument("--only", type=int, default=None)
    a = p.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    counts = collections.Counter()

    def few():
        """The arguments of layers that too few models have."""
        return [f"{c} {k}".strip() for (c, k), v in sorted(counts.items()) if v < LEAST and not hasattr(optimizers, c)]

    def numbers():
        """The models' numbers; more than were asked for, where an argument is still rare."""
        if a.only is not None:
            yield a.only
            return
        n = a.first
        while n < a.first + a.train + a.forward or few() and n < a.first + a.train + a.forward + 200:
            yield n
            n += 1

    for n in numbers():
        try:
            seen, bad = write(n, a.folder, n < a.first + a.train)
        except Exception as e:  # Keras refuses some of what is drawn
            print(f"{n:03} not a model of Keras: {type(e).__name__}: {str(e).splitlines()[0][:150]}")
            for f in a.folder.glob(f"{n:03}.*"):
                f.unlink()
            continue
        if bad:
            print(f"{n:03} not finite: {bad}")
            for f in a.folder.glob(f"{n:03}.*"):
                f.unlink()
            continue
        counts.update(seen)
        if n % 20 == 0:
            print(n, flush=True)
    (a.folder / "counts.json").write_text(json.dumps({f"{c} {k}".strip(): v for (c, k), v in sorted(counts.items())}, indent=0))
    print(len(list(a.folder.glob("*.npz"))), "models;", len(counts), "arguments; of layers fewer than", LEAST, "times:", few())
    if a.only is None and few():
        sys.exit(1)


if __name__ == "__main__":
    main()
