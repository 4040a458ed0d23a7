#!/usr/bin/env python3
"""The same work in Keras, PyTorch, JAX, onnxruntime and unroll, in one run, alternating. README.md says what is measured and how."""

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
VENV = HERE / ".venv"


def setup(script):
    """Goes on with a script in the environment of requirements.txt, after making it where it is not there."""
    python = VENV / "bin" / "python"
    done = VENV / "requirements.txt"  # what was installed
    wanted = (HERE / "requirements.txt").read_text()
    if not done.exists() or done.read_text() != wanted:
        print("setting up bench/.venv (some GB, minutes)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        done.write_text(wanted)
    os.execv(python, [str(python), script, "--here", *sys.argv[1:]])


@dataclasses.dataclass
class Peer:
    """A process of worker.py."""

    name: str
    module: str
    env: dict = dataclasses.field(default_factory=dict)
    missing: str = ""
    versions: str = ""

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "worker.py", self.module], cwd=HERE, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **self.env},
        )  # fmt: skip
        self.missing = self.answer().get("missing", "")
        if not self.missing:
            self.versions = self.ask(do="versions").get("versions", "")

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"failed": f"{self.name} ended with {self.process.wait()}", "missing": "it does not start"}

    def ask(self, **call):
        try:
            self.process.stdin.write(json.dumps(call) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.answer()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def peers():
    return [
        Peer("Keras/TF", "peer_keras", {"KERAS_BACKEND": "tensorflow"}),
        Peer("Keras/JAX", "peer_keras", {"KERAS_BACKEND": "jax"}),
        Peer("PyTorch", "peer_torch"),
        Peer("JAX", "peer_jax"),
        Peer("onnxruntime", "peer_onnx"),
    ]


def main():
    if "--here" not in sys.argv:
        setup(__file__)
    sys.argv.remove("--here")
    from measure import Bench
    from report import write
    from rows import ALL

    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--quick", action="store_true", help="few rows, few batches, few rounds")
    p.add_argument("--rows", action="append", metavar="NAME", help="only rows with this in their name; may be repeated")
    p.add_argument("--batches", type=int, help="20, quick 5")
    p.add_argument("--rounds", type=int, help="times that every program has its turn: 5, quick 2")
    p.add_argument("--imdb", type=pathlib.Path, default=HERE / "../../shared/data/imdb/imdb.npz", help="imdb.npz as Keras has it")
    p.add_argument("--name", help="of the results, results/NAME.md and .json; quick, or the date")
    p.add_argument("--note", default="", help="a sentence about the machine, for the results")
    args = p.parse_args()
    n, rounds = args.batches or (5 if args.quick else 20), args.rounds or (2 if args.quick else 5)
    works = [w for w in ALL if w.quick or not args.quick]
    works = [w for w in works if not args.rows or any(r in w.name for r in args.rows)]
    if not works or n < 5:
        p.error("expected at least one row of that name, and 5 batches: " + "; ".join(w.name for w in ALL))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pathlib.Path(folder), peers(), n, rounds, args.imdb, args.note)
        try:
            bench.run(works)
        finally:
            bench.stop()
    write(HERE / "results", args.name or ("quick" if args.quick else bench.facts["date"]), bench)


if __name__ == "__main__":
    main()
