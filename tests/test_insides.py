"""The layers of networks: read, replaced, and initialised anew, as their owners compute them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation import make_task
from deliberation.adapters import from_callable, from_equinox, from_gymnasium, from_torch
from deliberation.adapters import insides as adapted_insides
from deliberation.amortised import MLP, ActorCritic, NetworkPolicy, insides
from deliberation.core import UniformRandom
from deliberation.core.errors import UnknownNameError, UnsuitableTaskError, WrongKindError

KEY = jax.random.key(0)
GRID = make_task("gridworld", size=4)
SHAPE = (4, 4, 8)
NUMBERS = 128


def some(task, count=6):
    return jax.vmap(task.init)(jax.random.split(KEY, count))


def seen(task, count=6):
    return np.asarray(jax.vmap(task.observe)(some(task, count))).reshape(count, -1)


def held(found, own, task, last):
    """What all insides keep: putting back what was read changes nothing, anything else something.

    The `last` layer gives the scores.
    """
    states = some(task)
    read = found.read(states)
    np.testing.assert_allclose(read[last], own, rtol=1e-4, atol=1e-5)
    for name, units in read.items():
        np.testing.assert_allclose(found.resume(states, name, units), own, rtol=1e-4, atol=1e-5)
        other = found.resume(states, name, units + 1)
        assert (np.abs(other - own).max() > 1e-3) != ("value" in name or "critic" in name), name
    with pytest.raises(UnknownNameError, match="layer"):
        found.resume(states, "no layer", own)
    anew, again, other = (found.untrained(jax.random.key(i)).read(states) for i in (1, 1, 2))
    assert {k: v.shape for k, v in anew.items()} == {k: v.shape for k, v in read.items()}
    np.testing.assert_array_equal(anew[last], again[last])
    assert np.abs(anew[last] - other[last]).max() > 1e-4
    assert np.abs(anew[last] - own).max() > 1e-4
    np.testing.assert_allclose(found.read(states)[last], own, rtol=1e-4, atol=1e-5)
    return read


@pytest.mark.parametrize("kind", [MLP, ActorCritic])
def test_own_networks(kind):
    network = kind(SHAPE, 4, 16, 2, key=KEY)
    own = np.asarray(network.batched(jax.vmap(GRID.observe)(some(GRID)))[0])
    found = insides(NetworkPolicy(GRID, network))
    np.testing.assert_array_equal(found.see(some(GRID)), seen(GRID))
    read = held(found, own, GRID, "policy" if kind is MLP else "actor[2]")
    first = network.hidden[0] if kind is MLP else network.actor[0]
    name = "hidden[0]" if kind is MLP else "actor[0]"
    np.testing.assert_allclose(read[name], first(jnp.asarray(seen(GRID))), rtol=1e-5, atol=1e-6)


class Hidden(eqx.Module):
    """Its first layer is called within a `vmap` of its own."""

    each: eqx.nn.Linear
    last: eqx.nn.Linear

    def __call__(self, seen):
        return self.last(jax.vmap(self.each)(seen.reshape(-1, 1)).reshape(-1))


def test_modules_of_equinox():
    body = eqx.nn.MLP(NUMBERS, 4, 8, 2, key=KEY)
    policy = from_equinox(eqx.nn.Sequential([eqx.nn.Lambda(jnp.ravel), body]), GRID)
    own = np.asarray(jax.vmap(body)(jnp.asarray(seen(GRID))))
    read = held(adapted_insides(policy), own, GRID, "layers[1].layers[2]")
    assert list(read) == [f"layers[1].layers[{i}]" for i in range(3)]
    hidden = Hidden(eqx.nn.Linear(1, 1, key=KEY), eqx.nn.Linear(NUMBERS, 4, key=KEY))
    assert list(adapted_insides(from_equinox(hidden, GRID)).read(some(GRID))) == ["last"]
    with pytest.raises(WrongKindError, match=r"can be followed.*Insides\(see, read"):
        adapted_insides(from_equinox(lambda seen: seen.reshape(-1)[:4], GRID))


def test_modules_of_torch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(NUMBERS, 16), torch.nn.Dropout(), torch.nn.Tanh(),
        torch.nn.Linear(16, 4),
    )  # fmt: skip
    found = adapted_insides(from_torch(net, GRID, "q"))
    net.eval()
    tensor = torch.tensor(seen(GRID))
    before = torch.random.get_rng_state()
    read = held(found, net(tensor).detach().numpy(), GRID, "4")
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_allclose(read["1"], net[:2](tensor).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert not any(part._forward_hooks for part in net.modules())


@pytest.mark.parametrize("kind", ["PPO", "DQN", "QRDQN"])
def test_policies_of_stable_baselines3(kind):
    sb3, contrib = pytest.importorskip("stable_baselines3"), pytest.importorskip("sb3_contrib")
    from deliberation.adapters import from_sb3

    lake = from_gymnasium("FrozenLake-v1")
    model = getattr(sb3, kind, None) or getattr(contrib, kind)
    more = {} if kind == "PPO" else {"buffer_size": 100}
    model = model("MlpPolicy", "FrozenLake-v1", policy_kwargs={"net_arch": [8]}, seed=0, **more)
    tensor, _ = model.policy.obs_to_tensor(np.asarray(some(lake).observation))
    if kind == "PPO":
        own, last = model.policy.get_distribution(tensor).distribution.logits, "action_net"
        layer = "mlp_extractor.policy_net.0"
    else:
        own = model.q_net(tensor) if kind == "DQN" else model.quantile_net(tensor).mean(1)
        last, layer = "q_net.q_net.2", "q_net.q_net.0"
    own = own.detach().numpy()
    found = adapted_insides(from_sb3(model, lake))
    np.testing.assert_array_equal(found.see(some(lake))[:, 0], np.asarray(some(lake).observation))
    if kind == "QRDQN":
        read = found.read(some(lake))
        for name, units in read.items():
            np.testing.assert_allclose(found.resume(some(lake), name, units), own, rtol=1e-4)
        return
    read = found.read(some(lake))
    for name, units in read.items():
        np.testing.assert_allclose(found.resume(some(lake), name, units), own, atol=1e-5)
    pushed = found.resume(some(lake), layer, read[layer] + 1)
    assert np.abs(pushed - own).max() > 1e-3
    raw = read[last] - (np.log(np.exp(read[last]).sum(1, keepdims=True)) if kind == "PPO" else 0)
    np.testing.assert_allclose(raw, own, atol=1e-5)
    anew = found.untrained(KEY).read(some(lake))
    assert anew.keys() == read.keys() and np.abs(anew[layer] - read[layer]).max() > 1e-3


def test_what_has_no_layers_is_refused_with_what_can_be_done():
    with pytest.raises(WrongKindError, match="from_torch, from_equinox, from_sb3"):
        adapted_insides(from_callable(lambda seen: np.zeros(len(seen), int), GRID))
    for found in (insides, adapted_insides):
        with pytest.raises(WrongKindError, match=r"amortised\.insides"):
            found(UniformRandom(GRID))
    pole = make_task("pendulum")
    with pytest.raises(UnsuitableTaskError, match="continuous"):
        adapted_insides(UniformRandom(pole))
