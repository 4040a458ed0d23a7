"""Prints as JSON what TensorFlow reads from a folder of event files: {file: [[tag, step, value]]}. A histogram's
value is a list of buckets. It fails on a wrong checksum.

    oracle/.venv/bin/python oracle/read_events.py FOLDER
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import tensorflow as tf  # noqa: E402


def main():
    found = {}
    folder = pathlib.Path(sys.argv[1])
    for path in sorted(folder.rglob("events.out.tfevents.*.v2")):
        rows = found.setdefault(str(path.parent.relative_to(folder)), [])
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == ("histograms" if value.tag.endswith("/histogram") else "scalars")
                rows.append([value.tag, event.step, tf.make_ndarray(value.tensor).tolist()])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
