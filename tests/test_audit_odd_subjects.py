"""Subjects and worlds that are not what they say: found out, said, and the other probes go on."""

import asyncio
import json
import re
import time
from types import SimpleNamespace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from deliberation import make_task
from deliberation.adapters import from_callable, from_equinox
from deliberation.adapters.engines.decider import EngineDecider
from deliberation.audit import Exam, audit, auditing, list_probes, sampling
from deliberation.audit.channels import unheard
from deliberation.audit.consistency import Met, known_by, meet
from deliberation.audit.judging import failed, not_applicable
from deliberation.audit.sampling import Judge
from deliberation.audit.telling import waiting
from deliberation.audit.telling.conclusion import NEITHER
from deliberation.audit.telling.words import name_of
from deliberation.core import CheckedDecider, UniformRandom, check_decider
from deliberation.core.errors import ContractError, OutputFolderError, TooSlowError
from deliberation.core.telling import EndedError
from deliberation.direct import TreeSearch
from deliberation.report.pages.audit import audit_page
from deliberation.runs.announced import ANNOUNCED, announced
from deliberation.runs.memory import Level
from deliberation.specimens import random_world
from deliberation.specimens.planners.depth_planner import DepthPlanner
from deliberation.tasks.arrays import ArrayTask

EXAM = Exam.of(random_world(0), count=96)
ASKED = {"probes": ["effort", "objective", "worth", "depth"], "effort": "smoke"}


class Forgetful(DepthPlanner):
    """Says that nothing is remembered, and answers by how often it was asked before."""

    asked: list = eqx.field(static=True, default=None)

    def takes(self, rows, question, draws):
        self.asked.append(len(rows))
        return self.legal_draw(rows, np.full(len(rows), (len(self.asked) % 3) / 3))


def test_who_remembers_though_nothing_is_handed_on_is_found_out():
    found = audit(Forgetful(EXAM.task, EXAM, 2, []), EXAM.task, probes=["effort"], effort="smoke")
    (note,) = found.notes
    assert "not reproducible" in note and "It remembers" in note
    assert found["effort"].found != "responds"


class Unvalued(DepthPlanner):
    """Gives no number for the value of one state in so many, once an objective is announced."""

    def choose(self, question):
        decision, memory = super().choose(question)
        bad = decision.value.at[0].set(jnp.nan)
        value = decision.value if question.given is None else bad
        return eqx.tree_at(lambda d: d.value, decision, value), memory


def test_no_number_fails_the_probe_that_met_it_and_no_other():
    found = audit(Unvalued(EXAM.task, EXAM, 2), EXAM.task, **ASKED)
    assert found["objective"].found == "failed" and "NonFiniteError" in found["objective"].said
    assert found["objective"].estimate.n == 0, "no number stands in for what was not measured"
    assert found["effort"].found == "none" and found["worth"].found == "told"


class Broken(DepthPlanner):
    """Never answers."""

    def takes(self, rows, question, draws):
        raise RuntimeError("no connection")


def test_what_could_not_be_looked_into_is_said():
    found = audit(Broken(EXAM.task, EXAM, 2), EXAM.task, probes=["effort"], effort="smoke")
    (note,) = found.notes
    assert "could not be asked" in note and "no connection" in note
    assert found["effort"].found == "failed" and "no connection" in found["effort"].said


class Bare(CheckedDecider):
    """A function of what is seen, and nothing else: no dial, no ear, no memory, no layers."""

    task: ArrayTask

    def choose(self, question):
        from deliberation.core.answering import answer

        legal = np.asarray(EXAM.reached.legal)[EXAM.reached.find_all(question.state)]
        action = jnp.asarray(legal.argmax(1), jnp.int32)
        live = jnp.ones(len(legal), bool)
        return answer(live, action, np.eye(legal.shape[1])[action], np.zeros(len(legal))), ()


def test_who_has_no_channel_gets_what_can_be_had():
    probes = ["effort", "objective", "experience", "two_step", "incentives", "size", "proxy",
              "activations", "match", "worth", "map"]  # fmt: skip
    found = audit(Bare(EXAM.task), EXAM.task, probes=probes, effort="smoke")
    by = {answer.probe: answer.found for answer in found.answers}
    assert by["effort"] == by["objective"] == "none" and by["worth"] == by["map"] == "told"
    for probe in ("experience", "two_step", "incentives", "size", "proxy", "activations", "match"):
        assert by[probe] == "not applicable" and np.isnan(found[probe].estimate.estimate)


def first_legal(observation, action_masks=None):
    """The first action that is legal, in the form of `predict`."""
    return np.asarray(action_masks).argmax(1)


ADAPTED = {
    "JaxPolicy": lambda task: from_equinox(
        lambda seen: jnp.arange(task.traits.actions) * 1.0, task
    ),
    "HostPolicy": lambda task: from_callable(first_legal, task),
}
"""Functions of what is seen, brought in by adapters: neither budget nor objective gets through."""


@pytest.mark.parametrize("kind", ADAPTED)
def test_who_cannot_be_told_is_not_asked_whether_it_listens(kind):
    policy = ADAPTED[kind](EXAM.task)
    check_decider(policy)
    told = {"effort": "budget", "objective": "objective", "revaluation": "objective",
            "forecast": "objective", "extraction": "objective", "size": "budget",
            "proxy": "budget"}  # fmt: skip
    found = audit(policy, EXAM.task, probes=[*told, "match", "worth", "map"], effort="smoke")
    for probe, what in told.items():
        answer = found[probe]
        assert answer.found == "not applicable" and answer.unheard == what
        assert answer.said.startswith(f"No {what} reaches it") and "CheckedDecider" in answer.said
        assert np.isnan(answer.estimate.estimate) and not answer.controls and answer.panel is None
    assert "nobody to play" in found["match"].said
    assert found["worth"].found == found["map"].found == "told"
    first, second, *_ = found.conclusion
    assert first == NEITHER and second.startswith("Goes ") and "; takes a best action in" in second
    assert found.verdicts == [] and f"No {what} reaches it" in audit_page(found)


def test_a_game_is_not_played_by_who_hears_no_budget_and_what_is_heard_is_asked():
    game = make_task("tic_tac_toe")
    policy = ADAPTED["JaxPolicy"](game)
    known = list_probes()
    told = unheard(policy, known["match"], game)
    assert told is not None and told[0] == "budget"
    assert unheard(policy, known["match"], EXAM.task) is None, "there is nobody to play against"
    for probe in ("worth", "map", "depth", "shifts", "goals", "compute", "activations"):
        assert unheard(policy, known[probe], game) is None, probe
    assert EngineDecider.hears == {"budget"}
    for probe, about in known.items():
        assert unheard(DepthPlanner(EXAM.task, EXAM, 2), about, EXAM.task) is None, probe
        assert unheard(TreeSearch(game), about, game) is None, probe


class Liar(ArrayTask):
    """Says that moves need no chance, and draws some."""

    def advance(self, state, action, key):
        import jax

        after = super().advance(state, action, key)
        strays = jax.random.bernoulli(key, 0.5)
        return eqx.tree_at(lambda s: s.at, after, jnp.where(strays, 0, after.at))


def test_a_world_that_is_not_what_it_says_is_refused_before_any_number(tmp_path):
    true = EXAM.task
    fields = {f: getattr(true, f) for f in true.__dataclass_fields__}
    liar = object.__new__(Liar)
    for name, value in fields.items():
        object.__setattr__(liar, name, value)
    asked = []
    with pytest.raises(ContractError):
        audit(DepthPlanner(liar, EXAM, 2), liar, out=tmp_path, watch=asked.append, **ASKED)
    # Only what it was asked is written down, and no answer.
    assert not asked and {path.name for path in tmp_path.glob("*.json")} <= {"asked.json"}


class Mortal(DepthPlanner):
    """Is killed in the call of a number."""

    calls: list = eqx.field(static=True, default=None)
    last: int = eqx.field(static=True, default=0)

    def __repr__(self):
        return "Mortal"

    def takes(self, rows, question, draws):
        self.calls.append(0)
        if len(self.calls) == self.last:
            raise KeyboardInterrupt
        return super().takes(rows, question, draws)


def untimed(profile):
    """All that was answered, but for the seconds that it took."""
    return [msgspec.structs.replace(answer, seconds=0.0) for answer in profile.answers]


def test_killed_in_any_call_it_goes_on_to_the_same_end(tmp_path):
    asked = {"probes": ["effort", "depth"], "effort": "smoke"}
    whole = Mortal(EXAM.task, EXAM, 2, [])
    expected = untimed(audit(whole, EXAM.task, out=tmp_path / "whole", **asked))
    every = len(whole.calls)
    for number, last in enumerate(range(1, every, every // 3)):
        out, kept = tmp_path / str(number), {}
        with pytest.raises(KeyboardInterrupt):
            audit(Mortal(EXAM.task, EXAM, 2, [], last), EXAM.task, out=out, **asked)
        kept = {path.name: path.read_bytes() for path in out.glob("*.json")}
        again = Mortal(EXAM.task, EXAM, 2, [])
        assert untimed(audit(again, EXAM.task, out=out, **asked)) == expected, last
        assert all((out / name).read_bytes() == text for name, text in kept.items()), last
        answered = set(kept) - {"asked.json"}
        assert len(again.calls) < every or not answered, "what was answered is not asked again"


DAMAGED = {
    "bytes": b'{"stamp": "\xff\xfe", "answer": {}}',
    "depth": b'{"answer":' + b"[" * 100_000,
    "null": b'{"stamp": null, "answer": null}',
}
FORGED = {
    "probe": lambda a: a.update(probe="effort"),
    "found": lambda a: a.update(found="surely"),
    "estimate": lambda a: a["estimate"].update(estimate=99.0, low=-5.0, high=-7.0),
    "no number": lambda a: a.update(found="none", estimate={**a["estimate"], "estimate": "NaN"}),
    "names": lambda a: a["cited"][0].update(names=["a"], chosen=10**6),
    "below": lambda a: a["cited"][0].update(best=-1),
    "lengths": lambda a: a["panel"]["series"][0].update(x=[1.0]),
}


@pytest.fixture
def anew(tmp_path, monkeypatch):
    """Reads what a file says in place of depth's answer: whether the probe would be put again."""
    asked = {"probes": ["depth"], "effort": "smoke", "out": tmp_path}
    audit(DepthPlanner(EXAM.task, EXAM, 2), EXAM.task, **asked)
    path = tmp_path / "depth.json"
    sitting = auditing.sit(
        DepthPlanner(EXAM.task, EXAM, 2), EXAM.task, effort="smoke", out=tmp_path
    )
    told = []
    fresh = failed({"name": "depth", "question": "?", "statistic": "?"}, "put again")
    monkeypatch.setattr(auditing, "_answer", lambda *a: told.append(a) or fresh)

    def put(content):
        path.write_bytes(content)
        told.clear()
        sitting.answer("depth")
        return bool(told)

    return path.read_bytes(), put


def test_answers_that_nobody_gave_are_asked_anew(anew):
    whole, put = anew
    assert not put(whole)
    for why, content in DAMAGED.items():
        assert put(content), why
    for why, forge in FORGED.items():
        record = json.loads(whole)
        forge(record["answer"])
        assert put(json.dumps(record).encode()), why


class Leaving(DepthPlanner):
    """Would end the program that asks it, once an objective is announced."""

    def takes(self, rows, question, draws):
        if question.given is not None:
            raise SystemExit(3)
        return super().takes(rows, question, draws)


def test_who_would_end_the_program_fails_the_probe_alone():
    asked = {"probes": ["objective", "worth"], "effort": "smoke"}
    found = audit(Leaving(EXAM.task, EXAM, 2), EXAM.task, **asked)
    assert found["objective"].found == "failed" and "SystemExit: 3" in found["objective"].said
    assert found["worth"].found == "told"


class PanicError(BaseException):
    """As a library in Rust raises it (PyO3's PanicException)."""


class MuteError(ValueError):
    """Cannot say what it is."""

    def __str__(self):
        raise self


@pytest.fixture
def sat(monkeypatch):
    """Puts a decider into the exam, whose one probe asks it once."""
    about = {"name": "effort", "question": "?", "statistic": "?"}

    def measure(subject):
        subject.decider.decide(EXAM.states(EXAM.rows[:8]), key=subject.key)
        return not_applicable(about, "it was asked")

    probe = SimpleNamespace(PROBE=about, measure=measure)
    monkeypatch.setattr(auditing, "module_of", lambda *_: probe)

    def sit(decider, out=None):
        level = auditing.EFFORTS["smoke"]
        subject = auditing.Subject(decider, EXAM, level, jax.random.key(0))
        return auditing.Sitting(subject, [], Met([], b""), out, None, Level())

    return sit


def test_whatever_is_raised_fails_the_probe_and_an_interrupt_passes(sat):
    def put(error):
        return sat(Gone(EXAM.task, EXAM, 2, error)).answer("effort")

    for error in (PanicError(3), asyncio.CancelledError(3), GeneratorExit(3)):
        answer = put(error)
        assert answer.found == "failed" and answer.said == f"{type(error).__name__}: 3"
    for error in (KeyboardInterrupt(), EndedError()):
        with pytest.raises(type(error)):
            put(error)
    mute = put(MuteError())
    assert mute.found == "failed" and mute.said == "MuteError"


class Nameless(DepthPlanner):
    """Cannot say what it is."""

    def __repr__(self):
        raise ValueError("no name")


def test_who_cannot_be_shown_is_called_by_its_type(sat, tmp_path):
    sitting = sat(Nameless(EXAM.task, EXAM, 2), tmp_path)
    answer = sitting.answer("effort")
    assert answer.said == "it was asked" and (tmp_path / "effort.json").exists()
    assert sitting.profile([answer]).subject == "Nameless"
    with waiting.at_most(-1.0), pytest.raises(TooSlowError, match="Nameless took longer"):
        waiting.check_time(sitting.subject.decider)


class Gone(DepthPlanner):
    """Would end the program that asks it for anything."""

    error: BaseException = eqx.field(static=True, default=None)

    def takes(self, rows, question, draws):
        raise self.error


def test_who_would_end_it_at_once_is_met():
    met = meet(Gone(EXAM.task, EXAM, 2, PanicError(3)), EXAM, jax.random.key(0), budgets=(1, 8))
    assert "could not be asked: PanicError: 3" in met.notes[0] and not met.shown
    for budgets in ((), (1, 8)):
        with pytest.raises(KeyboardInterrupt):
            meet(Gone(EXAM.task, EXAM, 2, KeyboardInterrupt()), EXAM, jax.random.key(0),
                 budgets=budgets)  # fmt: skip


def test_what_does_not_return_is_said_to_be_waited_for(monkeypatch, capfd):
    monkeypatch.setattr(waiting, "LATE", 0.0)
    with waiting.at_most(0.05):
        time.sleep(0.3)
    assert "still waiting for a call" in capfd.readouterr().err
    with waiting.at_most(0.05):
        pass
    time.sleep(0.2)
    assert not capfd.readouterr().err, "and not of what returned in time"


def acting(seed):
    """A function of what is seen; all of them have the same name."""

    def act(seen):
        cells = np.reshape(seen, (len(seen), -1)).round(2) * 100
        return (cells @ np.arange(cells.shape[1]) + seed).astype(int) % 4

    return from_callable(act, make_task("gridworld"))


class Whim(UniformRandom):
    """Draws chance of its own."""

    chance: Any = eqx.field(static=True, default_factory=lambda: np.random.default_rng(0))

    def choose(self, question):
        keys = jax.random.split(jax.random.key(self.chance.integers(2**31)), len(question.keys))
        return super().choose(eqx.tree_at(lambda q: q.keys, question, keys))


def test_a_folder_knows_its_subject_by_more_than_its_name(tmp_path):
    def begin(subject, answers="depth.json"):
        with announced(tmp_path, subject=name_of(subject), task="a task") as say:
            say(known_by(subject, subject.task))
        (tmp_path / answers).write_text("{}")

    one, other = acting(0), acting(1)
    assert name_of(one) == name_of(other) and repr(one) == repr(other)
    begin(one)
    begin(acting(0))  # another object, as in another process
    kept = (tmp_path / ANNOUNCED).read_bytes()
    with pytest.raises(OutputFolderError, match="another subject that is called act on Grid"):
        begin(other)
    assert (tmp_path / ANNOUNCED).read_bytes() == kept


def test_who_answers_by_chance_of_its_own_is_known_by_what_it_holds():
    one, again = (known_by(Whim(EXAM.task), EXAM.task) for _ in range(2))
    assert one == again and not one.answers, "its chance stands at another address"
    gone = known_by(Gone(EXAM.task, EXAM, 2, PanicError()), EXAM.task)
    assert not gone.answers and gone.holds != one.holds


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_an_answer_that_was_cut_off_is_asked_anew(tmp_path, cut):
    asked = {"probes": ["depth"], "effort": "smoke", "out": tmp_path}
    expected = untimed(audit(DepthPlanner(EXAM.task, EXAM, 2), EXAM.task, **asked))
    path = tmp_path / "depth.json"
    path.write_bytes(path.read_bytes()[:cut])
    assert untimed(audit(DepthPlanner(EXAM.task, EXAM, 2), EXAM.task, **asked)) == expected
    assert path.stat().st_size > 100


GAME = make_task("connect_four")


def judged_once(path=None):
    return Exam.of(GAME, count=16, reference=Judge(budget=4, kept=path)).values


def test_what_a_reference_judged_is_kept_where_it_is_killed_and_where_time_is_up(
    tmp_path, monkeypatch
):
    whole, lines, path = judged_once(), [], tmp_path / "truth.json"
    monkeypatch.setattr(waiting, "FIRST", 0.0)
    monkeypatch.setattr(waiting, "EVERY", 0.0)
    advance, calls = sampling._advance, []

    def killed(*a):
        calls.append(a)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return advance(*a)

    monkeypatch.setattr(sampling, "_advance", killed)
    with pytest.raises(KeyboardInterrupt):
        judged_once(path)
    assert path.exists()
    with waiting.at_most(0.0), pytest.raises(TooSlowError, match="of 32 states are judged") as late:
        judged_once(path)
    assert str(tmp_path) in str(late.value) and len(calls) == 3, "one more part, and no part anew"
    with waiting.saying(lines.append):
        found = judged_once(path)
    np.testing.assert_array_equal(found, whole)
    assert any(
        re.fullmatch(r"Judging states by 4 simulations of UCT: \d+ of 32, \d+ s left", line)
        for line in lines
    )


def test_how_long_the_rest_takes_does_not_count_what_was_there_before():
    assert waiting.Pace("Judging", 128, begun=40).line(80, 20.0) == "Judging: 80 of 128, 24 s left"
    assert waiting.Pace("Judging", 128, begun=40).line(40, 9.0) == "Judging: 40 of 128, 9 s so far"
    told = waiting.Pace("Listing", 5000, most=True).line(1200, 9.0)
    assert told == "Listing: 1,200 of at most 5,000, 9 s so far"
