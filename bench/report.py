"""results/NAME.json and NAME.md: what was measured, with machine, versions and caveats."""

import json

from measure import OURS
from rows import COMPARED, TOLERANCE


def write(folder, name, bench):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({**bench.facts, "results": bench.results}, indent=1) + "\n")
    (folder / f"{name}.md").write_text("\n".join(page(name, bench)) + "\n")
    print(folder / f"{name}.md")


def page(name, bench):
    f, m = bench.facts, bench.facts["machine"]
    programs = [*OURS, *(p.name for p in bench.peers)]
    yield f"# {name}, {f['date']}"
    yield ""
    yield (
        f"Machine: {m['cpu']}, {m['cores']} cores, {' '.join(m['instructions'])} (unroll's path: {m.get('path', '?')}); {m['system']}. "
        f"Load average {f['load before'][0]:.1f} before, {f['load after'][0]:.1f} after. {f['note']}"
    )
    yield ""
    yield (
        f"{f['batches']} batches, {f['rounds']} rounds, programs alternating within a round. Milliseconds: median over the batches of each "
        "batch's fastest run, and in brackets the fastest of all. Ratio: the best peer's median over unroll's."
    )
    yield ""
    yield "| work | " + " | ".join(programs) + " | best peer | ratio | goal |"
    yield "|---|" + "---|" * (len(programs) + 3)
    for r in bench.results:
        cells = [time(r["ms"].get(p), r["none"].get(p), f["missing"].get(p)) + ("*" if p in r["far"] else "") for p in programs]
        ratio = f"{r['ratio']:.3g}" if "ratio" in r else ""
        if not r["counts"]:
            ratio = f"does not count: {r['compared']} differ"
        goal = f"≥ {r['goal']}" if r["goal"] else ""
        yield f"| {r['work']}: {r['what']} | " + " | ".join(cells) + f" | {r.get('best', '')} | {ratio} | {goal} |"
    yield ""
    yield "## Agreement"
    yield (
        f"All start from the same weights. A program that is farther than {TOLERANCE:g} from unroll (*) is no peer of that row; a row does not "
        "count where unroll differs from itself with the savings off."
    )
    yield ""
    yield f"| work | program | first {COMPARED} losses | farthest from unroll |"
    yield "|---|---|---|---|"
    for r in bench.results:
        for p, first in r["first"].items():
            shown = "predictions" if r["compared"] == "predictions" else " ".join("nan" if v is None else f"{v:.5f}" for v in first)
            far = "–" if r["apart"][p] is None else f"{r['apart'][p]:.1e}"
            yield f"| {r['work']}: {r['what']} | {p} | {shown} | {far} |"
    yield ""
    yield "## Versions"
    for p, v in f["versions"].items():
        yield f"- {p}: {v}"
    for p, why in f["missing"].items():
        yield f"- {p}: missing: {why}"
    none = sorted({f"- {r['work']}, {r['kind']}, {p}: {why}" for r in bench.results for p, why in r["none"].items()})
    if none:
        yield ""
        yield "## Not measured"
        yield from none


def time(ms, none, missing):
    if missing:
        return "missing"
    if ms is None:
        return "failed" if none and none.startswith("failed") else "–"
    return f"{ms['median']:.3g} ({ms['min']:.3g})"
