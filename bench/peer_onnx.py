"""onnxruntime on PyTorch's model, exported by torch.onnx: predictions alone."""

import os
import pathlib
import tempfile

import onnxruntime
import torch

import peer_torch
from rows import STEPS, Cannot


def train(m, weights):
    raise Cannot("predicts only")


def predict(m, weights, files):
    net = peer_torch.build(m, weights).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.onnx")
        # The exporter of torch.jit gives the standard nodes RNN, LSTM and GRU, and an open batch axis.
        torch.onnx.export(
            net, (torch.zeros((2, STEPS), dtype=torch.int32),), str(path), input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "rows"}, "y": {0: "rows"}}, dynamo=False,
        )  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(["y"], {"x": x})[0]


def versions():
    return f"onnxruntime {onnxruntime.__version__}, models from torch {torch.__version__}"
