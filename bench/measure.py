"""The rounds: every program takes its turn at one work before any takes its next."""

import dataclasses
import datetime
import io
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import zipfile

import h5py
import numpy as np

from data import batches
from rows import BATCH, COMPARED, KINDS, ONE, PREDICT, TOLERANCE, TRAIN

HERE = pathlib.Path(__file__).resolve().parent
KEYS = {TRAIN: "train_step_ms", PREDICT: "predict_batch_ms", ONE: "predict_one_ms"}
OURS = {"unroll": [], "unroll, savings off": ["--savings=false"]}


class Bench:
    def __init__(self, folder, peers, n, rounds, imdb, note):
        self.folder, self.peers, self.n, self.rounds, self.imdb = folder, peers, n, rounds, imdb
        self.results = []
        self.unroll = folder / "unroll"
        subprocess.run(["go", "build", "-o", self.unroll, "./cmd/unroll"], cwd=HERE.parent, check=True)
        for p in peers:
            p.start()
        self.facts = {
            "date": datetime.date.today().isoformat(), "note": note, "machine": machine(), "batches": n, "rounds": rounds,
            "load before": os.getloadavg(),
            "versions": {p.name: p.versions for p in peers if not p.missing},
            "missing": {p.name: p.missing for p in peers if p.missing},
        }  # fmt: skip
        self.facts["versions"]["unroll"] = " ".join(
            [output("git", "describe", "--always", "--dirty"), output("go", "env", "GOVERSION")]
        )

    def stop(self):
        for p in self.peers:
            p.stop()

    def run(self, works):
        self.weigh(works)
        for w in works:
            self.work(w)
        self.facts["load after"] = os.getloadavg()

    def weigh(self, works):
        """Start weights of all models, as .keras and as .npz."""
        lines = ""
        for m in {w.model for w in works}:
            if m.text:
                self.weigh_text(m)
            else:
                lines += json.dumps({"model": dataclasses.asdict(m), "key": key(m)}) + "\n"
        if lines:
            env = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
            subprocess.run([sys.executable, "weights.py", self.folder], cwd=HERE, input=lines, text=True, env=env, check=True)

    def weigh_text(self, m):
        """A model of equations is unroll's own: it is trained on one row, and its weights are read from its file."""
        one = self.folder / "one.jsonl"
        one.write_text('{"x": [1, 2, 3], "y": 1}\n')
        file = self.folder / f"{key(m)}.keras"
        text = f"embedding(10000, {m.units}) |> recurrent({m.units}, cell='{(HERE / m.text).resolve()}') |> dense(1, sigmoid)"
        self.ask("train", text, "--data", one, "--epochs", 1, "--validation-split", 0, "--out", file)
        names = json.loads(self.ask("summary", file, "--json"))["weights"]
        layer = names[1]["path"].split("/")[0]  # the text's own where a layer has it, else recurrent
        with h5py.File(io.BytesIO(zipfile.ZipFile(file).read("model.weights.h5"))) as f:
            groups = ["embedding/vars"] + [f"{layer}/cell/vars"] * (len(names) - 3) + ["dense/vars"] * 2
            at = [0, *range(len(names) - 3), 0, 1]
            weights = {w["path"]: f[f"layers/{g}/{i}"][()] for w, g, i in zip(names, groups, at)}
        np.savez(self.folder / f"{key(m)}.npz", **{k.replace(f"{layer}/cell/", "recurrent/"): v for k, v in weights.items()})

    def ask(self, *args):
        r = subprocess.run([self.unroll, *map(str, args)], capture_output=True, text=True)
        if r.returncode:
            raise RuntimeError(r.stderr.strip().splitlines()[-1])
        return r.stdout

    def data(self, kind):
        path = self.folder / f"{kind}.npz"
        if not path.exists():
            x, y = batches(self.imdb, kind, self.n)
            np.savez(path, x=x, y=y)
            np.savez(self.folder / f"{kind}_first.npz", x=x[:BATCH], y=y[:BATCH])
        return path

    def work(self, w):
        """All kinds of a work in all programs."""
        data, model = self.data(w.rows), self.folder / key(w.model)
        files = {"data": str(data), "weights": f"{model}.npz"}
        kinds = list(w.ratios)
        times = {}  # (program, kind): fastest time of every batch
        first = {}  # (program, kind): losses or predictions
        said = {}  # (program, kind): why there is no time
        for p in [p for p in self.peers if not p.missing]:
            for kind in kinds:
                a = p.ask(do="begin", key=kind, kind=kind, model=dataclasses.asdict(w.model), files=files)
                if "first" in a:
                    first[p.name, kind] = a["first"]
                else:
                    said[p.name, kind] = a.get("cannot") or "failed: " + a.get("failed", "")
            if w.model.dropout:  # whose losses are no two runs' the same
                a = p.ask(do="begin", key="check", kind=PREDICT, model=dataclasses.asdict(w.model), files=files)
                first[p.name, TRAIN] = a.get("first", [])
        for _ in range(self.rounds):
            for name, flags in OURS.items():
                self.ours(name, flags, w, f"{model}.keras", data, times, first, said)
            for p in [p for p in self.peers if not p.missing]:
                for kind in kinds:
                    if (p.name, kind) not in said:
                        a = p.ask(do="measure", key=kind, repeats=10 if kind == ONE else 1)
                        if "ms" in a:
                            keep(times, (p.name, kind), a["ms"])
                        else:
                            said[p.name, kind] = "failed: " + a.get("failed", "")
        for p in [p for p in self.peers if not p.missing]:
            for kind in [*kinds, "check"]:
                p.ask(do="end", key=kind)
        for kind in kinds:
            self.results.append(self.result(w, kind, times, first, said))
            print(line(self.results[-1]), file=sys.stderr)

    def ours(self, name, flags, w, model, data, times, first, said):
        try:
            out = self.ask("bench", model, "--data", data, "--batch-size", BATCH, "--batches", self.n, "--repeats", 1,
                           "--optimizer", "rmsprop", "--json", *flags)  # fmt: skip
            r = json.loads(out)
            self.facts["machine"]["path"] = r["cpu"]
            for kind in w.ratios:
                keep(times, (name, kind), r[KEYS[kind]]["each"])
            first.setdefault((name, TRAIN), r["losses"][:COMPARED])
            if (name, PREDICT) not in first:
                out = self.ask("predict", model, "--data", data.with_name(f"{w.rows}_first.npz"), "--json")
                first[name, PREDICT] = [json.loads(s)[0] for s in out.split()]
                first[name, ONE] = first[name, PREDICT][:1]
                if w.model.dropout:
                    first[name, TRAIN] = first[name, PREDICT]
        except RuntimeError as e:
            for kind in w.ratios:
                said[name, kind] = str(e)

    def result(self, w, kind, times, first, said):
        """One row of the table. apart is how far each program's first losses, or predictions, are from unroll's."""
        programs = [k for k, v in times if v == kind]
        firsts = {k: first[k, kind] for k in programs}
        n = w.compared if kind == TRAIN and not w.model.dropout else None
        apart = {k: distance(v[:n], firsts.get("unroll", [])[:n]) for k, v in firsts.items()}
        far = [k for k, a in apart.items() if a is None or a > TOLERANCE]  # did something else: no peers of this row
        r = {
            "work": w.name, "kind": kind, "what": KINDS[kind], "goal": w.ratios[kind],
            "apart": apart, "far": far, "counts": not any(k in far for k in OURS),
            "compared": "predictions" if kind != TRAIN or w.model.dropout else "losses",
            "first": {k: v[:COMPARED] for k, v in firsts.items()},
            "ms": {k: {"min": min(times[k, kind]), "median": statistics.median(times[k, kind])} for k in programs},
            "none": {k: v for (k, of), v in said.items() if of == kind},
        }  # fmt: skip
        others = {k: v["median"] for k, v in r["ms"].items() if k not in OURS and k not in far}
        if w.beside:  # another row of unroll's
            others = {x["work"]: x["ms"]["unroll"]["median"] for x in self.results
                      if x["work"] == f"{w.beside}, {w.rows} rows" and x["kind"] == kind and "unroll" in x["ms"]}  # fmt: skip
        if others and "unroll" in r["ms"]:
            r["best"] = min(others, key=others.get)
            r["ratio"] = others[r["best"]] / r["ms"]["unroll"]["median"]
        return r


def keep(times, key, ms):
    """Of every batch the fastest."""
    times[key] = [min(a, b) for a, b in zip(times.get(key, ms), ms)]


def distance(a, b):
    """The largest difference; None where there is no number."""
    if len(a) != len(b) or not a or not all(v is not None and math.isfinite(v) for v in [*a, *b]):
        return None
    return max(abs(i - j) for i, j in zip(a, b))


def key(m):
    return "".join(c if c.isalnum() else "_" for c in m.name)


def line(r):
    ms = ", ".join(f"{k} {v['median']:.3g}" for k, v in r["ms"].items())
    far = "".join(f"; {k} is apart: {r['apart'][k]}" for k in r["far"])
    none = "".join(f"; {k}: {v}" for k, v in r["none"].items())
    return f"{r['work']}, {r['what']}: {ms} ms{far}{none}"


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text() if platform.system() == "Linux" else ""
    get = lambda name: next((s.split(":", 1)[1].strip() for s in info.splitlines() if s.startswith(name)), "?")
    flags = get("flags").split()
    return {
        "cpu": f"{get('model name')} (family {get('cpu family')}, model {get('model')})",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": [f for f in ("avx2", "fma", "avx512f") if f in flags],
        "system": platform.platform(), "python": platform.python_version(),
    }  # fmt: skip


def output(*command):
    r = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    return r.stdout.strip() or "?"
