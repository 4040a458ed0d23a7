"""The list of goldens of single layers that take several inputs or give several outputs. It computes nothing.

As in cases.py: a file's name is its case's name, and seeds follow from names.
"""

import dataclasses
import typing
import zlib

import numpy as np
from keras import layers


@dataclasses.dataclass(frozen=True)
class Input:
    """One input: the shape of a batch, the rows first. In the layer's signature the rows are open and, unless static, so is the
    second axis of three and more.

    mask: which steps count. some: about two thirds, and the last of every row; empty: likewise, but row 0 has none; left, right: rows of
    different lengths, padded there; holes: about two thirds, but of row 0 neither the first nor the last, and two at least.
    whole: the values are small whole numbers, so that many are equal.
    """

    shape: tuple
    mask: str | None = None
    static: bool = False
    whole: bool = False

    def draw(self, rng):
        if self.whole:
            return rng.integers(-1, 2, self.shape).astype(np.float32)
        return rng.standard_normal(self.shape).astype(np.float32)

    def draw_mask(self, rng):
        if self.mask is None:
            return None
        rows, steps = self.shape[:2]
        if self.mask in ("left", "right"):
            lengths = np.array([steps, 1, *rng.integers(1, steps + 1, rows)])[:rows, None]
            count = np.arange(steps)[None, :]
            return count >= steps - lengths if self.mask == "left" else count < lengths
        mask = rng.random(self.shape[:2]) < 0.65
        if self.mask == "holes":
            mask[0], mask[0, 1], mask[0, -2] = False, True, True
            return mask
        mask[:, -1] = True
        if self.mask == "empty":
            mask[0] = False
        return mask

    def signature(self):
        rest = list(self.shape[1:])
        if len(rest) > 1 and not self.static:
            rest[0] = None
        return tuple(rest)


@dataclasses.dataclass(frozen=True)
class Case:
    group: str
    name: str
    layer: typing.Callable
    inputs: tuple
    call: dict = dataclasses.field(default_factory=dict)  # further arguments of the call
    apart: bool = False  # the inputs are arguments of their own, not one list
    # The inputs after the first are the initial states of a recurrent layer: so many in each part of the list that it takes. One number says that the
    # list has no parts.
    states: tuple = ()
    before: bool = False  # a batch like the first input's goes through a stateful layer first
    one_backend: str | None = None  # why the other backend is not asked

    @property
    def path(self):
        return f"{self.group}/{self.name}"

    @property
    def seed(self):
        return zlib.crc32(self.path.encode())


def sequence(width=4, steps=5, mask=None, **more):
    return Input((3, steps, width), mask, **more)


def vector(width=4):
    return Input((3, width))


def merging_cases():
    merges = {"add": layers.Add, "average": layers.Average, "multiply": layers.Multiply, "maximum": layers.Maximum, "minimum": layers.Minimum}
    some = sequence(mask="some")
    for name, layer in merges.items():
        yield Case("merging", name, layer, (sequence(), sequence(), sequence()))
        yield Case("merging", f"{name}_one", layer, (some,))
        yield Case("merging", f"{name}_vectors", layer, (vector(), vector()))
        yield Case("merging", f"{name}_broadcast", layer, (sequence(1), sequence(), sequence(4, 1, static=True)))
        yield Case("merging", f"{name}_ranks", layer, (vector(), Input((3, 2, 3, 4), static=True), sequence(1, 3, static=True)))
        yield Case("merging", f"{name}_masked", layer, (some, sequence(mask="empty"), some))
        yield Case("merging", f"{name}_masked_broadcast", layer, (sequence(1, mask="empty"), some, sequence(4, 1, "empty", static=True)))
        # One without a mask, at every place: what an input hides depends on those before it.
        yield Case("merging", f"{name}_first_unmasked", layer, (sequence(), some, some))
        yield Case("merging", f"{name}_last_unmasked", layer, (some, some, sequence()))
        yield Case("merging", f"{name}_masked_and_vector", layer, (some, vector()))
    yield Case("merging", "add_masked_wide", layers.Add, (Input((3, 5, 2, 4), "some"), Input((3, 5, 2, 4), "some")))
    halves = "where two are equal TensorFlow gives the first the gradient, JAX half of it to each"
    for name in "maximum", "minimum":
        yield Case("merging", f"{name}_equal", merges[name], tuple(sequence(whole=True) for _ in range(3)), one_backend=halves)
    yield Case("merging", "subtract", layers.Subtract, (sequence(), sequence()))
    yield Case("merging", "subtract_broadcast", layers.Subtract, (vector(), sequence()))
    yield Case("merging", "subtract_masked", layers.Subtract, (some, sequence(mask="empty")))
    yield Case("merging", "concatenate", layers.Concatenate, (sequence(), sequence(2), sequence(1)))
    yield Case("merging", "concatenate_vectors", layers.Concatenate, (vector(), vector(2)))
    yield Case("merging", "concatenate_one", layers.Concatenate, (some,))
    yield Case("merging", "concatenate_wide", lambda: layers.Concatenate(axis=2), (Input((3, 2, 3, 4), static=True), Input((3, 2, 1, 4), static=True)))
    yield Case("merging", "concatenate_masked", layers.Concatenate, (some, sequence(2, mask="empty")))
    yield Case("merging", "concatenate_partly_masked", layers.Concatenate, (some, sequence(2)))
    yield Case("merging", "concatenate_steps", lambda: layers.Concatenate(axis=1), (sequence(), sequence(4, 2), sequence(4, 1)))
    yield Case("merging", "concatenate_steps_masked", lambda: layers.Concatenate(axis=-2), (some, sequence(4, 3, "empty")))
    yield Case("merging", "concatenate_steps_partly_masked", lambda: layers.Concatenate(axis=1), (sequence(4, 2), some))
    for normalize in (False, True):
        dot = lambda axes, n=normalize: lambda: layers.Dot(axes=axes, normalize=n)
        end = "_normalized" * normalize
        yield Case("merging", f"dot_vectors{end}", dot(1), (vector(), vector()))
        yield Case("merging", f"dot_widths{end}", dot(-1), (some, sequence(4, 3)))
        yield Case("merging", f"dot_steps{end}", dot(1), (sequence(), sequence(2)))
        yield Case("merging", f"dot_crossed{end}", dot((2, 1)), (sequence(3), Input((3, 3, 4), static=True)))
        yield Case("merging", f"dot_vector_and_sequence{end}", dot((1, -1)), (vector(), sequence()))
        yield Case("merging", f"dot_sequence_and_vector{end}", dot((2, 1)), (sequence(), vector()))
        yield Case("merging", f"dot_wide{end}", dot((2, 3)), (Input((3, 2, 4, 3), static=True), Input((3, 5, 2, 4), static=True)))


RECURRENT = {
    "simple_rnn": (layers.SimpleRNN, {}, 1),
    "lstm": (layers.LSTM, {}, 2),
    "gru": (layers.GRU, {}, 1),
    "gru_reset_before": (layers.GRU, {"reset_after": False}, 1),
}
FIRST = "before the first step that counts JAX puts out the first initial state, TensorFlow zeros"


def recurrent_cases():
    """Masked rows whose output before the first valid step shows are TensorFlow's alone, unless their states begin with zeros."""
    masks = (None, "left", "right", "holes", "empty")

    def case(name, layer, mask, states=(), width=4, before=False, shown=True):
        inputs = (Input((4, 5, 3), mask), *(Input((4, width)) for _ in range(sum(states))))
        alone = shown and mask in ("left", "holes", "empty") and (states or before)
        return Case("recurrent", f"{name}_{mask or 'plain'}", layer, inputs, states=states, before=before, one_backend=FIRST if alone else None)

    for mask in masks:
        for kind, (layer, more, count) in RECURRENT.items():
            if kind == "gru_reset_before" and mask in ("left", "right"):
                continue
            make = lambda l=layer, m=more, **a: lambda: l(4, **m, **a)
            yield case(f"{kind}_states", make(return_state=True), mask, (count,), shown=mask == "empty")
            if kind in ("lstm", "gru"):
                yield case(f"{kind}_states_sequences", make(return_state=True, return_sequences=True, go_backwards=kind == "gru"), mask, (count,))
            yield case(f"{kind}_returns", make(return_state=True), mask)
            yield case(f"{kind}_stateful", make(stateful=True, return_state=kind != "gru"), mask, before=True, shown=mask == "empty")
        yield case("lstm_zeros", lambda: layers.LSTM(4, return_state=True, return_sequences=True, zero_output_for_mask=True), mask, (2,), shown=False)
        if mask in ("left", "right"):
            continue  # what follows is made of the layers above
        stack = lambda **a: lambda: layers.RNN([layers.SimpleRNNCell(4), layers.LSTMCell(4), layers.GRUCell(4, name="last")], **a)
        yield case("rnn", lambda: layers.RNN(layers.LSTMCell(4), return_state=True), mask, (2,), shown=mask == "empty")
        yield case("rnn_stack", stack(), mask)
        yield case("rnn_stack_states", stack(return_state=True, return_sequences=True, go_backwards=True), mask, (1, 2, 1))
        yield case("rnn_stack_zeros", stack(return_sequences=True, zero_output_for_mask=True), mask)
        yield case("rnn_stack_stateful", stack(stateful=True), mask, before=True, shown=mask == "empty")
        both = lambda inner, mode="concat", **a: lambda: layers.Bidirectional(inner(), merge_mode=mode, **a)
        yield case("bidirectional_states", both(lambda: layers.LSTM(4, return_state=True)), mask, (4,), shown=mask in ("empty", "right", "holes"))
        yield case("bidirectional_states_sequences", both(lambda: layers.GRU(4, return_state=True, return_sequences=True), "mul"), mask, (2,), shown=False)
        yield case("bidirectional_apart", both(lambda: layers.LSTM(4), None), mask)
        yield case("bidirectional_apart_states", both(lambda: layers.SimpleRNN(4, return_state=True, return_sequences=True), None), mask, (2,), shown=False)
        other = lambda: layers.LSTM(4, go_backwards=True, return_sequences=True)
        yield case("bidirectional_other", lambda: layers.Bidirectional(layers.GRU(4, return_sequences=True), "ave", backward_layer=other()), mask)
        yield case("bidirectional_stack", both(lambda: layers.RNN([layers.GRUCell(4), layers.SimpleRNNCell(3)])), mask)
        yield case("bidirectional_stateful", both(lambda: layers.LSTM(4, stateful=True)), mask, before=True, shown=mask in ("empty", "right", "holes"))
    alone = "Keras hands a list of one cell its states one by one, on JAX always, on TensorFlow where there is a mask"
    yield Case("recurrent", "rnn_stack_of_one", lambda: layers.RNN([layers.LSTMCell(4)]), (Input((4, 5, 3)),), one_backend=alone)
    yield Case("recurrent", "lstm_unrolled", lambda: layers.LSTM(4, unroll=True, return_state=True), (Input((4, 5, 3), "holes", static=True),))


def attention_cases():
    query, value, key = sequence(4, 5), sequence(3, 6), sequence(4, 6)
    masked = sequence(4, 5, "empty"), sequence(4, 6, "empty"), sequence(4, 6, "some")
    same = sequence(4, 5), sequence(4, 6)
    both = {"return_attention_scores": True}
    causal = {"use_causal_mask": True}
    kinds = {
        "dot": lambda **more: layers.Attention(**more),
        "dot_scale": lambda **more: layers.Attention(use_scale=True, **more),
        "concat": lambda **more: layers.Attention(score_mode="concat", **more),
        "concat_scale": lambda **more: layers.Attention(score_mode="concat", use_scale=True, **more),
        "additive": lambda **more: layers.AdditiveAttention(**more),
        "additive_no_scale": lambda **more: layers.AdditiveAttention(use_scale=False, **more),
    }
    for name, layer in kinds.items():
        drops = lambda l=layer: l(dropout=0.4, seed=3)
        yield Case("attention", name, layer, same)
        yield Case("attention", f"{name}_key", layer, (query, value, key), both)
        yield Case("attention", f"{name}_masked", layer, masked, both)
        yield Case("attention", f"{name}_causal_masked", layer, masked[:2], causal)
        yield Case("attention", f"{name}_dropout", drops, (query, value, key), both)
        if "dot" in name:
            yield Case("attention", f"{name}_causal", layer, (sequence(4, 6), sequence(4, 4)), causal | both)
            yield Case("attention", f"{name}_masked_query", layer, (masked[0], same[1]))
            yield Case("attention", f"{name}_masked_value", layer, (same[0], masked[1]))
            yield Case("attention", f"{name}_dropout_masked", drops, masked, causal)
    yield Case("attention", "dot_one_step", kinds["dot"], (sequence(4, 1), sequence(4, 1)))
    yield Case("attention", "dot_wide", kinds["dot"], (sequence(33, 19), sequence(33, 21)))


def multi_head_cases():
    query, value, key = sequence(4, 5), sequence(3, 6), sequence(5, 6)
    masked = sequence(4, 5, "empty"), sequence(3, 6, "some"), sequence(5, 6, "some")
    empty = sequence(4, 5, "some"), sequence(3, 6, "empty")
    both = {"return_attention_scores": True}
    causal = {"use_causal_mask": True}
    heads = lambda **more: lambda: layers.MultiHeadAttention(2, 3, **more)

    def case(name, layer, inputs, call=None, **more):
        return Case("multi_head_attention", name, layer, inputs, call or {}, apart=True, **more)

    yield case("self", heads(), (query, query))
    yield case("one_head", lambda: layers.MultiHeadAttention(1, 4), (query, value))
    yield case("key", heads(), (query, value, key))
    yield case("value_dim", heads(value_dim=5), (query, value, key), one_backend="Keras 3.15.1 on JAX fails where value_dim is not key_dim")
    yield case("value_dim_scores", heads(value_dim=5), (query, value, key), both)
    yield case("no_bias", heads(use_bias=False), (query, value))
    yield case("output_shape", heads(output_shape=7), (query, value))
    yield case("output_shape_of_two_axes", heads(output_shape=(2, 3)), (query, value))
    yield case("initializers", heads(kernel_initializer="orthogonal", bias_initializer="ones", kernel_regularizer="l2", bias_regularizer="l1", kernel_constraint="unit_norm", bias_constraint="non_neg"), (query, value))
    yield case("wide", lambda: layers.MultiHeadAttention(4, 17), (sequence(20, 19), sequence(20, 21)))
    yield case("gate", heads(use_gate=True), (query, value))
    yield case("gate_scores", heads(use_gate=True, use_bias=False), masked, both)
    # Keras has two ways, which differ where nothing is left to see.
    for end, more, call in ("", {}, {}), ("_scores", {}, both), ("_dropout", {"dropout": 0.4, "seed": 5}, {}), ("_dropout_scores", {"dropout": 0.4}, both):
        yield case(f"plain{end}", heads(**more), (query, value), call)
        yield case(f"masked{end}", heads(**more), masked, call)
        yield case(f"masked_value{end}", heads(**more), empty, call)
        yield case(f"masked_query{end}", heads(**more), (masked[0], value), call)
        yield case(f"causal{end}", heads(**more), (sequence(4, 6), sequence(3, 4)), causal | call)
        yield case(f"causal_masked{end}", heads(**more), (empty[0], masked[1]), causal | call)
        yield case(f"window{end}", heads(sliding_window=2, **more), (query, value), call)
        yield case(f"window_causal_masked{end}", heads(sliding_window=2, **more), masked, causal | call)


def all_cases():
    cases = [*merging_cases(), *recurrent_cases(), *attention_cases(), *multi_head_cases()]
    names = [c.path for c in cases]
    assert len(names) == len(set(names)), "two cases of one name"
    return cases
