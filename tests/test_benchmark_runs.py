"""When benchmarks kill what they measure, and what they measure anew."""

import json
import random
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))
import peers
import resume


def test_kills_fall_after_different_records_and_anywhere_between_two():
    times = [float(2 * n) for n in range(1, 41)]
    when = resume.moments(times, 20, random.Random(0))
    counts = [count for count, _ in when]
    assert counts == sorted(set(counts)) and len(counts) == 20
    assert min(counts) < 8 and 32 <= max(counts) < 40
    assert all(0 <= more <= 2 for _, more in when) and max(more for _, more in when) > 1
    assert when != resume.moments(times, 20, random.Random(1))
    often = [count for count, _ in resume.moments(times[:3], 8, random.Random(0))]
    assert all(often.count(n) in (2, 3) for n in range(3))


def test_a_run_killed_at_given_moments_goes_on_to_its_end(tmp_path, monkeypatch):
    """A stand-in that writes a record each tenth of a second, and knows what it wrote before."""
    script = (
        "import sys, time, pathlib; p = pathlib.Path(sys.argv[1]); p.mkdir(exist_ok=True); "
        "f = p / 'records.jsonl'; f.touch(); n = len(f.read_text().splitlines())\n"
        "for k in range(n, 6): time.sleep(0.1); f.open('a').write(f'{k}\\n')"
    )
    monkeypatch.setattr(resume, "COMMAND", [sys.executable, "-S", "-c", script])
    times, seconds = resume.left_alone(tmp_path / "whole")
    assert len(times) == 6 and times == sorted(times) and times[-1] <= seconds
    struck = resume.killed(tmp_path / "broken", [(1, 0.0), (3, 0.03), (5, 0.0)])
    assert [kill["records"] for kill in struck] == [1, 3, 5]
    assert (tmp_path / "broken" / "records.jsonl").read_text().split() == list("012345")


@pytest.mark.parametrize("who", peers.WHO)
def test_what_was_measured_under_other_settings_is_measured_anew(who, tmp_path, monkeypatch):
    cell = (who, "dqn", "cartpole", 0)
    run = {"cell": cell, "settings": peers.settings_of(*cell[:3]), "commit": "a", "dirty": False}
    other = {**run, "settings": {**run["settings"], "gamma": 0.5}}
    assert peers.stands(run, cell) and peers.stands(run, cell, "a")
    assert not peers.stands(run, cell, "b") and not peers.stands({**run, "dirty": True}, cell, "a")
    assert not any(peers.stands(x, cell) for x in (None, other, {"cell": cell}))
    (tmp_path / "peers.json").write_text(json.dumps({"runs": [other]}))
    assert not peers.stands(peers.known(tmp_path)[cell], cell)
    (tmp_path / "peers.jsonl").write_text(json.dumps(run))
    assert peers.stands(peers.known(tmp_path)[cell], cell)
    monkeypatch.setattr(peers, "subprocess", None)  # nothing is left to measure
    peers.measure(tmp_path, [cell])
