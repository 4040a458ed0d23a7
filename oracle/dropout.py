"""Draws made repeatable, of dropout in recurrent layers and of layers that do nothing else: Keras makes them once, and every call of the
model is then given these.

A cell draws its masks anew for each call of its layer and keeps them for all steps. Here they are constants, so that gradients can be
recorded, ten training steps share them, and the other backend computes with the same ones.
"""

import keras
import numpy as np


def cells(model):
    """(the layer's number, whether it is a Bidirectional's backward layer, its cell) of every cell that drops."""
    for n, layer in enumerate(model.layers):
        parts = [layer]
        if isinstance(layer, keras.layers.Bidirectional):
            parts = [layer.forward_layer, layer.backward_layer]
        for backward, part in enumerate(parts):
            cell = getattr(part, "cell", None)
            if cell is not None and not isinstance(cell, keras.layers.StackedRNNCells) and (cell.dropout or cell.recurrent_dropout):
                yield n, bool(backward), cell


NOISY = (keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.GaussianNoise, keras.layers.GaussianDropout)


def noisy(model):
    """(the layer's number, the layer) of every layer that only draws."""
    for n, layer in enumerate(model.layers):
        if isinstance(layer, NOISY) and (layer.stddev if isinstance(layer, keras.layers.GaussianNoise) else layer.rate):
            yield n, layer


def draw(model, x):
    """(descriptions, arrays) of what Keras draws for the batch x: one mask for each block of a cell that has several, and for a layer what
    it multiplies its input with, or adds to it."""
    descriptions, arrays, batch = [], [], len(x)
    drawing, h = dict(noisy(model)), keras.ops.convert_to_tensor(x)
    for n, layer in enumerate(model.layers if drawing else ()):
        h = layer(h, training=False)  # a layer that draws leaves the shape alone
        if n in drawing:
            neutral = keras.ops.zeros_like(h) if isinstance(layer, keras.layers.GaussianNoise) else keras.ops.ones_like(h)
            descriptions.append({"layer": n, "backward": False, "state": False, "block": -1})
            arrays.append(np.asarray(keras.ops.convert_to_numpy(layer.call(neutral, training=True))))
    for layer, backward, cell in cells(model):
        features = cell.kernel.shape[0]
        for state, width, rate in (False, features, cell.dropout), (True, cell.units, cell.recurrent_dropout):
            if not rate or rate == 1 and not isinstance(cell, keras.layers.SimpleRNNCell):
                continue  # cells with gates drop at rates below 1 alone
            drawn = cell._create_dropout_mask(keras.ops.zeros((batch, width)), rate)
            each = drawn if isinstance(drawn, list) else [drawn]
            for block, mask in enumerate(each):
                where = {"layer": layer, "backward": backward, "state": state, "block": block if len(each) > 1 else -1}
                descriptions.append(where)
                arrays.append(np.asarray(keras.ops.convert_to_numpy(mask)))
    return descriptions, arrays


def give(model, descriptions, arrays):
    """Has the model's cells and layers use these draws from now on."""
    for n, layer in noisy(model):
        mine = next(a for d, a in zip(descriptions, arrays, strict=True) if d["layer"] == n)
        adds = isinstance(layer, keras.layers.GaussianNoise)

        def call(inputs, training=False, mine=mine, adds=adds):
            if not training:
                return inputs
            return inputs + mine if adds else inputs * mine

        layer.call = call
    for layer, backward, cell in cells(model):
        for state, name in (False, "get_dropout_mask"), (True, "get_recurrent_dropout_mask"):
            mine = [a for d, a in zip(descriptions, arrays, strict=True) if (d["layer"], d["backward"], d["state"]) == (layer, backward, state)]
            blocks = [d["block"] for d in descriptions if (d["layer"], d["backward"], d["state"]) == (layer, backward, state)]
            masks = mine[0] if blocks == [-1] else (mine or None)
            setattr(cell, name, lambda step_input, masks=masks: masks)
