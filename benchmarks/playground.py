"""How quickly the playground answers: updates of the dial, clicks, and ten people at once.

`python benchmarks/playground.py` starts `deliberate serve`, asks it over HTTP as the page does, and
writes playground.json and playground.md. It takes under a minute once the programs are compiled.
"""

import argparse
import http.client
import json
import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

RESULTS = Path(__file__).parent / "results"
PLACES = ("", "3", "3 3", "3 3 2", "3 2 4 4", "0 6 3 3 2", "1 1 5 5 3 3", "2 3 4 3 2 3 2")
"""Positions of Connect Four that are asked about in turn."""
UPDATES, CLICKS, PEOPLE, SECONDS = 150, 60, 10, 12.0
DIAL = "strip=0&effort={}&moves={}"


def main() -> None:
    """Measure, and write both files."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with served() as (port, server):
        for place in PLACES:  # what is compiled at the first use
            for goal in ("", "misere:1"):
                update(port, place, 64, goal)
            click(port, place)
        found = {
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "updates": spread(server, [lambda p=p: update(port, p, 64) for p in turns(UPDATES)]),
            "updates_changed": spread(
                server, [lambda p=p: update(port, p, 64, "misere:1") for p in turns(UPDATES)]
            ),
            "clicks": spread(server, [lambda p=p: click(port, p) for p in turns(CLICKS)]),
            "together": together(port),
        }
    (RESULTS / "playground.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "playground.md").write_text(told(found))
    print(told(found))


def turns(count: int) -> Iterator[str]:
    """The positions, again and again."""
    return (PLACES[i % len(PLACES)] for i in range(count))


@contextmanager
def served() -> Iterator[tuple[int, int]]:
    """A playground that has got ready: its port and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked = [sys.executable, "-m", "deliberation.cli", "serve", "--no-open", "--port", str(port)]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            end = time.monotonic() + 300
            while time.monotonic() < end:
                try:
                    if not json.loads(fetch(port, "/api/hello"))["notes"]:
                        break
                except OSError:
                    pass
                time.sleep(0.2)
            yield port, server.pid
        finally:
            server.terminate()


def fetch(port: int, path: str) -> bytes:
    """The whole answer."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        asking.request("GET", path)
        return asking.getresponse().read()
    finally:
        asking.close()


def update(port: int, moves: str, effort: int, goal: str = "") -> float:
    """Seconds from asking until search has answered; the stream is closed then, as by the dial."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    try:
        path = DIAL.format(effort, quote(moves)) + (f"&goal={quote(goal)}" if goal else "")
        asking.request("GET", f"/api/think?{path}")
        answer = asking.getresponse()
        for line in answer:
            if b'"final":true' in line:
                return time.perf_counter() - began
        raise RuntimeError("the stream ended without an answer of search")
    finally:
        asking.close()


def click(port: int, moves: str) -> float:
    """Seconds until the next position is there."""
    began = time.perf_counter()
    fetch(port, f"/api/position?moves={quote(moves)}")
    return time.perf_counter() - began


def together(port: int) -> dict[str, Any]:
    """Ten people turn their dials as quickly as answers come, while an eleventh clicks."""
    over, waits = threading.Event(), [[] for _ in range(PEOPLE)]

    def person(number: int) -> None:
        for place in turns(10**6):
            if over.is_set():
                return
            waits[number].append(update(port, place, 64))

    people = [threading.Thread(target=person, args=(n,)) for n in range(PEOPLE)]
    for one in people:
        one.start()
    clicks, end = [], time.monotonic() + SECONDS
    places = turns(10**6)
    while time.monotonic() < end:
        clicks.append(click(port, next(places)))
        time.sleep(0.1)
    over.set()
    for one in people:
        one.join()
    counts = sorted(len(w) for w in waits)
    every = [wait for w in waits for wait in w]
    return {
        "people": PEOPLE, "updates": percentiles(every), "clicks": percentiles(clicks),
        "fewest": counts[0] / SECONDS, "most": counts[-1] / SECONDS,
    }  # fmt: skip


def spread(server: int, asking: list[Callable[[], float]]) -> dict[str, float]:
    """Ask one after another; beside the times, the server's CPU milliseconds for each.

    Those change least with what else the machine does.
    """
    before = cpu_seconds(server)
    seconds = [ask() for ask in asking]
    spent = cpu_seconds(server) - before
    return percentiles(seconds) | {"cpu": 1000 * spent / len(seconds)}


def cpu_seconds(process: int) -> float:
    """What a process has used so far; NaN where the system does not tell by /proc."""
    try:
        told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds, and how many a second one after another."""
    ordered = sorted(seconds)
    return {
        "count": len(ordered),
        "median": 1000 * median(ordered),
        "p95": 1000 * ordered[int(0.95 * (len(ordered) - 1))],
        "a_second": len(ordered) / sum(ordered),
    }


def _cpu(row: dict[str, float]) -> str:
    return f"{row['cpu']:.1f}" if "cpu" in row else ""


def told(found: dict[str, Any]) -> str:
    """The page."""
    many = found["together"]
    rows = [
        ("dial at 64 simulations, the task's goal", found["updates"]),
        ("dial at 64 simulations, misère", found["updates_changed"]),
        ("a click: the next position", found["clicks"]),
        (f"dial, each of {many['people']} people at once", many["updates"]),
        (f"a click while {many['people']} others turn their dials", many["clicks"]),
    ]
    lines = [
        "# How quickly the playground answers", "",
        f"Connect Four over HTTP, {found['cores']} cores, a load of {found['load']:.1f} when it "
        "began. Milliseconds until search has answered, or the position is there; each request "
        "with a connection of its own. CPU milliseconds change least with what else the machine "
        "does.", "",
        "| | requests | median | 95th percentile | a second, one after another | CPU |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {row['count']} | {row['median']:.1f} | {row['p95']:.1f} | "
            f"{row['a_second']:.0f} | {_cpu(row)} |"
            for name, row in rows
        ),
        "",
        f"Of the {many['people']} at once everybody got between {many['fewest']:.1f} and "
        f"{many['most']:.1f} answers a second.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
