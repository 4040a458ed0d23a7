"""Layers of a model that Keras has not: recurrent layers whose step is the equations of a cell. Import this before keras.models.load_model.

Written by `unroll convert --keras-module` for one model; another model's cells are in a module of its own.
"""

import keras
from keras import ops

CELLS, CLASSES = {}, {}


def rows(value, x, width):
    """A value of every row, where it is the same for all."""
    value = ops.convert_to_tensor(value, dtype=x.dtype)
    return value if len(value.shape) == 2 else ops.broadcast_to(value, (ops.shape(x)[0], width))


def layer_norm(x, gain, bias):
    mean = ops.mean(x, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(x - mean), axis=-1, keepdims=True)
    return (x - mean) / ops.sqrt(variance + 1e-3) * gain + bias


class Equations(keras.layers.Layer):
    """A cell. Subclasses have inputs, output_width, widths of the states, shapes of the weights, and step."""

    def __init__(self, held, drops, **kwargs):
        super().__init__(**kwargs)
        self.held, self.drops = held, drops
        self.state_size, self.output_size = self.widths, self.output_width

    def build(self, input_shape):
        if input_shape[-1] != self.inputs:
            raise ValueError(f"expected inputs of width {self.inputs}, got shape {input_shape}")
        self.weights_in_order = []
        for name, shape, role in self.shapes:
            held = {key: keras.regularizers.get(self.held[f"{role}_{key}"]) if key == "regularizer" else keras.constraints.get(self.held[f"{role}_{key}"])
                    for key in ("regularizer", "constraint") if role}
            self.weights_in_order.append(self.add_weight(shape=shape, name=name, initializer="glorot_uniform" if len(shape) > 1 else "zeros", **held))
        self.built = True

    def get_config(self):
        return {"name": self.name}  # the layer has all that there is to say

    def call(self, inputs, states, training=False):
        if training and self.drops:
            raise NotImplementedError("dropout within equations: this module predicts, and trains layers without it")
        return self.step(inputs, states, [ops.convert_to_tensor(w) for w in self.weights_in_order])


@keras.saving.register_keras_serializable(package="unroll", name="Recurrent")
class Recurrent(keras.layers.RNN):
    """A layer whose step is the equations in its argument cell."""

    def __init__(self, units, cell, sizes=None, activation="tanh", recurrent_activation="sigmoid", use_bias=True, dropout=0.0, recurrent_dropout=0.0, seed=None,
                 kernel_initializer=None, recurrent_initializer=None, bias_initializer=None, kernel_regularizer=None, recurrent_regularizer=None,
                 bias_regularizer=None, kernel_constraint=None, recurrent_constraint=None, bias_constraint=None, **kwargs):
        self.arguments = {key: value for key, value in locals().items() if key not in ("self", "kwargs", "__class__")}
        held = {key: value for key, value in self.arguments.items() if key.endswith(("_regularizer", "_constraint"))}
        names = sorted((sizes or {}).items())
        choice = [key for key in CELLS if (key[0], *key[2:]) == (cell, units, activation, recurrent_activation, use_bias, tuple(names))]
        if not choice:
            raise ValueError("expected a cell that this module was written for, got another: write the module for this model")
        super().__init__(CELLS[choice[0]](held, dropout > 0 or recurrent_dropout > 0, name="cell", dtype=kwargs.get("dtype")), **kwargs)
        self.choice = {key[1]: CELLS[key] for key in choice}

    def build(self, sequences_shape, initial_state_shape=None):
        cell = self.choice.get(sequences_shape[-1])
        if cell is not None and not isinstance(self.cell, cell) and not self.cell.built:
            self.cell = cell(self.cell.held, self.cell.drops, name="cell", dtype=self.dtype_policy)
        super().build(sequences_shape, initial_state_shape)

    @property
    def units(self):
        return self.arguments["units"]

    def get_config(self):
        config = super().get_config()
        config.pop("cell", None)
        return {**config, **{key: keras.saving.serialize_keras_object(value) if key.endswith(("_initializer", "_regularizer", "_constraint")) else value
                             for key, value in self.arguments.items()}}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for key, value in config.items():
            if isinstance(value, dict) and "class_name" in value:
                config[key] = keras.saving.deserialize_keras_object(value)
        return CLASSES.get(config["cell"], cls)(**config)
