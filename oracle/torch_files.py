"""Writes testdata/torch/<name>.safetensors or .pt, small state_dicts of PyTorch, and beside each a <name>.npz: x, what went in, and out, what PyTorch computed.

    oracle/.venv/bin/python oracle/torch_files.py

model says the same layers as a MODEL of the command, in bytes. safetensors files are written by the few lines below, in the order that the package safetensors
uses: by type, then by name.
"""

import json
import pathlib
import struct
import zlib

import numpy as np
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "torch"
KINDS = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


def save_safetensors(state, path):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in sorted(state, key=lambda n: (-state[n].element_size(), n)):
        t = state[name].contiguous()
        raw = t.view(torch.uint8).numpy().tobytes() if t.dim() else t.reshape(1).view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": KINDS[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Last(nn.Module):
    """A recurrent module's outputs, or the last state of its last layer, both directions side by side."""

    def __init__(self, module, sequences=False):
        super().__init__()
        self.module, self.sequences = module, sequences

    def forward(self, x):
        out, state = self.module(x)
        if self.sequences:
            return out
        h = state[0] if isinstance(state, tuple) else state
        return torch.cat([h[-2], h[-1]], -1) if self.module.bidirectional else h[-1]


class Steps(nn.Module):
    """Applies a module to (N, C, T), as convolutions want it."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x.transpose(1, 2)).transpose(1, 2)


class Net(nn.Module):
    def __init__(self, **parts):
        super().__init__()
        self.order = list(parts)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        for name in self.order:
            x = getattr(self, name)(x)
        return x


def cases():
    ids = lambda r: r.integers(0, 12, (3, 5)).astype(np.int32)
    floats = lambda *shape: lambda r: r.standard_normal(shape).astype(np.float32)
    rnn = dict(batch_first=True)
    return {
        "lstm.safetensors": (Net(embed=nn.Embedding(12, 4), rnn=Last(nn.LSTM(4, 3, **rnn)), head=nn.Linear(3, 1), out=nn.Sigmoid()), ids,
                             "embedding(12, 4) |> lstm(3) |> dense(1, sigmoid)"),
        "gru.pt": (Net(embed=nn.Embedding(12, 4), rnn=Last(nn.GRU(4, 3, **rnn)), head=nn.Linear(3, 2)), ids, "embedding(12, 4) |> gru(3) |> dense(2)"),
        "stack.pt": (Net(rnn=Last(nn.LSTM(2, 3, num_layers=2, **rnn)), head=nn.Linear(3, 2)), floats(3, 5, 2),
                     "input(None, 2) |> lstm(3, return_sequences=true) |> lstm(3) |> dense(2)"),
        "both_ways.safetensors": (Net(rnn=Last(nn.GRU(2, 3, num_layers=2, bidirectional=True, **rnn), True), head=nn.Linear(6, 2)), floats(3, 5, 2),
                                  "input(None, 2) |> bidirectional(gru(3, return_sequences=true)) |> bidirectional(gru(3, return_sequences=true)) |> dense(2)"),
        "projected.pt": (Net(rnn=Last(nn.LSTM(2, 4, proj_size=3, **rnn)), head=nn.Linear(3, 2)), floats(3, 5, 2),
                         "input(None, 2) |> projected_lstm(4, proj_size=3) |> dense(2)"),
        "relu.safetensors": (Net(rnn=Last(nn.RNN(2, 3, nonlinearity="relu", **rnn)), norm=nn.LayerNorm(3, eps=1e-3), head=nn.Linear(3, 2, bias=False)), floats(3, 5, 2),
                             "input(None, 2) |> simple_rnn(3, relu) |> layer_normalization() |> dense(2, use_bias=false)"),
        "no_bias.pt": (Net(rnn=Last(nn.GRU(2, 3, bias=False, **rnn)), head=nn.Linear(3, 2)), floats(3, 5, 2), "input(None, 2) |> gru(3, use_bias=false) |> dense(2)"),
        "around.pt": (Net(conv=Steps(nn.Conv1d(2, 4, 3)), norm=Steps(nn.BatchNorm1d(4, eps=1e-3)), act=nn.ReLU(), rnn=Last(nn.LSTM(4, 3, **rnn)), head=nn.Linear(3, 2)),
                      floats(3, 6, 2), "input(None, 2) |> conv1d(4, 3) |> batch_normalization() |> activation(relu) |> lstm(3) |> dense(2)"),
        "half.safetensors": (Net(rnn=Last(nn.LSTM(2, 3, **rnn)), head=nn.Linear(3, 2)), floats(3, 5, 2), "input(None, 2) |> lstm(3) |> dense(2)"),
        "checkpoint.pth": (nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)), floats(4, 3), "input(3) |> dense(3, tanh) |> dense(3)"),
        "equal.safetensors": (Net(one=nn.Linear(3, 3), second=nn.Linear(3, 3)), floats(4, 3), "input(3) |> dense(3) |> dense(3)"),
    }


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (module, draw, model) in cases().items():
        seed = zlib.crc32(name.encode())
        torch.manual_seed(seed)
        with torch.no_grad():
            for key, p in module.named_parameters():
                p.copy_(torch.randn(p.shape) * 0.5)
            for key, b in module.named_buffers():
                if b.is_floating_point():
                    b.copy_(torch.rand(b.shape) + 0.5)
        if name == "half.safetensors":
            module = module.to(torch.bfloat16).float()  # numbers that BF16 has
        module.eval()
        x = draw(np.random.default_rng(seed))
        with torch.no_grad():
            out = module(torch.from_numpy(x)).numpy()
        # The wrappers above are not part of the names that a user's module would have.
        state = type(module.state_dict())((k.replace(".module.", "."), v) for k, v in module.state_dict().items())
        path = FOLDER / name
        if name == "half.safetensors":
            state = {k: v.to(torch.bfloat16) for k, v in state.items()}
        if path.suffix == ".safetensors":
            save_safetensors(state, path)
        elif path.suffix == ".pth":
            torch.save({"epoch": 3, "loss": 0.25, "model_state_dict": state, "optimizer_state_dict": torch.optim.Adam(module.parameters()).state_dict()}, path)
        else:
            torch.save(state, path)
        np.savez(path.with_suffix(".npz"), x=x, out=out, model=np.frombuffer(model.encode(), np.uint8))
        print(path.name, path.stat().st_size)


main()
