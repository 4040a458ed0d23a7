"""JAX: jax.lax.scan over the steps, the whole training step jitted, RMSprop by hand."""

import jax
import jax.numpy as jnp

from rows import Cannot


def simple_rnn(p, h):
    w, u, b = p
    return h, lambda x: x @ w + b, lambda s, z: (jnp.tanh(z + s[0] @ u),)


def lstm(p, h):
    w, u, b = p

    def step(s, z):
        i, f, g, o = jnp.split(z + s[0] @ u, 4, -1)
        c = jax.nn.sigmoid(f) * s[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    return h, lambda x: x @ w + b, step


def gru(p, h):
    w, u, b = p

    def step(s, z):
        xz, xr, xh = jnp.split(z, 3, -1)
        hz, hr, hh = jnp.split(s[0] @ u + b[1], 3, -1)
        z = jax.nn.sigmoid(xz + hz)
        return (z * s[0] + (1 - z) * jnp.tanh(xh + jax.nn.sigmoid(xr + hr) * hh),)

    return h, lambda x: x @ w + b[0], step


def lecture_lstm(p, h):
    """The lecture's equations, the products with the input over all steps at once, gates side by side."""
    wx = jnp.concatenate([p["W" + g] for g in "ifko"], 1)
    us = jnp.concatenate([p["U" + g] for g in "ifko"], 1)
    b = jnp.concatenate([p["b" + g] for g in "ifko"])

    def step(s, z):
        i, f, k, o = jnp.split(z + s[0] @ us, 4, -1)
        return jnp.tanh(o + s[1] @ p["Vo"]), jnp.tanh(i) * jnp.tanh(k) + s[1] * jnp.tanh(f)

    return h, lambda x: x @ wx + b, step


CELLS = {"simple_rnn": (simple_rnn, 1), "lstm": (lstm, 2), "gru": (gru, 1), "lecture_lstm": (lecture_lstm, 2)}


def walk(m, p, x, reverse=False):
    """x (T, N, C) through one layer: all outputs (T, N, H), and the last."""
    cell, states = CELLS[m.layer]
    h, hoist, step = cell(p, m.units)

    def body(s, z):
        s = step(s, z)
        return s, s[0]

    zeros = tuple(jnp.zeros((x.shape[1], h)) for _ in range(states))
    s, ys = jax.lax.scan(body, zeros, hoist(x), reverse=reverse)
    return ys, s[0]


def logits(m, p, ids):
    x = jnp.swapaxes(p["embedding"][ids], 0, 1)
    for layer in p["layers"]:
        if m.both:
            x, last = None, jnp.concatenate([walk(m, layer[0], x)[1], walk(m, layer[1], x, True)[1]], -1)
        else:
            x, last = walk(m, layer[0], x)
    return last @ p["dense"][0] + p["dense"][1]


def parameters(m, weights):
    if m.layer not in CELLS:
        raise Cannot("not written for these equations")
    if m.dropout or m.recurrent_dropout:
        raise Cannot("not written with dropout")
    if m.text:
        own = {k.rsplit("/", 1)[1]: jnp.asarray(v) for k, v in weights.items() if k.startswith("recurrent/")}
        layers, dense = [[own]], (weights["dense/kernel"], weights["dense/bias"])
        table = weights["embedding/embeddings"]
    else:
        w = [weights[str(i)] for i in range(len(weights))]
        ways = 2 if m.both else 1
        flat = [tuple(map(jnp.asarray, w[i : i + 3])) for i in range(1, len(w) - 2, 3)]
        layers = [flat[i : i + ways] for i in range(0, len(flat), ways)]
        table, dense = w[0], w[-2:]
    return {"embedding": jnp.asarray(table), "layers": layers, "dense": tuple(map(jnp.asarray, dense))}


def train(m, weights):
    def loss_of(p, x, y):
        z = logits(m, p, x)
        return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))

    def whole(p, v, x, y):
        loss, g = jax.value_and_grad(loss_of)(p, x, y)
        v = jax.tree.map(lambda v, g: 0.9 * v + 0.1 * g * g, v, g)
        p = jax.tree.map(lambda p, v, g: p - 1e-3 * g * jax.lax.rsqrt(v + 1e-7), p, v, g)
        return loss, p, v

    whole = jax.jit(whole, donate_argnums=(0, 1))
    p = parameters(m, weights)
    state = [p, jax.tree.map(jnp.zeros_like, p)]

    def step(x, y):
        loss, *state[:] = whole(*state, x, y)
        jax.block_until_ready(state)
        return float(loss)

    return step


def predict(m, weights, files):
    p = parameters(m, weights)
    run = jax.jit(lambda p, x: jax.nn.sigmoid(logits(m, p, x)))
    return lambda x: jax.device_get(run(p, x))


def versions():
    return f"jax {jax.__version__}"
