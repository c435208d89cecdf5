"""Expert iteration: what it computes, what it keeps when it is killed, and what it refuses."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import textwrap

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

import deliberation
from deliberation.amortised import (
    MLP,
    DivergedError,
    NetworkPolicy,
    flops,
    load_network,
    save_network,
)
from deliberation.core import Ledger, Objective, check_decider
from deliberation.core.errors import (
    NonFiniteError,
    OutputFolderError,
    PolicyFileError,
)
from deliberation.direct import solve
from deliberation.hybrid import Settings, Trained, load, train
from deliberation.hybrid.expert_iteration import training as expert_iteration
from deliberation.tasks import make_task

TTT = make_task("tic_tac_toe")
TINY = Settings(
    network={"kind": "mlp", "width": 16, "depth": 1},
    lanes=8,
    plies=2,
    warmup_simulations=8,
    simulations=4,
    batch_size=16,
    passes=4.0,
    buffer=100,
    checkpoint_seconds=0,
)
TINY_RUN = {"task": "tic_tac_toe", "iterations": 8, "seed": 3, "workers": 2, "settings": TINY}


@pytest.fixture(scope="module")
def solution():
    return solve(TTT)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(**TINY_RUN, folder=tmp_path_factory.mktemp("run") / "policy", snapshots=3)


def regret(solution, decider, states, budget):
    decision, _ = decider.decide(states, budget=budget, key=jax.random.key(0))
    got = np.take_along_axis(
        solution.action_values(states), np.asarray(decision.action)[:, None], axis=1
    )
    return solution.values(states) - got[:, 0]


def bits(network):
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(eqx.filter(network, eqx.is_array))]


# Training


def test_a_seed_decides_every_bit(trained, tmp_path):
    again = train(**TINY_RUN, folder=tmp_path / "again")
    other = train(**{**TINY_RUN, "seed": 4}, folder=tmp_path / "other")
    assert bits(again.network) == bits(trained.network) != bits(other.network)


KILLED = """
    import json, os, signal, sys
    from deliberation.hybrid import Settings, train
    from deliberation.amortised.training import checkpoints as checkpoint
    moment, run = int(sys.argv[1]), json.loads(sys.argv[2])
    writes, real = 0, checkpoint.atomic_write
    def write(path, data):
        global writes
        writes += 1
        if writes == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        real(path, data)
    checkpoint.atomic_write = write
    train(**{**run, "settings": Settings(**run["settings"])})
"""


def test_killed_at_any_moment_the_same_call_gives_the_same_network(trained, tmp_path):
    """Killed within the second checkpoint, then once the buffer is full, then left to end."""
    out = tmp_path / "killed"
    run = {**TINY_RUN, "settings": TINY.as_dict(), "folder": str(out), "snapshots": 3}
    for moment in (6, 13):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(KILLED), str(moment), json.dumps(run)],
            capture_output=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        assert (out / "training/state.json").exists() and not (out / "policy.json").exists()
    done_before = json.loads((out / "training/state.json").read_text())["step"]
    seen = []
    resumed = train(
        **TINY_RUN, folder=out, snapshots=3, watch=lambda step, shown: seen.append(shown["share"])
    )
    assert done_before == 5 and len(seen) == 8 - done_before and seen[-1] == 1
    assert bits(resumed.network) == bits(trained.network)
    for rung in "012":
        rungs = [load_network(at.folder / "snapshots" / rung) for at in (resumed, trained)]
        assert bits(rungs[0][1]) == bits(rungs[1][1])
    spent = [eqx.tree_at(lambda x: x.seconds, x.ledger, 0.0) for x in (resumed, trained)]
    assert spent[0].as_dict() == spent[1].as_dict()


def test_each_worker_and_iteration_plays_games_of_its_own(tmp_path):
    def stop(step, shown):
        if shown["share"] == 0.25:
            raise KeyboardInterrupt

    settings = dataclasses.replace(TINY, warmup_share=1.0)
    with pytest.raises(KeyboardInterrupt):
        train(**{**TINY_RUN, "settings": settings}, folder=tmp_path, watch=stop)
    rows = load_file(tmp_path / "training/rows-0-32.safetensors")
    boards = rows["observations"].reshape(2, 16, -1)
    assert (boards[0] != boards[1]).any(1).mean() > 0.5


def test_the_ledger_is_exact_where_it_can_be(trained):
    """8 iterations of 2 workers x 8 lanes x 2 plies; the first has nothing to learn from yet."""
    spent, passes = trained.ledger, 7 * 8 * 16
    assert spent.data == 8 * 32 and spent.fits == 7 * 8
    assert spent.network_evaluations > passes
    searched = spent.network_evaluations - passes
    assert searched <= 32 * 4 * (1 + 4)
    assert spent.flops == flops(trained.network) * (searched + 3 * passes)
    assert spent.model_steps > 8 * 32 * 9 + 16 * 9
    assert spent.seconds > 0


def test_snapshots_are_a_ladder_of_policies(trained):
    rungs = [load_network(trained.folder / "snapshots" / str(i)) for i in range(3)]
    assert [info.extra["iteration"] for _, _, info in rungs] == [2, 4, 8]
    fits = [info.ledger.fits for _, _, info in rungs]
    assert fits == [8, 24, 56]
    assert bits(rungs[2][1]) == bits(trained.network) != bits(rungs[1][1])


def test_a_finished_policy_is_returned_and_loads_as_what_was_trained(trained):
    called = []
    again = train(**TINY_RUN, folder=trained.folder, snapshots=3, watch=lambda *x: called.append(x))
    assert isinstance(again, Trained) and not called
    assert bits(again.network) == bits(trained.network)
    assert again.ledger.as_dict() == trained.ledger.as_dict()
    states = jax.vmap(TTT.init)(jax.random.split(jax.random.key(0), 3))
    key = jax.random.key(5)
    alone = NetworkPolicy(TTT, trained.network)
    pairs = (
        (deliberation.load(trained.folder), trained.decider),
        (load(trained.folder, search=False), alone),
        (load(trained.folder, symmetries=False, budget=0), alone),
    )
    for found, wanted in pairs:
        answers = [d.decide(states, key=key)[0] for d in (found, wanted)]
        np.testing.assert_allclose(answers[0].weights, answers[1].weights, atol=1e-6)
        assert answers[0].action.tolist() == answers[1].action.tolist()
    assert load(trained.folder, budget=7).budget.simulations == 7
    with pytest.raises(TypeError, match="takes no rollouts"):
        load(trained.folder, search=False, rollouts=2)


def test_a_loaded_policy_keeps_the_contract_of_a_decider(trained):
    check_decider(load(trained.folder))


def test_training_learns(solution, tmp_path):
    """A few thousand positions are enough to lose far less than at random."""
    settings = dataclasses.replace(TINY, buffer=4096, learning_rate=1e-2, checkpoint_seconds=60)
    run = {**TINY_RUN, "iterations": 150, "settings": settings}
    done = train(**run, folder=tmp_path / "p")
    states = solution.sample(400, seed=2)
    legal = np.isfinite(solution.action_values(states))
    safe = np.where(legal, solution.action_values(states), 0)
    random = (solution.values(states) - safe.sum(1) / legal.sum(1)).mean()
    alone, searched = (regret(solution, done.decider, states, b).mean() for b in (0, 32))
    assert searched < 0.3 * alone and alone < 0.5 * random


def test_minutes_are_kept_and_counted_over_resumption(tmp_path, monkeypatch):
    """The clock is a list of moments: each look at it advances it by half a second."""
    now = [0.0]

    def clock():
        now[0] += 0.5
        return now[0]

    monkeypatch.setattr(expert_iteration.time, "monotonic", clock)
    shares = []

    def stop(step, shown):
        shares.append(shown["share"])
        if len(shares) == 3:
            raise KeyboardInterrupt

    run = {**TINY_RUN, "iterations": None, "minutes": 0.1, "folder": tmp_path / "p"}
    with pytest.raises(KeyboardInterrupt):
        train(**run, watch=stop)
    first = list(shares)
    done = train(**run, watch=lambda step, shown: shares.append(shown["share"]))
    assert first == sorted(first) and 0 < first[-1] < 1
    assert shares[-1] == 1 and shares[3] > first[1]
    assert 6 <= done.ledger.seconds < 6 + 2


class Broken(Objective):
    """Tic-tac-toe's own, but NaN once the board has `ply` stones."""

    def __call__(self, state, action, after):
        return jnp.where(after.ply > 3, jnp.nan, TTT.objective(state, action, after))


def test_divergence_names_the_step_and_keeps_the_checkpoint(tmp_path, monkeypatch):
    real = expert_iteration._rates
    monkeypatch.setattr(
        expert_iteration,
        "_rates",
        lambda s, share, before, steps: real(s, share, before, steps) * (1e30 if before else 1),
    )
    with pytest.raises(DivergedError, match=r"at step 9 "):
        train(**TINY_RUN, folder=tmp_path / "p")
    state = json.loads((tmp_path / "p/training/state.json").read_text())
    assert state["step"] == 2 and not (tmp_path / "p/policy.json").exists()
    monkeypatch.undo()
    assert train(**TINY_RUN, folder=tmp_path / "p").ledger.fits == 56


def test_nan_in_play_stops_training(tmp_path, monkeypatch):
    class BrokenTask(type(TTT)):
        @property
        def objective(self):
            return Broken()

    monkeypatch.setattr(
        expert_iteration, "make_task", lambda name: BrokenTask(3, 3, 3, gravity=False)
    )
    settings = Settings(
        **{**TINY.as_dict(), "network": {**TINY.network, "value_range": [-1.0, 1.0]}}
    )
    with pytest.raises(
        NonFiniteError,
        match=r"In iteration 0 \(from 0\) self-play met NaN",
    ):
        train(**{**TINY_RUN, "settings": settings}, folder=tmp_path / "p")


# What is refused


@pytest.mark.parametrize(
    "change, word",
    [
        ({"task": "connect_3_4x4"}, "task was 'tic_tac_toe'"),
        ({"seed": 4}, "seed was 3, asked is 4"),
        ({"iterations": 9}, "iterations was 8, asked is 9"),
        ({"settings": Settings()}, "settings was"),
    ],
)
def test_another_trainings_folder_is_refused(trained, change, word):
    before = (trained.folder / "policy.json").read_bytes()
    with pytest.raises(OutputFolderError, match=word):
        train(**{**TINY_RUN, "snapshots": 3, **change}, folder=trained.folder)
    assert (trained.folder / "policy.json").read_bytes() == before


def test_a_finished_training_goes_on_where_more_is_asked(tmp_path):
    """Four iterations, then eight in all, killed on the way or not, with the same end."""
    longer = {**TINY_RUN, "iterations": 8}
    short = train(**{**TINY_RUN, "iterations": 4}, folder=tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    seen = []
    once = train(**longer, folder=tmp_path / "one", watch=lambda step, _: seen.append(step))
    assert seen == [5, 6, 7, 8]

    def stop(step, shown):
        if step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(**longer, folder=tmp_path / "two", watch=stop)
    assert bits(load_network(tmp_path / "two")[1]) == bits(short.network)  # until it is done
    twice = train(**longer, folder=tmp_path / "two")
    assert bits(once.network) == bits(twice.network) != bits(short.network)
    assert bits(load_network(tmp_path / "one")[1]) == bits(once.network)
    assert (short.ledger.data, once.ledger.data, twice.ledger.data) == (4 * 32, 8 * 32, 8 * 32)
    assert once.ledger.seconds > short.ledger.seconds
    less = train(**{**TINY_RUN, "iterations": 2}, folder=tmp_path / "one")
    assert bits(less.network) == bits(once.network)


def test_a_training_made_longer_keeps_to_the_network(tmp_path):
    """A first expert of 30 % of the length does not come back when the length grows."""
    settings = dataclasses.replace(TINY, warmup_share=0.5)
    run = {**TINY_RUN, "settings": settings, "folder": tmp_path}
    searched = train(**{**run, "iterations": 4}).ledger.network_evaluations - 3 * 8 * 16
    longer = train(**{**run, "iterations": 16}).ledger.network_evaluations - 15 * 8 * 16
    assert longer > 5 * searched  # 14 guided iterations after 2


def test_a_policy_without_its_checkpoint_is_not_trained_on(tmp_path):
    train(**{**TINY_RUN, "iterations": 1}, folder=tmp_path)
    shutil.rmtree(tmp_path / "training")
    assert train(**{**TINY_RUN, "iterations": 1}, folder=tmp_path).ledger.data == 32
    with pytest.raises(OutputFolderError, match="whose last checkpoint"):
        train(**{**TINY_RUN, "iterations": 2}, folder=tmp_path)


def test_a_policy_that_was_not_trained_here_is_refused(tmp_path):
    network = MLP((3, 3, 2), 9, 8, 1, key=jax.random.key(0))
    save_network(tmp_path, network, "tic_tac_toe", ledger=Ledger())
    with pytest.raises(OutputFolderError, match="holds a finished policy"):
        train(**TINY_RUN, folder=tmp_path)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    def stop(step, shown):
        if shown["share"] > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(**TINY_RUN, folder=tmp_path, watch=stop)
    for pattern in ("carry-*", "rows-*"):
        path = next((tmp_path / "training").glob(pattern))
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(PolicyFileError, match=f"{path.name} is truncated or altered"):
            train(**TINY_RUN, folder=tmp_path)
        path.write_bytes(whole)
    (tmp_path / "training/state.json").write_text("{")
    with pytest.raises(PolicyFileError, match="delete that folder to train from the start"):
        train(**TINY_RUN, folder=tmp_path)


def test_two_trainings_do_not_share_a_folder(tmp_path):
    def meddle(step, shown):
        with pytest.raises(OutputFolderError, match="Another run is writing into"):
            train(**TINY_RUN, folder=tmp_path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(**TINY_RUN, folder=tmp_path, watch=meddle)


@pytest.mark.parametrize(
    "asked, word",
    [
        ({"iterations": None}, "Give minutes or iterations"),
        ({"minutes": 1.0}, "Give minutes or iterations"),
        ({"iterations": 0}, "above 0"),
    ],
)
def test_a_training_needs_one_length(tmp_path, asked, word):
    with pytest.raises(ValueError, match=word):
        train(**{**TINY_RUN, **asked}, folder=tmp_path / "p")
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    "wrong", [{"lanes": 0}, {"trace": 1.5}, {"learning_rate": 0.0}, {"passes": -1.0}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)
