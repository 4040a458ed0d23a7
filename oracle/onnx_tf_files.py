"""ONNX files as tf2onnx writes them of Keras models, with what Keras predicts, for testdata/onnx.

    python oracle/onnx_tf_files.py          (some: their names)

It wants a Python 3.11 of its own: pip install tensorflow-cpu==2.15.1 tf2onnx==1.16.1 onnx==1.16.2 'numpy<2'; Keras is 2.15.0. tf_NAME.onnx is a model, tf_NAME.npz has its
inputs, in0 …, and what Keras predicts of them, out0 …. All weights are drawn, biases and moving averages too: tf2onnx leaves out what is zero.
"""
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
import tf2onnx
from tensorflow import keras

L = keras.layers
K = keras.backend
FOLDER = pathlib.Path(__file__).parent.parent / "testdata" / "onnx"


class Cell(L.Layer):
    """A cell of equations; its subclasses say which."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.output_size = self.state_size = units

    def weight(self, name, *shape):
        return self.add_weight(name=name, shape=shape)


class MinimalGated(Cell):
    """One gate, which forgets and chooses what the candidate sees; kernels of both beside each other."""

    def build(self, shape):
        self.w, self.u, self.b = self.weight("w", shape[-1], 2 * self.units), self.weight("u", self.units, 2 * self.units), self.weight("b", 2 * self.units)

    def call(self, x, states):
        h, n = states[0], self.units
        x = K.dot(x, self.w) + self.b
        f = tf.sigmoid(x[:, :n] + K.dot(h, self.u[:, :n]))
        new = tf.tanh(x[:, n:] + K.dot(f * h, self.u[:, n:]))
        h = (1 - f) * h + f * new
        return h, [h]


class Joined(Cell):
    """An LSTM as it is often drawn: one matrix for input and state beside each other, relu inside, and the carry squared."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, units]

    def build(self, shape):
        self.w, self.b = self.weight("w", shape[-1] + self.units, 4 * self.units), self.weight("b", 4 * self.units)

    def call(self, x, states):
        h, c = states
        i, f, g, o = tf.split(tf.matmul(tf.concat([x, h], 1), self.w) + self.b, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.nn.relu(g)
        h = tf.sigmoid(o) * tf.tanh(c * c - 0.5)
        return h, [h, c]


class Leaky(Cell):
    """A state that leaks at a rate of its own in every unit, and an output that is no state and narrower."""

    def __init__(self, units, out, **kwargs):
        super().__init__(units, **kwargs)
        self.output_size = out

    def build(self, shape):
        n = self.units
        self.w, self.u, self.v, self.rate = self.weight("w", shape[-1], n), self.weight("u", n, n), self.weight("v", n, self.output_size), self.weight("rate", n)

    def call(self, x, states):
        h = states[0]
        a = tf.sigmoid(self.rate)
        h = a * h + (1.0 - a) * tf.nn.softplus(tf.matmul(x, self.w) - tf.matmul(h, self.u))
        return tf.matmul(h, self.v), [h]


def chain(*layers):
    return keras.Sequential(list(layers))


def ids(steps=None):
    return L.Input((steps,), dtype="int32")


def floats(steps=None, width=3):
    return L.Input((steps, width))


def both(layer, **kwargs):
    return L.Bidirectional(layer, **kwargs)


def words(mask=True):
    return L.Embedding(11, 4, mask_zero=mask)


def decoder():
    x, h, c = floats(), L.Input((4,)), L.Input((4,))
    y, h1, c1 = L.LSTM(4, return_sequences=True, return_state=True)(x, initial_state=[h, c])
    return keras.Model([x, h, c], [L.Dense(2, activation="softmax")(y), h1, c1])


def simple_decoder():
    x, h = floats(), L.Input((4,))
    y, h1 = L.SimpleRNN(4, return_sequences=True, return_state=True)(x, initial_state=h)
    return keras.Model([x, h], [L.Dense(2)(y), h1])


def translator():
    source, target = floats(), floats()
    _, h, c = L.LSTM(4, return_state=True)(source)
    return keras.Model([source, target], L.Dense(2)(L.LSTM(4, return_sequences=True)(target, initial_state=[h, c])))


def residual():
    x = floats()
    a = L.LSTM(4, return_sequences=True)(x)
    b = L.LayerNormalization()(L.Add()([a, L.GRU(4, return_sequences=True)(a)]))
    return keras.Model(x, L.Dense(2)(L.Concatenate()([L.Multiply()([a, b]), a])))


def masked_states():
    x = ids()
    y, h, c = L.LSTM(4, return_sequences=True, return_state=True)(words()(x))
    return keras.Model(x, [L.Dense(2)(y), h, c])


def masked_decoder():
    source, target = ids(), ids()
    word = words()
    _, h = L.SimpleRNN(4, return_state=True)(word(source))
    y = L.SimpleRNN(4, return_sequences=True)(word(target), initial_state=h)
    return keras.Model([source, target], L.Dense(2, activation="softmax")(L.GRU(3, return_sequences=True)(y)))


def masked_residual():
    x = ids()
    a = words()(x)
    b = L.Add()([a, L.GRU(4, return_sequences=True)(a)])
    return keras.Model(x, L.Dense(2)(L.LSTM(3)(L.Multiply()([b, L.Dense(4, activation="sigmoid")(a)]))))


def two_inputs():
    a, b = ids(), floats()
    y = L.Concatenate()([L.GRU(3)(words()(a)), both(L.SimpleRNN(3))(b)])
    return keras.Model([a, b], L.Dense(1, activation="sigmoid")(y))


def models():
    """What makes each model, and where its inputs are padded: the rows of the first input."""
    return {
        "lecture": lambda: chain(ids(), words(False), L.SimpleRNN(5), L.Dense(1, activation="sigmoid")),
        "lstm": lambda: chain(ids(), words(False), L.LSTM(5), L.Dense(2, activation="softmax")),
        "gru": lambda: chain(ids(), words(False), L.GRU(5), L.Dense(2, activation="softmax")),
        "gru_before": lambda: chain(ids(), words(False), L.GRU(5, reset_after=False), L.Dense(2)),
        "simple_linear": lambda: chain(floats(), L.SimpleRNN(4, activation=None, use_bias=False, return_sequences=True), L.SimpleRNN(3, activation="relu")),
        "two": lambda: chain(floats(), L.LSTM(5, return_sequences=True), L.LSTM(4, return_sequences=True), L.Dense(2, activation="tanh")),
        "both": lambda: chain(floats(), both(L.LSTM(4)), L.Dense(2, activation="elu")),
        "both_sequences": lambda: chain(floats(), both(L.GRU(4, return_sequences=True)), L.Dense(2, activation="relu")),
        "both_simple": lambda: chain(floats(), both(L.SimpleRNN(4, return_sequences=True)), both(L.SimpleRNN(3)), L.Dense(2)),
        "both_sum": lambda: chain(floats(6), both(L.LSTM(4, return_sequences=True), merge_mode="sum"), L.Flatten(), L.Dense(2)),
        "backwards": lambda: chain(floats(), L.LSTM(5, go_backwards=True), L.Dense(2)),
        "backwards_sequences": lambda: chain(floats(), L.GRU(4, go_backwards=True, return_sequences=True), L.SimpleRNN(3, go_backwards=True)),
        "convolution": lambda: chain(floats(8), L.Conv1D(6, 3, padding="same", activation="relu"), L.MaxPooling1D(2), L.BatchNormalization(), L.GRU(4),
                                     L.Dense(2, activation="selu")),
        "causal": lambda: chain(floats(), L.Conv1D(4, 3, padding="causal", dilation_rate=2), L.Conv1D(4, 2, strides=2, use_bias=False), L.SimpleRNN(3)),
        "pooled": lambda: chain(floats(), L.SimpleRNN(5, activation="relu", return_sequences=True), L.GlobalAveragePooling1D(), L.BatchNormalization(), L.Dense(2)),
        "normalized": lambda: chain(floats(), L.LSTM(5, return_sequences=True), L.LayerNormalization(), L.Dropout(0.3), L.GlobalMaxPooling1D(),
                                    L.Dense(2, activation="softplus")),
        "normalized_fine": lambda: chain(floats(), L.GRU(4, return_sequences=True), L.LayerNormalization(epsilon=1e-6), L.LSTM(3, recurrent_activation="hard_sigmoid")),
        "timed": lambda: chain(floats(), L.SimpleRNN(5, return_sequences=True), L.TimeDistributed(L.Dense(2, activation="softmax"))),
        "autoencoder": lambda: chain(floats(6), L.LSTM(3), L.RepeatVector(6), L.LSTM(4, return_sequences=True), L.TimeDistributed(L.Dense(3))),
        "residual": residual,
        "decoder": decoder,
        "simple_decoder": simple_decoder,
        "translator": translator,
        "masked_lstm": lambda: chain(ids(), words(), L.LSTM(5), L.Dense(1, activation="sigmoid")),
        "masked_gru": lambda: chain(ids(), words(), L.GRU(5, return_sequences=True), L.GRU(4, reset_after=False), L.Dense(2)),
        "masked_both": lambda: chain(ids(), words(), both(L.LSTM(3, return_sequences=True)), both(L.SimpleRNN(4)), L.Dense(2, activation="softmax")),
        "masked_values": lambda: chain(floats(), L.Masking(0.5), L.SimpleRNN(4, return_sequences=True), L.GRU(3), L.Dense(2)),
        "masked_backwards": lambda: chain(ids(), words(), L.SimpleRNN(4, go_backwards=True), L.Dense(2)),
        "masked_mean": lambda: chain(ids(), words(), L.LSTM(4, return_sequences=True), L.GlobalAveragePooling1D(), L.Dense(2)),
        "masked_states": masked_states,
        "masked_beside": two_inputs,
        "cell_minimal": lambda: chain(floats(), L.RNN(MinimalGated(4)), L.Dense(2)),
        "cell_joined": lambda: chain(ids(), words(), L.RNN(Joined(4), return_sequences=True), L.Dense(2)),
        "activations": lambda: chain(floats(), L.SimpleRNN(4, return_sequences=True), L.Dense(4, activation="gelu"), L.Dense(4, activation="hard_sigmoid"),
                                     L.Dense(4, activation="swish"), L.Dense(4, activation="exponential"), L.Dense(3, activation="softsign")),
        "both_modes": lambda: chain(floats(), both(L.SimpleRNN(4, return_sequences=True), merge_mode="ave"), both(L.GRU(3, reset_after=False), merge_mode="mul")),
        "masked_hard": lambda: chain(ids(), words(), L.LSTM(4, recurrent_activation="hard_sigmoid", activation="relu", use_bias=False), L.Dense(2)),
        "masked_decoder": masked_decoder,
        "flat": lambda: chain(ids(6), words(False), L.SimpleRNN(3, return_sequences=True), L.Flatten(), L.BatchNormalization(), L.Dense(2)),
        "masked_residual": masked_residual,
        "cell_leaky": lambda: chain(floats(), L.RNN(Leaky(4, 2), return_sequences=True)),
    }


def draw(model, random):
    """Draws all weights."""
    for w in model.weights:
        values = random.normal(0, 0.5, w.shape)
        if "variance" in w.name:
            values = 0.5 + np.abs(values)
        w.assign(values.astype("float32"))


def inputs(model, random):
    """Four rows for each input: ids padded in front, behind, in the middle and not at all, floats likewise with 0.5."""
    values = []
    for x in model.inputs:
        shape = [4] + [7 if d is None else d for d in x.shape[1:]]
        if x.dtype == tf.int32:
            a = random.integers(1, 11, shape).astype("int32")
            padding = 0
        else:
            a = random.normal(0, 1, shape).astype("float32")
            padding = 0.5
        if len(shape) == 2 and x.dtype == tf.int32 or len(shape) == 3:
            a[0, :2], a[1, -3:], a[2, 3] = padding, padding, padding
        values.append(a)
    return values


def write(folder, name, make, seed):
    keras.backend.clear_session()
    random = np.random.default_rng(seed)
    model = make()
    draw(model, random)
    given = inputs(model, random)
    out = model.predict(given, verbose=0)
    out = out if isinstance(out, (list, tuple)) else [out]
    tf2onnx.convert.from_keras(model, opset=17, output_path=str(folder / f"tf_{name}.onnx"))
    np.savez(folder / f"tf_{name}.npz", **{f"in{i}": a for i, a in enumerate(given)}, **{f"out{i}": np.asarray(a, "float32") for i, a in enumerate(out)})


def main():
    for i, (name, make) in enumerate(models().items()):
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            write(FOLDER, name, make, i)
            print(name)


if __name__ == "__main__":
    main()
