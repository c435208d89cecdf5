"""Model-free learning measured: time to solve CartPole beside stable-baselines3, tables to optima.

    python benchmarks/model_free.py --out benchmarks/results

Solved means that the greedy policy's mean return over 100 episodes is 475 or more. Both sides are
evaluated at every 2,048 to 2,560 steps, off the clock, and have settings for this task, found on
other seeds: stable-baselines3 those of rl-zoo for CartPole-v1 (Raffin 2020). The clock counts
everything from the first call on (building, compiling, learning), imports apart; each training is a
process of its own, so that nothing is compiled or warmed up before: once with an empty cache of
compiled programs ("cold") and once more with what that left ("warm"). Writes model_free.json,
model_free.md and model_free.svg, and says of each target whether it was reached.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SOLVED, EPISODES, TARGET = 475.0, 100, 10.0
SETTINGS: dict[str, dict[str, Any]] = {
    "ppo": {"updates": 60, "environments": 16, "steps": 64, "rate": 1e-2, "width": 32, "depth": 1},
    "dqn": {"updates": 80},
}
GRIDS = ("gridworld", "gridworld_slippery")


def main() -> None:
    """Measure, print and write; or one training, when called by itself."""
    parser = argparse.ArgumentParser(description="Measure model-free learning.")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--quick", action="store_true", help="one seed, and short curves")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("WHO", "SEED"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        who, seed = asked.one[0], int(asked.one[1])
        print(json.dumps(learn_sb3(seed) if who == "sb3" else learn_ours(who, seed)))
        return
    seeds = 1 if asked.quick else asked.seeds
    runs = [run for seed in range(seeds) for run in round_of(seed)]
    curves = [curve(name, grid, asked.quick) for grid in GRIDS for name in LEARNERS]
    report(asked.out, runs, curves)


def round_of(seed: int) -> list[dict[str, Any]]:
    """Every contestant once, one after the other, so that all meet the same machine."""
    found = [alone("sb3", seed, None)]
    for who in SETTINGS:
        with tempfile.TemporaryDirectory() as cache:
            found += [alone(who, seed, cache) | {"cache": c} for c in ("cold", "warm")]
    for run in found:
        print(f"seed {seed}: {words(run)}", flush=True)
    return found


def alone(who: str, seed: int, cache: str | None) -> dict[str, Any]:
    """One training in a process of its own."""
    settings = {} if cache is None else {"JAX_COMPILATION_CACHE_DIR": cache}
    settings["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    command = [sys.executable, __file__, "--one", who, str(seed)]
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{who} with seed {seed} failed:\n{done.stderr[-2000:]}")
    return {"who": who, "seed": seed, "cache": None, **json.loads(done.stdout.splitlines()[-1])}


def learn_ours(who: str, seed: int) -> dict[str, Any]:
    """PPO or DQN of this library, stopped when solved."""
    import jax

    from deliberation.amortised.training.updates import compile_update
    from deliberation.amortised.trial_and_error.dqn import DQN, begin_dqn
    from deliberation.amortised.trial_and_error.ppo import PPO, begin_ppo
    from deliberation.tasks.control.cartpole import CartPole

    task = CartPole()
    jax.numpy.zeros(1).block_until_ready()  # the device itself is no part of learning
    started, off = time.perf_counter(), 0.0
    settings: Any = (PPO if who == "ppo" else DQN)(**SETTINGS[who], timeouts=True)
    begin: Any = begin_ppo if who == "ppo" else begin_dqn
    # The key that `jax.random.key(seed)` is, which two programs would be compiled for.
    key = jax.random.wrap_key_data(np.array([0, seed], np.uint32))
    carry, update = begin(task, key, settings)
    compiled = compile_update(update, settings.compiles_hastily)
    rounds = settings.rounds if who == "dqn" else 1
    a_step = rounds * settings.environments * settings.steps
    first, score, every = 0.0, 0.0, max(1, 2048 // a_step)
    for step in range(1, settings.updates + 1):
        carry, metrics = compiled(carry)
        float(metrics["loss"])
        first = first or time.perf_counter() - started
        if step % every:
            continue
        paused = time.perf_counter()
        score = evaluate(task, carry.network)
        off += time.perf_counter() - paused
        if score >= SOLVED:
            break
    seconds = time.perf_counter() - started - off
    later = (seconds - first) / max(step - 1, 1)
    return {
        "seconds": seconds, "solved": score >= SOLVED, "score": score, "steps": step * a_step,
        "learning": later * step, "compiling": first - later,
    }  # fmt: skip


def evaluate(task: Any, network: Any) -> float:
    """Mean return of the greedy policy over fresh episodes, in one compiled loop."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    @eqx.filter_jit
    def play(network: Any, key: Any) -> Any:
        state = jax.vmap(task.init)(jax.random.split(key, EPISODES))

        def act(now: Any, _: None) -> Any:
            state, total = now
            over = jax.vmap(task.terminated)(state)
            logits, _ = network.batched(jax.vmap(task.observe)(state))
            after = jax.vmap(task.advance, (0, 0, None))(state, jnp.argmax(logits, -1), key)
            after = jax.tree.map(lambda a, b: jnp.where(over, a, b), state, after)
            return (after, total + jnp.where(over, 0.0, 1.0)), None

        steps = task.traits.horizon
        return jax.lax.scan(act, (state, jnp.zeros(EPISODES)), None, length=steps)[0][1]

    return float(play(network, jax.random.key(12345)).mean())


def learn_sb3(seed: int) -> dict[str, Any]:
    """PPO of stable-baselines3 with the settings of rl-zoo, stopped when solved."""
    import torch  # noqa: F401
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    class Watch(BaseCallback):
        off, score, rollouts = 0.0, 0.0, 0

        def _on_rollout_start(self) -> None:
            self.rollouts += 1
            if self.rollouts % 10 or self.score >= SOLVED:
                return
            paused = time.perf_counter()
            worlds = make_vec_env("CartPole-v1", EPISODES, seed=12345)
            seen, live, total = worlds.reset(), np.ones(EPISODES, bool), np.zeros(EPISODES)
            while live.any():
                action, _ = self.model.predict(seen, deterministic=True)
                seen, reward, done, _ = worlds.step(action)
                total += reward * live
                live &= ~done
            self.score = float(total.mean())
            self.off += time.perf_counter() - paused

        def _on_step(self) -> bool:
            return self.score < SOLVED

    started, watch = time.perf_counter(), Watch()
    model = PPO(
        "MlpPolicy", make_vec_env("CartPole-v1", 8, seed=seed), n_steps=32, batch_size=256,
        n_epochs=20, gae_lambda=0.8, gamma=0.98, ent_coef=0.0, seed=seed, device="cpu",
        learning_rate=lambda left: left * 1e-3, clip_range=lambda left: left * 0.2,
    )  # fmt: skip
    model.learn(100_000, callback=watch)
    seconds = time.perf_counter() - started - watch.off
    solved = watch.score >= SOLVED
    return {
        "seconds": seconds, "solved": solved, "score": watch.score, "steps": model.num_timesteps,
        "learning": seconds, "compiling": 0.0,
    }  # fmt: skip


LEARNERS = ("q_learning", "sarsa", "successor_representation")


def curve(name: str, grid: str, quick: bool) -> dict[str, Any]:
    """The mean return of a tabular learner after more and more steps, and the exact optimum."""
    import jax

    from deliberation.amortised import Tabular, train_q_learning, train_sarsa, train_successor
    from deliberation.core import rollout
    from deliberation.direct import optimal_return
    from deliberation.tasks import make_task

    task = make_task(grid)
    decay = 0.0 if task.traits.deterministic else 0.6
    options: dict[str, Any] = {}
    how: dict[str, Any] = {"decay": decay, "explore": 0.05}
    if name == "successor_representation":
        options = {"places": 32, "places_apart": lambda state: state.cell[None]}
    if name == "sarsa":
        # Its values count what exploring costs, so exploration falls slowly to almost nothing.
        options = {"tell_apart": lambda state: state.cell[None]}
        how = {"environments": 256, "decay": 0.45, "geometric": True}
        how |= {"explore": 0.001, "exploring": 0.7}
    train: Any = {"q_learning": train_q_learning, "sarsa": train_sarsa}.get(name, train_successor)
    points = []
    longest = (192,) if name == "sarsa" else ()
    for updates in (2, 8) if quick else (1, 2, 4, 8, 16, 32, 64, *longest):
        settings = Tabular(updates=updates, capacity=2048, **how)
        found = train(task, key=jax.random.key(0), settings=settings, **options)
        policy, spent = found.decider, found.ledger
        returns = rollout(task, policy, key=jax.random.key(1), batch=2000).returns[:, 0]
        points.append({
            "steps": spent.total().model_steps, "seconds": spent.total().seconds,
            "mean": float(returns.mean()), "error": float(returns.std() / len(returns) ** 0.5),
        })  # fmt: skip
    best = float(optimal_return(task))
    print(f"{grid}, {name}: {points[-1]['mean']:.3f} of {best:.3f}", flush=True)
    return {"learner": name, "task": grid, "optimum": best, "points": points}


def words(run: dict[str, Any]) -> str:
    """One training in a line."""
    cache = f", {run['cache']} cache" if run["cache"] else ""
    end = "solved" if run["solved"] else f"not solved ({run['score']:.0f})"
    return (
        f"{run['who']}{cache}: {end} after {run['steps']:,} steps in {run['seconds']:.2f} s "
        f"({run['compiling']:.2f} s tracing and compiling, {run['learning']:.2f} s learning)"
    )


def report(out: Path, runs: list[dict[str, Any]], curves: list[dict[str, Any]]) -> None:
    """The table, the verdicts, and the files."""
    from deliberation.runs.provenance import machine, versions

    lines = ["| who | solved | median s | compiling s | learning s | steps | times faster |"]
    lines += ["|---|---|---|---|---|---|---|"]
    ratios: dict[str, float] = {}
    for who, cache in (("sb3", None), *((w, c) for w in SETTINGS for c in ("cold", "warm"))):
        mine = [r for r in runs if (r["who"], r["cache"]) == (who, cache)]
        theirs = {r["seed"]: r["seconds"] for r in runs if r["who"] == "sb3"}
        middle = {k: float(np.median([r[k] for r in mine])) for k in mine[0] if k in NUMBERS}
        name = who if cache is None else f"{who}, {cache}"
        ratios[name] = float(np.median([theirs[r["seed"]] / r["seconds"] for r in mine]))
        ratios[f"{name}, learning alone"] = float(
            np.median([theirs[r["seed"]] / r["learning"] for r in mine])
        )
        lines.append(
            f"| {name} | {sum(r['solved'] for r in mine)} of {len(mine)} | {middle['seconds']:.2f} "
            f"| {middle['compiling']:.2f} | {middle['learning']:.2f} | {middle['steps']:,.0f} "
            f"| {ratios[name]:.1f} |"
        )
    verdicts = [
        verdict(f"PPO {TARGET:.0f} times faster than stable-baselines3 ({k})", ratios[f"ppo{k}"])
        for k in (", cold", ", warm", ", cold, learning alone")
    ]
    for who in SETTINGS:
        mine = [r for r in runs if r["who"] == who]
        word = "passes" if all(r["solved"] for r in mine) else "falls short"
        verdicts.append(f"{word}: {who} reaches {SOLVED:.0f} with every seed")
    for c in curves:
        last = c["points"][-1]
        near = last["mean"] >= c["optimum"] - 3 * last["error"] - 1e-5
        word = "passes" if near else "falls short"
        verdicts.append(
            f"{word}: {c['learner']} on {c['task']} reaches {last['mean']:.4f} of the optimum "
            f"{c['optimum']:.4f}"
        )
    on = machine()
    head = f"Measured on {on['processor']}, {on['cores']} cores."
    page = "\n".join(["# Model-free learning", "", head, "", *lines, "", *verdicts, ""])
    print(page)
    out.mkdir(parents=True, exist_ok=True)
    content = {
        "runs": runs, "ratios": ratios, "curves": curves, "verdicts": verdicts, "machine": on,
        "versions": versions(),
    }  # fmt: skip
    (out / "model_free.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (out / "model_free.md").write_text(page, encoding="utf-8")
    draw(out / "model_free.svg", curves)


NUMBERS = ("seconds", "compiling", "learning", "steps")


def verdict(what: str, ratio: float) -> str:
    """Whether a target was reached, and what was measured."""
    word = "passes" if ratio >= TARGET else "falls short"
    return f"{word}: {what.replace('(, ', '(')}: {ratio:.1f}"


def draw(path: Path, curves: list[dict[str, Any]]) -> None:
    """Learning curves beside the exact optima."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(GRIDS), figsize=(9, 3.4), layout="constrained")
    for panel, grid in zip(panels, GRIDS, strict=True):
        mine = [c for c in curves if c["task"] == grid]
        for c in mine:
            x, y, error = ([p[k] for p in c["points"]] for k in ("steps", "mean", "error"))
            panel.errorbar(x, y, [1.96 * e for e in error], marker="o", ms=3, label=c["learner"])
        panel.axhline(mine[0]["optimum"], color="k", lw=0.8, ls="--", label="exact optimum")
        panel.set(xscale="log", xlabel="steps", ylabel="mean return", title=grid)
    panels[0].legend(fontsize=8)
    figure.savefig(path)


if __name__ == "__main__":
    main()
