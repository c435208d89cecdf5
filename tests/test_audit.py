"""The audit: probes against specimens whose answers are known, and what is kept and refused."""

import json
import re
import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
from fuzzed import Kind, as_task
from fuzzed import random_world as random_fuzzed
from jaxtyping import TypeCheckError

from deliberation import audit as audits
from deliberation import make_task
from deliberation.audit import (
    Channels,
    Exam,
    audit,
    checked_budgets,
    chosen_probes,
    list_probes,
)
from deliberation.audit.announcements import announce, items
from deliberation.audit.announcing import bonus
from deliberation.audit.asking import ask
from deliberation.audit.auditing import EFFORTS, Subject
from deliberation.audit.exam import best, way
from deliberation.audit.judging import control, over_groups, over_places, response
from deliberation.audit.probes import compute, forecast, match, revaluation
from deliberation.audit.probes.depth import halved, needs
from deliberation.audit.rates import Rates, counted, rates
from deliberation.audit.sampling import Judge
from deliberation.core import Objective, UniformRandom, misere
from deliberation.core.errors import (
    BudgetError,
    IllegalActionError,
    OutputFolderError,
    UnknownNameError,
    UnsuitableTaskError,
    WrongKindError,
)
from deliberation.direct import TreeSearch, solve, value_iteration
from deliberation.report.pages.audit import audit_page, build_audit
from deliberation.runs.announced import ANNOUNCED
from deliberation.runs.plain import plain, restore
from deliberation.runs.provenance import content
from deliberation.runs.records import LOCK
from deliberation.specimens import list_specimens, make, random_world, validate
from deliberation.specimens.planners.depth_planner import DepthPlanner
from deliberation.stats import Estimate

KEY = jax.random.key(0)
EXAM = Exam.of(random_world(0), count=96)
SMOKE = EFFORTS["smoke"]


def made(name, exam=EXAM):
    return make(name, exam, KEY)


# Those that are coded, put to the probes of answers alone: others have tests of their own, and
# benchmarks/audit_validity.py has all of them.
CODED = sorted(
    name for name, told in list_specimens().items()
    if told["module"].split(".")[-2] in ("cheats", "tables")
    or name in ("depth_planner", "dial_planner")
)  # fmt: skip
BY_CHANCE = {"coin", "echo", "misplaced_planner", "table_of_objectives", "two_tables"}
"""What they do when told, or with more effort, is right at times: a world need not decide."""


@pytest.mark.parametrize("name", CODED)
def test_a_specimen_is_found_out(name):
    """In a world, by the probes that take no time: the verdict is as its making says."""
    probes = ["effort", "objective", "revaluation", "depth"]
    for line in validate(probes, [name], repeats=1, kinds=["listed"]):
        (found,) = line.found
        # Of choices that are as close there are few: that nothing is there may stay open.
        few = line.probe == "depth" and line.truth == "none"
        expected = {line.truth, *(("inconclusive",) if few or name in BY_CHANCE else ())}
        assert found in expected, line


def test_revaluation_sees_how_far_ahead_a_planner_looks():
    """Not exactly triangular, as in a tree: in a graph with rings the best way to a place that
    pays may be one that comes back to it."""
    effective = []
    for depth in (1, 2, 3):
        subject = Subject(DepthPlanner(EXAM.task, EXAM, depth), EXAM, SMOKE, KEY)
        found = revaluation.measure(subject)
        (line,) = found.panel.series
        near = [y for d, y in zip(line.x, line.y, strict=True) if d <= depth]
        beyond = [y for d, y in zip(line.x, line.y, strict=True) if d > depth]
        assert min(near) > 0.5 > 0.3 > max(beyond), (depth, line)
        effective.append(sum(line.y))
    assert effective == sorted(effective)


def test_what_is_announced_is_paid_whatever_the_time():
    task = make_task("gridworld", size=4)
    exam = Exam.of(task, count=64)
    assert exam.face.clocks, "a gridworld's state holds its time"
    place = int(exam.place[exam.rows[0]])
    rows = np.flatnonzero(exam.place == place)
    assert len(rows) > 1
    told = bonus(exam, np.array([place]), 7.0)
    states = exam.states(rows)
    paid = jax.vmap(lambda s: told(s, jnp.int32(0), s) - exam.objective(s, jnp.int32(0), s))(states)
    np.testing.assert_allclose(paid, 7.0, rtol=1e-5)


def test_values_under_an_announcement_are_those_of_value_iteration_anew():
    rng = np.random.default_rng(0)
    (one,) = announce(EXAM, rng, 1, 2)
    table = value_iteration(EXAM.task, one.objective)
    np.testing.assert_allclose(one.values, table.action_values, atol=1e-6)
    rows = items(EXAM, one, 99, rng)
    assert len(rows)
    assert not (best(one.values[rows]) & best(EXAM.values[rows])).any()


def test_distances_count_moves():
    target = int(EXAM.place[5])
    far, to = EXAM.distances(target), EXAM.reached.to[:, :, 0]
    assert far[np.flatnonzero(EXAM.place == target)].max() == 0
    for row in np.flatnonzero(far > 0)[:40]:
        assert far[row] == 1 + min(far[x] for x in to[row] if far[x] >= 0)


def test_way_and_need():
    values = np.array([[0.0, 1.0, np.nan], [2.0, 0.0, 1.0]])
    np.testing.assert_allclose(way(values, np.array([1, 1])), [1.0, -1.0])
    need = needs(EXAM, 4)
    deep = DepthPlanner(EXAM.task, EXAM, 4)
    chosen = ask(deep, EXAM, EXAM.rows, KEY).action
    right = best(EXAM.values[EXAM.rows])[np.arange(len(chosen)), chosen]
    assert right[need <= 4].all()
    assert 0 < halved(need).sum() < len(need)


def test_an_interval_decides_on_either_side():
    assert response(Estimate(0.5, 0.2, 0.8, 9)) == "responds"
    assert response(Estimate(-0.5, -0.8, -0.2, 9)) == "against"
    assert response(Estimate(0.0, -0.05, 0.05, 9)) == "none"
    assert response(Estimate(0.1, -0.05, 0.25, 9)) == "inconclusive"
    assert not control("c", Estimate(0.3, 0.2, 0.4, 9)).holds
    many = over_groups([np.zeros(9)] * 40, 2.0)
    assert many.high > 0.1, "forty announcements do not show that there is nothing, however asked"
    assert over_groups([np.zeros(1)] * 80, 2.0).high <= 0.1


class Broken(DepthPlanner):
    """Answers where there is no such action, once it is told something."""

    def choose(self, question):
        decision, memory = super().choose(question)
        wrong = jnp.full_like(decision.action, 7)
        action = decision.action if question.given is None else wrong
        return eqx.tree_at(lambda d: d.action, decision, action), memory


def test_a_probe_that_fails_says_why_and_the_others_go_on(tmp_path):
    found = audit(
        Broken(EXAM.task, EXAM, 2), EXAM.task, probes=["objective", "depth"], effort="smoke",
        out=tmp_path,
    )  # fmt: skip
    assert found["objective"].found == "failed"
    assert found["objective"].said.startswith("IllegalActionError")
    assert found["depth"].found != "failed"
    assert sorted(p.name for p in tmp_path.iterdir()) == [LOCK, ANNOUNCED, "depth.json"]
    with pytest.raises(IllegalActionError):
        ask(Broken(EXAM.task, EXAM, 2), EXAM, EXAM.rows[:4], KEY, objective=EXAM.objective)


def test_answers_are_kept_until_the_policy_answers_otherwise(tmp_path, monkeypatch):
    task, options = EXAM.task, {"probes": ["depth"], "effort": "smoke", "out": tmp_path}
    first = audit(DepthPlanner(task, EXAM, 2), task, **options)
    monkeypatch.setattr(audits.auditing, "_answer", lambda *a: pytest.fail("asked anew"))
    again = audit(DepthPlanner(task, EXAM, 2), task, **options)
    assert again == first
    with pytest.raises(pytest.fail.Exception, match="asked anew"):
        audit(DepthPlanner(task, EXAM, 2), task, key=jax.random.key(1), **options)


def test_a_folder_is_of_one_subject_in_one_task(tmp_path):
    options = {"probes": ["depth"], "effort": "smoke", "out": tmp_path}
    audit(DepthPlanner(EXAM.task, EXAM, 2), EXAM.task, **options)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for subject, task, why in (
        (Shy(EXAM.task), EXAM.task, "and this one is of"),
        (UniformRandom(GAME), GAME, "and this one is of"),
        (DepthPlanner(EXAM.task, EXAM, 1), EXAM.task, "another subject that is called Depth"),
    ):
        with pytest.raises(OutputFolderError, match=f"{why}.*another folder"):
            audit(subject, task, **options)
    with pytest.raises(UnknownNameError):
        audit(DepthPlanner(EXAM.task, EXAM, 2), EXAM.task, **{**options, "effort": "little"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
    more = audit(
        DepthPlanner(EXAM.task, EXAM, 2), EXAM.task, **{**options, "probes": ["size", "depth"]}
    )
    assert len(more.answers) == 2


class Shy(UniformRandom):
    """Another subject."""


def test_the_page_says_what_the_profile_says(tmp_path):
    found = audit(made("look_up_table"), EXAM.task, probes=["effort", "worth"], effort="smoke")
    text = audit_page(found)
    assert "Gains and loses nothing by the budget" in text and "<svg" in text
    assert "Gains and loses nothing by the budget" in str(found)
    assert "Not tested, and what could have fooled it" in text
    assert "What could look the same:" in text and "Not asked:" not in text
    assert "that do respond" in found["effort"].errors and found["effort"].errors in text
    assert found.save(tmp_path / "one" / "page.html").read_text() == text
    path = build_audit(found, tmp_path)
    assert path.exists()
    kept = json.loads((tmp_path / "audit.json").read_text())
    assert [a["probe"] for a in kept["answers"]] == ["effort", "worth"]
    assert found["effort"].low <= found["effort"].estimate.estimate <= found["effort"].high


class Asked(DepthPlanner):
    """Notes what it was handed."""

    heard: list = eqx.field(static=True, default=None)

    def takes(self, rows, question, draws):
        self.heard.append(question.given)
        return super().takes(rows, question, draws)


def test_who_is_judged_by_another_objective_is_told_so():
    """Else a planner would be held to what it never heard of."""
    task, other = EXAM.task, misere(EXAM.task.objective)
    exam = Exam.of(task, other, count=16)
    subject = Asked(task, exam, 200, [])
    chosen = ask(subject, exam, exam.rows, KEY).action
    assert subject.heard == [other]
    assert way(exam.values[exam.rows], chosen).mean() > 0.9
    own = Asked(task, EXAM, 4, [])
    ask(own, EXAM, EXAM.rows[:3], KEY)
    assert own.heard == [None]


def test_states_that_hold_random_keys_can_be_asked_about():
    task = as_task(random_fuzzed(0, Kind(1, form="keyed")))
    exam = Exam.of(task, count=8)
    assert len(ask(UniformRandom(task), exam, exam.rows, KEY).action) == len(exam.rows)
    assert len(exam.faces) <= len(exam.reached)


def test_announcements_are_all_different_and_no_more_than_there_are():
    exam = Exam.of(random_world(1, states=12), count=12)
    places = len(np.unique(exam.place[exam.reached.to[exam.reached.to >= 0]]))
    made_ = announce(exam, np.random.default_rng(0), 99, 1)
    assert len({tuple(one.targets.tolist()) for one in made_}) == len(made_) == places


def test_a_probe_answers_the_same_alone_and_among_others():
    planner = DepthPlanner(EXAM.task, EXAM, 2)
    alone = audit(planner, EXAM.task, probes=["depth"], effort="smoke")
    both = audit(planner, EXAM.task, probes=["effort", "depth"], effort="smoke")
    assert alone["depth"].estimate == both["depth"].estimate


def test_what_cannot_be_asked_is_refused_at_the_door():
    table = made("look_up_table")
    with pytest.raises(UnknownNameError, match="revaluation"):
        audit(table, EXAM.task, probes=["revaluatoin"])
    with pytest.raises(UnsuitableTaskError, match="hides something"):
        audit(table, make_task("tiger"))
    with pytest.raises(UnsuitableTaskError, match="continuous"):
        audit(table, make_task("pendulum"))
    with pytest.raises(UnknownNameError):
        audit(table, EXAM.task, effort="brief")
    with pytest.raises(UnknownNameError):
        validate(["efort"], ["look_up_table"], repeats=1)
    assert {"effort", "objective", "revaluation", "depth"} <= set(list_probes())


def test_in_a_game_of_two_the_values_are_those_of_perfect_play():
    task = make_task("tic_tac_toe")
    exam = Exam.of(task, count=64)
    truth = solve(task).action_values(exam.states(exam.rows))
    legal = exam.legal[exam.rows]
    np.testing.assert_array_equal(exam.values[exam.rows][legal], truth[legal])
    (one,) = announce(exam, np.random.default_rng(0), 1, 1)
    state = exam.states(exam.rows[:1])
    paid = one.objective(*(jax.tree.map(lambda x: x[0], state), jnp.int32(0)), exam.task.init(KEY))
    assert float(paid.sum()) == 0.0, "what one is paid the other loses"


class Knowing(DepthPlanner):
    """Values states by the exact table."""

    def choose(self, question):
        decision, memory = super().choose(question)
        rows = self.exam.reached.find_all(question.state)
        worth = np.where(self.exam.reached.terminal, 0, np.nanmax(self.exam.values, 1))[rows]
        return eqx.tree_at(lambda d: d.value, decision, jnp.asarray(worth, jnp.float32)), memory


def test_where_states_cannot_be_listed_a_reference_stands_in(tmp_path, monkeypatch):
    judge = Knowing(EXAM.task, EXAM)
    exam = Exam.of(EXAM.task, count=32, reference=Judge(judge))
    states = exam.states(exam.rows)
    truth = EXAM.values[EXAM.reached.find_all(states)]
    np.testing.assert_allclose(exam.values[exam.rows], truth, atol=1e-5)
    assert "stand-in" in exam.note and len(exam.rows) > 8
    found = audit(
        made("look_up_table"), EXAM.task, reference=judge, effort="smoke",
        probes=["effort", "objective"],
    )  # fmt: skip
    assert found["effort"].found == "none"
    told = rates("effort", "judged").of("none")
    assert told != rates("effort").of("none"), "those of worlds that are listed are others"
    assert found["effort"].errors.startswith(told)
    count = found["effort"].counted
    assert count.audits == rates("effort", "judged").none.audits and "judges" in count.where
    assert found["objective"].found == "not applicable"
    assert "every state" in found["objective"].said
    kept = Judge(budget=32, kept=tmp_path / "truth.json")
    alone = Exam.of(make_task("connect_four"), count=8, reference=kept)
    monkeypatch.setattr("deliberation.audit.sampling._advance", lambda *a: pytest.fail("anew"))
    again = Exam.of(make_task("connect_four"), count=8, reference=kept)
    np.testing.assert_array_equal(again.values, alone.values)
    assert len(alone.states(alone.rows).ply) == len(alone.rows) > 2
    assert "32 simulations" in alone.note


def test_a_reference_without_values_is_refused():
    with pytest.raises(WrongKindError, match="no values"):
        Exam.of(EXAM.task, count=8, reference=made("look_up_table"))


class Slower(DepthPlanner):
    """Takes its time where more look-ahead is needed."""

    hard: Any = eqx.field(static=True, default=None)

    def takes(self, rows, question, draws):
        time.sleep(0.004 * int(np.isin(rows, self.hard).sum()))
        return super().takes(rows, question, draws)


def test_time_that_follows_difficulty_is_told_from_time_that_does_not():
    exam = Exam.of(random_world(0), count=128)
    need = needs(exam, SMOKE.depth)
    hard, easy = (tuple(exam.rows[x].tolist()) for x in (~halved(need), halved(need)))
    followed = Subject(Slower(exam.task, exam, 2, hard), exam, SMOKE, KEY)
    assert compute.measure(followed).found == "responds"
    turned = Subject(Slower(exam.task, exam, 2, easy), exam, SMOKE, KEY)
    assert compute.measure(turned).found == "against"
    few = Subject(DepthPlanner(EXAM.task, EXAM, 2), Exam.of(EXAM.task, count=24), SMOKE, KEY)
    assert compute.measure(few).found == "not applicable"


class Fickle(DepthPlanner):
    """Draws chance of its own."""

    drawn: list = eqx.field(static=True, default=None)

    def takes(self, rows, question, draws):
        self.drawn.append(0)
        rng = np.random.default_rng(len(self.drawn))
        return self.legal_draw(rows, rng.random(len(rows)))


class Crowded(DepthPlanner):
    """Lets its place in the batch decide."""

    def takes(self, rows, question, draws):
        return self.legal_draw(rows, np.arange(len(rows)) / len(rows))


def test_who_answers_otherwise_though_nothing_changed_is_found_out():
    task, options = EXAM.task, {"probes": ["effort"], "effort": "smoke"}
    notes = audit(Fickle(task, EXAM, 2, []), task, **options).notes
    assert len(notes) == 1 and "not reproducible" in notes[0]
    (said,) = audit(Crowded(task, EXAM, 2), task, **options).notes
    assert "asked beside them" in said
    assert audit(DepthPlanner(task, EXAM, 2), task, **options).notes == []


class Stumbling(DepthPlanner):
    """Fails in one call of many."""

    calls: list = eqx.field(static=True, default=None)
    bad: int = eqx.field(static=True, default=0)

    def takes(self, rows, question, draws):
        self.calls.append(0)
        if len(self.calls) == self.bad:
            raise RuntimeError("lost the connection")
        return super().takes(rows, question, draws)


def test_a_crash_in_one_call_of_many_is_said_and_the_probe_put_again():
    subject = Stumbling(EXAM.task, EXAM, 2, [], 6)  # the third call that the probe makes
    found = audit(subject, EXAM.task, probes=["effort"], effort="smoke")["effort"]
    assert found.found == "none" and "lost the connection" in found.note


def test_who_is_too_slow_is_stopped():
    found = audit(
        DepthPlanner(EXAM.task, EXAM, 2), EXAM.task, probes=["effort"], effort="smoke", seconds=1e-9
    )["effort"]
    assert found.found == "failed" and "TooSlowError" in found.said


def test_states_in_which_most_was_lost_are_drawn():
    task = make_task("gridworld", size=4)
    found = audit(UniformRandom(task), task, probes=["effort"], effort="smoke")
    cited = found["effort"].cited
    assert len(cited) == 3 and cited[0].lost >= cited[1].lost >= cited[2].lost > 0
    assert cited[0].named(0) == task.action_names[0] and cited[0].picture is not None
    assert audit_page(found).count('class="board"') == 3
    kept = msgspec.json.decode(msgspec.json.encode(plain(found.as_dict(), "profile")))
    again = msgspec.convert(restore(kept), type(found))
    assert again["effort"].cited == cited and again["effort"].estimate == found["effort"].estimate


@pytest.mark.parametrize(
    ("probe", "task", "places"),
    [
        ("objective", make_task("gridworld", size=4), r"row \d, column \d( or row \d, column \d)?"),
        ("revaluation", EXAM.task, r"\(.+\)|place \d+"),
    ],
)
def test_states_cited_under_announcements_say_which(probe, task, places):
    found = audit(UniformRandom(task), task, probes=[probe], effort="smoke")
    cited = found[probe].cited
    assert cited and all(c.lost > 0 for c in cited)
    for one in cited:
        said = rf"told that arriving in ({places}) pays [\d.]+ more, and judged by it"
        assert re.fullmatch(said, one.said), one.said
        assert one.said in audit_page(found)


def test_a_probe_that_errs_too_often_gives_no_verdict(monkeypatch):
    often = Rates(responds=counted([("a", 3, 50), ("b", 6, 50)]))
    monkeypatch.setattr(audits.telling.doubting, "rates", lambda name, kind: often)
    found = audit(made("dial_planner"), EXAM.task, probes=["effort"], effort="smoke")["effort"]
    assert found.found == "inconclusive" and "wrong too often" in found.said


GAME = make_task("connect_four", width=4, height=3, k=3)


class Deaf(UniformRandom):
    """Plays at random whatever it is offered."""


def test_a_match_is_won_by_what_the_budget_gains_and_by_nothing_else():
    search = TreeSearch(GAME, "uct", capacity=65)
    found = audit(search, GAME, probes=["match"], effort="smoke", budgets=(1, 64))["match"]
    assert found.found == "responds" and found.low > 0.2
    exam = Exam.of(GAME, count=8, reference=Judge(budget=8))
    said = [
        match.measure(Subject(Deaf(GAME), exam, SMOKE, jax.random.key(seed))).found
        for seed in range(8)
    ]
    assert not {"responds", "against"} & set(said), said
    alone = audit(made("look_up_table"), EXAM.task, probes=["match"], effort="smoke")["match"]
    assert alone.found == "not applicable"


class Reshaped(DepthPlanner):
    """Answers in another form than is asked."""

    form: Any = eqx.field(static=True, default=None)

    def choose(self, question):
        decision, memory = super().choose(question)
        return eqx.tree_at(lambda d: d.action, decision, self.form(decision.action)), memory


@pytest.mark.parametrize(
    "form", [lambda a: a[:, None], lambda a: a[:1], lambda a: a.astype(float), lambda a: a > 0]
)
def test_answers_of_another_form_are_refused(form):
    asked = Reshaped(EXAM.task, EXAM, 2, form)
    found = audit(asked, EXAM.task, probes=["depth"], effort="smoke")["depth"]
    assert found.found == "failed", found


class Weighed(Objective):
    """Arrays that no repr shows."""

    worth: Any

    def __call__(self, state, action, after):
        return EXAM.task.objective(state, action, after) * self.worth

    @property
    def discount(self):
        return EXAM.task.objective.discount


def test_kept_answers_are_of_the_same_arrays_and_the_same_truth(tmp_path, monkeypatch):
    first, second = (Weighed(jnp.array([x])) for x in (1.0, -1.0))
    assert repr(first) == repr(second) and content(first) != content(second)
    assert content(first) == content(Weighed(jnp.array([1.0])))
    table, options = (
        made("look_up_table"),
        {"probes": ["depth"], "effort": "smoke", "out": tmp_path},
    )
    one = audit(table, EXAM.task, objective=first, **options)["depth"]
    other = audit(table, EXAM.task, objective=second, **options)["depth"]
    assert one.estimate != other.estimate


def test_channels_budgets_and_names_take_what_they_are_for():
    # The types are checked in tests, and before them; elsewhere it is up to the library.
    with pytest.raises((WrongKindError, TypeCheckError), match="learner"):
        Channels(learner=print)
    with pytest.raises((WrongKindError, TypeCheckError), match="goals"):
        Channels(goals=[1])
    for budgets in ((1.5, 2.5), (True, 2), (1, 10**12), (5, 1), (0, 1), (3,)):
        with pytest.raises((BudgetError, TypeCheckError)):
            checked_budgets(budgets)
    assert chosen_probes(["effort", "effort"]) == ["effort"]
    for names in ("effort", []):
        with pytest.raises(WrongKindError):
            chosen_probes(names)


def test_who_answers_at_random_when_told_does_not_follow_what_it_is_told():
    """By chance it is right in some of the states in which a table is always wrong."""
    for seed in range(3):
        exam = Exam.of(random_world(seed), count=96)
        subject = Subject(make("echo", exam, KEY), exam, SMOKE, jax.random.key(seed))
        for probe in (revaluation, forecast):
            assert probe.measure(subject).found != "responds", (seed, probe.__name__)


def test_states_that_differ_in_time_alone_count_once():
    exam = Exam.of(make_task("gridworld", size=4), count=64)
    found = over_places(exam, exam.rows, np.ones(len(exam.rows)), (0.0, 1.0))
    assert found.n == len(np.unique(exam.place[exam.rows])) < len(exam.rows)
