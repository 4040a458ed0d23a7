"""Keras, on TensorFlow or on JAX as KERAS_BACKEND says, used as its guide says: compile, train_on_batch, predict_on_batch."""

import importlib.metadata

import keras

from rows import WORDS, Cannot

LAYERS = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def build(m):
    if m.text:
        raise Cannot("no layer of these equations")
    made = [keras.layers.Embedding(WORDS, m.units)]
    for i in range(m.depth):
        layer = LAYERS[m.layer](
            m.units, return_sequences=i < m.depth - 1, dropout=m.dropout, recurrent_dropout=m.recurrent_dropout
        )
        made.append(keras.layers.Bidirectional(layer) if m.both else layer)
    model = keras.Sequential(made + [keras.layers.Dense(1, activation="sigmoid")])
    model.build((None, None))
    return model


def start(m, weights):
    model = build(m)
    model.set_weights([weights[str(i)] for i in range(len(weights))])
    return model


def train(m, weights):
    model = start(m, weights)
    model.compile(optimizer=keras.optimizers.RMSprop(), loss="binary_crossentropy", jit_compile="auto")
    return stepping(model)


def stepping(model):
    """train_on_batch of a compiled model, the whole step."""
    if keras.backend.backend() == "jax":  # whose loss alone is not the whole step
        import jax

        def step(x, y):
            loss = model.train_on_batch(x, y)
            jax.block_until_ready([v.value for v in model.variables])
            return loss

        return step
    return model.train_on_batch


def predict(m, weights, files):
    return start(m, weights).predict_on_batch


def versions():
    backend = keras.backend.backend()
    package = {"tensorflow": "tensorflow_cpu"}.get(backend, backend)
    return f"keras {keras.__version__} on {backend} {importlib.metadata.version(package)}"
