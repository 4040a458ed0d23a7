#!/usr/bin/env python3
"""The lecture's two models on the IMDB reviews, from many seeds: seeds.py UNROLL IMDB.npz FOLDER [--seeds 20]

UNROLL is the command. Every training's history goes to FOLDER; a table of best validation accuracy and test accuracy to stdout.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess

MODELS = {"SimpleRNN(32)": "simple_rnn(32)", "LSTM(32)": "lstm(32)"}


def train(unroll, imdb, folder, layer, seed):
    """(best validation accuracy, test accuracy) of one training."""
    history = folder / f"{layer.split('(')[0]}_{seed}.json"
    model = f"embedding(10000, 32) |> {layer} |> dense(1, sigmoid)"
    run = subprocess.run([unroll, "train", model, "--data", imdb, "--seed", str(seed), "--history", history], capture_output=True, text=True, check=True)
    test = re.search(r"Test score - loss: [\d.]+ - acc: ([\d.]+)", run.stdout + run.stderr)
    return max(json.loads(history.read_text())["val_acc"]), float(test.group(1))


def spread(values):
    mean, sd = statistics.mean(values), statistics.stdev(values)
    return f"{mean:.4f} | {sd:.4f} | {sd / len(values) ** 0.5:.4f} | {min(values):.4f} to {max(values):.4f}"


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("unroll")
    p.add_argument("imdb")
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--seeds", type=int, default=20)
    args = p.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print("| model | accuracy | mean | standard deviation | standard error | from, to |\n|---|---|---|---|---|---|")
    for name, layer in MODELS.items():
        best, test = zip(*(train(args.unroll, args.imdb, args.folder, layer, s) for s in range(1, args.seeds + 1)))
        print(f"| {name} | best validation | {spread(best)} |\n| {name} | test | {spread(test)} |", flush=True)


if __name__ == "__main__":
    main()
