"""Claims about changed objectives, sizes, data and worlds, against planted truths.

A null effect refutes its row (that effects of twice the smallest are supported is tested with all
claims' own worlds). The work behind the cells is run on a world of nine cells.
"""

from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation import claims
from deliberation.amortised import MLP, Dataset, save_network
from deliberation.claims.measuring import corruption, coverage, exams, shifts, swaps, teaching
from deliberation.claims.measuring.asking import Answers, ask, batch_free, ways
from deliberation.claims.measuring.cells import closure
from deliberation.claims.measuring.effort import effort_of
from deliberation.claims.measuring.growth import grown, stretched
from deliberation.claims.measuring.planted import World
from deliberation.claims.measuring.results import Results, gather
from deliberation.claims.measuring.rows import claimed_of, estimate_of
from deliberation.claims.measuring.verdicts import judge_all
from deliberation.core.answering import answer
from deliberation.core.decider import Decider
from deliberation.core.ledger import Ledger
from deliberation.core.task import Task
from deliberation.core.uniform import UniformRandom
from deliberation.direct import value_iteration
from deliberation.runs import Cell, Context, Record, Row
from deliberation.tasks import make_task
from deliberation.tasks.grids import Gridworld

GAME, GRID = "tic_tac_toe", "gridworld_slippery"
CLAIMS = {
    "on_the_fly": GAME,
    "generalisation_search": GAME,
    "generalisation_network": GAME,
    "alignment_focus": GAME,
    "off_distribution": GRID,
}
E = effort_of("smoke")
N = 200


def planted(name: str, world: World) -> tuple[Any, list[Cell], dict[str, Record]]:
    """A claim, the cells it needs, and their records in a planted world."""
    module = claims.claim(name)
    needed = closure(module.cells(CLAIMS[name], E))
    return module, needed, world.records(needed)


def rows(name: str, **more: Any) -> list[Row]:
    """The rows of a claim in a planted world, judged as a family."""
    module, _, records = planted(name, World(n=N, more=more))
    shown = module.analyse(CLAIMS[name], E, Results(records))
    (finding,) = judge_all([gather(module.CLAIM, [shown])])
    return finding.rows


def verdict(name: str, part: str, **more: Any) -> str | None:
    """That of the one claimed row whose decider and quantity hold `part`."""
    found = {f"{r.decider}: {r.quantity}": r for r in rows(name, **more) if r.kind == "claim"}
    (row,) = [row for title, row in found.items() if part in title]
    return row.verdict


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_true_is_supported_and_every_check_holds(name):
    found = rows(name, **({"larger": -0.3} if name == "generalisation_search" else {}))
    assert {r.verdict for r in found if r.kind == "claim"} == {"supported"}
    assert {r.verdict for r in found if r.kind == "check"} <= {"holds"}


TOLD = "way lost by a corrupted reward"


@pytest.mark.parametrize(
    ("name", "part", "more"),
    [
        ("on_the_fly", "search (256): way by the new", {"search_told": (0.9, 0.3, 0.2)}),
        ("generalisation_network", "covering all", {"covered": (0.7, 0.7)}),
        ("alignment_focus", f"search (256): {TOLD}", {"search_told": (0.9, 0.9, 0.9)}),
        ("alignment_focus", "imitator: way lost by corrupted data", {"poisoned": 0.8}),
        ("alignment_focus", f"learner by trial: {TOLD}", {"learner": (0.9, 0.9, 0.4)}),
        ("alignment_focus", "trial: way lost by corrupted data", {"learner": (0.9, 0.3, 0.9)}),
        ("off_distribution", "beyond the network's", {"moved": 0.0}),
        ("off_distribution", "behaviour with the dynamics", {"network_moved": 0.4}),
        ("off_distribution", "lost by a shift of the dynamics", {"lost": 0.0}),
    ],
)
def test_a_null_effect_refutes_its_own_row(name, part, more):
    assert verdict(name, part, **more) == "refuted"


def test_a_search_that_breaks_down_in_large_worlds_is_refuted():
    module, needed, records = planted("generalisation_search", World(n=N))
    larger = [c for c in needed if c.function.endswith(":score") and c.settings["task"] != GAME]
    for cell in larger:
        way = np.array(records[cell.id].outcomes["way"]) - 0.8
        records[cell.id].outcomes["way"] = way.tolist()
    found = module.analyse(GAME, E, Results(records)).rows
    held = next(r for r in found if "with the grown budget" in r.quantity)
    assert claimed_of(held).judge(estimate_of(held)) == "refuted"


def test_a_broken_instrument_fails_its_check():
    module, needed, records = planted("on_the_fly", World(n=40))
    for cell in needed:
        if cell.function.endswith(":follow"):
            records[cell.id].outcomes["batches"]["permuted"] = [0.0, 1.0] * 20
    found = module.analyse(GAME, E, Results(records)).rows
    assert {r.verdict for r in found if "another order" in r.quantity} == {"fails"}


# --- what is changed ---------------------------------------------------------------------------


def test_sizes_grow_one_knob_at_a_time():
    assert grown("tic_tac_toe") == (
        "tic_tac_toe", "mnk(gravity=False, height=3, k=3, width=4)",
    )  # fmt: skip
    assert grown("gridworld(slip=0.1)")[1] == "gridworld(size=9, slip=0.1)"
    assert stretched("S.P.G D#...", 2) == "S...PP..G. D.##......"
    assert len(grown("cliff_walk")) == len(grown("gridworld_hidden")) == 1


def test_the_other_objective_turns_good_into_bad():
    grid, game = make_task(GRID), make_task(GAME)
    usual, other, lost = (
        cast(Any, x) for x in (grid.objective, swaps.swapped(grid), swaps.swapped(game))
    )
    assert other.weights[:4].tolist() == pytest.approx(usual.weights[jnp.array([0, 2, 1, 3])])
    assert other.bounds == usual.bounds
    plain = make_task("gridworld")
    kept, turned = (cast(Any, x).weights for x in (plain.objective, swaps.swapped(plain)))
    assert turned[1] == -kept[1]
    assert lost.of == game.objective


def test_the_next_legal_action_goes_round():
    legal = jnp.array([True, False, True, True])
    turned = [int(corruption.next_legal(legal, jnp.int32(a))) for a in (0, 2, 3)]
    assert turned == [2, 3, 0]
    assert int(corruption.next_legal(jnp.array([False, True]), jnp.int32(1))) == 1


def test_a_poisoned_lesson_tells_the_least_wanted_legal_action():
    legal = jnp.array([[True, True, False], [True, True, True]])
    weights = jnp.array([[0.9, 0.1, 0.0], [0.6, 0.2, 0.2]])
    lesson = Dataset.of(jnp.zeros((2, 1)), legal, weights, jnp.zeros(2))
    assert corruption.poisoned(lesson).weights.tolist() == [[0, 1, 0], [0, 0.5, 0.5]]


class ByPlace(Decider):
    """Answers by where in the batch a position stands, which no decider should."""

    task: Task

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        legal = jax.vmap(self.task.legal)(state)
        n, places = legal.shape[0], jnp.arange(legal.shape[0])
        action = (places % legal.shape[1]).astype(jnp.int32)
        weights = jax.nn.one_hot(action, legal.shape[1])
        live = jnp.ones(n, bool)
        return answer(live, action, weights, jnp.zeros(n), flops=0.0), memory


def test_answers_that_depend_on_the_batch_are_found_out():
    task = make_task(TINY)
    states = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 30))
    found = batch_free(ByPlace(task), states, jax.random.key(1))
    assert np.mean(found["permuted"]) < 0.6
    honest = batch_free(UniformRandom(task), states, jax.random.key(1))
    assert all(np.all(same) for same in map(np.array, honest.values()))


# --- the work behind the cells, on a world of nine cells ------------------------------------------

TINY = "gridworld(horizon=6, layout='S.. ..G .P.', slip=0.2)"


class Bench(Context):
    """What a cell may use, without a run around it: a folder of its own, and earlier cells'."""

    def __init__(self, home: Path, name: str):
        self.home, self.name = home, name
        (home / name).mkdir()

    @property
    def folder(self) -> Path:
        return self.home / self.name

    def artefact(self, cell: str) -> Path:
        return self.home / cell

    def outcomes(self, cell: str) -> dict[str, Any]:
        return {"teacher": "biased"}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("cells")
    work(home, "all", exams.find_positions, count=500, which="all")
    work(home, "swapped", swaps.find_swapped, count=60, every=True)
    work(home, "lesson", teaching.teach, teacher="biased", count=64, budget=1)
    task, bench = make_task(TINY), Bench(home, "student")
    shape = jax.eval_shape(task.observe, task.init(jax.random.key(0))).shape
    save_network(bench.folder, MLP(shape, 4, 8, 2, key=jax.random.key(1)), TINY, ledger=Ledger())
    return home


def work(home: Path, name: str, function: Any, **settings: Any) -> dict[str, Any]:
    return function({"task": TINY, "room": 64, **settings}, Bench(home, name)).outcomes


NETWORK = "deliberation.claims.measuring.subjects:network"


def test_positions_matter_under_both_objectives(home):
    task = make_task(TINY)
    states, own = exams.read_positions(home / "swapped", task, "own")
    _, other = exams.read_positions(home / "swapped", task, "other")
    assert (exams.stakes(own) > 0).all() and (exams.stakes(other) > 0).all()
    best = own.argmax(1)
    assert ways(own, Answers(best, np.zeros_like(own), states)) == pytest.approx(1.0)
    assert isinstance(task, Gridworld)
    exact = shifts.action_values(task, swaps.swapped(task), states)
    assert other == pytest.approx(exact, abs=1e-5)


def test_a_network_told_another_objective_answers_the_same(home):
    found = work(home, "told", swaps.follow, positions="swapped", subject=NETWORK,
                 policies=["student"], budget=0, key=1)  # fmt: skip
    assert np.all(found["kept"])
    assert found["way"]["own"]["own"] == found["way"]["other"]["own"]
    assert found["way"]["own"]["own"] != found["way"]["own"]["other"]
    assert all(np.all(same) for same in found["batches"].values())


def test_learners_of_tampered_lessons_and_rewards(home):
    seeds, training = [0], {"updates": 4, "steps": 60, "environments": 16, "capacity": 256}
    told = {"positions": "swapped", "seeds": seeds, "training": training}
    misled = work(home, "misled", corruption.learn_by_trial, reward=False, data=True, **told)
    assert np.mean(misled["way"]) < 0.2
    found = work(home, "poisoned", corruption.imitate_poisoned, lesson="lesson", count=64,
                 positions="swapped", seeds=seeds, steps=[8], width=8)  # fmt: skip
    assert np.shape(found["way"]) == np.shape(misled["way"])


def test_a_lesson_covers_whole_classes_and_none_that_are_tested(home):
    task = make_task(TINY)
    states, _ = exams.read_positions(home / "all", task)
    rows_seen, different = coverage.covered_rows(task, states, 0.5, 64, seed=0)
    kinds = coverage.classes(task, states)
    assert len(rows_seen) == 64 and 2 <= different <= 64
    assert (kinds[rows_seen] % coverage.SHARE != 0).all()
    assert not set(rows_seen[:8]) & set(rows_seen[8:])
    assert len(set(kinds[rows_seen].tolist())) == different
    found = work(home, "covered", coverage.cover, lesson="all", positions="all", share=1.0,
                 count=64, steps=[8], width=8, seeds=[0])  # fmt: skip
    assert np.shape(found["way"])[0] == 1 and found["covered"] >= different


def test_twins_have_the_values_of_their_own_world(home):
    found = work(home, "shifts", shifts.find_shifts, positions="all")
    task = make_task(TINY)
    before, values = exams.read_positions(home / "shifts" / "before", task)
    after, walled = exams.read_positions(home / "shifts" / "dynamics", task)
    assert len(values) == found["count"] and 0 < found["share"] < 1
    table = value_iteration(task)
    assert values == pytest.approx(table.action_values[table.find(before)], abs=1e-5)
    assert (np.asarray(after.walls).sum(1) == np.asarray(before.walls).sum(1) + 1).all()
    assert (walled.max(1) <= values.max(1) + 1e-6).all()
    met = work(home, "met", shifts.meet, shifts="shifts", subject=NETWORK, policies=["student"],
               budget=0)  # fmt: skip
    assert set(met["way"]) == {"before", *shifts.SHIFTS}
    assert np.all(np.array(met["variation"]["reward"]) == 0)
    assert np.all(np.array(met["variation"]["observation"]) > 0)


def test_answers_keep_their_order_over_chunks():
    task = make_task(TINY)
    states = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 130))
    answers = ask(UniformRandom(task), states, jax.random.key(2))
    assert answers.action.shape == (130,) and answers.weights.shape == (130, 4)
