"""The zoo: entries are well-formed, and a cell measures what planted deciders are known to be."""

import os
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

from deliberation.amortised.training.updates import run_updates
from deliberation.cli import main
from deliberation.core import Decision, Objective, UniformRandom, rollout
from deliberation.core.errors import UnknownNameError
from deliberation.core.keys import named_key
from deliberation.core.telling import tell
from deliberation.direct import TreeSearch, uniform_return
from deliberation.runs import Context, Outcome, Record, RecordError
from deliberation.runs.worker import Call
from deliberation.stats import Estimate, bootstrap
from deliberation.stats.intervals import paired_bootstrap
from deliberation.tasks import from_arrays, list_tasks, make_task
from deliberation.zoo import KINDS, Made, _work, analyse, entry, list_zoo, plan
from deliberation.zoo._as_played import as_played
from deliberation.zoo._share import Share
from deliberation.zoo.placing import _Optima, _reached

ENTRIES = list_zoo()
MISSION = range(12, 81)
CHEAP = "gradient_descent"


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_say_what_they_are(name):
    about = ENTRIES[name]
    assert about["name"] == about["module"].rpartition(".")[2] == name
    assert about["kind"] in KINDS and about["title"] and about["source"]
    assert about["items"] and set(about["items"]) <= set(MISSION)
    assert about["tasks"].keys() <= list_tasks().keys() and about["tasks"]
    assert callable(entry(name).build)


def test_every_named_system_is_in_the_zoo():
    named = {item for about in ENTRIES.values() for item in about["items"]}
    assert named >= {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 55}


def test_plans_are_a_cell_for_each_task_and_refuse_strangers():
    cells = plan("smoke", only=[CHEAP])
    assert [c.settings["task"] for c in cells] == list(ENTRIES[CHEAP]["tasks"])
    assert len({c.id for c in plan("quick")}) == sum(len(e["tasks"]) for e in ENTRIES.values())
    with pytest.raises(UnknownNameError, match=CHEAP):
        plan("smoke", only=[CHEAP[:-1]])
    with pytest.raises(UnknownNameError):
        plan("smok")


def measured(monkeypatch, tmp_path, task, build, episodes=24):
    """A cell of the zoo with a planted entry in the place of a real one."""

    class Planted:
        pass

    Planted.build = staticmethod(build)
    monkeypatch.setattr(_work, "entry", lambda name: Planted)
    cell = plan("smoke", only=[CHEAP])[0]
    settings = {**cell.settings, "task": task, "options": {}, "episodes": episodes}
    outcome = _work.measure(settings, Context(Call(cell, str(tmp_path), {}, 0)))
    assert isinstance(outcome, Outcome)
    record = Record(
        cell=cell.id, function=cell.function, settings=settings, needs=(), seconds=1.0,
        outcomes=outcome.outcomes, spent=outcome.spent, started="",
    )  # fmt: skip
    return outcome.outcomes, analyse({cell.id: record}, [cell])[0]


def test_a_pure_planner_stands_at_search_and_random_play_nowhere(monkeypatch, tmp_path):
    def build(task, effort, key):
        decider = TreeSearch(task, "uct")
        return Made(decider, searching=decider, budget=64)

    outcomes, placed = measured(monkeypatch, tmp_path, "tic_tac_toe", build)
    assert len(outcomes["scores"]["both"]) == 24
    assert outcomes["optimum"] == pytest.approx((191 / 192 + 0.924868) / 2, abs=1e-5)
    assert outcomes["scores"]["learned"] == outcomes["scores"]["random"]
    # Search carries it as far as it gets, in parts of the way to the optimum; learning nowhere.
    scores = {name: np.mean(x) for name, x in outcomes["scores"].items()}
    carried = scores["both"] / outcomes["optimum"]  # random play earns 0, whatever its luck here
    assert scores["random"] != 0
    assert placed.search_gain.estimate == pytest.approx(carried)
    assert placed.learning_gain.estimate == 0.0
    assert placed.score.estimate > 0.7 and placed.by_definition
    assert (placed.random, placed.random_error) == (0.0, 0.0), "one wins what the other loses"
    assert placed.network_evaluations == 0 and 60 < placed.model_steps < 64 * 9

    outcomes, placed = measured(
        monkeypatch, tmp_path, "tic_tac_toe", lambda t, e, k: Made(UniformRandom(t))
    )
    for gain in (placed.search_gain, placed.learning_gain):
        assert gain.low < 0 < gain.high


def test_the_gap_to_an_exact_optimum(monkeypatch, tmp_path):
    """On the slippery lake nobody gets beyond the optimum, and random play is near 0."""
    _, placed = measured(
        monkeypatch, tmp_path, "frozen_lake", lambda t, e, k: Made(UniformRandom(t)), 200
    )
    assert placed.optimum == pytest.approx(0.744, abs=0.002)
    assert placed.gap.estimate == pytest.approx(placed.optimum - placed.score.estimate)
    # Play at random earns what it earns; 200 episodes of it are a little beside that.
    assert placed.random_error == 0.0 and 0 < placed.random < 0.05
    assert placed.reached.low < 0 < placed.reached.high < 0.1


class Folds(UniformRandom):
    """Folds where that is legal and else calls, at one model step a decision."""

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        even, _ = super().decide(state, memory, objective=objective, budget=budget, key=key)
        legal = jax.vmap(self.task.legal)(state)
        action = jnp.where(legal.any(1), 2 * legal[:, 2], -1)
        spent = eqx.tree_at(lambda s: s.model_steps, even.spent, jnp.ones_like(action))
        spent = eqx.tree_at(lambda s: s.seconds, spent, jnp.ones(len(action)))
        weights = (action[:, None] == jnp.arange(3)).astype(jnp.float32)
        return Decision(action, weights, even.value, spent), memory


def test_turns_that_do_not_alternate_are_counted_for_whoever_moved(monkeypatch, tmp_path):
    """In Leduc hold'em player 0 begins both rounds, also where it ended the first."""
    outcomes, placed = measured(
        monkeypatch, tmp_path, "leduc_poker", lambda t, e, k: Made(Folds(t)), 200
    )
    assert outcomes["decisions"] == outcomes["spent"]["model_steps"] > 200
    # What it says that it spent is its own word; the clock beside it is ours.
    assert (placed.model_steps, placed.told_milliseconds) == (1.0, 1000.0)
    assert placed.milliseconds is not None and 0 < placed.milliseconds < 200
    # It wins a showdown that nobody paid for and loses whenever the other raises.
    scores = np.asarray(outcomes["scores"]["both"])
    assert set(scores) == {-1.0, 0.0, 1.0}
    assert (scores == -1).mean() > 0.5 and (scores == 1).mean() < 0.25


class Shared(Objective):
    """Both win."""

    def __call__(self, state, action, after):
        return jnp.ones(2) * after.won


class Right(UniformRandom):
    """Goes one way always, or draws from its key as `weights` say."""

    sure: bool = True

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        even, _ = super().decide(state, memory, objective=objective, budget=budget, key=key)
        if not self.sure:
            return even, memory
        action = jnp.where(even.action >= 0, 1, -1)
        weights = (action[:, None] == jnp.arange(even.weights.shape[1])).astype(jnp.float32)
        return Decision(action, weights, even.value, even.spent), memory


def test_where_nothing_is_drawn_there_is_one_episode_and_no_interval(monkeypatch, tmp_path):
    for sure in (True, False):
        outcomes, placed = measured(
            monkeypatch, tmp_path, "gridworld", lambda t, e, k, sure=sure: Made(Right(t, sure))
        )
        same = placed.score.low == placed.score.high
        assert outcomes["constant"] is same is sure
        assert placed.score.n == (1 if sure else 24) and len(outcomes["scores"]["both"]) == 24
        assert placed.random_error == 0.0


def test_what_remains_of_a_decider_without_its_learning_is_measured(monkeypatch, tmp_path):
    """It is the newborn agent, which is another one: that nothing else remains defines no place.

    Meanwhile whoever waits is told how far the training and the plays are.
    """
    told = []
    monkeypatch.setattr(Context, "tell", lambda self, share: told.append(share))

    def build(task, effort, key):
        run_updates(lambda carry: (carry + 1, {}), jnp.zeros(()), updates=4)
        return Made(Right(task), searching=Right(task, sure=False))

    _, placed = measured(monkeypatch, tmp_path, "gridworld", build)
    assert not placed.by_definition
    np.testing.assert_allclose(told[:4], [0.2, 0.4, 0.6, 0.8])
    assert told == sorted(told) and 0.8 < told[4] < told[-1] == pytest.approx(1.0)


def test_what_random_play_earns_is_exact_where_it_can_be_listed():
    for name in ("gridworld", "tiger"):
        task = make_task(name)
        played = rollout(task, UniformRandom(task), key=jax.random.key(5), batch=1024).returns[:, 0]
        error = float(played.std()) / 32
        assert uniform_return(task) == pytest.approx(float(played.mean()), abs=4 * error)
    assert uniform_return(make_task("tic_tac_toe")) is None


def test_reached_counts_in_what_is_not_known_of_random_play():
    gap = Estimate(1.0, 0.5, 1.5, 64)
    sharp, wide = (_reached(gap, 2.0, 0.0, error) for error in (0.0, 0.2))
    assert (sharp.estimate, sharp.low, sharp.high) == (0.5, 0.25, 0.75)
    # By hand, at 1.96 errors: the way may be 1.608 or 2.392, so that .378 or .582 were reached.
    ends = (0.5 - np.hypot(0.25, 1 / 1.608 - 0.5), 0.5 + np.hypot(0.25, 0.5 - 1 / 2.392))
    np.testing.assert_allclose((wide.estimate, wide.low, wide.high), (0.5, *ends), atol=1e-3)
    assert np.isnan(_reached(gap, 2.0, 2.0, 0.0).estimate)
    # A way that may be none: the less is known, the less is told.
    assert np.isnan(_reached(gap, 1.0, 0.0, 0.6).estimate)
    small = Estimate(1e-9, 0.5e-9, 1.5e-9, 64)
    assert _reached(small, 2e-9, 0.0, 0.0).estimate == pytest.approx(0.5)


def test_reached_counts_in_the_chance_of_first_states_with_an_optimum_each():
    """Beside the same, worked out by resampling episodes; the gap alone never varies here."""
    best = np.random.default_rng(0).normal(4.0, 3.0, 64)
    both, random = best - 1.0, 0.5
    optima = _Optima.of(best, both, random)
    assert optima.mean == best.mean() and optima.error == pytest.approx(3 / 8, rel=0.2)
    gap = optima.gap(bootstrap(best - both, bounds=(0.0, 20.0)), (0.0, 20.0), constant=False)
    found = _reached(gap, optima.mean, random, 0.0, optima.error)
    by_hand = paired_bootstrap(
        lambda b, s, axis: (s.mean(axis) - random) / (b.mean(axis) - random), best, both
    )
    assert found.estimate == pytest.approx(by_hand.estimate)
    np.testing.assert_allclose((found.low, found.high), (by_hand.low, by_hand.high), atol=0.025)
    assert found.high - found.low > 0.08
    # One optimum for all is no sample, and a way within the chance of the optima none at all.
    assert _Optima.of(np.asarray(2.0), both, random).residuals is None
    assert np.isnan(_reached(gap, 1.0, random, 0.0, spread=0.3).estimate)


def test_the_best_is_told_of_episodes_as_they_are_played():
    """One coin an action, a half as much each: 2 for ever, less what lies beyond the horizon."""
    endless = from_arrays(np.ones((1, 1, 1)), np.ones((1, 1)), gamma=0.5)
    horizon = endless.traits.horizon
    assert _work.best_return(endless) == pytest.approx(2 - 2.0 ** (1 - horizon), abs=1e-9)
    assert as_played(make_task("gridworld")) == make_task("gridworld")


@pytest.mark.parametrize(
    ("objective", "returns", "opposed"),
    [
        (make_task("tic_tac_toe").objective, [[0.0, 0.0]], True),
        (Shared(), [[3e7, -3e7 + 2], [0.0, 0.0]], True),  # single precision knows no more
        (Shared(), [[1e-7, 1e-7], [0.0, 0.0]], False),
        (Shared(), [[1.0, -0.999]], False),
    ],
)
def test_who_wins_what_the_other_loses_is_said_or_seen_whatever_the_scale(
    objective, returns, opposed
):
    assert _work.is_opposed(objective, np.array(returns)) is opposed


def test_a_cell_tells_how_far_it_is():
    told = []
    share = Share(told.append)
    with share.making():
        for step in (0.25, 0.5, 1.0, 0.5):  # the last of another training
            tell(step)
    share.expect(plays=4)
    share.play(0.5)
    share.played()
    share.played()
    np.testing.assert_allclose(told, [0.2, 0.4, 0.8, 0.825, 0.85, 0.9])
    tell(0.1)  # nobody listens
    planner, alone = [], Share(lambda x: planner.append(x))
    alone.expect(plays=2)
    alone.play(0.5)
    alone.played()
    np.testing.assert_allclose(planner, [0.25, 0.5])
    assert len(told) == 6


def test_every_purpose_has_a_key_of_its_own():
    key = jax.random.key(0)
    purposes = ("build", "episodes", "random", "seat 0", "seat 1")
    words = {tuple(jax.random.key_data(named_key(key, p)).tolist()) for p in purposes}
    assert len(words) == len(purposes)


def test_a_record_that_is_missing_is_named():
    with pytest.raises(RecordError, match=f"{CHEAP} on"):
        analyse({}, plan("smoke", only=[CHEAP]))


def test_the_command_measures_prints_and_resumes(tmp_path):
    listed = CliRunner().invoke(main, ["zoo", "--list"]).output
    assert all(name in listed for name in ENTRIES)
    arguments = ["zoo", CHEAP, "--effort", "smoke", "--out", str(tmp_path), "--jobs", "1"]
    first = CliRunner().invoke(main, arguments)
    assert first.exit_code == 0, first.output
    assert ENTRIES[CHEAP]["title"] in first.output and (tmp_path / "report.html").exists()
    records = (tmp_path / "records.jsonl").read_bytes()
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 0 and (tmp_path / "records.jsonl").read_bytes() == records
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 2 and "http" not in page.split("<main>")[1].split("xmlns")[0]
    refused = CliRunner().invoke(main, ["zoo", CHEAP[:-1]])
    assert refused.exit_code != 0 and CHEAP in refused.output


@pytest.mark.parametrize(("effort", "hurried"), [("smoke", True), ("quick", False)])
@pytest.mark.parametrize("own", [None, "--xla_of_the_users=1"])
def test_a_smoke_compiles_in_a_hurry_and_leaves_nothing_of_it(monkeypatch, effort, hurried, own):
    seen = []
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if own:
        monkeypatch.setenv("XLA_FLAGS", own)
    command = sys.modules["deliberation.cli.zoo"]
    monkeypatch.setattr(command, "measure", lambda *_, **__: seen.append(os.environ.copy()))
    monkeypatch.setattr(command, "present", lambda *_: None)
    done = CliRunner().invoke(main, ["zoo", CHEAP, "--effort", effort])
    assert done.exit_code == 0, done.output
    flags = seen[0].get("XLA_FLAGS", "")
    assert ("optimization_level=0" in flags) == hurried and flags.endswith(own or "")
    assert os.environ.get("XLA_FLAGS") == own
