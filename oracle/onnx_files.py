"""ONNX files of others, with what they compute, for testdata/onnx.

python oracle/onnx_files.py

torch_NAME.onnx are modules of PyTorch, written by its exporter of TorchScript, with inputs and the module's outputs in torch_NAME.npz. node_NAME.onnx and .npz are the
recurrent cases of the package onnx's own test data (onnx/backend/test/case/node; Copyright ONNX Project Contributors, Apache-2.0), each one node whose weights are inputs.
"""
import importlib
import pathlib
import warnings

import numpy as np
import onnx
import onnx.backend.test.case.node as node
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent.parent / "testdata" / "onnx"


def save(name, inputs, outputs):
    arrays = {f"in{i}": a for i, a in enumerate(inputs)} | {f"out{i}": a for i, a in enumerate(outputs)}
    np.savez(FOLDER / f"{name}.npz", **arrays)


class Last(nn.Module):
    """Embedding, a recurrent layer, its last step, a linear layer."""

    def __init__(self, layer, width, head):
        super().__init__()
        self.embedding, self.layer, self.linear, self.head = nn.Embedding(11, 4), layer, nn.Linear(width, 2), head

    def forward(self, x):
        y, _ = self.layer(self.embedding(x))
        return self.head(self.linear(y[:, -1, :]))


class States(nn.Module):
    """The last state of the last layer instead."""

    def __init__(self, layer, width):
        super().__init__()
        self.embedding, self.layer, self.linear = nn.Embedding(11, 4), layer, nn.Linear(width, 3)

    def forward(self, x):
        _, h = self.layer(self.embedding(x))
        h = h[0] if isinstance(h, tuple) else h
        h = torch.cat([h[-2], h[-1]], dim=1) if self.layer.bidirectional else h[-1]
        return torch.log_softmax(self.linear(h), dim=-1)


class Sequences(nn.Module):
    """Floats in, every step out, normalized."""

    def __init__(self, layer, width):
        super().__init__()
        self.layer, self.norm, self.linear = layer, nn.LayerNorm(width), nn.Linear(width, 3)

    def forward(self, x):
        y, _ = self.layer(x)
        return self.linear(torch.relu(self.norm(y)))


class Convolution(nn.Module):
    """Windows before a recurrent layer; the mean of the steps behind it."""

    def __init__(self):
        super().__init__()
        self.conv, self.batch, self.pool, self.layer = nn.Conv1d(3, 6, 3, padding=1), nn.BatchNorm1d(6), nn.MaxPool1d(2), nn.GRU(6, 4, batch_first=True)

    def forward(self, x):
        y = self.pool(torch.tanh(self.batch(self.conv(x.transpose(1, 2))))).transpose(1, 2)
        return self.layer(y)[0].mean(dim=1)


class Decoder(nn.Module):
    """States in and out."""

    def __init__(self):
        super().__init__()
        self.layer, self.linear = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x, h, c):
        y, (h, c) = self.layer(x, (h, c))
        return torch.softmax(self.linear(y), dim=-1), h, c


def torch_models():
    ids, floats = torch.randint(0, 11, (3, 7)), torch.randn(3, 8, 3)
    lstm = lambda **k: nn.LSTM(4, 5, batch_first=True, **k)
    gru = lambda **k: nn.GRU(4, 5, batch_first=True, **k)
    rnn = lambda **k: nn.RNN(4, 5, batch_first=True, **k)
    states = tuple(torch.randn(1, 3, 4) for _ in range(2))
    time_major = nn.LSTM(3, 5)
    return {
        "rnn": (Last(rnn(), 5, nn.Sigmoid()), (ids,)),
        "rnn_relu": (Last(rnn(nonlinearity="relu"), 5, nn.Softmax(dim=-1)), (ids,)),
        "lstm": (Last(lstm(), 5, nn.Sigmoid()), (ids,)),
        "gru": (Last(gru(), 5, nn.ELU()), (ids,)),
        "lstm_two": (Last(lstm(num_layers=2, dropout=0.5), 5, nn.SiLU()), (ids,)),
        "lstm_states": (States(lstm(num_layers=2), 5), (ids,)),
        "gru_both_states": (States(gru(bidirectional=True), 10), (ids,)),
        "lstm_both": (Sequences(nn.LSTM(3, 5, batch_first=True, bidirectional=True), 10), (floats,)),
        "gru_both_two": (Sequences(nn.GRU(3, 5, batch_first=True, bidirectional=True, num_layers=2), 10), (floats,)),
        "no_bias": (Sequences(nn.LSTM(3, 5, batch_first=True, bias=False), 5), (floats,)),
        "time_major": (Sequences(time_major, 5), (floats.transpose(0, 1).contiguous(),)),
        "convolution": (Convolution(), (floats,)),
        "decoder": (Decoder(), (floats, *states)),
    }


def export(name, module, inputs):
    module.eval()
    with torch.no_grad():
        out = module(*inputs)
    out = out if isinstance(out, tuple) else (out,)
    names = [f"x{i}" for i in range(len(inputs))]
    batch = {"decoder": [0, 1, 1], "time_major": [1]}.get(name, [0])
    axes = {n: {b: "batch"} for n, b in zip(names, batch)}
    axes[names[0]] |= {1 - batch[0]: "time"} if name != "convolution" else {}
    torch.onnx.export(module, inputs, FOLDER / f"torch_{name}.onnx", dynamo=False, input_names=names, output_names=[f"y{i}" for i in range(len(out))],
                      dynamic_axes=axes, opset_version=17)
    save(f"torch_{name}", [i.numpy() for i in inputs], [o.numpy() for o in out])


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    warnings.simplefilter("ignore")
    for name, (module, inputs) in torch_models().items():
        if name == "convolution":  # averages of data, as after a training
            module.train()(torch.randn(16, 8, 3))
        export(name, module, inputs)
    count = 0
    for module in ("rnn", "lstm", "gru"):  # importing one makes its cases; all of them would take minutes
        importlib.import_module(f"onnx.backend.test.case.node.{module}")
    for case in node._NodeTestCases:
        nodes = case.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in ("RNN", "LSTM", "GRU"):
            continue
        name = case.name.removeprefix("test_")
        onnx.save(case.model, FOLDER / f"node_{name}.onnx")
        inputs, outputs = case.data_sets[0]
        save(f"node_{name}", [np.asarray(i) for i in inputs], [np.asarray(o) for o in outputs])
        count += 1
    print(count, "cases of nodes")


main()
