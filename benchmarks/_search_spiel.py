"""OpenSpiel's MCTSBot on Connect Four (Lanctot et al. 2019): its speed, and games against it."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _search_contestants import choose, openings
from _search_rows import MissingPeerError
from _search_timing import Say, Spread
from jaxtyping import Array, Float, Int

from deliberation.core.errors import ContractError
from deliberation.core.task import State, Task
from deliberation.direct import UCT, RandomRollouts, TreeSearch
from deliberation.stats import bootstrap
from deliberation.tasks import make_task

EXPLORATION = 1.0
"""Both sides score an action by q + c sqrt(ln N / n), with returns from -1 to 1."""
MEGABYTES = 1000
PLIES = 6


def load_game(name: str = "connect_four") -> tuple[Any, Any]:
    """(the module, the game). Raises `MissingPeerError`."""
    try:
        import pyspiel
    except ImportError as error:
        raise MissingPeerError("open_spiel") from error
    return pyspiel, pyspiel.load_game(name)


def bot(simulations: int, seed: int, *, solve: bool, c: float = EXPLORATION) -> Any:
    """OpenSpiel's UCT with one random rollout a leaf, in C++."""
    spiel, game = load_game()
    judge = spiel.RandomRolloutEvaluator(n_rollouts=1, seed=seed)
    return spiel.MCTSBot(game, judge, c, simulations, MEGABYTES, solve, seed, False)


def replayed(moves: Int[np.ndarray, "plies batch"]) -> list[Any]:
    """OpenSpiel's states after each row's moves; -1 stands for none."""
    game, states = load_game()[1], []
    for row in moves.T:
        state = game.new_initial_state()
        for action in row[row >= 0]:
            state.apply_action(int(action))
        states.append(state)
    return states


def uct(
    task: Task, simulations: int, *, solve: bool, c: float = EXPLORATION, lanes: int = 1
) -> TreeSearch:
    """This library's UCT with one random rollout a leaf."""
    judge, rule = RandomRollouts(count=1), UCT(c=c, lanes=lanes)
    return TreeSearch(task, rule, judge, budget=simulations, prove=solve, capacity=simulations)


def their_decisions(
    moves: Int[np.ndarray, "plies batch"], simulations: int
) -> Callable[[Any], Any]:
    """OpenSpiel's answer for every row, one after the other, as its bots go."""
    states, asked = replayed(moves), bot(simulations, 7, solve=False)
    return lambda key: [asked.step(state) for state in states]


def play_match(
    pairs: int,
    simulations: int,
    *,
    solve: bool,
    handicap: int = 1,
    seed: int = 0,
    say: Say = lambda text: None,
) -> Float[np.ndarray, "pairs 2"]:
    """Our score (1, 1/2 or 0) in `pairs` openings of Connect Four, as first and as second player.

    Both search `simulations` a move, with proofs or without; with a handicap ours has only that
    part of them. Openings are `PLIES` random moves, an even number, and each is played with both
    colours: the games of one colour ask our search together, in one batch. Raises `ContractError`
    if the two sets of rules ever disagree.
    """
    task = make_task("connect_four")
    start, moves = openings(task, np.full(pairs, PLIES), seed=seed)
    if (moves < 0).any():
        raise ValueError(f"{PLIES} random moves have ended a game: openings must all be as long.")
    decider = uct(task, simulations, solve=solve)
    sides = [(start, replayed(moves)), (start, replayed(moves))]
    bots = [bot(simulations, 1000 * seed + i, solve=solve) for i in range(pairs)]
    score = np.full((pairs, 2), np.nan)
    for ply in range(PLIES, task.traits.horizon):
        going = [int(np.isnan(score[:, colour]).sum()) for colour in (0, 1)]
        if not any(going):
            break
        say(f"ply {ply}, {sum(going)} games going")
        for colour, (state, theirs) in enumerate(sides):
            if not going[colour]:
                continue
            live = np.isnan(score[:, colour])
            if ply % 2 == colour:
                key = jax.random.fold_in(jax.random.key(seed), 2 * ply + colour)
                decision, _ = decider.decide(
                    state, decider.begin(pairs), budget=simulations // handicap, key=key
                )
                action = np.asarray(decision.action)
            else:
                action = np.array(
                    [b.step(s) if on else -1 for b, s, on in zip(bots, theirs, live, strict=True)]
                )
            sides[colour] = (_advance(task, state, action, live), theirs)
            follow(task, sides[colour][0], theirs, action, live)
            score[:, colour] = np.where(live, _scores(theirs, colour), score[:, colour])
    return score


def estimated(score: Float[np.ndarray, "pairs 2"]) -> Spread:
    """Our mean score; an opening and its mirror image in colours are one observation."""
    found = bootstrap(score.mean(1), bounds=(0.0, 1.0))
    return {
        "score": found.estimate,
        "low": found.low,
        "high": found.high,
        "games": int(score.size),
        "won": int((score == 1).sum()),
        "drawn": int((score == 0.5).sum()),
        "lost": int((score == 0).sum()),
    }


@jax.jit
def _step(task: Task, state: State, action: Array, live: Array) -> State:
    keys = jax.random.split(jax.random.key(0), live.shape[0])
    return choose(live, jax.vmap(task.advance)(state, action, keys), state)


def _advance(task: Task, state: State, action: np.ndarray, live: np.ndarray) -> State:
    return _step(task, state, jnp.asarray(np.where(live, action, 0)), jnp.asarray(live))


def follow(
    task: Task, state: State, theirs: Sequence[Any], action: np.ndarray, live: np.ndarray
) -> None:
    """Play the same moves on the other side's boards, and see that both agree on the end."""
    over = np.asarray(jax.vmap(task.terminated)(state))
    for row in np.flatnonzero(live).tolist():
        theirs[row].apply_action(int(action[row]))
        if theirs[row].is_terminal() != over[row]:
            raise ContractError(
                f"After {theirs[row].history()} OpenSpiel's game is "
                f"{'over' if theirs[row].is_terminal() else 'not over'}, and ours is the opposite."
            )


def _scores(theirs: Sequence[Any], colour: int) -> Float[np.ndarray, " pairs"]:
    """What the game gave our colour, from 0 to 1; NaN while it goes on."""
    return np.array([(s.returns()[colour] + 1) / 2 if s.is_terminal() else np.nan for s in theirs])
