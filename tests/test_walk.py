"""The way of a decision through the files of the tree search is short and never turns back."""

import itertools

import jax
import pytest
from tables import compile_lightly  # noqa: F401
from walks import stack_here, stacks, start, walk_of

from deliberation.direct import UCT, Gumbel, RandomRollouts, Sampling, TreeSearch
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.tasks import make_task

KEY = jax.random.key(0)
BACKENDS = [
    pytest.param("native", marks=pytest.mark.skipif(bool(why_not_native()), reason="no compiler")),
    "jax",
]
FILES = ["decider", "running", "engine", "models.base"]


def search(backend, task=None, rule=None, **options):
    task = make_task("tic_tac_toe") if task is None else task
    rule = UCT() if rule is None else rule
    judge = RandomRollouts()
    return TreeSearch(task, rule, judge, budget=4, capacity=8, backend=backend, **options)


def named(*files):
    return [f"tree_search.{file}" for file in files]


def check_contiguous(found):
    """No file is entered, left for another and entered again."""
    assert found
    for stack in found:
        assert len(stack) == len(set(stack)), stack
        assert stack[0] == "tree_search.decider"


@pytest.mark.parametrize("backend", BACKENDS)
def test_from_call_to_answer_are_six_files(backend):
    """The answer is read in `running`, which is one of them: see the next test. Asked from outside
    of compiled functions, the native back end is called through one file more.
    """
    module = {"native": "backends.native", "jax": "backends.portable"}[backend]
    decider = search(backend)
    for traced in (False, True):
        found = stacks(decider, start(decider.task, 2, KEY), KEY, traced=traced)
        check_contiguous(found)
        asked = {tuple(stack) for stack in found}
        once = ["calling"] if backend == "native" and not traced else []
        assert asked == {
            (*named("decider", *once, *FILES[1:]), "evaluators"),
            tuple(named("decider", *once, "running", "engine", module)),
        }
        assert len(set(itertools.chain(*asked))) <= 6 + len(once)
    walk = walk_of(decider, start(decider.task, 2, KEY), KEY)
    once = ["calling"] if backend == "native" else []
    assert sorted(walk) == sorted([*named(*once, *FILES, module), "evaluators"])


def test_the_answer_is_read_on_the_way():
    frames = []

    class Watched(UCT):
        def answer(self, root, schedule):
            frames.append(stack_here())
            return super().answer(root, schedule)

    decider = search("jax", rule=Watched())
    decider.decide(start(decider.task, 2, KEY), key=KEY)
    assert {tuple(stack) for stack in frames} == {tuple(named("decider", "running"))}


CASES = {
    "plans its root": ({"rule": Gumbel(lanes=(2, 1))}, set()),
    "remembers": ({"reuse": True}, set()),
    "samples": ({"sampling": Sampling(3)}, {"tree_search.models.sampled"}),
    "meets chance": ({"task": "2048"}, {"tree_search.models.chance"}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_search_has_besides_adds_no_more_than_its_own_file(case):
    options, more = CASES[case]
    if "task" in options:
        options = {**options, "task": make_task(options["task"])}
    decider = search("jax", **options)
    found = stacks(decider, start(decider.task, 2, KEY), KEY)
    check_contiguous(found)
    plain = {*named(*FILES, "backends.portable"), "evaluators"}
    assert set(itertools.chain(*found)) == plain | more
