"""Policies of PyTorch and stable-baselines3 as deciders, held against their owners' own answers."""

import json
import zipfile

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

torch = pytest.importorskip("torch")
sb3 = pytest.importorskip("stable_baselines3")
contrib = pytest.importorskip("sb3_contrib")

from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize  # noqa: E402

from deliberation import check_decider, make_task  # noqa: E402
from deliberation.adapters import Score, from_gymnasium, from_sb3, from_torch  # noqa: E402
from deliberation.claims.measuring import subjects  # noqa: E402
from deliberation.core.errors import (  # noqa: E402
    ForeignPolicyError,
    IllegalActionError,
    NonFiniteError,
    PolicyFileError,
    UnknownNameError,
    UnreproducedScoreError,
    UntrustedFileError,
    WrongKindError,
)

torch.set_num_threads(1)
KEY = jax.random.key(0)


def small(**more):
    """A small network; stable-baselines3 writes into what it is given."""
    return {"net_arch": [8], **more}


class Above(gymnasium.Env):
    """Says whether a number near 100 is above 100; 8 guesses, each right one pays 1."""

    observation_space = spaces.Box(0, 200, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 8
        return self.drawn(), {}

    def drawn(self):
        self.number = np.float32(100 + self.np_random.choice([-2, -1, 1, 2]))
        return np.array([self.number])

    def step(self, action):
        self.left -= 1
        paid = float((self.number > 100) == bool(action))
        return self.drawn(), paid, self.left == 0, False, {}


class Masked(gymnasium.Env):
    """Three buttons, each of which pays once, and costs after that."""

    observation_space = spaces.Box(0, 1, (3,), np.float32)
    action_space = spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.free = np.ones(3, np.float32)
        return self.free.copy(), {"action_mask": self.action_masks()}

    def action_masks(self):
        return self.free > 0

    def step(self, action):
        paid = float(action) if self.free[action] else -1.0
        self.free[action] = 0
        done = not self.free.any()
        return self.free.copy(), paid, done, False, {"action_mask": self.action_masks()}


class Pictured(gymnasium.Env):
    """Seen as an image and a number, in a dictionary."""

    observation_space = spaces.Dict(
        {"image": spaces.Box(0, 255, (36, 40, 3), np.uint8), "clock": spaces.Box(0, 9, (1,))}
    )
    action_space = spaces.Box(np.array([-2, 0]), np.array([2, 1]), dtype=np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.seen(), {}

    def seen(self):
        image = np.full((36, 40, 3), 20 * self.time, np.uint8)
        image[:, :, 1] = 200
        return {"image": image, "clock": np.array([self.time], np.float32)}

    def step(self, action):
        self.time += 1
        return self.seen(), 0.0, self.time == 3, False, {}


@pytest.fixture(scope="module")
def pole():
    return from_gymnasium("CartPole-v1", horizon=500)


@pytest.fixture(scope="module")
def lake():
    return from_gymnasium("FrozenLake-v1")


@pytest.fixture(scope="module")
def above():
    return from_gymnasium(Above)


@pytest.fixture(scope="module")
def ppo():
    model = sb3.PPO("MlpPolicy", "CartPole-v1", n_steps=128, seed=0, policy_kwargs=small())
    return model.learn(256)


def moments(task, decider, most=12):
    """States of an episode, with what the decider answers, one row each."""
    state, memory = jax.vmap(task.init)(KEY[None]), decider.begin(1)
    for ply in range(most):
        if bool(task.terminated(jax.tree.map(lambda x: x[0], state))):
            break
        decision, memory = decider.decide(state, memory, key=KEY)
        yield state, decision
        keys = jax.random.split(jax.random.fold_in(KEY, ply), 1)
        state = jax.vmap(task.advance)(state, decision.action, keys)


def seen(state):
    return jax.tree.map(lambda x: np.asarray(x[0]), state.observation)


def test_ppo_answers_as_its_owner(pole, ppo):
    decider, count = from_sb3(ppo, pole), 0
    for state, decision in moments(pole, decider):
        count += 1
        tensor, _ = ppo.policy.obs_to_tensor(seen(state))
        assert int(decision.action[0]) == int(ppo.predict(seen(state), deterministic=True)[0])
        probabilities = ppo.policy.get_distribution(tensor).distribution.probs
        np.testing.assert_array_equal(decision.weights, probabilities.detach().numpy())
        value = ppo.policy.predict_values(tensor).detach().numpy()
        np.testing.assert_array_equal(decision.value, value[:, 0])
    assert count > 8
    assert repr(decider).startswith(
        "stable-baselines3 PPO (ActorCriticPolicy) on GymTask(CartPole-v1"
    )
    assert decision.spent.network_evaluations[0] == 1 and decision.spent.model_steps[0] == 0
    check_decider(from_sb3(ppo, pole, deterministic=False))


def test_dqn_answers_as_its_owner(lake):
    model = sb3.DQN(
        "MlpPolicy", "FrozenLake-v1", learning_starts=16, buffer_size=500, policy_kwargs=small(),
        seed=1,
    ).learn(200)  # fmt: skip
    for state, decision in moments(lake, from_sb3(model, lake)):
        chosen = int(model.predict(seen(state), deterministic=True)[0])
        assert int(decision.action[0]) == chosen
        np.testing.assert_array_equal(decision.weights[0], np.eye(4)[chosen])
        q = model.q_net(model.policy.obs_to_tensor(seen(state))[0]).detach().numpy()
        np.testing.assert_array_equal(decision.value, q.max(1))
    model.exploration_rate = 0.4
    drawn = next(moments(lake, from_sb3(model, lake, deterministic=False)))[1]
    np.testing.assert_allclose(np.sort(drawn.weights[0]), [0.1, 0.1, 0.1, 0.7], atol=1e-6)


def test_maskable_ppo_answers_as_its_owner():
    task = from_gymnasium(Masked)
    model = contrib.MaskablePPO("MlpPolicy", Masked(), n_steps=64, policy_kwargs=small(), seed=0)
    model.learn(128)
    decider = from_sb3(model, task)
    check_decider(decider)
    pressed = []
    for state, decision in moments(task, decider):
        mask = seen(state) > 0
        tensor, _ = model.policy.obs_to_tensor(seen(state))
        own, _ = model.predict(seen(state), deterministic=True, action_masks=mask)
        assert int(decision.action[0]) == int(own)
        found = model.policy.get_distribution(tensor, action_masks=mask).distribution.probs
        np.testing.assert_array_equal(decision.weights, found.detach().numpy())
        pressed.append(int(own))
    assert sorted(pressed) == [0, 1, 2]


@pytest.mark.parametrize("kind", ["A2C", "QRDQN", "TRPO"])
def test_others_answer_as_their_owners(pole, kind):
    model = getattr(sb3, kind, None) or getattr(contrib, kind)
    model = model("MlpPolicy", "CartPole-v1", policy_kwargs=small(), seed=3)
    for state, decision in moments(pole, from_sb3(model, pole), 4):
        assert int(decision.action[0]) == int(model.predict(seen(state), deterministic=True)[0])
        assert decision.value[0] != 0


def test_a_recurrent_policy_carries_its_lstm(pole):
    model = contrib.RecurrentPPO(
        "MlpLstmPolicy", "CartPole-v1", policy_kwargs={"lstm_hidden_size": 8}, seed=0
    )
    decider = from_sb3(model, pole)
    kept, first = None, True
    for state, decision in moments(pole, decider, 6):
        own, kept = model.predict(seen(state), kept, np.array([first]), deterministic=True)
        first = False
        assert int(decision.action[0]) == int(own)
    check_decider(decider)


@pytest.mark.parametrize("kind", ["SAC", "TD3", "PPO", "TQC"])
def test_continuous_actions_are_the_owners(kind):
    task = from_gymnasium("Pendulum-v1")
    model = getattr(sb3, kind, None) or getattr(contrib, kind)
    more = {} if kind == "PPO" else {"buffer_size": 10}
    model = model("MlpPolicy", "Pendulum-v1", policy_kwargs=small(), seed=0, **more)
    for state, decision in moments(task, from_sb3(model, task), 3):
        own = model.predict(seen(state), deterministic=True)[0]
        np.testing.assert_array_equal(decision.action[0], own)
        assert decision.value[0] != 0
    drawn = from_sb3(model, task, deterministic=False)
    found = [drawn.decide(state, key=jax.random.key(i))[0].action for i in (0, 0, 1)]
    assert found[0] == found[1] and (found[0] != found[2]) == (kind != "TD3")


def test_images_and_dictionaries_are_given_as_the_owner_sees_them():
    task = from_gymnasium(Pictured)
    model = sb3.PPO("MultiInputPolicy", Pictured(), n_steps=8, policy_kwargs=small(), seed=0)
    for state, decision in moments(task, from_sb3(model, task)):
        own = model.predict(seen(state), deterministic=True)[0]
        # Bounds that differ from place to place are -1 and 1 in the task.
        in_env = np.array([0, 0.5]) + np.asarray(decision.action[0]) * np.array([2, 0.5])
        np.testing.assert_allclose(in_env, own, atol=1e-6)


def normalised(env):
    """PPO that says whether what it sees is above 0, and the statistics that make it right."""
    model = sb3.PPO("MlpPolicy", env, n_steps=8, policy_kwargs={"net_arch": []}, seed=0)
    with torch.no_grad():
        model.policy.action_net.weight.copy_(torch.tensor([[-4.0], [4.0]]))
        model.policy.action_net.bias.zero_()
    return model


def test_lost_statistics_of_normalisation_are_noticed(above, tmp_path):
    env = VecNormalize(DummyVecEnv([Above]))
    env.obs_rms.mean[:], env.obs_rms.var[:] = 100, 4
    model = normalised(env)
    decider = from_sb3(model, above, expect=Score(8.0, played=8))
    assert "normalised" in repr(decider)
    model.save(tmp_path / "ppo")
    env.save(tmp_path / "statistics.pkl")
    with pytest.raises(UnreproducedScoreError, match=r"owner's score is 8.*vec_normalize"):
        from_sb3(tmp_path / "ppo", above, expect=Score(8.0, played=8))
    with pytest.raises(UntrustedFileError, match=r"pickle of VecNormalize.*trust=True"):
        from_sb3(tmp_path / "ppo", above, vec_normalize=tmp_path / "statistics.pkl")
    from_sb3(
        tmp_path / "ppo",
        above,
        vec_normalize=tmp_path / "statistics.pkl",
        trust=True,
        expect=Score(8.0, played=8),
    )
    with pytest.raises(UnreproducedScoreError):
        from_sb3(model, above, vec_normalize=False, expect=Score(8.0, played=8))
    with pytest.raises(WrongKindError, match="no VecNormalize"):
        from_sb3(model, above, vec_normalize=3)


def test_an_archive_is_read_without_running_code(pole, ppo, tmp_path):
    path = tmp_path / "ppo.zip"
    ppo.save(path)
    poisoned = tmp_path / "poisoned.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(poisoned, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "data":
                data = json.loads(content)
                data["rollout_buffer_class"]["__module__"] = "no.module.at.all"
                for value in data.values():
                    if isinstance(value, dict) and ":serialized:" in value:
                        value[":serialized:"] = "not a pickle at all"
                content = json.dumps(data)
            new.writestr(name, content)
    state = jax.vmap(pole.init)(jax.random.split(KEY, 3))
    wanted = from_sb3(ppo, pole).decide(state, key=KEY)[0]
    for file, trust in ((poisoned, False), (tmp_path / "ppo", True)):
        found = from_sb3(file, pole, trust=trust).decide(state, key=KEY)[0]
        np.testing.assert_array_equal(found.weights, wanted.weights)
        np.testing.assert_array_equal(found.value, wanted.value)
    named = f"{subjects.HERE}:stable_baselines3"
    subject = subjects.make(named, pole, None, {"path": str(path), "deterministic": False})
    np.testing.assert_array_equal(subject.decide(state, key=KEY)[0].weights, wanted.weights)


def test_archives_that_need_trust_or_are_none_are_refused(pole, lake, ppo, tmp_path):
    own = {"net_arch": [4], "activation_fn": torch.nn.ReLU}
    sb3.A2C("MlpPolicy", "CartPole-v1", policy_kwargs=own).save(tmp_path / "a2c.zip")
    with pytest.raises(UntrustedFileError, match=r"policy_kwargs.*trust=True"):
        from_sb3(tmp_path / "a2c.zip", pole)
    assert "A2C" in repr(from_sb3(tmp_path / "a2c.zip", pole, trust=True))
    path = tmp_path / "ppo.zip"
    ppo.save(path)
    whole = path.read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.zip").write_text("a policy")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("data", "{}")
    for name, said in (
        ("missing.zip", "is missing"),
        ("cut.zip", "truncated"),
        ("text.zip", "no archive"),
        ("other.zip", r"has no \['policy.pth'\]"),
    ):
        with pytest.raises(PolicyFileError, match=said):
            from_sb3(tmp_path / name, pole)
    with pytest.raises(PolicyFileError, match="policy of PPO, and not of DQN"):
        from_sb3(path, pole, algorithm="DQN")
    with pytest.raises(UnknownNameError, match="MaskablePPO"):
        from_sb3(path, pole, algorithm="MaskedPPO")
    with pytest.raises(ForeignPolicyError, match=r"observation_space is a Box.*Discrete\(16\)"):
        from_sb3(path, lake)


def test_policies_of_other_shapes_are_refused_at_the_door(lake, above, ppo):
    with pytest.raises(ForeignPolicyError, match=r"its observations are Box.*Discrete\(16\)"):
        from_sb3(ppo, lake)
    with pytest.raises(ForeignPolicyError, match=r"FrameStackObservation"):
        from_sb3(ppo, above)
    with pytest.raises(ForeignPolicyError, match=r"arrays of shape \[3, 3, 2\]"):
        from_sb3(ppo, make_task("tic_tac_toe"))
    with pytest.raises(WrongKindError, match="from_callable"):
        from_sb3(lambda seen: 0, lake)
    broken = sb3.PPO("MlpPolicy", "CartPole-v1", policy_kwargs=small())
    with torch.no_grad():
        broken.policy.value_net.bias.fill_(float("nan"))
    with pytest.raises(NonFiniteError, match=r"PPO.*value"):
        from_sb3(broken, from_gymnasium("CartPole-v1", horizon=500))


def test_a_module_of_pytorch_means_what_is_said(above):
    linear = torch.nn.Linear(1, 2)
    module = torch.nn.Sequential(linear, torch.nn.Dropout(0.9))
    state = jax.vmap(above.init)(jax.random.split(KEY, 5))
    logits = np.asarray(state.observation) @ linear.weight.detach().numpy().T
    logits = logits + linear.bias.detach().numpy()
    decider = from_torch(module, above)
    check_decider(decider)
    decision, _ = decider.decide(state, key=KEY)
    np.testing.assert_allclose(decision.weights, jax.nn.softmax(logits), rtol=1e-4)
    assert module.training and decision.spent.flops.tolist() == 5 * [4.0]

    class Pair(torch.nn.Module):
        def forward(self, x):
            return linear(x), x[:, :1]

    decision, _ = from_torch(Pair(), above, "q").decide(state, key=KEY)
    np.testing.assert_allclose(decision.value, logits.max(1), rtol=1e-5)
    np.testing.assert_array_equal(decision.action, logits.argmax(1))
    decision, _ = from_torch(Pair(), above).decide(state, key=KEY)
    np.testing.assert_array_equal(decision.value, state.observation[:, 0])


class Constant(torch.nn.Module):
    """Answers alike to everything."""

    def __init__(self, *numbers):
        super().__init__()
        self.numbers = torch.tensor(numbers)

    def forward(self, x):
        return self.numbers.expand(len(x), -1)


def test_masked_actions_of_modules_keep_the_rest_in_proportion():
    board = make_task("tic_tac_toe")
    shares = torch.arange(1.0, 10) / 45
    state = jax.vmap(board.advance)(
        jax.vmap(board.init)(jax.random.split(KEY, 2)), jnp.array([8, 0]), jax.random.split(KEY, 2)
    )
    decision, _ = from_torch(Constant(*shares), board, "probabilities").decide(state, key=KEY)
    wanted = np.array([[*range(1, 9), 0], [0, *range(2, 10)]])
    np.testing.assert_allclose(decision.weights, wanted / wanted.sum(1, keepdims=True), rtol=1e-6)
    assert decision.action.tolist() == [7, 8]
    with pytest.raises(ForeignPolicyError, match=r"float32\[2, 8\].* 9 actions"):
        from_torch(Constant(*shares[:8]), board)
    with pytest.raises(NonFiniteError, match="logits"):
        from_torch(Constant(*[float("nan")] * 9), board)
    corner = from_torch(Constant(1.0, *[0.0] * 8), board, "probabilities")
    with pytest.raises(IllegalActionError, match=r"no probability"):
        corner.decide(state, key=KEY)
    with pytest.raises(WrongKindError, match=r"no torch.nn.Module"):
        from_torch(lambda x: x, board)
