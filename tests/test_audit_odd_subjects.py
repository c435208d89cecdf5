"""Subjects and worlds that are not what they say: found out, said, and the other probes go on."""

import equinox as eqx
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from deliberation.audit import Exam, audit
from deliberation.core import CheckedDecider
from deliberation.core.errors import ContractError
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
    assert not asked and not list(tmp_path.glob("*.json"))


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
    for number, last in enumerate(range(1, every, every // 5)):
        out, kept = tmp_path / str(number), {}
        with pytest.raises(KeyboardInterrupt):
            audit(Mortal(EXAM.task, EXAM, 2, [], last), EXAM.task, out=out, **asked)
        kept = {path.name: path.read_bytes() for path in out.glob("*.json")}
        again = Mortal(EXAM.task, EXAM, 2, [])
        assert untimed(audit(again, EXAM.task, out=out, **asked)) == expected, last
        assert all((out / name).read_bytes() == text for name, text in kept.items()), last
        assert len(again.calls) < every or not kept, "what was answered is not asked again"


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_an_answer_that_was_cut_off_is_asked_anew(tmp_path, cut):
    asked = {"probes": ["depth"], "effort": "smoke", "out": tmp_path}
    expected = untimed(audit(DepthPlanner(EXAM.task, EXAM, 2), EXAM.task, **asked))
    path = tmp_path / "depth.json"
    path.write_bytes(path.read_bytes()[:cut])
    assert untimed(audit(DepthPlanner(EXAM.task, EXAM, 2), EXAM.task, **asked)) == expected
    assert path.stat().st_size > 100
