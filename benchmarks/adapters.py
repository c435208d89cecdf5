"""What stepping a stranger's environment through a task costs, beside stepping it bare.

Microseconds a simulated step in a batch of 256 lanes, compiled, against `env.step` alone; how much
two worker processes do of a step of 100 us against none; bytes of snapshots over many steps; random
games of OpenSpiel held against OpenSpiel; and random shooting on the frozen lake against its exact
optimum. Prints a table, and writes benchmarks/results/adapters.json.

    python benchmarks/adapters.py [--steps 1000000] [--games 1000]
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
import jax
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
import strangers

from deliberation.adapters import from_gymnasium, from_open_spiel
from deliberation.core import rollout
from deliberation.direct import RandomShooting
from deliberation.runs.provenance import machine, versions
from deliberation.tasks import make_task

RESULT = Path(__file__).resolve().parent / "results" / "adapters.json"
LANES, PLIES = 256, 32
OPTIMUM = 0.744
"""The best expected score on the slippery lake within 100 actions."""
TEN = (
    "tic_tac_toe", "connect_four", "breakthrough(rows=5,columns=4)", "othello", "hex(board_size=4)",
    "kuhn_poker(players=3)", "leduc_poker", "liars_dice(numdice=1)", "pig(winscore=15)",
    "matrix_rps",
)  # fmt: skip


def bare(name: str, steps: int = 20_000) -> float:
    """Microseconds of one `env.step`, resets left out; the best of five."""
    env = gymnasium.make(name, disable_env_checker=True)
    best = np.inf
    for _ in range(5):
        env.reset(seed=0)
        spent, done = 0.0, 0
        while done < steps // 5:
            started, ended = time.perf_counter(), False
            while not ended:
                _, _, over, cut, _ = env.step(done % 2)
                done, ended = done + 1, over or cut
            spent += time.perf_counter() - started
            env.reset()
        best = min(best, spent / done)
    return best * 1e6


def adapted(task: Any, repeats: int = 5) -> float:
    """Microseconds of a live lane's step inside of a compiled loop; the best of some."""

    @jax.jit
    def play(state: Any, key: Any) -> tuple[Any, Any]:
        def one(carry: Any, key: Any) -> tuple[Any, Any]:
            live = ~carry.over
            keys = jax.random.split(key, LANES)
            actions = jax.random.randint(key, (LANES,), 0, task.traits.actions)
            return jax.vmap(task.advance)(carry, actions, keys), live.sum()

        return jax.lax.scan(one, state, jax.random.split(key, PLIES))

    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), LANES))
    best = np.inf
    for number in range(repeats + 1):
        started = time.perf_counter()
        _, live = jax.block_until_ready(play(state, jax.random.key(number)))
        if number:
            best = min(best, (time.perf_counter() - started) / int(live.sum()))
    return best * 1e6


def throughput(workers: int) -> float:
    """Steps a second of an environment whose step takes 100 us."""
    task = from_gymnasium(strangers.made, kind="Counter", delay=1e-4, workers=workers)
    try:
        return 1e6 / adapted(task)
    finally:
        task.close()


def memory(steps: int) -> dict[str, Any]:
    """The most bytes of snapshots over so many steps of an environment that is copied, and bound.

    Lanes begin anew where they end, so that there are always new states to keep.
    """
    megabytes = 1.0
    task = from_gymnasium(strangers.Nodes(), cache_megabytes=megabytes)
    world, rng, most, done = task.world, np.random.default_rng(0), 0, 0
    while done < steps:
        origins = rng.integers(0, 1 << 32, (64, 2), dtype=np.uint32)
        rows, history = world.reset(origins), np.zeros((64, world.form.history, 3), np.uint32)
        for ply in range(4):
            actions, keys = np.zeros(64, np.int32), origins + np.uint32(ply)
            times = np.full(64, ply, np.int32)
            rows = world.step(rows[0], origins, history, times, rows[-2], actions, keys)
            history[:, ply] = np.concatenate([actions.view(np.uint32)[:, None], keys], axis=1)
            most, done = max(most, world.here.cache.bytes), done + 64
    return {"steps": done, "bytes": most, "bound": int(megabytes * (1 << 20))}


def spiel_games(count: int) -> dict[str, int]:
    """Random games in which everything that is told agrees with OpenSpiel, by name."""
    found = {}
    for name in TEN:
        game, rng = from_open_spiel(name).game, np.random.default_rng(0)
        found[name] = sum(_agrees(game, rng) for _ in range(count))
    return found


def _agrees(game: Any, rng: np.random.Generator) -> bool:
    rows = game.reset(rng.integers(0, 1 << 32, (1, 2), dtype=np.uint64))
    while True:
        own = game.spiel.new_initial_state()
        for action in rows.history[0, : rows.length[0]].tolist():
            own.apply_action(action)
        same = np.array_equal(rows.returns[0], np.float32(own.returns()))
        if own.is_terminal() or not same:
            return bool(same and rows.over[0])
        legal, player = own.legal_actions(), own.current_player()
        same = np.flatnonzero(rows.legal[0]).tolist() == legal and rows.player[0] == player
        if game.spiel.get_type().provides_observation_tensor:
            tensor = np.float32(own.observation_tensor(player))
            same = same and np.array_equal(rows.observation[0].ravel(), tensor)
        if not same:
            return False
        words = rng.integers(0, 1 << 32, (1, 2), dtype=np.uint64)
        rows = game.step(rows.history, rows.length, rows.over, rng.choice(legal, 1), words)


def lake(episodes: int) -> dict[str, float]:
    """Random shooting on the slippery lake, which cannot be better than the optimum."""
    task = from_gymnasium("FrozenLake-v1")
    planner = RandomShooting(task, horizon=30, budget=256)
    won = rollout(task, planner, key=jax.random.key(0), batch=episodes).returns[:, 0]
    return {
        "mean": float(won.mean()),
        "error": float(won.std() / np.sqrt(episodes)),
        "optimum": OPTIMUM,
    }


ALIKE = {
    "frozen_lake(horizon=30)": ("gym:FrozenLake-v1?max_episode_steps=30", 15, 32, 64),
    "cartpole(horizon=60)": ("gym:CartPole-v1?max_episode_steps=60", 4, 4, 64),
    "pendulum(horizon=40)": ("gym:Pendulum-v1?max_episode_steps=40", 12, 32, 32),
}
"""Our worlds, Gymnasium's of the same rules, and the planner's horizon and budget, and episodes."""


def alike() -> dict[str, dict[str, list[float]]]:
    """Mean scores of one planner in both, each with its standard error."""
    found: dict[str, dict[str, list[float]]] = {}
    for ours, (theirs, horizon, budget, batch) in ALIKE.items():
        for name in (ours, theirs):
            task = make_task(name)
            planner = RandomShooting(task, horizon=horizon, budget=budget, population=budget)
            won = rollout(task, planner, key=jax.random.key(0), batch=batch).returns[:, 0]
            told = [float(won.mean()), float(won.std() / np.sqrt(batch))]
            found.setdefault(ours, {})[name] = told
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--games", type=int, default=1_000)
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--only", choices=("times",), help="keep the other results")
    asked = parser.parse_args()
    found = json.loads(RESULT.read_text()) if asked.only and RESULT.exists() else {}
    found |= {"machine": machine(), "versions": versions(), **times()}
    if not asked.only:
        found |= counted(asked)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")


def times() -> dict[str, Any]:
    """What takes wall time: to be measured on a quiet machine."""
    found: dict[str, Any] = {"microseconds": {}}
    for name in ("FrozenLake-v1", "CartPole-v1"):
        alone, through = bare(name), adapted(from_gymnasium(name))
        wanted = 2 * alone + 20
        found["microseconds"][name] = {"bare": alone, "adapted": through, "wanted": wanted}
        print(f"{name}: bare {alone:.1f} us, adapted {through:.1f} us; wanted {wanted:.1f}")
    none, one, two = (throughput(workers) for workers in (0, 1, 2))
    found["workers"] = {"none": none, "one": one, "two": two}
    print(f"a step of 100 us: {none:.0f}/s here, {one:.0f}/s in one worker, {two:.0f}/s in two")
    print(f"two workers to one: {two / one:.2f}x")
    return found


def counted(asked: argparse.Namespace) -> dict[str, Any]:
    """What comes out the same however busy the machine is."""
    found: dict[str, Any] = {"memory": memory(asked.steps)}
    print("snapshots:", found["memory"])
    found["open_spiel"] = spiel_games(asked.games)
    print("games that agree:", found["open_spiel"])
    found["alike"] = alike()
    print("the same planner in our world and in theirs:", found["alike"])
    found["lake"] = lake(asked.episodes)
    print("random shooting on the lake:", found["lake"])
    return found


if __name__ == "__main__":
    main()
