"""Writes testdata/cells/<name>.npz: outputs and every gradient of the cells that are not Keras's.

    python oracle/cells.py          (needs torch, see requirements.txt)

PyTorch computes in float64, and its autograd the gradients. Where PyTorch has the layer (an LSTM with proj_size, a relu RNN), its module
computes; elsewhere the paper's equations stand here, written down a second time. The loss is sum(y * r). The layout is that of
internal/cell/testdata: x (rows, steps, inputs), r, y, y_last, units, size:NAME, param:NAME in the stored form, grad:x and grad:NAME.
"""

import pathlib

import npz
import numpy as np
import torch

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "cells"
ROWS, STEPS, INPUTS, UNITS, PROJECTION = 3, 7, 4, 5, 2
SEED = 7
sigmoid, tanh = torch.sigmoid, torch.tanh


def blocks(p, *names):
    """The blocks of a fused weight, side by side along its last axis."""
    return dict(zip(names, p.chunk(len(names), dim=-1), strict=True))


def walk(step, x, *states):
    """The outputs of every step; step gives (output, states)."""
    ys = []
    for t in range(x.shape[1]):
        y, states = step(x[:, t], *states)
        ys.append(y)
    return torch.stack(ys, dim=1)


def zeros(*widths):
    return [torch.zeros(ROWS, w, dtype=torch.float64) for w in widths]


def peephole_lstm(p, x):
    # Gers and Schmidhuber, 2000, section 3: the input and the forget gate see c(t-1), the output gate c(t).
    w, u, b = (blocks(p[k], "i", "f", "c", "o") for k in ("kernel", "recurrent_kernel", "bias"))
    see = blocks(p["peephole"], "i", "f", "o")

    def step(x, h, c):
        def net(k):
            return x @ w[k] + h @ u[k] + b[k]

        c_new = sigmoid(net("f") + see["f"] * c) * c + sigmoid(net("i") + see["i"] * c) * tanh(net("c"))
        h = sigmoid(net("o") + see["o"] * c_new) * tanh(c_new)
        return h, (h, c_new)

    return walk(step, x, *zeros(UNITS, UNITS))


def layer_norm(x, gain, bias):
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-3) * gain + bias


def layer_norm_lstm(p, x):
    # Ba, Kiros and Hinton, 2016, with the gates normalized one by one, as TensorFlow 1's LayerNormBasicLSTMCell has it.
    w, u = (blocks(p[k], "i", "f", "c", "o") for k in ("kernel", "recurrent_kernel"))
    gamma, beta = (blocks(p[k], "i", "f", "c", "o", "out") for k in ("gamma", "beta"))

    def step(x, h, c):
        def net(k):
            return layer_norm(x @ w[k] + h @ u[k], gamma[k], beta[k])

        c = sigmoid(net("f")) * c + sigmoid(net("i")) * tanh(net("c"))
        h = sigmoid(net("o")) * tanh(layer_norm(c, gamma["out"], beta["out"]))
        return h, (h, c)

    return walk(step, x, *zeros(UNITS, UNITS))


def minimal_gated_unit(p, x):
    # Zhou et al., 2016, equations 7.
    w, u, b = (blocks(p[k], "f", "h") for k in ("kernel", "recurrent_kernel", "bias"))

    def step(x, h):
        f = sigmoid(x @ w["f"] + h @ u["f"] + b["f"])
        new = tanh(x @ w["h"] + (f * h) @ u["h"] + b["h"])
        h = (1 - f) * h + f * new
        return h, (h,)

    return walk(step, x, *zeros(UNITS))


def coupled_lstm(p, x):
    # Greff et al., 2017, CIFG: i = 1 - f.
    w, u, b = (blocks(p[k], "f", "c", "o") for k in ("kernel", "recurrent_kernel", "bias"))

    def step(x, h, c):
        f, g, o = (x @ w[k] + h @ u[k] + b[k] for k in ("f", "c", "o"))
        c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(g)
        h = sigmoid(o) * tanh(c)
        return h, (h, c)

    return walk(step, x, *zeros(UNITS, UNITS))


def module(kind, p, x, **arguments):
    """The outputs of one of PyTorch's modules with our weights, which it has transposed; its gates i, f, g, o are in our order."""
    m = kind(INPUTS, UNITS, batch_first=True, dtype=torch.float64, **arguments)
    values = {"weight_ih_l0": p["kernel"].T, "weight_hh_l0": p["recurrent_kernel"].T, "bias_ih_l0": p["bias"],
              "bias_hh_l0": torch.zeros_like(p["bias"])}
    if "projection" in p:
        values["weight_hr_l0"] = p["projection"].T
    return torch.func.functional_call(m, values, (x,))[0]


def projected_lstm(p, x):
    return module(torch.nn.LSTM, p, x, proj_size=PROJECTION)


def irnn(p, x):
    return module(torch.nn.RNN, p, x, nonlinearity="relu")


def shapes(gates, state=UNITS):
    return {"kernel": (INPUTS, gates * UNITS), "recurrent_kernel": (state, gates * UNITS), "bias": (gates * UNITS,)}


CASES = [
    (peephole_lstm, shapes(4) | {"peephole": (3 * UNITS,)}, {}),
    (projected_lstm, shapes(4, PROJECTION) | {"projection": (UNITS, PROJECTION)}, {"proj_size": PROJECTION}),
    (layer_norm_lstm, {k: v for k, v in shapes(4).items() if k != "bias"} | {"gamma": (5 * UNITS,), "beta": (5 * UNITS,)}, {}),
    (minimal_gated_unit, shapes(2), {}),
    (coupled_lstm, shapes(3), {}),
    (irnn, shapes(1), {}),
]


def record(compute, weights, sizes):
    rng = np.random.default_rng(SEED)

    def draw(shape):
        # What is computed from is what the file holds: float32.
        return torch.tensor(rng.uniform(-0.8, 0.8, shape).astype(np.float32), dtype=torch.float64, requires_grad=True)

    x = draw((ROWS, STEPS, INPUTS))
    p = {name: draw(shape) for name, shape in weights.items()}
    y = compute(p, x)
    r = draw(tuple(y.shape)).detach()
    gradients = torch.autograd.grad((y * r).sum(), [x, *p.values()])
    arrays = {"units": np.asarray(UNITS), "x": x, "r": r, "y": y, "y_last": y[:, -1], "grad:x": gradients[0]}
    arrays |= {f"size:{name}": np.asarray(n) for name, n in sizes.items()}
    for (name, value), gradient in zip(p.items(), gradients[1:], strict=True):
        arrays |= {f"param:{name}": value, f"grad:{name}": gradient}
    arrays = {k: v.detach().numpy().astype(np.float32) if torch.is_tensor(v) else v for k, v in arrays.items()}
    npz.save(FOLDER / f"{compute.__name__}.npz", arrays, {"script": "oracle/cells.py", "seed": SEED, "versions": {"torch": torch.__version__, "numpy": np.__version__}})


if __name__ == "__main__":
    for case in CASES:
        record(*case)
