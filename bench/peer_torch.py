"""PyTorch, eager, as its documentation says: Embedding, RNN or LSTM or GRU, Linear."""

import os

import numpy as np
import torch

from rows import WORDS, Cannot

torch.set_num_threads(len(os.sched_getaffinity(0)))

MODULES = {"simple_rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


class Net(torch.nn.Module):
    def __init__(self, m):
        super().__init__()
        self.both = m.both
        self.embedding = torch.nn.Embedding(WORDS, m.units)
        self.recurrent = MODULES[m.layer](m.units, m.units, m.depth, batch_first=True, bidirectional=m.both)
        self.dense = torch.nn.Linear(m.units * (2 if m.both else 1), 1)

    def logits(self, x):
        y, state = self.recurrent(self.embedding(x))
        if not self.both:
            return self.dense(y[:, -1])
        h = state[0] if isinstance(state, tuple) else state
        return self.dense(torch.cat([h[-2], h[-1]], 1))  # the end of each direction

    def forward(self, x):
        return torch.sigmoid(self.logits(x))


def build(m, weights):
    """The net with Keras's start weights. Keras has one bias for a SimpleRNN and an LSTM: the second stays zero, and is not trained."""
    if m.text:
        raise Cannot("no module of these equations")
    if m.dropout or m.recurrent_dropout:
        raise Cannot("no recurrent dropout")
    net = Net(m)
    w = [torch.from_numpy(np.ascontiguousarray(weights[str(i)])) for i in range(len(weights))]
    at = 1
    with torch.no_grad():
        net.embedding.weight.copy_(w[0])
        for layer in range(m.depth):
            for end in ("", "_reverse") if m.both else ("",):
                kernel, recurrent, bias = w[at : at + 3]
                at += 3
                if m.layer == "gru":  # Keras: z r h; PyTorch: r z n
                    swap = lambda a: torch.cat([a[..., m.units : 2 * m.units], a[..., : m.units], a[..., 2 * m.units :]], -1)
                    kernel, recurrent, bias = swap(kernel), swap(recurrent), swap(bias)
                b_ih, b_hh = bias if m.layer == "gru" else (bias, torch.zeros_like(bias))
                for name, value in (("weight_ih", kernel.T), ("weight_hh", recurrent.T), ("bias_ih", b_ih), ("bias_hh", b_hh)):
                    getattr(net.recurrent, f"{name}_l{layer}{end}").copy_(value)
                if m.layer != "gru":
                    getattr(net.recurrent, f"bias_hh_l{layer}{end}").requires_grad_(False)
        net.dense.weight.copy_(w[at].T)
        net.dense.bias.copy_(w[at + 1])
    return net


class RMSprop(torch.optim.Optimizer):
    """Keras's: epsilon stands below the root, where torch.optim.RMSprop adds it to the root. As many operations as that one."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if not self.state[p]:
                    self.state[p]["v"] = torch.zeros_like(p)
                v = self.state[p]["v"]
                v.mul_(0.9).addcmul_(p.grad, p.grad, value=0.1)
                p.addcdiv_(p.grad, v.add(1e-7).sqrt_(), value=-1e-3)


def train(m, weights):
    net = build(m, weights).train()
    optimizer = RMSprop([p for p in net.parameters() if p.requires_grad], {})
    loss_of = torch.nn.BCEWithLogitsLoss()

    def step(x, y):
        optimizer.zero_grad()
        loss = loss_of(net.logits(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def predict(m, weights, files):
    net = build(m, weights).eval()

    def run(x):
        with torch.inference_mode():
            return net(torch.from_numpy(x)).numpy()

    return run


def versions():
    return f"torch {torch.__version__}, eager, {torch.get_num_threads()} threads"
