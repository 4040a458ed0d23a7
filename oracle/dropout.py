"""Dropout in recurrent layers, made repeatable: Keras draws its masks once, and every call of the model is then given these.

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
            if cell is not None and (cell.dropout or cell.recurrent_dropout):
                yield n, bool(backward), cell


def draw(model, batch):
    """(descriptions, arrays) of the masks that Keras draws for a batch of so many rows, one for each block of a cell that has several."""
    descriptions, arrays = [], []
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
    """Has the model's cells use these masks from now on."""
    for layer, backward, cell in cells(model):
        for state, name in (False, "get_dropout_mask"), (True, "get_recurrent_dropout_mask"):
            mine = [a for d, a in zip(descriptions, arrays, strict=True) if (d["layer"], d["backward"], d["state"]) == (layer, backward, state)]
            blocks = [d["block"] for d in descriptions if (d["layer"], d["backward"], d["state"]) == (layer, backward, state)]
            masks = mine[0] if blocks == [-1] else (mine or None)
            setattr(cell, name, lambda step_input, masks=masks: masks)
