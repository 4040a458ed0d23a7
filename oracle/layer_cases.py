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
            make = lambda l=layer, m=more, **a: lambda: l(4, **m, **a)
            yield case(f"{kind}_states", make(return_state=True), mask, (count,), shown=mask == "empty")
            yield case(f"{kind}_states_sequences", make(return_state=True, return_sequences=True, go_backwards=kind == "gru"), mask, (count,))
            yield case(f"{kind}_returns", make(return_state=True), mask)
            yield case(f"{kind}_begins", make(go_backwards=kind == "lstm"), mask, (count,), shown=mask in ("empty", "holes"))
            yield case(f"{kind}_stateful", make(stateful=True, return_state=kind != "gru"), mask, before=True, shown=mask == "empty")
        yield case("lstm_zeros", lambda: layers.LSTM(4, return_state=True, return_sequences=True, zero_output_for_mask=True), mask, (2,), shown=False)
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
    yield case("rnn_stack_of_one", lambda: layers.RNN([layers.LSTMCell(4)]), None)
    yield Case("recurrent", "lstm_unrolled", lambda: layers.LSTM(4, unroll=True, return_state=True), (Input((4, 5, 3), "holes", static=True),))


def all_cases():
    cases = [*merging_cases(), *recurrent_cases()]
    names = [c.path for c in cases]
    assert len(names) == len(set(names)), "two cases of one name"
    return cases
