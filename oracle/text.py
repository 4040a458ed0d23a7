"""Writes testdata/text/tokenizer.json (Keras's Tokenizer of Keras 1 and 2, which 3.15.1 keeps for old files) and testdata/text/vectorization.json
(TextVectorization), and testdata/text/<name>.keras with <name>.json: models that take texts, saved by Keras, and what they predict.

    oracle/.venv/bin/python oracle/text.py
    oracle/.venv/bin/python oracle/text.py moved    writes the models of moved() alone
    oracle/.venv/bin/python oracle/text.py check FILE.keras TEXTS.json    prints what a file of ours predicts for the texts, and its vocabulary, as JSON
    oracle/.venv/bin/python oracle/text.py read TOKENIZER.json TEXTS.json    prints what a Tokenizer that we wrote makes of the texts

In vectorization.json texts and terms are bytes, each written as the character of its number (Latin-1), for some are no UTF-8.
"""

import json
import pathlib
import sys

import backend
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.src.legacy.preprocessing import text as legacy

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "text"

TEXTS = [
    "The cat sat on the mat, the cat's mat!",
    "A dog: a DOG?\tAnd a cat-dog\nwith d'Artagnan's hat...",
    "",
    "   ",
    "\u00c9t\u00e9 \u00e0 la mer\u00a0noire; \u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u03a3. \u0130stanbul \u00df STRASSE",
    "one two three four five six seven eight nine ten ten ten",
    "the_the [the] {the} <the> the",
    "b a c d e f b a c",
]
NEW = ["the cat and the unknown dog", "ten ten new", "", "\u00e9t\u00e9 mat! \u03c3", "zzz"]


def tokenizers():
    cases = [
        {},
        {"num_words": 5},
        {"num_words": 5, "oov_token": "<oov>"},
        {"oov_token": "the"},
        {"lower": False},
        {"filters": ""},
        {"filters": "aeiou", "split": "_-"},
        {"char_level": True},
        {"char_level": True, "lower": False, "num_words": 12, "oov_token": "?"},
        {"num_words": 1000, "oov_token": "UNK"},
    ]
    found = []
    for kwargs in cases:
        t = legacy.Tokenizer(**kwargs)
        t.fit_on_texts(TEXTS[:5])
        t.fit_on_texts(TEXTS[5:])
        sequences = t.texts_to_sequences(TEXTS + NEW)
        found.append({
            "arguments": kwargs, "index": t.word_index, "counts": list(t.word_counts.items()), "sequences": sequences,
            "texts": t.sequences_to_texts(sequences + [[1, 3, 100000]]), "json": t.to_json(),
            "matrix": {mode: t.texts_to_matrix(TEXTS + NEW, mode).tolist() for mode in ("binary", "count", "freq", "tfidf")},
        })
    fitted = legacy.Tokenizer(num_words=6)
    fitted.fit_on_sequences([[1, 2, 2], [2, 3, 7], []])
    hashed = [{"n": n, "text": t, "ids": legacy.hashing_trick(t, n, "md5")} for n in (2, 10, 1000) for t in TEXTS]
    return {"fit": [TEXTS[:5], TEXTS[5:]], "new": NEW, "cases": found, "hashed": hashed,
            "sequences": fitted.sequences_to_matrix([[1, 2, 2, 9], [5]], "tfidf").tolist()}


BYTES = [t.encode() for t in TEXTS] + [
    b"a\xffb\xc3 \xe2\x82 x \xf0\x9f\x98 y\xe2\x82",
    b"e\xcc\x81\xf0\x9f\x98\x80 \xe2\x80\x83 wide\x0bgap\x0cfeed\rline",
    b"nul\x00byte [UNK] unk",
    b"same same other other third third",
]


def latin(b):
    return (b if isinstance(b, bytes) else b.encode()).decode("latin-1")


def vectorizations():
    rows = [[b] for b in BYTES]
    pairs = [[b"a", b"B c"], [b"", b"a"], [b"d!", b"a"]]
    cases = [
        ({}, rows),
        ({"max_tokens": 8, "output_sequence_length": 6}, rows),
        ({"standardize": "lower", "output_sequence_length": 30}, rows),
        ({"standardize": "strip_punctuation"}, rows),
        ({"standardize": None}, rows),
        ({"split": "character", "max_tokens": 30}, rows),
        ({"split": "character", "standardize": None, "ngrams": 3, "output_sequence_length": 11}, rows),
        ({"split": None, "standardize": "lower"}, rows),
        ({"split": None}, pairs),
        ({"split": None, "ngrams": 2, "output_sequence_length": 2}, pairs),
        ({"split": None, "ngrams": 2, "output_mode": "count"}, pairs),
        ({"ngrams": 2}, rows),
        ({"ngrams": (1, 3), "max_tokens": 20}, rows),
        ({"ngrams": (3, 2), "output_mode": "count"}, rows),
        ({"output_mode": "multi_hot"}, rows),
        ({"output_mode": "multi_hot", "max_tokens": 9}, rows),
        ({"output_mode": "count", "max_tokens": 200, "pad_to_max_tokens": True}, rows),
        ({"output_mode": "tf_idf"}, rows),
        ({"output_mode": "tf_idf", "ngrams": 2, "max_tokens": 15, "pad_to_max_tokens": True}, rows),
        ({"output_mode": "tf_idf", "max_tokens": 300, "pad_to_max_tokens": True}, rows),
        ({"vocabulary": ["cat", "the", "dog"]}, rows),
        ({"vocabulary": ["", "[UNK]", "cat", "the"], "max_tokens": 4}, rows),
        ({"vocabulary": ["[UNK]", "cat", "the"], "output_mode": "count"}, rows),
        ({"vocabulary": ["cat", "the", "dog"], "output_mode": "multi_hot", "max_tokens": 7, "pad_to_max_tokens": True}, rows),
        ({"vocabulary": ["cat", "the", "dog"], "idf_weights": [0.25, 0.5, 1.5], "output_mode": "tf_idf"}, rows),
        ({"vocabulary": ["[UNK]", "cat", "the"], "idf_weights": [2, 0.5, 1.5], "output_mode": "tf_idf", "max_tokens": 5, "pad_to_max_tokens": True}, rows),
    ]
    found = []
    for kwargs, texts in cases:
        layer = layers.TextVectorization(**kwargs)
        if "vocabulary" not in kwargs:
            layer.adapt(np.array(texts, object))
        # The table's own bytes: get_vocabulary wants UTF-8.
        terms, ids = (a.numpy().tolist() for a in layer._lookup_layer.lookup_table.export())
        unseen = [texts[i] for i in (1, 0)] + ([[b"never seen the cat"], [b""]] if len(texts[0]) == 1 else [])
        found.append({
            "config": {k: v for k, v in layer.get_config().items() if k not in ("name", "trainable", "dtype")},
            "texts": [[latin(b) for b in row] for row in texts],
            "terms": [latin(b) for _, b in sorted(zip(ids, terms))],
            "new": [[latin(b) for b in row] for row in unseen],
            "out": np.asarray(layer(tf.constant(unseen))).tolist(),
            "all": np.asarray(layer(tf.constant(texts))).tolist(),
        })
    return found


def models():
    # In one line: Keras cannot read the vocabulary.txt that it writes where a term has the end of a line.
    texts = [" ".join(t.split()) for t in TEXTS if t.strip()]

    def adapted(**kwargs):
        layer = layers.TextVectorization(**kwargs)
        layer.adapt(texts)
        return layer

    text = lambda: keras.Input((1,), dtype="string")
    sequential = keras.Sequential([text(), adapted(max_tokens=20, output_sequence_length=7), layers.Embedding(20, 4, mask_zero=True),
                                   layers.LSTM(5), layers.Dense(1, activation="sigmoid")])
    open_end = keras.Sequential([text(), adapted(), layers.Embedding(70, 4), layers.GRU(5, return_sequences=True), layers.GRU(3)])
    given = keras.Sequential([text(), layers.TextVectorization(vocabulary=["the", "cat", "dog"]), layers.Embedding(5, 4), layers.SimpleRNN(3)])
    weighted = keras.Sequential([text(), adapted(output_mode="tf_idf", ngrams=2, max_tokens=30), layers.Dense(2)])
    weights = keras.Sequential([text(), layers.TextVectorization(vocabulary=["the", "cat"], idf_weights=[0.5, 2.0], output_mode="tf_idf"), layers.Dense(2)])
    x = text()
    words = layers.LSTM(4)(layers.Embedding(20, 3)(adapted(max_tokens=20)(x)))
    counts = layers.Dense(3, activation="tanh")(adapted(output_mode="multi_hot", split="character")(x))
    numbers = keras.Input((2,), name="numbers")
    both = layers.Dense(1)(layers.Concatenate()([words, keras.layers.Reshape((3,))(counts), numbers]))
    functional = keras.Model([x, numbers], both)
    found = {"sequential": sequential, "open_end": open_end, "given": given, "weighted": weighted, "weights": weights, "functional": functional}
    rng = np.random.default_rng(5)
    for name, model in found.items():
        for w in model.weights:
            w.assign(w + 0.3 * rng.standard_normal(w.shape).astype(np.float32))
        model.compile("sgd", "mse")
        model.save(FOLDER / f"{name}.keras")
        (FOLDER / f"{name}.json").write_text(json.dumps(predictions(model, TEXTS + NEW)) + "\n")


def moved():
    """Models with the weights of another, which tf_idf's are a part of: moved.weights.h5 has them, moved.keras a model that learned other texts, moved_given.keras one
    whose vocabulary and idf_weights were given, so that its config still says the old ones."""
    rng = np.random.default_rng(6)
    other = ["one two two", "three two four five", "six seven"]

    def model(layer):
        return keras.Sequential([keras.Input((1,), dtype="string"), layer, layers.Dense(2)])

    def adapted(texts):
        layer = layers.TextVectorization(output_mode="tf_idf")
        layer.adapt(texts)
        return layer

    first = model(adapted(["the cat sat", "a dog and the cat", "fog"]))
    for w in first.weights:
        w.assign(w + 0.3 * rng.standard_normal(w.shape).astype(np.float32))
    first.save_weights(FOLDER / "moved.weights.h5")
    given = layers.TextVectorization(output_mode="tf_idf", vocabulary="one two three four five six seven".split(), idf_weights=[1, 2, 3, 4, 5, 6, 7])
    for name, second in {"moved": model(adapted(other)), "moved_given": model(given)}.items():
        second.load_weights(FOLDER / "moved.weights.h5")
        second.compile("sgd", "mse")
        second.save(FOLDER / f"{name}.keras")
        (FOLDER / f"{name}.json").write_text(json.dumps(predictions(second, other + ["seven unknown words", "one three five", ""]) | {"learned": other}) + "\n")


def predictions(model, texts):
    """Of all texts in one batch: where the length is open, layers without a mask read the padding of the longest."""
    x = [tf.constant([[t] for t in texts])]
    if len(model.inputs) > 1:
        x.append(tf.constant([[i / 4, 1.0] for i in range(len(texts))], tf.float32))
    out = model(x if len(x) > 1 else x[0])
    vocabularies = [layer.get_vocabulary() for layer in model.layers if isinstance(layer, layers.TextVectorization)]
    return {"texts": texts, "out": np.asarray(out).tolist(), "vocabularies": [[str(t) for t in v] for v in vocabularies], "versions": backend.versions()}


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "check":
        print(json.dumps(predictions(keras.models.load_model(sys.argv[2]), json.loads(pathlib.Path(sys.argv[3]).read_text()))))
        return
    if len(sys.argv) == 4 and sys.argv[1] == "read":
        t = legacy.tokenizer_from_json(pathlib.Path(sys.argv[2]).read_text())
        texts = json.loads(pathlib.Path(sys.argv[3]).read_text())
        print(json.dumps({"matrix": t.texts_to_matrix(texts, "tfidf").tolist(), "index": t.word_index, "sequences": t.texts_to_sequences(texts)}))
        return
    if sys.argv[1:] == ["moved"]:
        moved()
        return
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "tokenizer.json").write_text(json.dumps(tokenizers() | {"versions": backend.versions()}, ensure_ascii=False) + "\n")
    (FOLDER / "vectorization.json").write_text(json.dumps({"cases": vectorizations(), "versions": backend.versions()}, ensure_ascii=False) + "\n")
    models()
    moved()


if __name__ == "__main__":
    main()
