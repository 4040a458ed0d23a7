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

    mask: which steps count. some: about two thirds, and the last of every row; empty: likewise, but row 0 has none.
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
        mask = rng.random(self.shape[:2]) < 0.65
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


def all_cases():
    cases = [*merging_cases()]
    names = [c.path for c in cases]
    assert len(names) == len(set(names)), "two cases of one name"
    return cases
