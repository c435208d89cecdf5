"""Advice: planted measurements whose right answer is known, units, words, and one small world."""

import re
import subprocess
import sys

import joblib
import numpy as np
import pytest

from deliberation import Traits, make_task
from deliberation.advice import (
    Advice,
    Limits,
    Option,
    UnitError,
    advise,
    advising,
    candidates,
    choose,
    read_advice,
)
from deliberation.advice.amounts import count, dollars, number, percent, score, span
from deliberation.advice.candidates import FAMILIES
from deliberation.advice.choosing import Choice
from deliberation.advice.limits import quantity
from deliberation.advice.results import Recipe
from deliberation.advice.words import python
from deliberation.report.figures import panel_svg
from deliberation.report.pages.advice import advice_page, build_advice, panels
from deliberation.report.png import panels_png
from deliberation.runs import read_manifest, read_records

ROUNDS = 20


def option(rng, name, kind, mean, seconds, before=0.0, *, sd=0.3, trainings=1, episodes=64):
    scores = mean + sd * rng.standard_normal((trainings, episodes))
    clock = seconds * np.exp(0.1 * rng.standard_normal((trainings, 20)))
    return Option(name, kind, scores, clock, np.full(trainings, before))


def world(seed, *, search=(0.3, 0.6, 0.8, 0.9), network=0.9, both=0.9, look=0.0, trained=60.0):
    """Random play at 0; a search of four budgets, a network, and the network searched with."""
    rng = np.random.default_rng(seed)
    options = [option(rng, "random", "random", 0.0, 1e-4), option(rng, "look", "look", look, 2e-4)]
    options += [
        option(rng, f"search {b}", "plan", mean, 1e-4 * b)
        for b, mean in zip((4, 16, 64, 256), search, strict=True)
    ]
    options += [option(rng, "network", "learn", network, 2e-4, trained, trainings=2)]
    options += [option(rng, "both 8", "both", both, 2e-3, trained, trainings=2)]
    return options


FEW, MANY = {"decisions_a_day": 100, "days": 1}, {"decisions_a_day": 1e7, "days": 365}
PLANTED = {
    "plan": ({}, FEW),
    "learn": ({}, MANY),
    "both": ({"network": 0.5}, {**MANY, "latency": "5ms"}),
    "neither": ({"search": (0, 0, 0, 0), "network": 0, "both": 0}, MANY),
}


@pytest.mark.parametrize("answer", PLANTED)
def test_planted_measurements_get_their_answer_nineteen_times_in_twenty(answer):
    made, limits = PLANTED[answer]
    asked = Limits.of(**limits)
    found = [choose(world(s, **made), asked, draws=100, seed=s).verdict for s in range(ROUNDS)]
    assert found.count(answer) >= 0.95 * ROUNDS, found


def test_that_nothing_was_shown_is_not_said_to_be_nothing():
    """Four episodes cannot tell a search that is better from random play; 400 can that none is."""
    rng, asked = np.random.default_rng(0), Limits.of(**FEW)

    def chosen(episodes, gain):
        return choose(
            [
                Option("random", "random", rng.normal(0, 1, (1, episodes)), np.full((1, 9), 1e-4),
                       np.zeros(1)),
                Option("search", "plan", rng.normal(gain, 1, (1, episodes)), np.full((1, 9), 1e-3),
                       np.zeros(1)),
            ],
            asked,
        )  # fmt: skip

    few, many = chosen(4, 0.3), chosen(4000, 0.0)
    assert few.verdict == many.verdict == "neither"
    assert few.unseen > few.smallest and not few.excluded
    assert many.excluded and 0 <= many.unseen < 0.1


def test_a_one_step_look_that_does_as_well_is_neither():
    found = choose(world(0, look=0.9), Limits.of(**MANY), draws=200)
    assert (found.verdict, found.recommended) == ("neither", "look")
    assert np.isnan(found.break_even.estimate)


def exact(name, kind, mean, seconds, before=0.0):
    """Without chance: every episode and every call the same."""
    return Option(name, kind, np.full((1, 8), mean), np.full((1, 8), seconds), np.array([before]))


def sure_world(*more):
    return [
        exact("random", "random", 0.0, 1e-4), exact("search", "plan", 1.0, 11e-3),
        exact("network", "learn", 1.0, 1e-3, 100.0), *more,
    ]  # fmt: skip


def test_the_score_that_is_told_is_not_that_of_the_luckiest():
    """Twelve planners of one truth: the best of them seems a tenth of a deviation better."""
    told, seemed = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        options = [option(rng, "random", "random", 0.0, 1e-4, sd=0.6, episodes=128)]
        options += [
            option(rng, f"planner {i}", "plan", 0.9, 1e-3, sd=0.6, episodes=128) for i in range(12)
        ]
        choice = choose(options, Limits.of(decisions_a_day=1e4), draws=200, seed=seed)
        told.append(choice.score.estimate)
        seemed.append(choice[choice.recommended].score.estimate)
    assert np.mean(seemed) > 0.93 and abs(np.mean(told) - 0.9) < 0.03


def test_learning_pays_after_training_over_what_each_decision_saves():
    found = choose(sure_world(), Limits.of(**FEW))
    # 100 s over 10 ms a decision.
    assert found.break_even.estimate == pytest.approx(1e4)
    assert found.break_even.low < 1e4 < found.break_even.high < 1.3e4
    assert found.recommended == "search"
    dear = choose(sure_world(), Limits.of(**FEW, price=0.05, training_price=0.5))
    assert dear.break_even.estimate == pytest.approx(1e5)
    assert choose(sure_world(), Limits.of(**MANY)).recommended == "network"


def test_break_even_is_a_bound_where_one_side_is_never_as_good():
    limits = Limits.of(**MANY, latency="5ms")
    late = choose(sure_world(), limits)
    assert late.break_even.estimate == 0 and late["search"].late == pytest.approx(2.2)
    worse = [*sure_world()[:2], exact("network", "learn", 0.5, 1e-3, 100.0)]
    never = choose(worse, Limits.of(**MANY))
    assert np.isinf(never.break_even.estimate) and never.recommended == "search"


def test_what_exceeds_a_limit_is_never_recommended():
    both = exact("both", "both", 2.0, 2e-3, 500.0)
    found = choose(sure_world(both), Limits.of(**MANY, training_budget="200s"))
    assert found.recommended == "network" and found["both"].long == pytest.approx(2.5)
    assert not found["both"].fits and found["both"].on_cost
    none = choose(sure_world(), Limits.of(latency="10us"))
    assert (none.verdict, none.recommended, none.best) == ("nothing", None, None)


def test_frontiers_hold_what_nothing_dominates():
    dominated = exact("slow search", "plan", 1.0, 20e-3)
    found = choose(sure_world(dominated), Limits.of(**FEW))
    assert {o.name for o in found.options if o.on_latency} == {"random", "network"}
    assert {o.name for o in found.options if o.on_cost} == {"random", "search"}


def test_few_episodes_show_little_and_are_said_to():
    rng = np.random.default_rng(3)
    options = [option(rng, "random", "random", 0.0, 1e-4, sd=1.0, episodes=4)]
    options += [option(rng, "search", "plan", 0.6, 1e-3, sd=1.0, episodes=4)]
    found = choose(options, Limits.of(**FEW))
    assert found.same_verdict < 0.99


def test_episodes_that_were_not_played_are_left_out():
    options = world(0)
    scores = np.where(np.arange(64) < 8, options[5].scores, np.nan)
    options[5] = Option("search 256", "plan", scores, options[5].seconds, options[5].preparation)
    found = choose(options, Limits.of(**FEW), draws=200)
    few, many = (
        np.ptp([found[n].score.low, found[n].score.high]) for n in ("search 256", "network")
    )
    assert few > 1.5 * many and np.isfinite(found["search 256"].score.estimate)


@pytest.mark.parametrize(
    "text, kind, value",
    [("10ms", "time", 0.01), ("1.5 s", "time", 1.5), ("10m", "time", 600), ("2h", "time", 7200),
     ("40us", "time", 4e-5), ("1e6", "count", 1e6), ("2M", "count", 2e6), ("4w", "days", 28),
     ("$0.05", "dollars", 0.05), (0.25, "time", 0.25), ("1d", "time", 86400)],
)  # fmt: skip
def test_quantities_are_read_with_their_units(text, kind, value):
    assert quantity(text, kind, "x") == pytest.approx(value)


@pytest.mark.parametrize(
    "asked, told",
    [({"latency": "10"}, "'10' has no unit: give a number with a unit, as in 10ms"),
     ({"latency": "10 parsecs"}, "unknown unit 'parsecs'"),
     ({"latency": "-3ms"}, "must be above 0"), ({"latency": float("nan")}, "must be above 0"),
     ({"training_budget": "0s"}, "must be above 0"), ({"latency": "$3"}, "cannot be read"),
     ({"decisions_a_day": "many"}, "cannot be read: give a number, as in 5000"),
     ({"days": float("inf")}, "finite"), ({"price": True}, "is no quantity"),
     ({"price": "5 cents"}, "unknown unit 'cents'")],
)  # fmt: skip
def test_bad_quantities_are_refused_by_name(asked, told):
    with pytest.raises(UnitError, match="(?s)^The " + next(iter(asked)).replace("_", " ")) as error:
        Limits.of(**asked)
    assert told in str(error.value)


def test_amounts_are_told_in_the_unit_of_their_size():
    assert [span(x) for x in (4e-7, 2e-5, 0.0123, 1, 90, 600, 7200, 2e5)] == [
        "0.4 µs", "20 µs", "12.3 ms", "1 s", "90 s", "10 min", "2 h", "2.31 days",
    ]  # fmt: skip
    assert [count(x) for x in (3.65e9, 1234, 0, float("inf"))] == ["3.6e9", "1200", "0", "∞"]
    assert [dollars(x) for x in (0.001, 3.456, 12345)] == ["under 1 ¢", "$3.46", "$12\u202f345"]
    assert [percent(x) for x in (1.0, 0.5, 0.001, 0)] == ["over 99 %", "50 %", "under 1 %", "0 %"]
    assert score(0.51234, 0.4, 0.6) == "0.51 [0.40, 0.60]" and number(-0.5) == "−0.5"
    assert score(1.0, 1.0, 1.0) == "1"


def test_the_chooser_speaks_of_every_option_once():
    found = choose(world(1), Limits.of(**MANY), draws=50)
    assert isinstance(found, Choice) and len(found.options) == 8
    assert 0 <= found.same_option <= found.same_verdict <= 1


def some_advice(folder, answer="both", **limits):
    """Advice on made-up measurements."""
    made, asked = PLANTED[answer]
    asked = Limits.of(**{**asked, **limits})
    choice = choose(world(3, **made), asked, draws=50)
    recipes = {
        o.name: Recipe(
            o.name, "from deliberation.direct import TreeSearch",
            'TreeSearch(task, "uct", budget={budget})', 8,
        )
        for o in choice.options
    }  # fmt: skip
    return Advice(
        task="tic_tac_toe", limits=asked, choice=choice, recipes=recipes,
        unfit={"PPO": "too many <players>"}, left={"search 1024": "no time"},
        world={"opponent": "search", "load": 0.1}, episodes=64, seconds=1.0,
        lines=python("tic_tac_toe", recipes["search 4"], None), folder=str(folder),
    )  # fmt: skip


def test_the_text_says_what_to_use_why_how_sure_and_what_was_refused(tmp_path):
    told = str(some_advice(tmp_path))
    assert "Learn and search: both 8, " in told and " resamples of episodes, trainings and" in told
    assert "Learning pays from " in told and "against a tree search of 32 simulations" in told
    assert re.search(r"search 256 +plan .* too slow, 5\.\d+ times", told)
    assert "No candidates: PPO: too many <players>." in told
    assert repr(some_advice(tmp_path)).startswith("Advice(tic_tac_toe: Learn and search: both 8, ")


def test_where_nothing_fits_the_text_says_which_limit_to_loosen_by_how_much(tmp_path):
    told = str(some_advice(tmp_path, latency="20us"))
    assert "Nothing keeps these limits: a latency of 1" in told and "would let random in" in told
    tight = str(some_advice(tmp_path, "plan", latency="150us"))
    assert re.search(r"Refused by the limits: a latency of \d+ µs \(.* times of what is", tight)
    assert "No planner and nothing learned keeps the limits." in tight


def test_the_page_stands_alone_and_names_what_is_recommended(tmp_path):
    advice = some_advice(tmp_path)
    drawn = panels(advice)
    svgs = [panel_svg(p, f"a{i}", "words", marks) for i, (p, marks) in enumerate(drawn)]
    page = advice_page(advice, svgs, {"Machine": "here"})
    assert '<tr class="chosen"><th scope="row">both 8</th>' in page
    assert "too many &lt;players&gt;" in page and "limit 5 ms" in page
    assert not re.search(r'(src|href)="(?!#)', page)
    picture = panels_png(drawn[:1])
    assert picture.startswith(b"\x89PNG")


def test_a_small_world_is_measured_advised_on_and_read_again(tmp_path, monkeypatch):
    """In this process, with the baselines alone: in this tree what pays at once is best."""
    kept = ("random", "one_step")
    monkeypatch.setattr(candidates, "FAMILIES", [f for f in FAMILIES if f.name in kept])
    asked = {"decisions_a_day": 100, "days": 1, "time": "3s", "effort": "smoke"}
    with joblib.parallel_config("sequential"):
        advice = advise("reward_tree(depth=2)", **asked, out=tmp_path / "out", jobs=1)
    assert (advice.verdict, advice.recommended) == ("neither", "one-step look")
    assert advice.choice["one-step look"].score.estimate > advice.choice["random"].score.estimate
    page = build_advice(advice)
    assert {"advice.html", "advice.json", "advice.svg", "advice.png"} <= {
        path.name for path in page.parent.iterdir()
    }
    again = read_advice(tmp_path / "out")
    assert str(again) == str(advice)
    other = read_advice(tmp_path / "out", Limits.of(latency="0.001us"))
    assert other.verdict == "nothing"
    assert len(advice.lines.splitlines()) == 10
    exec(advice.lines, {})


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("tic_tac_toe", "random q_learning expert_iteration"),
        ("pendulum(horizon=5)", "random cem ppo"),
        ("tiger(horizon=3)", "random history_search dqn"),
    ],
)
def test_the_lines_of_every_option_run(task, names, tmp_path, monkeypatch):
    """Whatever is recommended, learned or planned, is a policy on disk or made by its own line."""
    few = [family for family in FAMILIES if family.name in names.split()]
    monkeypatch.setattr(candidates, "FAMILIES", few)
    asked = {"latency": "100s", "effort": "smoke", "time": "4s"}
    with joblib.parallel_config("sequential"):
        advice = advise(task, **asked, out=tmp_path, jobs=1)
    plan, records = read_manifest(tmp_path), read_records(tmp_path)
    done = set()
    for option in advice.choice.options:
        recipe = advice.recipes[option.name]
        done.add(option.kind)
        kept = recipe.policy and advising._kept_policy(
            tmp_path, option.name, recipe, advising.cells_of(plan), records
        )
        exec(python(advice.task, recipe, kept), {})
    assert "learn" in done, advice.left


FITTING = {
    "tic_tac_toe": "random one_step exact uct q_learning expert_iteration",
    "cartpole": "random one_step exact uct cem q_learning dqn imitation",
    "pendulum": "random one_step cem ppo plan_imitation",
    "tiger": "random one_step history_search best_of_n dqn ppo",
    "kuhn_poker": "random one_step history_search best_of_n ppo",
}


@pytest.mark.parametrize("name", FITTING)
def test_candidates_fit_the_traits_and_others_have_a_reason(name):
    fit, unfit = candidates.candidates(make_task(name))
    assert [family.name for family in fit] == FITTING[name].split()
    assert len(fit) + len(unfit) == len(FAMILIES) and all(unfit.values())


def test_three_players_are_searched_for_and_never_learned():
    traits = Traits(players=3, actions=4, horizon=9)
    reasons = {f.name: candidates.reason(f, traits) for f in FAMILIES}
    fit = [name for name, why in reasons.items() if not why]
    assert fit == ["random", "one_step", "history_search", "best_of_n"]
    assert "more than two players" in reasons["q_learning"] and "3 players" in reasons["uct"]


def test_the_command_refuses_a_quantity_before_anything_heavy_is_imported(tmp_path):
    code = (
        "import sys\nfrom deliberation.cli import main\n"
        f"try:\n    main(['advise', 'gridworld', '--latency', '10', '--out', {str(tmp_path)!r}])\n"
        "except SystemExit as end:\n"
        "    print(end.code, [n for n in ('jax', 'numpy') if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "2 []\n" and "has no unit: give a number with a unit" in done.stderr
    assert list(tmp_path.iterdir()) == []
