"""Writes testdata/refused.md: what Keras itself refuses of its recurrent layers and of what stands around them, as it says it.

    oracle/.venv/bin/python oracle/refused.py
"""

import pathlib
import re

import backend  # noqa: F401  chooses Keras's backend
import keras
import numpy as np
from keras import layers

FILE = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "refused.md"
X = np.zeros((2, 3, 4), np.float32)

CASES = {
    "LSTM(0)": lambda: layers.LSTM(0),
    "GRU(-1)": lambda: layers.GRU(-1),
    "SimpleRNN(2) of vectors": lambda: layers.SimpleRNN(2)(X[:, 0]),
    "LSTM(2) with one initial state": lambda: layers.LSTM(2)(X, initial_state=[X[:, 0, :2]]),
    "GRU(2) with an initial state of another width": lambda: layers.GRU(2)(X, initial_state=X[:, 0, :3]),
    "LSTM(2, unroll=True) of open length": lambda: layers.LSTM(2, unroll=True)(keras.Input((None, 3))),
    "LSTM(2, stateful=True) of an open batch": lambda: layers.LSTM(2, stateful=True)(keras.Input((5, 3))),
    "RNN of something without call": lambda: layers.RNN(3),
    "RNN([])": lambda: layers.RNN([]),
    "Bidirectional of a Dense": lambda: layers.Bidirectional(layers.Dense(2)),
    "Bidirectional(merge_mode='max')": lambda: layers.Bidirectional(layers.LSTM(2), merge_mode="max"),
    "Bidirectional with a backward_layer that goes forward": lambda: layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2)),
    "Bidirectional with a backward_layer of other return_sequences": lambda: layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2, go_backwards=True, return_sequences=True)),
    "Bidirectional(return_state=True, merge_mode='concat') with half of the states": lambda: layers.Bidirectional(layers.LSTM(2))(X, initial_state=[X[:, 0, :2]]),
    "TimeDistributed of vectors": lambda: layers.TimeDistributed(layers.Dense(2))(X[:, 0, 0]),
    "TimeDistributed of no layer": lambda: layers.TimeDistributed(3),
    "Embedding of floats": lambda: layers.Embedding(0, 2),
    "Dense(0)": lambda: layers.Dense(0),
    "Conv1D(2, 0)": lambda: layers.Conv1D(2, 0),
    "Conv1D(strides=2, dilation_rate=2)": lambda: layers.Conv1D(2, 2, strides=2, dilation_rate=2),
    "Dropout(1.5)": lambda: layers.Dropout(1.5),
    "GaussianNoise(-1)": lambda: layers.GaussianNoise(-1),
    "RepeatVector(0)": lambda: layers.RepeatVector("a"),
    "Reshape that does not fit": lambda: layers.Reshape((5,))(X),
    "Permute((1, 3))": lambda: layers.Permute((1, 3)),
    "Concatenate of other lengths": lambda: layers.Concatenate()([X, X[:, :2]]),
    "Add of one": lambda: layers.Add()(X),
    "Subtract of three": lambda: layers.Subtract()([X, X, X]),
    "Dot over axes of other lengths": lambda: layers.Dot(axes=(1, 2))([X, X]),
    "Attention of one": lambda: layers.Attention()([X]),
    "Attention(score_mode='cosine')": lambda: layers.Attention(score_mode="cosine"),
    "a weight decay below 0": lambda: keras.optimizers.SGD(weight_decay=-1).build([keras.Variable([1.0])]),
    "two clips": lambda: keras.optimizers.SGD(clipnorm=1.0, clipvalue=1.0),
    "SGD(momentum=2)": lambda: keras.optimizers.SGD(momentum=2),
    "gradient_accumulation_steps=1": lambda: keras.optimizers.SGD(gradient_accumulation_steps=1),
    "ema_momentum=2": lambda: keras.optimizers.SGD(use_ema=True, ema_momentum=2),
}


def main():
    lines = ["| what | Keras 3.15.1 says |", "|---|---|"]
    for what, make in CASES.items():
        try:
            make()
            continue  # it is not refused
        except Exception as e:  # noqa: BLE001
            text = re.sub(r"\s+", " ", str(e)).strip()
            text = re.sub(r"<[^>]*>|\x1b?\[\d+m", "…", text).replace("\x1b", "")
            lines.append(f"| `{what}` | {type(e).__name__}: {text[:160].replace('|', '/')}{'…' if len(text) > 160 else ''} |")
    FILE.write_text("\n".join(lines) + "\n")
    print(len(lines) - 2, "of", len(CASES), "are refused")


if __name__ == "__main__":
    main()
