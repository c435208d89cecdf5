"""Every claim in worlds whose truth is planted: how often each verdict comes.

    python benchmarks/claims_validity.py --repeats 200 --jobs 2
    python benchmarks/claims_validity.py --only runtime_cost --only limit_of_search   # anew

A null may be supported in no more than 5 % of repeats, an effect of twice the smallest that
matters must be in at least 80 %; beside each share stands its 95 % interval. Writes
claims_validity.json and claims_validity.md; a run that was ended goes on at the first claim that
is missing, with the same `--repeats`. With `--only` these are put anew and the others' lines kept;
each line knows the version of the code that it is of, and the page says how many are of others.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

FEW = 150
"""Contested positions that no lesson shows, up to symmetry, as many as tic-tac-toe has: its exams
hold no more, however many are asked for. Connect Four's hold 187, a small room's 20 to 32."""
RESULTS = Path(__file__).resolve().parent / "results"


def main() -> None:
    """Validate what is left to validate, claim by claim, and write after each."""
    parser = argparse.ArgumentParser(description="Put the claims to planted worlds.")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--only", action="append", help="this claim, and keep the others' lines")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    from deliberation.claims import list_claims
    from deliberation.runs.provenance import code, machine, versions

    settings = {"repeats": asked.repeats, "effort": asked.effort}
    path = asked.out / "claims_validity.json"
    known = json.loads(path.read_text("utf-8")) if path.exists() else {"rows": [], "settings": {}}
    was = known["settings"].pop("code", "")
    kept = [{"code": was, **row} for row in known["rows"] if known["settings"] == settings]
    rows = [
        row for row in kept
        if (row["code"] == code() if asked.only is None else row["claim"] not in asked.only)
    ]  # fmt: skip
    done = {row["claim"] for row in rows}
    order = {name: place for place, name in enumerate(list_claims())}
    left = [name for name in asked.only or order if name not in done]
    about = {"settings": settings, "machine": machine(), "versions": versions()}
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(validated, n, asked.repeats, asked.effort): n for n in left}
        for number, future in enumerate(as_completed(waiting), 1):
            found = [{**row, "code": code()} for row in future.result()]
            rows = sorted([*rows, *found], key=lambda row: order[row["claim"]])
            write(asked.out, {**about, "rows": rows})
            print(f"{number} of {len(left)} claims: {waiting[future]}", flush=True)
    print(page({**about, "rows": rows}))


def validated(name: str, repeats: int, effort: str) -> list[dict[str, Any]]:
    """The planted worlds of one claim."""
    import msgspec

    from deliberation.claims.validation import validate

    found = validate([name], repeats=repeats, effort=effort)
    few = validate([name], repeats=repeats, effort=effort, positions=FEW)
    return [
        {**msgspec.structs.asdict(one), "trusted": one.trusted, "of_few": less.supported}
        for one, less in zip(found, few, strict=True)
    ]


def write(folder: Path, content: dict[str, Any]) -> None:
    """Both files."""
    from deliberation.runs.storage import atomic_write

    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps(content, indent=1) + "\n"
    atomic_write(folder / "claims_validity.json", told.encode())
    atomic_write(folder / "claims_validity.md", page(content).encode())


def _versions(rows: list[dict[str, Any]]) -> list[str]:
    """Which lines are of which version of the code, where there are several."""
    claims: dict[str, list[str]] = {}
    for row in rows:
        claims.setdefault(row["code"], []).append(row["claim"])
    if len(claims) < 2:
        return []
    usual = max(claims, key=lambda of: len(claims[of]))
    told = [
        f"version {of}: {', '.join(dict.fromkeys(some))}"
        for of, some in claims.items() if of != usual
    ]  # fmt: skip
    return [f"Lines are of version {usual} of the code, but for {'; '.join(told)}.", ""]


def page(content: dict[str, Any]) -> str:
    """As Markdown."""
    from deliberation.stats import proportion

    rows, settings = content["rows"], content["settings"]
    good = sum(row["trusted"] for row in rows)
    told = [
        "# Claims in worlds whose truth is planted", "",
        f"{settings['repeats']} repeats of each world, at the effort {settings['effort']}. A null "
        "may be supported in 5 % of repeats at most, an effect of twice the smallest that matters "
        f"must be in 80 %: {good} of {len(rows)} worlds are judged so. The last column is the "
        f"share supported where an exam holds {FEW} positions, as tic-tac-toe's does (Connect "
        "Four's holds 187, a small room's 20 to 32), and not as many as the effort asks for: "
        "fewer effects are found there. Verdicts are those of single rows; under "
        "the error rate of a whole table fewer are given.", "",
        *_versions(rows),
        f"| claim | planted | world | supported [95 % interval] | refuted | neither | | of {FEW} |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        share = proportion(row["supported"], row["repeats"])
        told.append(
            f"| {row['claim']} | {row['planted']} | {row['world']} | {share.estimate:.3f} "
            f"[{share.low:.3f}, {share.high:.3f}] | {row['refuted']} | {row['inconclusive']} | "
            f"{'✓' if row['trusted'] else '✕'} | {row['of_few'] / row['repeats']:.3f} |"
        )
    return "\n".join(told) + "\n"


if __name__ == "__main__":
    main()
