"""The list of golden cases: which model, which data, which loss, which optimizer. It computes nothing.

A case is plain data but for `layers`, which builds fresh Keras layers each time it is called. The files' names are the cases'
names, so renaming a case renames its file; seeds follow from the names.
"""

import dataclasses
import typing
import zlib

import numpy as np
from keras import constraints, initializers, layers, losses, optimizers, regularizers

STEPS = 10  # training steps recorded by every case


@dataclasses.dataclass(frozen=True)
class Floats:
    """A batch of float32 sequences (batch, steps, features), or plain rows (batch, features) when steps is None.

    hidden: a third of the steps hold this value alone, but not the first step of row 0 and the last of the others.
    """

    batch: int
    steps: int | None
    features: int
    scale: float = 1.0
    hidden: float | None = None
    dtype = "float32"

    def draw(self, rng):
        shape = (self.batch, self.features) if self.steps is None else (self.batch, self.steps, self.features)
        x = (self.scale * rng.standard_normal(shape)).astype(np.float32)
        if self.hidden is not None:
            hide = rng.random(shape[:2]) < 0.35
            hide[0, 0], hide[1:, -1] = False, False
            x[hide] = self.hidden
        return x

    def input_shape(self, static):
        if self.steps is None:
            return (self.features,)
        return (self.steps if static else None, self.features)


@dataclasses.dataclass(frozen=True)
class Ids:
    """A batch of id sequences (batch, steps) below vocabulary. padding says where the zeros are.

    full: ids from 0 upwards anywhere. left, right: 1.. with zeros before or after; one row has none and one has a single
    word. holes: zeros anywhere, row 0 all zeros (a fully masked row), row 1 with a zero first and last.
    """

    batch: int
    steps: int
    vocabulary: int
    padding: str = "full"
    dtype = "int32"

    def draw(self, rng):
        if self.padding == "full":
            return rng.integers(0, self.vocabulary, (self.batch, self.steps)).astype(np.int32)
        x = rng.integers(1, self.vocabulary, (self.batch, self.steps)).astype(np.int32)
        if self.padding == "holes":
            x[rng.random(x.shape) < 0.35] = 0
            x[1, 1] = 1
            x[0], x[1, 0], x[1, -1] = 0, 0, 0
            return x
        words = rng.integers(1, self.steps + 1, self.batch)
        words[0], words[1] = self.steps, 1
        for row, n in enumerate(words):
            if self.padding == "left":
                x[row, : self.steps - n] = 0
            else:
                x[row, n:] = 0
        return x

    def input_shape(self, static):
        return (self.steps if static else None,)


@dataclasses.dataclass(frozen=True)
class Case:
    group: str
    name: str
    layers: typing.Callable
    data: typing.Any = Floats(3, 5, 3)
    loss: typing.Any = "mse"
    optimizer: typing.Callable | None = None  # None: one of the three plain ones, by name
    initial: bool = False  # weights as the initializers gave them; otherwise every weight is moved by 0.1 of a normal draw
    scale: float = 1.0  # multiplies the last layer's kernel, to drive its activation into saturation
    train: bool = True  # False: only the inference output is recorded (dropout is random in training)
    static: bool = False  # the number of steps stands in the model
    rows: bool = False  # the number of rows stands in the model, as stateful layers ask for
    implicit: bool = False  # no Input layer: built by the first batch, as in the lecture
    signed: bool = False  # targets of a hinge are -1 and 1, not 0 and 1
    rank1: bool = False  # targets (batch,) against outputs (batch, 1)
    shipped: bool = False  # record also what train_on_batch itself does; see backend.train
    one_backend: str | None = None  # why the other backend is not asked
    recorded_on: str = "tensorflow"  # or "jax", where TensorFlow cannot

    @property
    def path(self):
        return f"{self.group}/{self.name}"

    @property
    def seed(self):
        return zlib.crc32(self.path.encode())

    def make_optimizer(self):
        if self.optimizer is not None:
            return self.optimizer()
        return (optimizers.SGD, optimizers.RMSprop, optimizers.Adam)[self.seed % 3]()

    def make_loss(self):
        return self.loss if isinstance(self.loss, str) else self.loss()

    def draw_targets(self, rng, output_shape):
        name = self.loss if isinstance(self.loss, str) else self.loss().name
        if name.startswith("mean_squared") or name == "mse":
            return rng.standard_normal(output_shape).astype(np.float32)
        if name in ("mean_absolute_error", "huber_loss", "log_cosh", "cosine_similarity"):
            return rng.standard_normal(output_shape).astype(np.float32)
        if name in ("mean_absolute_percentage_error", "mean_squared_logarithmic_error", "kl_divergence", "poisson", "dice", "tversky"):
            return rng.uniform(0.1, 1.5, output_shape).astype(np.float32)
        if name in ("hinge", "squared_hinge"):
            return rng.integers(0, 2, output_shape).astype(np.float32) * (1 + self.signed) - self.signed
        if name.startswith("binary"):
            y = rng.integers(0, 2, output_shape).astype(np.float32)
            return y[:, 0] if self.rank1 else y
        classes = rng.integers(0, output_shape[-1], output_shape[:-1]).astype(np.int32)
        if name.startswith("sparse") and getattr(self.make_loss(), "ignore_class", None) is not None:
            return np.where(rng.random(classes.shape) < 0.4, self.make_loss().ignore_class, classes).astype(np.int32)
        if name.startswith("sparse") or name == "categorical_generalized_cross_entropy":
            return classes
        return np.eye(output_shape[-1], dtype=np.float32)[classes]


def simple_rnn(units, **arguments):
    return layers.SimpleRNN(units, **arguments)


def lstm(units, **arguments):
    return layers.LSTM(units, **arguments)


def gru(units, **arguments):
    return layers.GRU(units, **arguments)


def gru_reset_before(units, **arguments):
    return layers.GRU(units, reset_after=False, **arguments)


RECURRENT = {"simple_rnn": simple_rnn, "lstm": lstm, "gru": gru, "gru_reset_before": gru_reset_before}
MASKS = ("left", "right", "holes")
ACTIVATIONS = (
    "relu relu6 leaky_relu elu selu celu gelu silu hard_silu softplus softsign tanh hard_tanh tanh_shrink soft_shrink "
    "hard_shrink sigmoid hard_sigmoid log_sigmoid mish exponential squareplus sparse_plus sparse_sigmoid softmax "
    "log_softmax"
).split()


def dense_1():
    return layers.Dense(1, activation="sigmoid")


def embedding_cases():
    bce = "binary_crossentropy"
    yield Case("embedding", "alone", lambda: [layers.Embedding(11, 3)], Ids(3, 5, 11))
    yield Case("embedding", "one_step", lambda: [layers.Embedding(4, 7)], Ids(1, 1, 4))
    yield Case("embedding", "dense", lambda: [layers.Embedding(9, 4), layers.Dense(2)], Ids(3, 4, 9))
    yield Case("embedding", "mask_zero_dense", lambda: [layers.Embedding(9, 4, mask_zero=True), layers.Dense(2)], Ids(4, 5, 9, "holes"))
    yield Case("embedding", "repeated_ids", lambda: [layers.Embedding(3, 5), lstm(4), dense_1()], Ids(5, 13, 3), bce)
    yield Case("embedding", "frozen", lambda: [layers.Embedding(9, 4, trainable=False), simple_rnn(3), dense_1()], Ids(3, 5, 9), bce)
    for name, initializer in (("ones", "ones"), ("constant", initializers.Constant(0.25)), ("normal", initializers.RandomNormal(0.1, 0.2, seed=3))):
        yield Case("embedding", f"initializer_{name}", lambda i=initializer: [layers.Embedding(5, 3, embeddings_initializer=i)], Ids(2, 3, 5), initial=True)


def recurrent_cases():
    sizes = ((1, 1, 1, 1), (3, 5, 3, 2), (7, 13, 8, 1), (17, 5, 3, 4), (33, 5, 2, 3))  # units, steps, batch, features
    activations = {
        "simple_rnn": "relu linear hard_sigmoid softmax".split(),
        "lstm": "relu linear softsign".split(),
        "gru": "relu linear".split(),
        "gru_reset_before": "relu linear".split(),
    }
    gates = {"simple_rnn": (), "lstm": ("hard_sigmoid", "tanh"), "gru": ("hard_sigmoid",), "gru_reset_before": ("hard_sigmoid",)}
    for kind, layer in RECURRENT.items():
        for u, t, b, f in sizes if kind == "simple_rnn" else sizes[:-1]:
            yield Case(kind, f"units{u}_steps{t}_batch{b}_features{f}", lambda l=layer, u=u: [l(u)], Floats(b, t, f))
        yield Case(kind, "go_backwards", lambda l=layer: [l(4, go_backwards=True)])
        yield Case(kind, "no_bias", lambda l=layer: [l(4, use_bias=False, return_sequences=True)])
        yield Case(kind, "dropout_inference", lambda l=layer: [l(4, dropout=0.3, recurrent_dropout=0.2)], train=False)
        if kind != "gru_reset_before":
            yield Case(kind, "batch1", lambda l=layer: [l(5), dense_1()], Floats(1, 13, 3), "binary_crossentropy")
            yield Case(kind, "go_backwards_return_sequences", lambda l=layer: [l(4, go_backwards=True, return_sequences=True)])
        if kind in ("simple_rnn", "lstm"):
            yield Case(kind, "return_sequences", lambda l=layer: [l(4, return_sequences=True)])
            yield Case(kind, "initializers", lambda l=layer: [l(4, kernel_initializer="ones", recurrent_initializer="zeros", bias_initializer=initializers.Constant(0.5))], Floats(3, 4, 2), initial=True)
        for name in activations[kind]:
            yield Case(kind, f"activation_{name}", lambda l=layer, a=name: [l(4, activation=a, return_sequences=True)], Floats(3, 4, 2))
        for name in gates[kind]:
            yield Case(kind, f"recurrent_activation_{name}", lambda l=layer, a=name: [l(4, recurrent_activation=a, return_sequences=True)], Floats(3, 4, 2))
    yield Case("gru", "unrolled", lambda: [gru(4, unroll=True)], static=True)
    yield Case("lstm", "unrolled", lambda: [lstm(4, unroll=True)], static=True)
    yield Case("lstm", "no_unit_forget_bias", lambda: [lstm(4, unit_forget_bias=False)], initial=True)
    yield Case("simple_rnn", "recurrent_identity", lambda: [simple_rnn(4, recurrent_initializer="identity", activation="relu")], initial=True)


def dense_cases():
    rows = Floats(3, None, 5)
    yield Case("dense", "rows", lambda: [layers.Dense(4)], rows)
    yield Case("dense", "one_by_one", lambda: [layers.Dense(1)], Floats(1, None, 1))
    yield Case("dense", "odd_sizes", lambda: [layers.Dense(17), layers.Dense(9, activation="tanh")], Floats(8, None, 7))
    yield Case("dense", "sequence", lambda: [layers.Dense(4, activation="tanh")])
    yield Case("dense", "no_bias", lambda: [layers.Dense(4, use_bias=False)], rows)
    yield Case("dense", "initializers", lambda: [layers.Dense(4, kernel_initializer="ones", bias_initializer=initializers.Constant(0.5))], rows, initial=True)
    for name in ACTIVATIONS:
        yield Case("dense", f"activation_{name}", lambda a=name: [layers.Dense(4, activation=a)], Floats(4, None, 3, scale=1.0 if name == "exponential" else 3.0))


def dropout_cases():
    yield Case("dropout", "inference", lambda: [layers.Dropout(0.5)], train=False)
    yield Case("dropout", "rate_0", lambda: [layers.Dropout(0.0), layers.Dense(2)])
    yield Case("dropout", "between_inference", lambda: [layers.Embedding(9, 4), layers.Dropout(0.4), lstm(3, return_sequences=True), layers.Dropout(0.2), simple_rnn(3), layers.Dropout(0.9), dense_1()], Ids(3, 6, 9), "binary_crossentropy", train=False)
    yield Case("dropout", "rate_0_keeps_mask", lambda: [layers.Embedding(9, 4, mask_zero=True), layers.Dropout(0.0), gru(3), dense_1()], Ids(4, 6, 9, "left"), "binary_crossentropy")


    # In recurrent layers. Training gets masks that were drawn once: see dropout.py.
    for kind, layer in RECURRENT.items():
        yield Case("dropout", f"{kind}_input", lambda l=layer: [l(4, dropout=0.4, return_sequences=True)])
        yield Case("dropout", f"{kind}_both", lambda l=layer: [l(4, dropout=0.3, recurrent_dropout=0.4, return_sequences=True)])
        yield Case("dropout", f"{kind}_state", lambda l=layer: [l(4, recurrent_dropout=0.4)])
    yield Case("dropout", "lstm_masked", lambda: [layers.Embedding(9, 4, mask_zero=True), lstm(3, dropout=0.3, recurrent_dropout=0.3, go_backwards=True), dense_1()], Ids(4, 6, 9, "holes"), "binary_crossentropy")
    yield Case("dropout", "lstm_rate_1", lambda: [lstm(4, dropout=1.0, recurrent_dropout=0.4)])
    yield Case("dropout", "bidirectional", lambda: [layers.Bidirectional(gru(3, dropout=0.3, recurrent_dropout=0.3, return_sequences=True)), layers.Bidirectional(lstm(2, dropout=0.3), backward_layer=simple_rnn(2, recurrent_dropout=0.3, go_backwards=True)), dense_1()], loss="binary_crossentropy")


def bidirectional_cases():
    merges = {
        "simple_rnn": ("concat", "sum", "mul", "ave"),
        "lstm": ("concat", "ave"),
        "gru": ("concat", "mul"),
        "gru_reset_before": ("concat", "sum"),
    }
    both = {True: (False, True), False: (True,)}
    for kind, layer in RECURRENT.items():
        for merge in merges[kind]:
            for sequences in both[merge == "concat"]:
                yield Case("bidirectional", f"{kind}_{merge}{'_sequences' * sequences}", lambda l=layer, m=merge, s=sequences: [layers.Bidirectional(l(3, return_sequences=s), merge_mode=m)], Floats(2, 4, 2))
        # Bidirectional sets zero_output_for_mask on both copies when they return sequences.
        for sequences in (False, True) if kind in ("simple_rnn", "lstm") else ():
            yield Case("bidirectional", f"{kind}_masked{'_sequences' * sequences}", lambda l=layer, s=sequences: [layers.Embedding(9, 2, mask_zero=True), layers.Bidirectional(l(3, return_sequences=s))], Ids(4, 5, 9, "holes"))
    yield Case("bidirectional", "backward_layer", lambda: [layers.Bidirectional(lstm(3), backward_layer=gru(2, go_backwards=True))], Floats(2, 4, 2))
    yield Case("bidirectional", "stacked", lambda: [layers.Bidirectional(lstm(3, return_sequences=True)), layers.Bidirectional(gru(2)), dense_1()], Floats(2, 4, 2), "binary_crossentropy")


def stack_cases():
    bce = "binary_crossentropy"
    yield Case("stack", "simple_rnn_2", lambda: [simple_rnn(4, return_sequences=True), simple_rnn(3)])
    yield Case("stack", "simple_rnn_4", lambda: [simple_rnn(3, return_sequences=True), simple_rnn(4, return_sequences=True), simple_rnn(2, return_sequences=True), simple_rnn(3), dense_1()], loss=bce)
    yield Case("stack", "lstm_2", lambda: [lstm(4, return_sequences=True), lstm(3), dense_1()], loss=bce)
    yield Case("stack", "mixed", lambda: [layers.Embedding(10, 4), lstm(4, return_sequences=True), gru(3, return_sequences=True), gru_reset_before(3, return_sequences=True), simple_rnn(3), dense_1()], Ids(3, 7, 10), bce)
    yield Case("stack", "bidirectional_below", lambda: [layers.Bidirectional(simple_rnn(3, return_sequences=True)), lstm(3), dense_1()], loss=bce)
    yield Case("stack", "dense_between", lambda: [lstm(3, return_sequences=True), layers.Dense(4, activation="relu"), gru(3), layers.Dense(3, activation="softmax")], loss="categorical_crossentropy")
    yield Case("stack", "masked", lambda: [layers.Embedding(10, 3, mask_zero=True), lstm(3, return_sequences=True), simple_rnn(3, return_sequences=True), gru(3), dense_1()], Ids(4, 6, 10, "holes"), bce)
    yield Case("stack", "masked_go_backwards_below", lambda: [layers.Embedding(10, 3, mask_zero=True), lstm(3, return_sequences=True, go_backwards=True), gru(3), dense_1()], Ids(4, 6, 10, "left"), bce)
    yield Case("stack", "masked_bidirectional_below", lambda: [layers.Embedding(10, 3, mask_zero=True), layers.Bidirectional(lstm(2, return_sequences=True)), gru(3), dense_1()], Ids(4, 6, 10, "holes"), bce)


def mask_cases():
    for kind, layer in RECURRENT.items():
        masked = lambda l=layer, **arguments: [layers.Embedding(9, 3, mask_zero=True), l(3, **arguments)]
        holes = Ids(4, 6, 9, "holes")
        for padding in MASKS if kind in ("simple_rnn", "lstm") else ("holes",):
            yield Case("mask", f"{kind}_{padding}", lambda m=masked: m() + [dense_1()], Ids(4, 6, 9, padding), "binary_crossentropy")
        yield Case("mask", f"{kind}_sequences_labelled", lambda m=masked: m(return_sequences=True) + [layers.Dense(4, activation="softmax")], holes, "sparse_categorical_crossentropy")
        yield Case("mask", f"{kind}_go_backwards", lambda m=masked: m(go_backwards=True), holes)
        if kind in ("simple_rnn", "lstm"):
            yield Case("mask", f"{kind}_go_backwards_sequences", lambda m=masked: m(go_backwards=True, return_sequences=True), holes)
            yield Case("mask", f"{kind}_zero_output", lambda m=masked: m(zero_output_for_mask=True), holes)
            yield Case("mask", f"{kind}_zero_output_sequences", lambda m=masked: m(zero_output_for_mask=True, return_sequences=True), holes)


def loss_cases():
    recovered = "TensorFlow computes this loss from the logits below the activation, the others from clipped probabilities"
    model = lambda n, a=None: lambda: [simple_rnn(4), layers.Dense(n, activation=a)]
    steps = lambda n, a=None: lambda: [gru(4, return_sequences=True), layers.Dense(n, activation=a)]
    binary, categorical, sparse = losses.BinaryCrossentropy, losses.CategoricalCrossentropy, losses.SparseCategoricalCrossentropy
    yield Case("loss", "binary", model(1, "sigmoid"), loss="binary_crossentropy")
    yield Case("loss", "binary_targets_rank1", model(1, "sigmoid"), loss="binary_crossentropy", rank1=True)
    yield Case("loss", "binary_many", model(3, "sigmoid"), loss="binary_crossentropy")
    yield Case("loss", "binary_from_logits", model(1), loss=lambda: binary(from_logits=True))
    yield Case("loss", "binary_label_smoothing", model(1, "sigmoid"), loss=lambda: binary(label_smoothing=0.1))
    yield Case("loss", "binary_clipped", model(2, "hard_sigmoid"), loss="binary_crossentropy")
    yield Case("loss", "binary_saturated", model(1, "sigmoid"), Floats(8, 5, 3), loss="binary_crossentropy", scale=60.0, one_backend=recovered)
    yield Case("loss", "categorical", model(4, "softmax"), loss="categorical_crossentropy")
    yield Case("loss", "categorical_from_logits", model(4), loss=lambda: categorical(from_logits=True))
    yield Case("loss", "categorical_label_smoothing", model(4, "softmax"), loss=lambda: categorical(label_smoothing=0.1))
    yield Case("loss", "categorical_normalized", model(3, "softplus"), loss="categorical_crossentropy")
    yield Case("loss", "categorical_saturated", model(4, "softmax"), Floats(8, 5, 3), loss="categorical_crossentropy", scale=60.0, one_backend=recovered)
    yield Case("loss", "sparse", model(4, "softmax"), loss="sparse_categorical_crossentropy")
    yield Case("loss", "sparse_from_logits", model(4), loss=lambda: sparse(from_logits=True))
    yield Case("loss", "sparse_ignore_class", steps(4, "softmax"), loss=lambda: sparse(ignore_class=2))
    yield Case("loss", "sparse_ignore_class_from_logits", steps(4), loss=lambda: sparse(from_logits=True, ignore_class=-1))
    yield Case("loss", "sparse_ignore_class_masked", lambda: [layers.Embedding(9, 3, mask_zero=True), lstm(3, return_sequences=True), layers.Dense(4, activation="softmax")], Ids(4, 6, 9, "holes"), lambda: sparse(ignore_class=1))
    for name in ("mean_absolute_error", "huber", "log_cosh", "cosine_similarity", "mean_absolute_percentage_error"):
        yield Case("loss", name, steps(3), loss=lambda n=name: getattr(losses, "".join(w.title() for w in n.split("_")))())
    yield Case("loss", "huber_delta", model(2), loss=lambda: losses.Huber(delta=0.3))
    yield Case("loss", "mean_squared_error_sum", steps(2), loss=lambda: losses.MeanSquaredError(reduction="sum"))
    yield Case("loss", "mean_squared_logarithmic_error", model(3, "softplus"), loss=losses.MeanSquaredLogarithmicError)
    yield Case("loss", "mean_squared_logarithmic_error_negative", model(3), loss=losses.MeanSquaredLogarithmicError)
    yield Case("loss", "kl_divergence", steps(3, "softmax"), loss=losses.KLDivergence)
    yield Case("loss", "poisson", model(3, "softplus"), loss=losses.Poisson)
    for signed in (False, True):
        yield Case("loss", f"hinge{'_signed' * signed}", model(3), loss=losses.Hinge, signed=signed)
        yield Case("loss", f"squared_hinge{'_signed' * signed}", model(3), loss=losses.SquaredHinge, signed=signed)
    yield Case("loss", "categorical_hinge", steps(4, "tanh"), loss=losses.CategoricalHinge)
    yield Case("loss", "binary_focal", model(2, "sigmoid"), loss=losses.BinaryFocalCrossentropy)
    yield Case("loss", "binary_focal_from_logits", model(2), loss=lambda: losses.BinaryFocalCrossentropy(from_logits=True, gamma=1.5))
    yield Case("loss", "binary_focal_balanced", model(2, "hard_sigmoid"), loss=lambda: losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.4, label_smoothing=0.1))
    yield Case("loss", "categorical_focal", model(4, "softmax"), loss=losses.CategoricalFocalCrossentropy)
    yield Case("loss", "categorical_focal_from_logits", model(4), loss=lambda: losses.CategoricalFocalCrossentropy(from_logits=True, alpha=0.5, gamma=1.5, label_smoothing=0.1))
    yield Case("loss", "categorical_generalized", model(4, "softmax"), loss=lambda: losses.CategoricalGeneralizedCrossEntropy(q=0.7))
    yield Case("loss", "dice", steps(2, "sigmoid"), Floats(36, 2, 1), loss=losses.Dice)
    yield Case("loss", "dice_last", model(3, "sigmoid"), loss=lambda: losses.Dice(axis=-1))
    yield Case("loss", "tversky", steps(2, "sigmoid"), loss=lambda: losses.Tversky(alpha=0.3, beta=0.8))
    yield Case("loss", "tversky_masked", lambda: [layers.Embedding(9, 3, mask_zero=True), lstm(3, return_sequences=True), layers.Dense(2, activation="sigmoid")], Ids(4, 6, 9, "holes"), losses.Tversky)
    yield Case("loss", "sparse_saturated", model(4, "softmax"), Floats(8, 5, 3), loss="sparse_categorical_crossentropy", scale=60.0, one_backend=recovered)


def cell_cases():
    """The arguments of cells, by which an RNN walks as the layer of that name does."""
    r, c = regularizers, constraints
    everything = {
        "activation": "softsign", "kernel_initializer": "he_uniform", "recurrent_initializer": "random_normal", "bias_initializer": "ones",
        "kernel_regularizer": r.L1(0.02), "recurrent_regularizer": r.L2(0.03), "bias_regularizer": r.L1L2(0.01, 0.02),
        "kernel_constraint": c.MaxNorm(0.8), "recurrent_constraint": c.UnitNorm(), "bias_constraint": c.MinMaxNorm(0.2, 0.9),
    }
    gated = {"recurrent_activation": "hard_sigmoid"}
    for kind, cell, more in (
        ("simple_rnn", layers.SimpleRNNCell, {}),
        ("lstm", layers.LSTMCell, gated | {"unit_forget_bias": False}),
        ("gru", layers.GRUCell, gated),
    ):
        yield Case("cell", kind, lambda k=cell, m=more: [layers.RNN(k(4, **everything, **m)), layers.Dense(2)], Floats(3, 5, 3), optimizer=optimizers.SGD)
        yield Case("cell", f"{kind}_no_bias", lambda k=cell: [layers.RNN([k(4, use_bias=False), k(3, use_bias=False)], return_sequences=True)], Floats(3, 5, 3), optimizer=optimizers.SGD)
    yield Case("cell", "gru_layer", lambda: [layers.GRU(4, kernel_initializer="he_normal", recurrent_initializer="glorot_uniform", bias_initializer="ones"), layers.Dense(2)], Floats(3, 5, 3))
    yield Case("cell", "simple_rnn_unrolled", lambda: [layers.SimpleRNN(4, unroll=True), layers.Dense(2)], Floats(3, 5, 3), static=True)


def alone(name):
    """In update_step Keras keeps the momentum of before as a reference, which TensorFlow changes under its hands."""
    if not name.startswith("schedule_free"):
        return {}
    return {"recorded_on": "jax", "one_backend": "ScheduleFreeAdamW reads on TensorFlow the momentum that it has just changed"}


def optimizer_cases():
    # Ten batches of three rows leave most of the twenty ids untouched by a step, so decays of unread rows are seen.
    model = lambda: [layers.Embedding(20, 3), simple_rnn(4), dense_1()]
    for name, optimizer in {
        "sgd": lambda: optimizers.SGD(),
        "sgd_rate": lambda: optimizers.SGD(learning_rate=0.5),
        "sgd_momentum": lambda: optimizers.SGD(momentum=0.9),
        "sgd_nesterov": lambda: optimizers.SGD(momentum=0.9, nesterov=True),
        "rmsprop": lambda: optimizers.RMSprop(),
        "rmsprop_rho": lambda: optimizers.RMSprop(rho=0.5),
        "rmsprop_epsilon": lambda: optimizers.RMSprop(epsilon=1e-3),
        "rmsprop_momentum": lambda: optimizers.RMSprop(momentum=0.9),
        "rmsprop_centered": lambda: optimizers.RMSprop(centered=True),
        "rmsprop_centered_momentum": lambda: optimizers.RMSprop(momentum=0.5, centered=True),
        "adam": lambda: optimizers.Adam(),
        "adam_betas": lambda: optimizers.Adam(beta_1=0.5, beta_2=0.9, epsilon=1e-3),
        "adam_amsgrad": lambda: optimizers.Adam(amsgrad=True, beta_2=0.5),
    }.items():
        yield Case("optimizer", name, model, Ids(3, 4, 20), "binary_crossentropy", optimizer, shipped=True)
    for name, optimizer in {
        "adamw": lambda: optimizers.AdamW(weight_decay=0.1),
        "adagrad": lambda: optimizers.Adagrad(learning_rate=0.1),
        "adagrad_arguments": lambda: optimizers.Adagrad(learning_rate=0.1, initial_accumulator_value=0.01, epsilon=1e-3, weight_decay=0.1),
        "adadelta": lambda: optimizers.Adadelta(learning_rate=1.0, epsilon=1e-3),
        "adadelta_rho": lambda: optimizers.Adadelta(learning_rate=1.0, rho=0.5, epsilon=1e-4),
        "adamax": lambda: optimizers.Adamax(learning_rate=0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3),
        "nadam": lambda: optimizers.Nadam(learning_rate=0.01, epsilon=1e-3),
        "nadam_betas": lambda: optimizers.Nadam(learning_rate=0.01, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
        "ftrl": lambda: optimizers.Ftrl(learning_rate=0.1),
        "ftrl_arguments": lambda: optimizers.Ftrl(0.1, learning_rate_power=-0.7, initial_accumulator_value=0.2, l1_regularization_strength=0.01, l2_regularization_strength=0.02, l2_shrinkage_regularization_strength=0.03, beta=0.05),
        "lion": lambda: optimizers.Lion(learning_rate=0.001, weight_decay=0.1),
        "lamb": lambda: optimizers.Lamb(learning_rate=0.01, epsilon=1e-3),
        "adafactor": lambda: optimizers.Adafactor(learning_rate=0.05, epsilon_1=1e-6),
        "adafactor_arguments": lambda: optimizers.Adafactor(learning_rate=0.5, beta_2_decay=-0.6, epsilon_1=1e-6, epsilon_2=1e-2, clip_threshold=0.5, relative_step=False),
        "muon": lambda: optimizers.Muon(learning_rate=0.01, epsilon=1e-3),
        "muon_arguments": lambda: optimizers.Muon(0.02, adam_beta_1=0.8, adam_beta_2=0.9, epsilon=1e-3, weight_decay=0.1, adam_weight_decay=0.05, exclude_layers=["dense"], exclude_embeddings=False, muon_a=3.0, muon_b=-3.2, muon_c=1.2, adam_lr_ratio=0.5, momentum=0.8, ns_steps=3, nesterov=False, rms_rate=None),
        "schedule_free": lambda: optimizers.ScheduleFreeAdamW(learning_rate=0.02, epsilon=1e-3),
        "schedule_free_arguments": lambda: optimizers.ScheduleFreeAdamW(learning_rate=0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-2, warmup_steps=4, weight_decay=0.1),
        "clipnorm": lambda: optimizers.SGD(0.5, clipnorm=0.05),
        "clipvalue": lambda: optimizers.SGD(0.5, clipvalue=0.01),
        "global_clipnorm": lambda: optimizers.SGD(0.5, momentum=0.5, global_clipnorm=0.05, weight_decay=0.01),
        "ema": lambda: optimizers.SGD(0.5, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=4),
        "accumulation": lambda: optimizers.RMSprop(0.01, epsilon=1e-3, gradient_accumulation_steps=3),
        "accumulation_ema_clip": lambda: optimizers.Adam(0.01, epsilon=1e-3, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=3, global_clipnorm=0.02),
        "schedule": lambda: optimizers.SGD(optimizers.schedules.CosineDecay(0.0, 6, warmup_target=0.5, warmup_steps=3)),
        "schedule_accumulation": lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.5, 2, 0.5), gradient_accumulation_steps=2),
    }.items():
        yield Case("optimizer", name, model, Ids(3, 4, 20), "binary_crossentropy", optimizer, **alone(name))
    base = {
        "clip": {"clipnorm": 0.05, "weight_decay": 0.02, "use_ema": True, "ema_momentum": 0.8},
        "value": {"clipvalue": 0.01, "use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 3},
        "global": {"global_clipnorm": 0.05, "gradient_accumulation_steps": 2, "weight_decay": 0.01},
    }
    for kind, first in {
        "sgd": (optimizers.SGD, {"learning_rate": 0.3, "momentum": 0.7}),
        "rmsprop": (optimizers.RMSprop, {"learning_rate": 0.01, "epsilon": 1e-3}),
        "adam": (optimizers.Adam, {"learning_rate": 0.02, "epsilon": 1e-3}),
        "adamw": (optimizers.AdamW, {"learning_rate": 0.02, "beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-2}),
        "adagrad": (optimizers.Adagrad, {"learning_rate": 0.05}),
        "adadelta": (optimizers.Adadelta, {"learning_rate": 0.7, "epsilon": 1e-3}),
        "adamax": (optimizers.Adamax, {"learning_rate": 0.02, "epsilon": 1e-2}),
        "nadam": (optimizers.Nadam, {"learning_rate": 0.02, "epsilon": 1e-2}),
        "ftrl": (optimizers.Ftrl, {"learning_rate": 0.2}),
        "lion": (optimizers.Lion, {"learning_rate": 0.002, "beta_1": 0.8, "beta_2": 0.95}),
        "lamb": (optimizers.Lamb, {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-2}),
        "adafactor": (optimizers.Adafactor, {"learning_rate": 0.03, "epsilon_1": 1e-5}),
        "muon": (optimizers.Muon, {"learning_rate": 0.01, "epsilon": 1e-2}),
        "schedule_free": (optimizers.ScheduleFreeAdamW, {"learning_rate": 0.02, "epsilon": 0.01}),
    }.items():
        cls, own = first
        for name, more in base.items():
            yield Case("optimizer_base", f"{kind}_{name}", lambda: [layers.SimpleRNN(3), layers.Dense(2)], Floats(3, 4, 2), "mse", lambda c=cls, o=own, m=more: c(**o, **m), **alone(kind))


def lecture_cases():
    for kind, layer in RECURRENT.items():
        yield Case("lecture", kind, lambda l=layer: [layers.Embedding(30, 4), l(4), dense_1()], Ids(8, 13, 30, "left"), "binary_crossentropy", optimizers.RMSprop, implicit=True, shipped=True)


def activation_cases():
    yield Case("activation", "relu", lambda: [layers.Dense(4), layers.Activation("relu")])
    yield Case("activation", "sigmoid", lambda: [simple_rnn(4), layers.Dense(1), layers.Activation("sigmoid")], loss="binary_crossentropy")
    yield Case("activation", "softmax_sequence", lambda: [layers.Dense(4), layers.Activation("softmax")], loss="sparse_categorical_crossentropy")
    yield Case("activation", "between", lambda: [layers.Dense(4), layers.Activation("silu"), lstm(3)])


def masking_cases():
    bce, hidden = "binary_crossentropy", Floats(5, 6, 3, hidden=0.0)
    yield Case("masking", "lstm", lambda: [layers.Masking(), lstm(4), dense_1()], hidden, bce)
    yield Case("masking", "value", lambda: [layers.Masking(1.5), gru(3, return_sequences=True)], Floats(5, 6, 3, hidden=1.5))
    # Made behind a layer: how many steps count is known only then. Half of a relu's units are zero, so a quarter of the steps is.
    yield Case("masking", "late", lambda: [layers.Dense(2, activation="relu"), layers.Masking(), simple_rnn(3, return_sequences=True), layers.Dense(2)], Floats(5, 6, 3))
    yield Case("masking", "twice", lambda: [layers.Masking(), layers.Dense(2, activation="relu", use_bias=False), layers.Masking(), lstm(3, return_sequences=True)], hidden)
    yield Case("masking", "average", lambda: [layers.Masking(), layers.Dense(4), layers.GlobalAveragePooling1D(), dense_1()], hidden, bce)
    yield Case("masking", "average_keepdims", lambda: [layers.Masking(), layers.Dense(4), layers.GlobalAveragePooling1D(keepdims=True)], hidden)
    yield Case("masking", "max_ignores", lambda: [layers.Masking(), layers.Dense(4), layers.GlobalMaxPooling1D(), dense_1()], hidden, bce)
    yield Case("masking", "kept", lambda: [layers.Masking(), layers.Activation("tanh"), layers.LayerNormalization(), layers.Rescaling(0.5, 0.25), layers.SpatialDropout1D(0.0), layers.GaussianNoise(0.0), layers.GaussianDropout(0.0), layers.Normalization(), layers.TimeDistributed(layers.Dense(4)), gru(3), dense_1()], hidden, bce)
    yield Case("masking", "kept_to_the_end", lambda: [layers.Masking(), layers.Dense(4), layers.LayerNormalization(), layers.Activation("tanh")], hidden)
    for name, layer in {
        "conv1d": lambda: layers.Conv1D(3, 2),
        "max_pooling1d": lambda: layers.MaxPooling1D(2),
        "average_pooling1d": lambda: layers.AveragePooling1D(2),
        "permute": lambda: layers.Permute((2, 1)),
        "reshape": lambda: layers.Reshape((3, 6)),
    }.items():
        yield Case("masking", f"ends_at_{name}", lambda l=layer: [layers.Masking(), l(), simple_rnn(3), dense_1()], hidden, bce, static=True)
    yield Case("masking", "ends_at_flatten", lambda: [layers.Masking(), layers.Dense(2), layers.Flatten(), layers.Dense(2)], hidden, static=True)
    yield Case("masking", "embedding_average", lambda: [layers.Embedding(9, 4, mask_zero=True), layers.GlobalAveragePooling1D(), dense_1()], Ids(4, 6, 9, "left"), bce)


def noise_cases():
    """Layers that draw. Training gets draws that were made once: see dropout.py."""
    yield Case("noise", "dropout", lambda: [layers.Dense(4), layers.Dropout(0.4), layers.Dense(2)])
    yield Case("noise", "dropout_noise_shape", lambda: [layers.Dense(4), layers.Dropout(0.4, noise_shape=(None, 1, None)), lstm(3)])
    yield Case("noise", "dropout_rate_1", lambda: [layers.Dense(4), layers.Dropout(1.0), layers.Dense(2)])
    yield Case("noise", "dropout_masked", lambda: [layers.Embedding(9, 4, mask_zero=True), layers.Dropout(0.4), gru(3), dense_1()], Ids(4, 6, 9, "left"), "binary_crossentropy")
    yield Case("noise", "spatial_dropout1d", lambda: [layers.SpatialDropout1D(0.4, seed=3), lstm(3), layers.Dense(2)], Floats(4, 5, 6))
    yield Case("noise", "gaussian_noise", lambda: [layers.GaussianNoise(0.5), lstm(3, return_sequences=True), layers.GaussianNoise(0.2, seed=2), layers.Dense(2)])
    yield Case("noise", "gaussian_dropout", lambda: [layers.GaussianDropout(0.4), lstm(3, return_sequences=True), layers.GaussianDropout(0.2, seed=2), layers.Dense(2)])


def normalization_cases():
    rows, softmax = Floats(6, None, 4), lambda: layers.Dense(3, activation="softmax")
    name = "layer_normalization"
    yield Case(name, "rows", lambda: [layers.Dense(5), layers.LayerNormalization()], rows)
    yield Case(name, "sequence", lambda: [layers.LayerNormalization(epsilon=0.1), lstm(3, return_sequences=True), layers.LayerNormalization()])
    yield Case(name, "axis_1", lambda: [layers.LayerNormalization(axis=1), simple_rnn(3)], static=True)
    yield Case(name, "axis_1_2", lambda: [layers.LayerNormalization(axis=[1, 2]), simple_rnn(3)], static=True)
    yield Case(name, "axis_2_1", lambda: [layers.LayerNormalization(axis=(2, 1)), simple_rnn(3)], static=True)
    yield Case(name, "axis_of_four", lambda: [layers.Reshape((2, 3, 2)), layers.LayerNormalization(axis=[1, 3]), layers.Flatten(), layers.Dense(2)], Floats(3, 4, 3), static=True)
    yield Case(name, "no_center", lambda: [layers.LayerNormalization(center=False), layers.Dense(2)])
    yield Case(name, "no_scale", lambda: [layers.LayerNormalization(scale=False), layers.Dense(2)])
    yield Case(name, "rms_scaling", lambda: [layers.LayerNormalization(rms_scaling=True), layers.Dense(2)])
    yield Case(name, "initializers", lambda: [layers.LayerNormalization(beta_initializer=initializers.Constant(0.5), gamma_initializer=initializers.Constant(2.0)), layers.Dense(2)], initial=True)
    name = "batch_normalization"
    # A bias before it would have a gradient of rounding errors alone.
    yield Case(name, "rows", lambda: [layers.Dense(5, use_bias=False), layers.BatchNormalization(), softmax()], rows, "categorical_crossentropy")
    yield Case(name, "sequence", lambda: [layers.BatchNormalization(momentum=0.8, epsilon=0.1), lstm(3, return_sequences=True), layers.BatchNormalization()])
    yield Case(name, "axis_1", lambda: [layers.BatchNormalization(axis=1), simple_rnn(3)], static=True)
    yield Case(name, "axis_of_four", lambda: [layers.Reshape((2, 3, 2)), layers.BatchNormalization(axis=2), layers.Flatten(), layers.Dense(2)], Floats(3, 4, 3), static=True)
    yield Case(name, "no_center_no_scale", lambda: [layers.BatchNormalization(center=False, scale=False), layers.Dense(2)])
    yield Case(name, "no_scale", lambda: [layers.BatchNormalization(scale=False), layers.Dense(2)], rows)
    yield Case(name, "masked", lambda: [layers.Masking(), layers.BatchNormalization(), gru(3, return_sequences=True), layers.BatchNormalization()], Floats(5, 6, 3, hidden=0.0))
    yield Case(name, "frozen", lambda: [layers.Dense(3), layers.BatchNormalization(trainable=False), layers.Dense(2)], rows)
    yield Case(name, "frozen_without_weights", lambda: [layers.Dense(3), layers.BatchNormalization(trainable=False, center=False, scale=False), layers.Dense(2)], rows)
    yield Case(name, "renorm", lambda: [layers.BatchNormalization(renorm=True, renorm_momentum=0.7), layers.Dense(2)], rows)
    yield Case(name, "renorm_clipping", lambda: [layers.BatchNormalization(renorm=True, renorm_clipping={"rmax": 1.1, "rmin": 0.9, "dmax": 0.1}, momentum=0.9), layers.Dense(2)], Floats(6, None, 4, scale=3.0))
    yield Case(name, "renorm_no_scale", lambda: [layers.BatchNormalization(renorm=True, scale=False, center=False), layers.Dense(2)])
    yield Case(name, "initializers", lambda: [layers.BatchNormalization(beta_initializer="ones", gamma_initializer=initializers.Constant(2.0), moving_mean_initializer=initializers.Constant(0.25), moving_variance_initializer=initializers.Constant(4.0)), layers.Dense(2)], rows, initial=True)
    name = "normalization"
    yield Case(name, "weights", lambda: [layers.Normalization(), layers.Dense(2)])
    yield Case(name, "axis_none", lambda: [layers.Normalization(axis=None), layers.Dense(2)])
    yield Case(name, "axis_1_2", lambda: [layers.Normalization(axis=(1, 2)), layers.Dense(2)], static=True)
    yield Case(name, "axis_1", lambda: [layers.Normalization(axis=1, invert=True), layers.Dense(2)], static=True)
    yield Case(name, "given", lambda: [layers.Normalization(mean=[0.5, -1.0, 2.0], variance=[4.0, 0.25, 1.0]), layers.Dense(2)])
    yield Case(name, "given_scalars", lambda: [layers.Normalization(mean=0.5, variance=4.0), layers.Dense(2)])
    yield Case(name, "given_inverted", lambda: [layers.Normalization(mean=[0.5, -1.0, 2.0], variance=[4.0, 0.0, 1.0], invert=True), layers.Dense(2)])
    yield Case("rescaling", "scalars", lambda: [layers.Rescaling(0.25, offset=-1.0), layers.Dense(2)])
    yield Case("rescaling", "scale_alone", lambda: [layers.Rescaling(1 / 127.5), layers.Dense(2)], Floats(3, None, 5, scale=100.0))
    yield Case("rescaling", "vectors", lambda: [layers.Rescaling([1.0, 2.0, 0.5], offset=[0.0, 1.0, -1.0]), layers.Dense(2)])


def pooling_cases():
    long, relu = Floats(3, 8, 3), lambda: layers.Dense(3, activation="relu")  # whose zeros tie
    yield Case("pooling", "max", lambda: [layers.MaxPooling1D(), layers.Dense(2)], long)
    yield Case("pooling", "max_odd", lambda: [layers.MaxPooling1D(3), layers.Dense(2)], long)
    yield Case("pooling", "max_overlapping", lambda: [layers.MaxPooling1D(3, strides=1), layers.Dense(2)], long)
    yield Case("pooling", "max_same", lambda: [layers.MaxPooling1D(3, strides=2, padding="same"), layers.Dense(2)], long)
    yield Case("pooling", "max_ties", lambda: [relu(), layers.MaxPooling1D(4, strides=2, padding="same"), layers.Dense(2)], long)
    yield Case("pooling", "max_channels_first", lambda: [layers.MaxPooling1D(2, data_format="channels_first"), layers.Dense(2)], Floats(3, 4, 7), static=True)
    yield Case("pooling", "average", lambda: [layers.AveragePooling1D(2), layers.Dense(2)], long)
    yield Case("pooling", "average_overlapping", lambda: [layers.AveragePooling1D(4, strides=1), layers.Dense(2)], long)
    yield Case("pooling", "average_same", lambda: [layers.AveragePooling1D(4, strides=3, padding="same"), layers.Dense(2)], long)
    yield Case("pooling", "average_channels_first", lambda: [layers.AveragePooling1D(3, strides=2, padding="same", data_format="channels_first"), layers.Dense(2)], Floats(3, 4, 8), static=True)
    yield Case("pooling", "stride_beyond_window", lambda: [layers.MaxPooling1D(2, strides=3, padding="same"), layers.AveragePooling1D(1, strides=2), layers.Dense(2)], long)
    yield Case("global_pooling", "max", lambda: [lstm(4, return_sequences=True), layers.GlobalMaxPooling1D(), layers.Dense(2)])
    yield Case("global_pooling", "max_ties", lambda: [relu(), layers.GlobalMaxPooling1D(), layers.Dense(2)])
    yield Case("global_pooling", "max_keepdims", lambda: [layers.Dense(4), layers.GlobalMaxPooling1D(keepdims=True)])
    yield Case("global_pooling", "max_channels_first", lambda: [layers.Dense(4), layers.GlobalMaxPooling1D(data_format="channels_first", keepdims=True)], static=True)
    yield Case("global_pooling", "average", lambda: [layers.Embedding(9, 4), layers.GlobalAveragePooling1D(), dense_1()], Ids(4, 6, 9), "binary_crossentropy")
    yield Case("global_pooling", "average_keepdims", lambda: [layers.Dense(4), layers.GlobalAveragePooling1D(keepdims=True), lstm(2)])
    yield Case("global_pooling", "average_channels_first", lambda: [layers.Dense(4), layers.GlobalAveragePooling1D(data_format="channels_first"), layers.Dense(2)], static=True)


def conv1d_cases():
    long = Floats(3, 8, 4)
    for name, arguments in {
        "valid": {},
        "one_tap": dict(kernel_size=1),
        "same": dict(padding="same"),
        "same_even": dict(padding="same", kernel_size=4),
        "same_strides": dict(padding="same", strides=3, kernel_size=4),
        "strides": dict(strides=2),
        "causal": dict(padding="causal"),
        "causal_dilation": dict(padding="causal", dilation_rate=2),
        "causal_strides": dict(padding="causal", strides=2),
        "dilation": dict(dilation_rate=3),
        "same_dilation": dict(padding="same", dilation_rate=2, kernel_size=2),
        "groups": dict(groups=2),
        "groups_same_strides": dict(groups=4, filters=8, padding="same", strides=2),
        "no_bias": dict(use_bias=False),
        "tanh": dict(activation="tanh"),
        "softmax": dict(activation="softmax"),
        "wider_than_steps": dict(padding="same", kernel_size=11),
        "many_filters": dict(filters=33, activation="relu"),
    }.items():
        yield Case("conv1d", name, lambda a=arguments: [layers.Conv1D(**(dict(filters=6, kernel_size=3) | a))], long)
    for name, arguments in {
        "channels_first": {},
        "channels_first_softmax": dict(activation="softmax", padding="same", use_bias=False),  # over the steps, where a bias changes nothing
        "channels_first_strides": dict(strides=2, padding="causal"),
    }.items():
        yield Case("conv1d", name, lambda a=arguments: [layers.Conv1D(3, 2, data_format="channels_first", **a)], Floats(3, 4, 7), static=True, recorded_on="jax", one_backend="TensorFlow convolves channels_first on GPUs alone")
    yield Case("conv1d", "initializers", lambda: [layers.Conv1D(3, 2, kernel_initializer="ones", bias_initializer=initializers.Constant(0.5))], long, initial=True)
    yield Case("conv1d", "reviews", lambda: [layers.Embedding(12, 4), layers.Conv1D(5, 3, activation="relu"), layers.MaxPooling1D(2), layers.Conv1D(4, 2, activation="relu"), layers.GlobalMaxPooling1D(), dense_1()], Ids(4, 11, 12, "left"), "binary_crossentropy")
    yield Case("conv1d", "before_lstm", lambda: [layers.Conv1D(4, 3, padding="causal", activation="tanh"), layers.MaxPooling1D(2), lstm(3), layers.Dense(2)], long)


def reshaping_cases():
    yield Case("reshaping", "flatten", lambda: [layers.Dense(2), layers.Flatten(), layers.Dense(2)], static=True)
    yield Case("reshaping", "flatten_lstm", lambda: [lstm(3, return_sequences=True), layers.Flatten(), layers.Dense(2)], static=True)
    yield Case("reshaping", "flatten_channels_first", lambda: [layers.Dense(2), layers.Flatten(data_format="channels_first"), layers.Dense(2)], static=True)
    yield Case("reshaping", "flatten_rows", lambda: [layers.Dense(4), layers.Flatten(), layers.Dense(2)], Floats(3, None, 5))
    yield Case("reshaping", "reshape", lambda: [layers.Dense(4), layers.Reshape((2, 10)), lstm(3), layers.Dense(2)], static=True)
    yield Case("reshaping", "reshape_open", lambda: [layers.Dense(4), layers.Reshape((-1, 2)), lstm(3), layers.Dense(2)])
    yield Case("reshaping", "reshape_rows", lambda: [layers.Dense(12), layers.Reshape((3, 4)), gru(3)], Floats(3, None, 5))
    yield Case("reshaping", "permute", lambda: [layers.Dense(4), layers.Permute((2, 1)), layers.Dense(2)], static=True)
    yield Case("reshaping", "permute_of_four", lambda: [layers.Reshape((2, 3, 2)), layers.Permute((3, 1, 2)), layers.Flatten(), layers.Dense(2)], Floats(3, 4, 3), static=True)
    yield Case("reshaping", "repeat_vector", lambda: [lstm(3), layers.RepeatVector(4), lstm(3, return_sequences=True), layers.Dense(2)])
    yield Case("reshaping", "repeat_vector_rows", lambda: [layers.Dense(3), layers.RepeatVector(2)], Floats(3, None, 4))


def time_distributed_cases():
    four = lambda *inner: [layers.Reshape((3, 4, 2)), *inner, layers.Flatten(), layers.Dense(2)]
    td, data = layers.TimeDistributed, Floats(3, 4, 6)
    yield Case("time_distributed", "dense", lambda: [lstm(4, return_sequences=True), td(layers.Dense(3, activation="softmax"))], loss="sparse_categorical_crossentropy")
    yield Case("time_distributed", "dense_masked", lambda: [layers.Embedding(9, 4, mask_zero=True), td(layers.Dense(3, activation="tanh")), lstm(3), dense_1()], Ids(4, 5, 9, "left"), "binary_crossentropy")
    yield Case("time_distributed", "conv1d", lambda: four(td(layers.Conv1D(3, 2, activation="tanh"))), data, static=True)
    yield Case("time_distributed", "lstm", lambda: four(td(lstm(3, return_sequences=True))), data, static=True)
    yield Case("time_distributed", "lstm_last", lambda: [layers.Reshape((3, 4, 2)), td(lstm(3)), gru(2), layers.Dense(2)], data, static=True)
    yield Case("time_distributed", "flatten", lambda: [layers.Reshape((3, 4, 2)), td(layers.Flatten()), gru(2), layers.Dense(2)], data, static=True)
    yield Case("time_distributed", "pooling", lambda: [layers.Reshape((3, 4, 2)), td(layers.MaxPooling1D(2)), td(layers.GlobalAveragePooling1D()), gru(2), layers.Dense(2)], data, static=True)
    yield Case("time_distributed", "layer_normalization", lambda: [td(layers.LayerNormalization()), layers.Dense(2)])
    yield Case("time_distributed", "twice", lambda: four(td(td(layers.Dense(3)))), data, static=True)
    yield Case("time_distributed", "repeat_vector", lambda: [td(layers.RepeatVector(2)), td(layers.Permute((2, 1))), layers.Flatten(), layers.Dense(2)], static=True)


def penalty_cases():
    r, c = regularizers, constraints
    data, bce = Floats(6, None, 4), "binary_crossentropy"
    for name, penalty in {
        "l1": lambda: r.L1(0.05),
        "l2": lambda: r.L2(0.1),
        "l1_default": lambda: "l1",
        "l2_default": lambda: "l2",
        "l1l2": lambda: r.L1L2(0.02, 0.03),
        "orthogonal": lambda: r.OrthogonalRegularizer(0.2),
        "orthogonal_columns": lambda: r.OrthogonalRegularizer(0.2, mode="columns"),
    }.items():
        yield Case("regularizer", f"dense_{name}", lambda p=penalty: [layers.Dense(3, kernel_regularizer=p()), layers.Dense(2)], data)
    yield Case("regularizer", "dense_bias", lambda: [layers.Dense(3, kernel_regularizer=r.L2(0.1), bias_regularizer=r.L1(0.1)), layers.Dense(2, bias_regularizer=r.L2(0.1))], data)
    yield Case("regularizer", "dense_frozen", lambda: [layers.Dense(3, kernel_regularizer=r.L2(0.1), trainable=False), layers.Dense(2)], data)
    yield Case("regularizer", "dense_activity", lambda: [layers.Dense(3, activation="tanh", activity_regularizer=r.L2(0.1)), layers.Dense(2)], data)
    yield Case("regularizer", "dense_activity_sequence", lambda: [layers.Dense(3, activity_regularizer=r.L1(0.1)), lstm(3, return_sequences=True), layers.Dense(2, activity_regularizer=r.L1L2(0.01, 0.02))])
    yield Case("regularizer", "dense_activity_sigmoid", lambda: [layers.Dense(3), layers.Dense(1, activation="sigmoid", activity_regularizer=r.L2(0.1))], data, bce)
    yield Case("regularizer", "dense_activity_orthogonal", lambda: [layers.Dense(3, activity_regularizer=r.OrthogonalRegularizer(0.3)), layers.Dense(2)], data)
    yield Case("regularizer", "dense_activity_masked", lambda: [layers.Masking(), layers.Dense(3, activity_regularizer=r.L2(0.1)), layers.Dense(2)], Floats(5, 6, 3, hidden=0.0))
    yield Case("regularizer", "embedding", lambda: [layers.Embedding(9, 4, embeddings_regularizer=r.L2(0.1), activity_regularizer=r.L1(0.05)), lstm(3), dense_1()], Ids(4, 5, 9), bce)
    yield Case("regularizer", "conv1d", lambda: [layers.Conv1D(3, 2, kernel_regularizer=r.L2(0.1), bias_regularizer=r.L1(0.1), activity_regularizer=r.L2(0.02)), layers.Dense(2)], Floats(3, 6, 3))
    yield Case("regularizer", "layer_normalization", lambda: [layers.LayerNormalization(gamma_regularizer=r.L2(0.1), beta_regularizer=r.L1(0.1)), layers.Dense(2)])
    yield Case("regularizer", "batch_normalization", lambda: [layers.BatchNormalization(gamma_regularizer=r.L2(0.1), beta_regularizer=r.L1(0.1)), layers.Dense(2)], data)
    yield Case("regularizer", "time_distributed", lambda: [layers.TimeDistributed(layers.Dense(3, kernel_regularizer=r.L2(0.1), activity_regularizer=r.L2(0.1))), layers.Dense(2)])
    fast = lambda: optimizers.SGD(0.3)
    everything = lambda: dict(kernel_regularizer=r.L2(0.1), recurrent_regularizer=r.L2(0.02), bias_regularizer=r.L1L2(0.0, 0.02), kernel_constraint=c.MaxNorm(0.8), recurrent_constraint=c.UnitNorm(axis=1), bias_constraint=c.NonNeg())
    for kind, layer in RECURRENT.items():
        # SimpleRNN takes an activity regularizer and does nothing with it. (No L1: where a weight swings about 0, rounding decides its sign.)
        yield Case("regularizer", kind, lambda l=layer: [l(4, activity_regularizer=r.L2(0.1), **everything()), layers.Dense(2)], optimizer=optimizers.SGD)
    yield Case("regularizer", "lstm_sequence", lambda: [layers.Embedding(9, 4, mask_zero=True), lstm(3, return_sequences=True, activity_regularizer=r.L2(0.1)), gru(3, activity_regularizer=r.L1(0.1)), dense_1()], Ids(4, 6, 9, "holes"), bce)
    yield Case("regularizer", "lstm_front", lambda: [layers.Embedding(9, 4), lstm(3, return_sequences=True, recurrent_regularizer=r.OrthogonalRegularizer(0.1)), lstm(3, kernel_constraint=c.MaxNorm(0.5)), dense_1()], Ids(4, 6, 9, "left"), bce, optimizer=fast)
    yield Case("regularizer", "bidirectional", lambda: [layers.Bidirectional(gru(3, **everything())), layers.Dense(2)], optimizer=optimizers.SGD)
    for name, bound in {
        "max_norm": lambda: c.MaxNorm(0.7),
        "max_norm_axis_1": lambda: c.MaxNorm(0.7, axis=1),
        "max_norm_both_axes": lambda: c.MaxNorm(1.2, axis=[0, 1]),
        "non_neg": lambda: c.NonNeg(),
        "unit_norm": lambda: c.UnitNorm(),
        "unit_norm_axis_1": lambda: c.UnitNorm(axis=-1),
        "min_max_norm": lambda: c.MinMaxNorm(0.9, 1.1, rate=0.5),
        "min_max_norm_default": lambda: "min_max_norm",
    }.items():
        yield Case("constraint", f"dense_{name}", lambda b=bound: [layers.Dense(3, kernel_constraint=b()), layers.Dense(2)], data, optimizer=fast)
    yield Case("constraint", "dense_bias", lambda: [layers.Dense(3, bias_constraint="non_neg"), layers.Dense(2, bias_constraint=c.MaxNorm(0.2))], data, optimizer=fast)
    yield Case("constraint", "embedding", lambda: [layers.Embedding(9, 4, embeddings_constraint=c.MaxNorm(0.2, axis=1)), lstm(3), dense_1()], Ids(4, 5, 9), bce, optimizer=fast)
    yield Case("constraint", "embedding_adam", lambda: [layers.Embedding(9, 4, embeddings_constraint=c.UnitNorm(axis=1)), lstm(3), dense_1()], Ids(4, 5, 9), bce, optimizer=optimizers.Adam)
    yield Case("constraint", "conv1d", lambda: [layers.Conv1D(3, 2, kernel_constraint=c.MaxNorm(0.8, axis=[0, 1]), bias_constraint=c.NonNeg()), layers.Dense(2)], Floats(3, 6, 3), optimizer=fast)
    yield Case("constraint", "layer_normalization", lambda: [layers.LayerNormalization(gamma_constraint=c.MaxNorm(1.5), beta_constraint="non_neg"), layers.Dense(2)], optimizer=fast)
    yield Case("constraint", "batch_normalization", lambda: [layers.BatchNormalization(gamma_constraint=c.UnitNorm(), beta_constraint="non_neg"), layers.Dense(2)], data, optimizer=fast)
    yield Case("constraint", "frozen", lambda: [layers.Dense(3, kernel_constraint=c.UnitNorm(), trainable=False), layers.Dense(2)], data, optimizer=fast)


def rnn_cases():
    bce = "binary_crossentropy"
    cells = lambda **a: [layers.SimpleRNNCell(4, **a), layers.LSTMCell(3, **a), layers.GRUCell(4, **a)]
    held = {"kernel_regularizer": "l2", "recurrent_constraint": "max_norm", "bias_regularizer": "l1"}
    rnn = layers.RNN
    for kind, cell in {"simple_rnn": layers.SimpleRNNCell, "lstm": layers.LSTMCell, "gru": layers.GRUCell}.items():
        yield Case("rnn", kind, lambda c=cell: [rnn(c(4)), layers.Dense(2)])
        yield Case("rnn", f"{kind}_arguments", lambda c=cell, b=kind == "gru": [rnn(c(4, activation="relu", use_bias=b, **held), return_sequences=True, go_backwards=True, activity_regularizer="l2")])
    yield Case("rnn", "gru_reset_before", lambda: [rnn(layers.GRUCell(4, reset_after=False, recurrent_activation="hard_sigmoid"), zero_output_for_mask=True)])
    yield Case("rnn", "dropout", lambda: [rnn(layers.LSTMCell(4, dropout=0.3, recurrent_dropout=0.2)), layers.Dense(2)])
    yield Case("rnn", "stack", lambda: [rnn(cells(), return_sequences=True), layers.Dense(2)])
    yield Case("rnn", "stack_named", lambda: [rnn([layers.GRUCell(3, name="low"), layers.GRUCell(2), layers.LSTMCell(2), layers.GRUCell(3)], go_backwards=True)], Floats(2, 4, 2))
    yield Case("rnn", "stack_held", lambda: [rnn(cells(**held), activity_regularizer="l1", unroll=True)], static=True)
    for padding in MASKS:
        yield Case("rnn", f"stack_mask_{padding}", lambda: [layers.Embedding(9, 4, mask_zero=True), rnn(cells(), return_sequences=True), lstm(2), dense_1()], Ids(4, 6, 9, padding), bce)
        yield Case("rnn", f"stack_mask_{padding}_backwards", lambda: [layers.Embedding(9, 4, mask_zero=True), rnn(cells(), go_backwards=True), dense_1()], Ids(4, 6, 9, padding), bce)
    yield Case("rnn", "bidirectional", lambda: [layers.Bidirectional(rnn(cells(), return_sequences=True), merge_mode="sum"), layers.Dense(2)])
    yield Case("rnn", "bidirectional_masked", lambda: [layers.Embedding(9, 4, mask_zero=True), layers.Bidirectional(rnn(cells(), return_sequences=True)), gru(3), dense_1()], Ids(4, 6, 9, "holes"), bce)
    yield Case("rnn", "time_distributed", lambda: [layers.Reshape((3, 4, 2)), layers.TimeDistributed(rnn(cells())), gru(2), layers.Dense(2)], Floats(3, 6, 4), static=True)


def state_cases():
    """Layers that keep their states, in predictions and from one training step to the next."""
    untracked = "on JAX, Keras's training loop does not take over the states"
    for kind, layer in RECURRENT.items():
        yield Case("stateful", kind, lambda l=layer: [l(4, stateful=True), layers.Dense(2)], rows=True, one_backend=untracked)
    yield Case("stateful", "stack", lambda: [lstm(4, stateful=True, return_sequences=True), gru(3, stateful=True, go_backwards=True), layers.Dense(2)], rows=True, one_backend=untracked)
    yield Case("stateful", "many_rows", lambda: [lstm(4, stateful=True), layers.Dense(2)], Floats(37, 3, 2), rows=True, one_backend=untracked)
    yield Case("stateful", "bidirectional", lambda: [layers.Bidirectional(lstm(3, stateful=True)), layers.Dense(2)], rows=True, one_backend=untracked)
    yield Case("stateful", "masked", lambda: [layers.Embedding(9, 4, mask_zero=True), lstm(3, stateful=True, return_sequences=True), gru(3, stateful=True), dense_1()], Ids(4, 6, 9, "holes"), "binary_crossentropy", rows=True, one_backend=untracked)
    # Penalties on what the two layers of a Bidirectional return.
    penalized = lambda **a: layers.Bidirectional(lstm(3, activity_regularizer="l2", return_sequences=True), **a)
    yield Case("regularizer", "bidirectional_activity", lambda: [penalized(activity_regularizer="l1"), layers.Dense(2)])
    yield Case("regularizer", "bidirectional_activity_mul", lambda: [penalized(merge_mode="mul"), gru(2)])
    yield Case("regularizer", "backward_layer_activity", lambda: [layers.Embedding(9, 4, mask_zero=True), layers.Bidirectional(gru(3), merge_mode="ave", backward_layer=lstm(3, go_backwards=True, activity_regularizer="l1")), dense_1()], Ids(4, 6, 9, "holes"), "binary_crossentropy")
    yield Case("regularizer", "time_distributed_activity", lambda: [layers.TimeDistributed(layers.Dense(3, activity_regularizer="l2"), activity_regularizer="l1")])
    td = layers.TimeDistributed
    yield Case("time_distributed", "batch_normalization", lambda: [td(layers.BatchNormalization(momentum=0.8)), layers.Dense(2)], Floats(6, 5, 3), static=True)
    yield Case("time_distributed", "batch_normalization_wide", lambda: [layers.Reshape((3, 4, 2)), td(layers.BatchNormalization(axis=1)), layers.Dense(2)], Floats(5, 6, 4), static=True)
    yield Case("time_distributed", "batch_normalization_masked", lambda: [layers.Embedding(9, 4, mask_zero=True), td(layers.BatchNormalization(momentum=0.8)), lstm(3), dense_1()], Ids(6, 5, 9, "left"), "binary_crossentropy", static=True)
    yield Case("time_distributed", "bidirectional", lambda: [layers.Reshape((3, 4, 2)), td(layers.Bidirectional(gru(3))), gru(2), layers.Dense(2)], Floats(3, 6, 4), static=True)


def all_cases():
    cases = []
    for group in (embedding_cases, recurrent_cases, dense_cases, dropout_cases, bidirectional_cases, stack_cases, mask_cases, loss_cases, cell_cases, optimizer_cases, lecture_cases, activation_cases, masking_cases, noise_cases, normalization_cases, pooling_cases, conv1d_cases, reshaping_cases, time_distributed_cases, penalty_cases, rnn_cases, state_cases):
        cases.extend(group())
    paths = [c.path for c in cases]
    assert len(set(paths)) == len(paths), "two cases have one name"
    return cases


# Metrics: name, class or function, arguments, and which data of tables.py it is asked about.
METRICS = [
    (name, data, arguments)
    for data, names in {
        "binary": "BinaryAccuracy AUC Precision Recall TruePositives FalsePositives TrueNegatives FalseNegatives BinaryCrossentropy BinaryIoU Hinge MeanSquaredError MeanAbsoluteError RootMeanSquaredError R2Score",
        "labels": "BinaryAccuracy AUC Precision Recall BinaryCrossentropy SquaredHinge MeanSquaredError",
        "classes": "CategoricalAccuracy CategoricalCrossentropy CategoricalHinge KLDivergence",
        "ids": "SparseCategoricalAccuracy SparseCategoricalCrossentropy",
        "numbers": "MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError LogCoshError CosineSimilarity Poisson RootMeanSquaredError R2Score PearsonCorrelation ConcordanceCorrelation huber",
        "steps": "BinaryAccuracy AUC Precision RootMeanSquaredError MeanSquaredError CosineSimilarity BinaryCrossentropy",
        "whole": "Accuracy",
    }.items()
    for name in names.split()
    for arguments in [{}]
] + [
    ("BinaryAccuracy", "binary", {"threshold": 0.3}),
    ("BinaryCrossentropy", "logits", {"from_logits": True, "label_smoothing": 0.1}),
    ("CategoricalCrossentropy", "classes", {"label_smoothing": 0.2}),
    ("SparseCategoricalCrossentropy", "ids", {"ignore_class": 1}),
    ("TopKCategoricalAccuracy", "classes", {"k": 2}),
    ("SparseTopKCategoricalAccuracy", "ids", {"k": 2}),
    ("SparseTopKCategoricalAccuracy", "ranked", {"k": 2, "from_sorted_ids": True}),
    ("AUC", "binary", {"curve": "PR"}),
    ("AUC", "binary", {"curve": "PRGAIN", "num_thresholds": 20}),
    ("AUC", "binary", {"curve": "PR", "summation_method": "majoring", "num_thresholds": 9}),
    ("AUC", "binary", {"summation_method": "minoring", "thresholds": [0.7, 0.1, 0.2, 0.45]}),
    ("AUC", "binary", {"thresholds": [0.25, 0.5, 0.75]}),
    ("AUC", "labels", {"multi_label": True, "num_thresholds": 30}),
    ("AUC", "labels", {"multi_label": True, "curve": "PR", "label_weights": [1.0, 0.5, 2.0, 0.25]}),
    ("AUC", "labels", {"label_weights": [1.0, 0.5, 2.0, 0.25]}),
    ("AUC", "logits", {"from_logits": True}),
    ("Precision", "binary", {"thresholds": 0.3}),
    ("Precision", "labels", {"top_k": 2}),
    ("Recall", "labels", {"top_k": 3, "class_id": 1}),
    ("Recall", "labels", {"class_id": 2, "thresholds": 0.4}),
    ("Precision", "labels", {"top_k": 2, "thresholds": 0.6}),
    ("TruePositives", "labels", {"thresholds": 0.7}),
    ("FalseNegatives", "steps", {"thresholds": 0.2}),
    ("SensitivityAtSpecificity", "binary", {"specificity": 0.4}),
    ("SpecificityAtSensitivity", "binary", {"sensitivity": 0.6, "num_thresholds": 50}),
    ("PrecisionAtRecall", "binary", {"recall": 0.7}),
    ("RecallAtPrecision", "binary", {"precision": 0.6}),
    ("RecallAtPrecision", "labels", {"precision": 0.5, "class_id": 3}),
    ("SensitivityAtSpecificity", "binary", {"specificity": 0.3, "num_thresholds": 1}),
    ("F1Score", "classes", {"average": "micro"}),
    ("F1Score", "labels", {"average": "macro", "threshold": 0.4}),
    ("F1Score", "binary", {"threshold": 0.5}),
    ("FBetaScore", "classes", {"average": "weighted", "beta": 2.0}),
    ("FBetaScore", "labels", {"average": "macro", "beta": 0.5}),
    ("R2Score", "numbers", {"class_aggregation": "variance_weighted_average"}),
    ("R2Score", "numbers", {"num_regressors": 3}),
    ("MeanIoU", "whole", {"num_classes": 4}),
    ("IoU", "whole", {"num_classes": 4, "target_class_ids": [1, 3], "ignore_class": 0}),
    ("IoU", "ids", {"num_classes": 4, "target_class_ids": [0, 2], "sparse_y_pred": False}),
    ("OneHotIoU", "classes", {"num_classes": 4, "target_class_ids": [0, 3]}),
    ("OneHotMeanIoU", "classes", {"num_classes": 4, "ignore_class": 2}),
    ("BinaryIoU", "binary", {"target_class_ids": [1], "threshold": 0.3}),
]

SCHEDULES = [
    ("ExponentialDecay", dict(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.5)),
    ("ExponentialDecay", dict(initial_learning_rate=0.1, decay_steps=7, decay_rate=0.9, staircase=True)),
    ("InverseTimeDecay", dict(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.5)),
    ("InverseTimeDecay", dict(initial_learning_rate=0.1, decay_steps=7, decay_rate=0.3, staircase=True)),
    ("PiecewiseConstantDecay", dict(boundaries=[5, 20], values=[0.1, 0.05, 0.01])),
    ("PolynomialDecay", dict(initial_learning_rate=0.1, decay_steps=15)),
    ("PolynomialDecay", dict(initial_learning_rate=0.1, decay_steps=15, end_learning_rate=0.01, power=2.0, cycle=True)),
    ("CosineDecay", dict(initial_learning_rate=0.1, decay_steps=15)),
    ("CosineDecay", dict(initial_learning_rate=0.1, decay_steps=15, alpha=0.2, warmup_target=0.5, warmup_steps=4)),
    ("CosineDecay", dict(initial_learning_rate=0.0, decay_steps=30, warmup_target=0.3, warmup_steps=10, alpha=0.1)),
    ("CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=4)),
    ("CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=5, t_mul=1.5, m_mul=0.8, alpha=0.1)),
    ("CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=6, t_mul=1.0, m_mul=0.5)),
]
