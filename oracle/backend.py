"""Chooses the Keras backend before Keras is imported, and computes with it what a golden records.

Everything is float32. TensorFlow is the backend of record: one thread, without oneDNN and without XLA, so that a second run gives
the same bits on the same machine. JAX is the second opinion.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import importlib.metadata  # noqa: E402
import platform  # noqa: E402

import keras  # noqa: E402
import numpy as np  # noqa: E402

BACKEND = keras.backend.backend()

if BACKEND == "tensorflow":
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def versions():
    """The versions that a golden carries, by package name."""
    names = {"keras": "keras", "tensorflow": "tensorflow-cpu", "jax": "jax", "numpy": "numpy"}
    return {k: importlib.metadata.version(v) for k, v in names.items()} | {"python": platform.python_version()}


def outputs(model, x):
    """The model's inference output for one batch, as numpy."""
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))


def graph_of_gradients(model, wants_x):
    """A TensorFlow graph (x, y) -> (loss, gradients of the trainable weights and, when wants_x, of x), all of them dense."""

    @tf.function(jit_compile=False, reduce_retracing=True)
    def graph(x, y):
        with tf.GradientTape() as tape:
            if wants_x:
                tape.watch(x)
            loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True), training=True)
        sources = [w.value for w in model.trainable_weights] + ([x] if wants_x else [])
        found = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return loss, [tf.convert_to_tensor(g) for g in found]

    return graph


def gradients(model, x, y):
    """The training loss for one batch and its gradients.

    Returns (loss, gradient to x or None for ids, [gradient for each of model.trainable_weights]), the loss as train_on_batch takes
    it: reduced, masked, with logits recovered where the backend does that.
    """
    wants_x = x.dtype == np.float32
    if BACKEND == "tensorflow":
        loss, found = graph_of_gradients(model, wants_x)(tf.constant(x), tf.constant(y))
    else:
        import jax

        trainable = [v.value for v in model.trainable_variables]
        fixed = [v.value for v in model.non_trainable_variables]

        def of(trainable, x):
            out, _, penalties = model.stateless_call(trainable, fixed, x, training=True, return_losses=True)
            model._losses_override = penalties  # as Keras's own trainer hands them on
            loss = model.compute_loss(x=x, y=y, y_pred=out, training=True)
            model._losses_override = []
            return loss

        loss, (found, gx) = jax.jit(jax.value_and_grad(of, argnums=(0, 1), allow_int=True))(trainable, x)
        found = list(found) + ([gx] if wants_x else [])
    found = [np.asarray(g) for g in found]
    return np.float32(loss), (found.pop() if wants_x else None), found


def train(model, xs, ys):
    """One training step for each pair; returns each batch's loss before its step, float32.

    On TensorFlow this is train_on_batch but for one thing: gradients are made dense before the optimizer sees them. There
    train_on_batch hands the optimizer an embedding's gradient as one slice for each id read, and `square` then squares slice by slice: an id
    read n times adds the sum of n squares, not the square of the sum, to the second moment of RMSprop and Adam. Keras on
    JAX squares the sum. train_as_shipped is train_on_batch itself.
    """
    if BACKEND != "tensorflow":
        return train_as_shipped(model, xs, ys)
    model.optimizer.build(model.trainable_weights)
    graph = graph_of_gradients(model, False)

    @tf.function(jit_compile=False, reduce_retracing=True)
    def step(x, y):
        loss, found = graph(x, y)
        model.optimizer.apply(found, model.trainable_weights)
        return loss

    return np.asarray([step(tf.constant(x), tf.constant(y)) for x, y in zip(xs, ys)], np.float32)


def train_as_shipped(model, xs, ys):
    """One train_on_batch for each pair; returns each batch's loss before its step, float32."""
    return np.asarray([model.train_on_batch(x, y, return_dict=True)["loss"] for x, y in zip(xs, ys)], np.float32)


def get_weights(model):
    """The weights as float32, a counter of Normalization too."""
    return [np.asarray(keras.ops.convert_to_numpy(w), np.float32) for w in model.weights]


def set_weights(model, values):
    for variable, value in zip(model.weights, values, strict=True):
        variable.assign(value)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies
