"""What onnxruntime makes of ONNX files.

python oracle/onnx_check.py FOLDER

Every NAME.onnx in FOLDER passes the checker of the package onnx, then runs on the arrays in0, in1 … of NAME.npz, in the order of its inputs; its outputs become out0, out1 …
of NAME.out.npz. One that fails is named, with the reason, and the others go on; then the exit code is 1.
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime


def run(path):
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    arrays = np.load(path.with_suffix(".npz"))
    inputs = {i.name: arrays[f"in{k}"] for k, i in enumerate(session.get_inputs())}
    outputs = session.run(None, inputs)
    np.savez(path.with_suffix(".out.npz"), **{f"out{k}": v for k, v in enumerate(outputs)})


def main():
    failed = 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
        try:
            run(path)
        except Exception as e:  # of any kind: it is told, and the others go on
            failed += 1
            print(f"{path.name}: {type(e).__name__}: {str(e)[:2000]}")
    sys.exit(1 if failed else 0)


main()
