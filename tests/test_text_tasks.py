"""Tasks of text, held to what is worked out otherwise: by hand, by trying all, in closed form."""

import functools
import inspect
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation import check_task, make_task, rollout
from deliberation.core import UniformRandom
from deliberation.core.errors import TaskOptionError, TokenizerError, UnknownNameError
from deliberation.direct import TreeSearch, optimal_return
from deliberation.tasks import portable_name
from deliberation.tasks.text import TextTask

KEY = jax.random.key(0)
TEXTS = ("countdown", "path_star", "text_maze", "forks")
OPS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b if b and a % b == 0 else -1,
}


def drawn(task, kind, n, seed=0):
    keys = jax.random.split(jax.random.key(seed), n)
    return np.asarray(jax.jit(jax.vmap(lambda k: task.examples(k, kind)))(keys))


def grades(task, texts):
    return np.asarray(jax.jit(jax.vmap(task.grade))(jnp.asarray(texts)))


def written(task, text):
    return np.asarray(task.begun(task.encode(text)).tokens)


def tree(task, prompt):
    """Every text that the rules let be written after a prompt, by walking `legal`."""
    look, move = (jax.jit(jax.vmap(f)) for f in (task.legal, task.advance))
    state, found = jax.tree.map(lambda x: x[None], task.begun(np.asarray(prompt))), []
    while len(state.tokens):
        legal = np.asarray(look(state))
        found += [task.decode(t) for t in np.asarray(state.tokens)[~legal.any(1)]]
        row, token = np.nonzero(legal)
        keys = jax.random.split(KEY, len(row))
        state = move(jax.tree.map(lambda x, row=row: x[row], state), jnp.asarray(token), keys)
    return found


# All of them


@pytest.mark.parametrize("name", TEXTS)
def test_the_contract_is_kept_with_a_grammar_too(name):
    check_task(make_task(name, grammar=True), episodes=8)


@pytest.mark.parametrize("name", TEXTS)
def test_other_processes_make_the_same_task_from_its_name(name):
    for task in (make_task(name), make_task(name, grammar=True)):
        assert make_task(portable_name(task)) == task


@pytest.mark.parametrize("name", TEXTS)
def test_words_and_tokens_are_the_same_text(name):
    task = make_task(name)
    for kind in task.kinds:
        for row in drawn(task, kind, 8):
            text = task.decode(row)
            assert (written(task, text) == row).all() and len(text.split()) == (row >= 0).sum()
            assert task.render(task.begun(row)).split() == text.split()
            assert (row[: task.prompt_places] >= 0).all() and task.symbols[task.end] == "end"
    with pytest.raises(TokenizerError, match=r"Word 2 .*'ends'.*Did you mean 'end'"):
        task.encode("end ends")
    with pytest.raises(TokenizerError, match="-1 for nothing"):
        task.decode([len(task.symbols)])
    with pytest.raises(TokenizerError, match="at most"):
        task.begun(np.zeros(task.places + 1, int))
    with pytest.raises(UnknownNameError, match="kind of examples"):
        task.examples(KEY, "wrong")


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_no_text_is_refused(name):
    task = make_task(name)
    # Without the types that tests check.
    encode, decode, begun = (
        functools.partial(inspect.unwrap(f), task)
        for f in (TextTask.encode, TextTask.decode, TextTask.begun)
    )
    for wrong in (None, 5, b"end", ["end"]):
        with pytest.raises(TokenizerError, match="which is none"):
            encode(wrong)
    for wrong in ([np.nan], [1.7], None, "end", [True], [[1, 2], [3]]):
        with pytest.raises(TokenizerError, match="whole numbers"):
            decode(wrong)
    assert decode([]) == "" and decode([1.0, -1.0]) == task.symbols[1]
    size = task.prompt_places
    row = drawn(task, task.kinds[0], 1)[0][: size + 2]
    for place in range(size + 1):  # an empty place in the prompt, or before the last token
        with pytest.raises(TokenizerError, match=f"place {place} of"):
            begun(np.where(np.arange(size + 2) == place, -1, row))
    for wrong in (row + len(task.symbols), row.astype(np.int64) - 2**40, row - 200):
        with pytest.raises(TokenizerError, match="-1 for nothing"):
            begun(wrong.tolist())
    with pytest.raises(TokenizerError, match="whole numbers"):
        begun(row + 0.5)
    with pytest.raises(TokenizerError, match="at most"):
        begun(row[None])
    compiled = jax.jit(task.begun)(jnp.asarray(row))
    for same in (
        begun(row),
        begun(row.astype(float)),
        begun(jnp.asarray(row)),
        begun(row.tolist()),
    ):
        assert (same.tokens == compiled.tokens).all() and same.time == compiled.time == 2


@pytest.mark.parametrize("name", [*TEXTS, "markov_text"])
def test_texts_are_the_same_with_64_bits_enabled(name):
    """What loops carry must be of one kind, else nothing is traced at all."""
    task = make_task(name)

    def text(key):
        if name == "markov_text":
            return task.text(key), task.observe(task.init(key))
        row = task.examples(key, task.kinds[0])
        return row, task.grade(row), task.well_formed(task.init(key)), task.prompt(key)

    narrow = jax.eval_shape(text, KEY)
    with jax.enable_x64(True):
        wide = jax.eval_shape(text, KEY)
        state = jax.eval_shape(lambda key: task.advance(task.init(key), jnp.int32(0), key), KEY)
    assert state.tokens.dtype == np.int32 and wide == narrow


@pytest.mark.parametrize("name", TEXTS)
def test_examples_are_legal_texts_and_their_prompts_are_those_that_are_asked(name):
    """What the grammar allows includes every example that is an answer alone."""
    task = make_task(name, grammar=True)
    kind = task.kinds[0]
    for row in drawn(task, kind, 4):
        state = task.begun(row[: task.prompt_places])
        for token in row[task.prompt_places :]:
            if token < 0:
                break
            state = task.step(state, int(token), KEY)
        assert bool(task.terminated(state)) and (np.asarray(state.tokens) == row).all()
    prompts = jax.vmap(task.prompt)(jax.random.split(KEY, 512))
    asked, told = np.asarray(prompts), drawn(task, kind, 512, seed=1)[:, : task.prompt_places]
    assert abs(asked.mean(0) - told.mean(0)).max() <= 5 * max(asked.std(), 1) / 512**0.5


@pytest.mark.parametrize("name", ["countdown", "path_star", "text_maze"])
def test_nothing_is_earned_before_the_end_and_the_grade_there(name):
    task = make_task(name)
    row = drawn(task, task.kinds[0], 1)[0]
    earned, state = [], task.begun(row[: task.prompt_places])
    for token in row[task.prompt_places :][: (row >= 0).sum() - task.prompt_places]:
        after = task.step(state, int(token), KEY)
        earned.append(float(task.objective(state, jnp.int32(token), after)[0]))
        state = after
    assert earned == [0.0] * (len(earned) - 1) + [1.0]
    cut = row.copy()
    cut[(row >= 0).sum() - 1] = -1
    assert grades(task, [cut, row]).tolist() == [0.0, 1.0]


# Countdown


def judged(text):
    """Whether a text of Countdown ends in a right answer, by reading its words."""
    prompt, _, rest = text.partition(" : ")
    numbers, target = prompt.split(" -> ")
    words = rest.split()
    if "end" not in words:
        return False
    words = words[: words.index("end")]
    if "so" in words:
        words = words[len(words) - words[::-1].index("so") :]
    left = list(map(int, numbers.split()))
    lines = " ".join(words).split(";")
    if lines.pop().strip() or len(lines) != len(left) - 1:
        return False
    for line in lines:
        match line.split():
            case [a, op, b, "=", c] if op in OPS and (a + b + c).isdigit():
                a, b, c = int(a), int(b), int(c)
                for used in (a, b):
                    if used not in left:
                        return False
                    left.remove(used)
                if OPS[op](a, b) != c or c < 0:
                    return False
                left.append(c)
            case _:
                return False
    return left == [int(target)]


def all_answers(left, most):
    """The lines of every way to put numbers together, and what is left at its end."""
    if len(left) == 1:
        return {("", left[0])}
    found = set()
    for i, j in itertools.permutations(range(len(left)), 2):
        rest = [x for k, x in enumerate(left) if k not in (i, j)]
        for op, apply in OPS.items():
            c = apply(left[i], left[j])
            if 0 <= c <= most:
                line = f"{left[i]} {op} {left[j]} = {c} ; "
                found |= {(line + more, end) for more, end in all_answers([*rest, c], most)}
    return found


def test_an_answer_is_graded_as_by_hand():
    task = make_task("countdown", numbers=3, length=40)
    right = "3 5 2 -> 16 : 3 + 5 = 8 ; 8 * 2 = 16 ; end"
    told = {
        right: 1,
        right.replace("3 + 5", "5 + 3"): 1,
        right.replace("16 ; end", "16 ; end end 3"): 1,
        right.replace(": ", ": 5 - 2 = 3 ; at 3 3 : 9 9 so "): 1,
        right.replace(": ", ": so so "): 1,
        right.replace("so", "end so"): 1,
        right.replace(" end", ""): 0,
        right.replace("end", "so end"): 0,
        right.replace(": ", ": end so "): 0,
        right.replace("-> 16", "-> 17"): 0,
        right.replace("8 * 2", "2 * 8"): 1,
        right.replace("8 * 2 = 16", "8 + 8 = 16"): 0,
        right.replace("3 + 5 = 8", "3 + 5 = 9"): 0,
        right.replace("; end", "; 16 + 0 = 16 ; end"): 0,
        "3 5 2 -> 8 : 3 + 5 = 8 ; end": 0,
        "8 4 2 -> 1 : 8 / 4 = 2 ; 2 / 2 = 1 ; end": 1,
        "8 3 2 -> 1 : 8 / 3 = 2 ; 2 / 2 = 1 ; end": 0,
        "2 2 2 -> 0 : 2 - 2 = 0 ; 0 * 2 = 0 ; end": 1,
        "2 2 2 -> 0 : 2 - 2 = 0 ; 0 / 2 = 0 ; end": 1,
        "2 2 2 -> 2 : 2 - 2 = 0 ; 2 / 0 = 2 ; end": 0,
    }
    assert {text: int(grades(task, [written(task, text)])[0]) for text in told} == told
    assert all(judged(text) == value for text, value in told.items())


@pytest.mark.parametrize("numbers", [3, 4])
def test_mutated_answers_are_graded_as_their_words_are_judged(numbers):
    task = make_task("countdown", numbers=numbers, length=60)
    rng = np.random.default_rng(0)
    texts = np.concatenate(
        [drawn(task, "optimal", 200), task.pool("dfs", 100), task.pool("bfs", 99)]
    )
    changed = np.repeat(texts, 4, axis=0)
    for row in changed:
        last = (row >= 0).sum()
        for place in rng.integers(task.prompt_places, last, rng.integers(0, 3)):
            row[place] = (
                rng.integers(len(task.symbols)) if rng.random() < 0.5 else rng.choice(row[:last])
            )
        if rng.random() < 0.3:
            one, two = task.prompt_places + rng.integers(0, last - task.prompt_places, 2)
            row[[one, two]] = row[[two, one]]
    found = grades(task, changed)
    assert found.tolist() == [float(judged(task.decode(row))) for row in changed]
    assert 0.1 < found.mean() < 0.8


def test_the_grammar_allows_the_answers_that_there_are_and_no_others():
    task = make_task("countdown", numbers=3, largest=6, grammar=True)
    for key in jax.random.split(KEY, 3):
        prompt = np.asarray(task.prompt(key))
        head = task.decode(prompt)
        every = all_answers(prompt[:3].tolist(), task.most)
        found = tree(task, prompt)
        assert len(found) == len(set(found))
        assert set(found) == {f"{head} {lines}end" for lines, _ in every}
        right = {f"{head} {lines}end" for lines, left in every if left == prompt[4]}
        solved = [np.concatenate([prompt, answer]) for answer in task.solutions(prompt)]
        assert right == {task.decode(row) for row in solved} and len(solved) == len(right) > 0
        assert grades(task, [written(task, text) for text in found]).sum() == len(right)


def test_problems_can_be_solved_and_are_within_the_range_asked():
    task = make_task("countdown", largest=9, least=20, most=50)
    texts = drawn(task, "optimal", 300)
    assert grades(task, texts).tolist() == [1.0] * 300
    numbers, target = texts[:, :4], texts[:, 5]
    assert numbers.min() == 1 and numbers.max() == 9 and target.min() >= 20 and target.max() <= 50
    assert len(task.solutions(texts[0][:7])) > 0
    impossible = task.encode("1 1 1 1 -> 50 :")
    assert task.solutions(impossible).shape == (0, 19)


def test_a_search_in_depth_finds_what_there_is_and_the_one_in_breadth_keeps_five():
    task = make_task("countdown", numbers=3, length=500)
    deep, broad = task.pool("dfs", 200), task.pool("bfs", 200)
    with pytest.raises(ValueError, match="read-only"):
        deep[:] = 0
    assert grades(task, deep).mean() == 1.0
    assert 0.7 < grades(task, broad).mean() < 1.0
    for row in np.concatenate([deep[:40], broad[:40]]):
        _, _, steps = task.decode(row).partition(" : ")
        left = sorted(row[:3].tolist())
        for step in steps.partition(" so ")[0].replace(":", ";").split(" ;"):
            match step.split():
                case ["at", *there]:
                    left = sorted(map(int, there))
                case [a, op, b, "=", c]:
                    rest = list(left)
                    rest.remove(int(a))
                    rest.remove(int(b))
                    assert OPS[op](int(a), int(b)) == int(c)
                case other:
                    assert other in ([], ["end"])
    lines = [task.decode(row).partition(" so ")[0].count(" at ") for row in broad]
    assert max(lines) == 5
    short = make_task("countdown", numbers=3, length=60)
    cut = short.pool("dfs", 200)
    assert 0.2 < grades(short, cut).mean() < 0.9 and (cut[:, -1] >= 0).any()
    assert (short.pool("dfs", 200, seed=1) != cut).any()
    assert drawn(task, "dfs", 3).shape == (3, task.places)


def test_tree_search_solves_more_than_chance_does():
    task = make_task("countdown", numbers=3, largest=9, grammar=True)
    chance = rollout(task, UniformRandom(task), key=KEY, batch=256).returns.mean()
    found = rollout(task, TreeSearch(task, budget=256), key=KEY, batch=16).returns.mean()
    assert chance < 0.3 and found > 0.8


# Stars and mazes


@pytest.mark.parametrize("backward", [False, True])
def test_a_path_is_right_as_a_whole_or_not_at_all(backward):
    task = make_task("path_star", arms=2, edges=2, names=5, backward=backward, length=6)
    prompt = "b d | a b | c e | a c | a e = "
    told = {"a c e end": 1, "a b d end": 0, "a c end": 0, "a c e": 0, "a b e end": 0, "e end": 0}
    for answer, value in told.items():
        words = answer.split()
        path = [w for w in words if w != "end"]
        way = " ".join([*(path[::-1] if backward else path), *words[len(path) :]])
        assert grades(task, [written(task, prompt + way)])[0] == value, way
    if backward:
        assert grades(task, [written(task, prompt + "a c e end")])[0] == 0


def test_forward_each_arm_can_be_written_and_backward_one_path_alone():
    for backward, count in ((False, 3), (True, 1)):
        task = make_task("path_star", arms=3, edges=3, backward=backward, grammar=True)
        texts = drawn(task, "path", 3)
        assert grades(task, texts).tolist() == [1.0] * 3
        for row in texts:
            found = tree(task, row[: task.prompt_places])
            assert len(found) == count and task.decode(row) in found
            assert grades(task, [written(task, text) for text in found]).sum() == 1


def test_a_way_through_a_maze_is_worth_the_shortest_over_its_own_length():
    task = make_task("text_maze", size=3, length=12)
    prompt = "S . # # . G . . . : "
    told = {
        "right down right end": 1.0,
        "right down down right up end": 0.6,
        "right down right left right end": 0.6,
        "right down right": 0.0,
        "right down end": 0.0,
        "down down right right up end": 0.0,
        "right right down end": 0.0,
        "left right down right end": 0.0,
        "right down right . end": 0.0,
        "end right down right end": 0.0,
    }
    for answer, value in told.items():
        assert grades(task, [written(task, prompt + answer)])[0] == pytest.approx(value), answer


def test_the_shortest_way_is_that_of_a_search_in_breadth():
    task = make_task("text_maze", size=5)
    short, deep = drawn(task, "shortest", 100), drawn(task, "dfs", 100)
    for row in short:
        cells = row[:25].reshape(5, 5)
        begin, goal = (tuple(np.argwhere(cells == task.symbols.index(w))[0]) for w in "SG")
        seen, edge, steps = {begin}, {begin}, 0
        while goal not in edge:
            beside = {
                (r + d, c + e) for r, c in edge for d, e in ((0, 1), (1, 0), (0, -1), (-1, 0))
            }
            inside = {p for p in beside if min(p) >= 0 and max(p) < 5 and cells[p] != 1}
            edge, steps = inside - seen, steps + 1
            seen |= edge
        assert (row >= 0).sum() == 26 + steps + 1
    assert grades(task, short) == pytest.approx(1.0)
    walked = grades(task, deep)
    assert (walked > 0).all() and walked.mean() < 0.9


# Sources


def test_the_two_state_source_has_the_entropies_that_it_has_by_hand():
    task = make_task("two_state_text")
    p, q = 0.5, 0.8

    def entropy(x):
        return -x * np.log(x) - (1 - x) * np.log(1 - x)

    second = p / (p + q)
    assert task.entropy_rate == pytest.approx((1 - second) * entropy(p) + second * entropy(q))
    assert task.unigram_entropy == pytest.approx(entropy(second))
    assert task.entropy_rate == pytest.approx(0.6190, abs=5e-5)
    assert task.unigram_entropy == pytest.approx(0.6663, abs=5e-5)
    texts = np.asarray(jax.vmap(task.text)(jax.random.split(KEY, 2000)))
    assert abs(texts.mean() - second) < 0.02
    assert abs(texts[:, 1:][texts[:, :-1] == 1].mean() - (1 - q)) < 0.02
    with pytest.raises(TaskOptionError, match="sum to 1"):
        make_task("two_state_text", table=((0.5, 0.6), (0.8, 0.2)))
    with pytest.raises(TaskOptionError, match="2 tuples of 2"):
        make_task("two_state_text", table=((0.5, 0.5),))


@pytest.mark.parametrize("calm", [0.5, 0.1])
def test_the_entropy_of_forks_is_what_their_texts_cost(calm):
    task = make_task("forks", calm=calm, letters=2, after=2, forks=2)
    texts = drawn(task, "source", 4000)
    cost = -grades(task, texts)
    assert abs(cost.mean() - task.entropy) < 4 * cost.std() / 4000**0.5
    branch = -calm * np.log(calm) - (1 - calm) * np.log(1 - calm) + (1 - calm) * 2 * np.log(2)
    assert task.entropy == pytest.approx(2 * branch)
    assert task.entropy_rate == pytest.approx(2 * branch / 8)
    chose = np.asarray(jax.vmap(task.chosen)(jnp.asarray(texts)))
    assert abs((chose == 1).mean() - calm) < 0.03 and (chose >= 0).all()
    ruled = make_task("forks", calm=calm, letters=2, after=2, forks=2, grammar=True)
    every = [written(task, text) for text in tree(ruled, task.encode("?"))]
    assert len(every) == (1 + 4) ** 2
    assert np.exp(grades(task, every)).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("calm", "takes"), [(0.5, 1), (0.05, 1), (0.05, 0)])
def test_planning_for_least_surprise_takes_the_calm_branch_where_it_pays(calm, takes):
    """9 random letters of two cost 6.2 nats, a rare branch 3.0 and the other .05; one costs .7."""
    task = make_task("forks", calm=calm, letters=2, after=9 if takes else 1, forks=1, grammar=True)
    best = max(task.branch_nats)
    assert best == task.branch_nats[1 - takes]
    start = task.init(KEY)
    assert float(task.objective.optimum(start)) == pytest.approx(best)
    if not takes:
        assert optimal_return(task) == pytest.approx(best)
    batch = jax.tree.map(lambda x: x[None], start)
    decision, _ = TreeSearch(task, budget=512).decide(batch, key=KEY)
    assert task.symbols[int(decision.action[0])] == ("calm" if takes else "wild")


def test_what_is_left_of_a_text_is_worth_what_the_best_writer_gets():
    """Along a text of both branches, against going back from all its ends."""
    task = make_task("forks", calm=0.2, letters=2, after=2, forks=2, grammar=True)

    def best(state):
        if bool(task.terminated(state)):
            return 0.0
        gains = []
        for token in np.flatnonzero(np.asarray(task.legal(state))):
            after = task.step(state, int(token), KEY)
            gains.append(float(task.objective(state, jnp.int32(token), after)[0]) + best(after))
        return max(gains)

    for text in (
        "?",
        "? wild",
        "? wild b",
        "? wild b a",
        "? wild b a ?",
        "? calm a",
        "? calm a b ?",
    ):
        state = task.begun(task.encode(text))
        assert float(task.objective.optimum(state)) == pytest.approx(best(state), abs=1e-5), text
    told = {"? calm a b ? wild b b end": 0.2 * 0.8 / 4, "? wild a a ? wild b a end": 0.8**2 / 16}
    for text, chance in told.items():
        assert np.exp(grades(task, [written(task, text)])[0]) == pytest.approx(chance)
    assert grades(task, [written(task, "? calm b a")])[0] == pytest.approx(np.log(0.2) - 40)
    never = task.begun(task.encode("?"))
    assert float(task.nats(never)[0]) == -20.0


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("countdown", {"numbers": 9}, "numbers=2 to 6"),
        ("countdown", {"largest": 100}, "largest number from 1 to most"),
        ("countdown", {"numbers": 2, "largest": 1, "least": 90}, "Let least be less"),
        ("countdown", {"length": 18}, "length of at least 19"),
        ("path_star", {"names": 6}, "arms \\* edges \\+ 1"),
        ("text_maze", {"walls": 0.9}, "probability from 0"),
        ("text_maze", {"size": 1}, "size of at least 2"),
        ("forks", {"calm": 1.0}, "calm above 0"),
        ("forks", {"letters": 27}, "at most 26"),
    ],
)
def test_options_that_make_no_text_are_refused(name, options, told):
    with pytest.raises(TaskOptionError, match=told):
        make_task(name, **options)
