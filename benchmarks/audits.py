"""Policies of others, audited: a page each in docs/strangers, and what it took.

    python benchmarks/audits.py [--only sb3,torch] [--effort quick] [--out benchmarks/results]

A PPO of stable-baselines3 and a torch module on Gymnasium's FrozenLake (both trained here), a PPO
on CartPole whose steps are counted, a Monte Carlo tree search of OpenSpiel on tic-tac-toe, and
Stockfish's dial on chess, where one node is its network alone. Writes audits.json with the seconds
of each and the resident memory after each probe, and the pages. An engine or package that this
machine lacks is said, and the others go on.
"""

import argparse
import dataclasses
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from deliberation import adapters
from deliberation.audit import Answer, Channels, Profile, audit
from deliberation.core import Decider, Task
from deliberation.runs.plain import plain, restore
from deliberation.runs.provenance import machine, source, versions
from deliberation.runs.storage import atomic_write

ROOT = Path(__file__).resolve().parents[1]
OUT, PAGES = ROOT / "benchmarks" / "results", ROOT / "docs" / "strangers"
STEPS = 30_000


@dataclasses.dataclass(frozen=True)
class Stranger:
    """A subject brought from elsewhere, and the lines that bring it."""

    title: str
    about: str
    lines: str
    policy: Decider
    task: Task
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


def sb3() -> Stranger:
    """A PPO trained for as long as it takes to be perfect."""
    from stable_baselines3 import PPO

    world = adapters.from_gymnasium("FrozenLake-v1", is_slippery=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ppo.zip"
        model = PPO("MlpPolicy", _lake(), n_steps=256, ent_coef=0.02, seed=0, device="cpu")
        model.learn(STEPS).save(path)
        policy = adapters.from_sb3(path, world, trust=True)
    return Stranger(
        "A PPO of stable-baselines3 on FrozenLake",
        "It was trained for 30,000 steps and reaches the goal every time.",
        """world = adapters.from_gymnasium("FrozenLake-v1", is_slippery=False)
policy = adapters.from_sb3("ppo.zip", world, trust=True)
profile = audit(policy, world, channels=Channels(insides=adapters.insides(policy)))""",
        policy, world, {"channels": Channels(insides=adapters.insides(policy))},
    )  # fmt: skip


def _lake() -> Any:
    import gymnasium

    return gymnasium.make("FrozenLake-v1", is_slippery=False)


def cartpole() -> Stranger:
    """A PPO where states cannot be listed, in an environment that counts its steps."""
    from stable_baselines3 import PPO

    world = adapters.from_gymnasium(_pole)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ppo.zip"
        PPO("MlpPolicy", _pole(), n_steps=512, seed=0, device="cpu").learn(STEPS).save(path)
        policy = adapters.from_sb3(path, world, trust=True)
    _STEPPED[0] = 0
    return Stranger(
        "A PPO of stable-baselines3 on CartPole",
        "It was trained for 30,000 steps. States cannot be listed, so that a search says what "
        "actions are worth.",
        """world = adapters.from_gymnasium("CartPole-v1")
policy = adapters.from_sb3("ppo.zip", world, trust=True)
profile = audit(policy, world, channels=Channels(insides=adapters.insides(policy)))""",
        policy, world, {"channels": Channels(insides=adapters.insides(policy))},
    )  # fmt: skip


_STEPPED = [0]


def _pole() -> Any:
    import gymnasium

    class Counting(gymnasium.Wrapper):
        """Counts the steps of all environments of this process."""

        def step(self, action: Any) -> Any:
            """One more."""
            _STEPPED[0] += 1
            return self.env.step(action)

    return Counting(gymnasium.make("CartPole-v1"))


def torch() -> Stranger:
    """A module that imitates the best actions of half of the states."""
    import torch

    from deliberation.audit import Exam
    from deliberation.audit.exam import best

    world = adapters.from_gymnasium("FrozenLake-v1", is_slippery=False)
    exam = Exam.of(world)
    rows = exam.rows[::2]
    seen = np.stack([np.asarray(world.observe(_row(exam, row))) for row in rows])
    right = torch.tensor(best(exam.values[rows]), dtype=torch.float32)
    torch.manual_seed(0)
    places = seen.shape[1]

    class OneHot(torch.nn.Module):
        """A place by its number, as the environment shows it."""

        def forward(self, place: Any) -> Any:
            """One unit each."""
            return torch.nn.functional.one_hot(place.long().reshape(len(place)), places).float()

    module = torch.nn.Sequential(
        OneHot(), torch.nn.Linear(places, 32), torch.nn.ReLU(),
        torch.nn.Linear(32, right.shape[1]),
    )  # fmt: skip
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(300):
        chances = module(torch.tensor(seen.argmax(1))).softmax(1)
        loss = -((chances * right).sum(1) + 1e-9).log().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    policy = adapters.from_torch(module, world, meaning="logits")
    return Stranger(
        "A torch module on FrozenLake",
        "A layer of 32 units that imitates the best actions of half of the states.",
        """policy = adapters.from_torch(module, world, meaning="logits")
profile = audit(policy, world, channels=Channels(insides=adapters.insides(policy)))""",
        policy, world, {"channels": Channels(insides=adapters.insides(policy))},
    )  # fmt: skip


def _row(exam: Any, row: int) -> Any:
    import jax

    return jax.tree.map(lambda x: x[0], exam.states(np.array([row])))


def open_spiel() -> Stranger:
    """OpenSpiel's own search, whose simulations were fixed when it was made."""
    import pyspiel

    world = adapters.from_open_spiel("tic_tac_toe")
    game = pyspiel.load_game("tic_tac_toe")

    def bot(player: int, seed: int) -> Any:
        del player
        evaluator = pyspiel.RandomRolloutEvaluator(1, seed)
        return pyspiel.MCTSBot(game, evaluator, 1.4, 100, 10, True, seed, False)

    policy = adapters.from_open_spiel(bot, world)
    return Stranger(
        "OpenSpiel's Monte Carlo tree search on tic-tac-toe",
        "Its 100 simulations were fixed when it was made: no dial reaches it from outside.",
        """def bot(player, seed):
    evaluator = pyspiel.RandomRolloutEvaluator(1, seed)
    return pyspiel.MCTSBot(game, evaluator, 1.4, 100, 10, True, seed, False)


policy = adapters.from_open_spiel(bot, world)
profile = audit(policy, world)""",
        policy, world,
    )  # fmt: skip


def stockfish() -> Stranger:
    """The dial: nodes, from its network's first word to 2,000."""
    world = adapters.from_open_spiel("chess")
    policy = adapters.from_uci("stockfish", world)
    return Stranger(
        "Stockfish's dial on chess",
        "Nodes are its dial. It is asked in positions of random play, of which 5,000 nodes of its "
        "own say what moves are worth (so that what its network says at once is favoured), and "
        "plays against itself.",
        """policy = adapters.from_uci("stockfish", world)
judge = adapters.from_uci("stockfish", world, budget=5_000)
profile = audit(policy, world, reference=judge, budgets=(1, 100, 2_000),
                probes=["effort", "match"])""",
        policy, world,
        {
            "reference": adapters.from_uci("stockfish", world, budget=5_000, workers=2),
            "budgets": (1, 100, 2_000), "probes": ["effort", "match"],
        },
    )  # fmt: skip


STRANGERS: dict[str, Callable[[], Stranger]] = {
    "sb3": sb3, "cartpole": cartpole, "torch": torch, "open_spiel": open_spiel,
    "stockfish": stockfish,
}  # fmt: skip


def resident() -> float:
    """Megabytes that this process holds."""
    gc.collect()
    with open("/proc/self/status", encoding="utf-8") as status:
        (line,) = [x for x in status if x.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def page(stranger: Stranger, profile: Profile, effort: str, seconds: float) -> str:
    """As Markdown: who it is, how it was asked, and what was found."""
    return "\n".join([
        f"# {stranger.title}", "", stranger.about, "", "```python", stranger.lines, "```", "",
        f"Effort {effort}, {seconds:.0f} s on two cores. Made by `benchmarks/audits.py`.", "",
        "```", str(profile), "```", "",
    ])  # fmt: skip


def measured(name: str, effort: str) -> dict[str, Any]:
    """One stranger: its page written, and what its audit took."""
    stranger = STRANGERS[name]()
    memory: list[tuple[str, float]] = [("before", resident())]
    began = time.perf_counter()

    def watch(answer: Answer) -> None:
        memory.append((answer.probe, resident()))
        print(f"{answer.probe}: {answer.named}, {answer.seconds:.0f} s", flush=True)

    profile = audit(
        stranger.policy, stranger.task, effort=effort,
        watch=watch, **stranger.options,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    PAGES.mkdir(parents=True, exist_ok=True)
    atomic_write(PAGES / f"{name}.md", page(stranger, profile, effort, seconds).encode())
    print(profile, f"\n{seconds:.0f} s", flush=True)
    return {
        "title": stranger.title, "seconds": seconds, "megabytes": dict(memory),
        "environment_steps": _STEPPED[0] or None,
        "profile": profile.as_dict(),
    }  # fmt: skip


def main() -> None:
    """Audit, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--effort", choices=("smoke", "quick", "full"), default="quick")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    names = list(STRANGERS) if asked.only is None else asked.only.split(",")
    path = asked.out / "audits.json"
    known = restore(msgspec.json.decode(path.read_bytes()))["strangers"] if path.exists() else {}
    for name in names:
        try:
            known[name] = {"effort": asked.effort, **measured(name, asked.effort)}
        except Exception as error:  # what this machine lacks does not take the others down
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
            continue
        content = {"strangers": known, "commit": source(), "machine": machine(),
                   "versions": versions()}  # fmt: skip
        kept = msgspec.json.encode(plain(content, path.name))
        asked.out.mkdir(parents=True, exist_ok=True)
        atomic_write(path, msgspec.json.format(kept, indent=1) + b"\n")


if __name__ == "__main__":
    main()
