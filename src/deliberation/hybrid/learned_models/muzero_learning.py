"""What MuZero learns from: a ring of played moments, targets from them, and the unrolled loss."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.masks import FORBIDDEN
from .latent import LatentNetworks


class Moments(eqx.Module):
    """Played positions, the oldest first: a leading axis for time and one for lanes.

    `value` is the search's, for the mover; `gain` what the mover earned; `sign` turns the next
    mover's value into this one's; `over` marks actions that ended an episode, `cut` those of them
    after which it would have gone on but for the clock, `strayed` those that were not the search's.
    """

    observation: Array
    legal: Bool[Array, "*time lanes actions"]
    weights: Float[Array, "*time lanes actions"]
    action: Int[Array, "*time lanes"]
    value: Float[Array, "*time lanes"]
    gain: Float[Array, "*time lanes"]
    sign: Float[Array, "*time lanes"]
    over: Bool[Array, "*time lanes"]
    cut: Bool[Array, "*time lanes"]
    strayed: Bool[Array, "*time lanes"]

    def push(self, new: "Moments") -> "Moments":
        """The newest at the end; as many of the oldest are forgotten."""
        return jax.tree.map(lambda a, b: jnp.concatenate([a[b.shape[0] :], b]), self, new)


def returns(moments: Moments, discount: float, steps: int) -> Float[Array, "time lanes"]:
    """n-step returns for the mover: sum of gamma^i r, then gamma^n v; outcomes if n is long enough.

    An episode's end cuts the sum short. Where play strayed from the search, what followed says
    nothing of the search's worth: there the value stands in, as at the edge of the ring, and where
    the clock cut an episode short of what would have followed.
    """
    length = moments.gain.shape[0]
    steps = min(steps, length - 1)
    time = jnp.arange(length)[:, None]

    def ahead(x: Array, by: int | Array) -> Array:
        return x[jnp.minimum(time + by, length - 1)[:, 0]]

    def one(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        total, worth = carry
        stands_in = ahead(moments.strayed | moments.cut, i) | (time + i >= length - 1)
        gain = jnp.where(stands_in, ahead(moments.value, i), ahead(moments.gain, i))
        on = jnp.where(stands_in | ahead(moments.over, i), 0.0, discount * ahead(moments.sign, i))
        return total + worth * gain, worth * on

    zeros = jnp.zeros_like(moments.gain)
    total, worth = jax.lax.fori_loop(0, steps, one, (zeros, zeros + 1))
    return total + worth * ahead(moments.value, steps)


class Windows(eqx.Module):
    """A batch of positions with the K actions played from each, and what is to be foretold.

    Targets have K + 1 columns (rewards and `passes`, whether the other player moves next, K).
    `live` is false from an episode's end on, where nothing more is earned and no policy is asked
    for; `known` where the clock has cut an episode, since what would have followed teaches nothing.
    """

    observation: Float[Array, "batch ..."]
    actions: Int[Array, "batch unroll"]
    legal: Bool[Array, "batch columns actions"]
    weights: Float[Array, "batch columns actions"]
    value: Float[Array, "batch columns"]
    reward: Float[Array, "batch unroll"]
    passes: Bool[Array, "batch unroll"]
    live: Bool[Array, "batch columns"]
    known: Bool[Array, "batch columns"]


def draw_windows(
    moments: Moments,
    value: Float[Array, "time lanes"],
    filled: Int[Array, ""],
    key: Key[Array, ""],
    batch: int,
    unroll: int,
) -> Windows:
    """Windows from the filled part of the ring, drawn uniformly.

    Actions after an episode's end are drawn at random: there the networks learn that all is still.
    """
    length, lanes = moments.gain.shape
    first, which, dice = jax.random.split(key, 3)
    start = jax.random.randint(first, (batch,), length - filled, length - unroll)
    lane = jax.random.randint(which, (batch,), 0, lanes)
    rows = start[:, None] + jnp.arange(unroll + 1)
    ended = _after_any(moments.over[rows, lane[:, None]])
    cut = _after_any(moments.cut[rows, lane[:, None]] & ~ended)
    actions = moments.action[rows, lane[:, None]]
    anything = jax.random.randint(dice, actions.shape, 0, moments.legal.shape[-1])
    return Windows(
        observation=moments.observation[start, lane],
        actions=jnp.where(ended, anything, actions)[:, :unroll],
        legal=moments.legal[rows, lane[:, None]],
        weights=moments.weights[rows, lane[:, None]],
        value=jnp.where(ended, 0.0, value[rows, lane[:, None]]),
        reward=jnp.where(ended, 0.0, moments.gain[rows, lane[:, None]])[:, :unroll],
        passes=(moments.sign[rows, lane[:, None]] < 0)[:, :unroll],
        live=~ended,
        known=~cut,
    )


def _after_any(marks: Bool[Array, "batch columns"]) -> Bool[Array, "batch columns"]:
    """Whether there is a mark in an earlier column."""
    return jnp.cumsum(marks, axis=1) - marks > 0


def unrolled_loss(
    networks: LatentNetworks, windows: Windows, value_weight: float
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Losses of policy, value and reward along K steps of the learned dynamics.

    Later steps weigh 1 / K, and gradients into each step of the dynamics are halved (Schrittwieser
    et al. 2020, appendix G).
    """
    unroll = windows.actions.shape[1]

    def judged(vector: Array, column: int) -> tuple[Array, Array]:
        logits, worth = jax.vmap(networks.judge)(vector)
        # Below the root the search knows no illegal actions: the prior has to learn them.
        legal = windows.legal[:, column] if column == 0 else jnp.ones_like(windows.legal[:, 0])
        surprise = jax.nn.log_softmax(jnp.where(legal, logits, FORBIDDEN), axis=-1)
        policy = -(windows.weights[:, column] * surprise).sum(-1) * windows.live[:, column]
        value = networks.values.loss(worth, windows.value[:, column]) * windows.known[:, column]
        return policy.mean(), value.mean()

    vector = jax.vmap(networks.encode)(windows.observation)
    policy, value = judged(vector, 0)
    reward, turn = jnp.zeros(()), jnp.zeros(())
    for k in range(unroll):
        vector = 0.5 * (vector + jax.lax.stop_gradient(vector))
        before = vector
        vector, earned = jax.vmap(networks.step)(vector, windows.actions[:, k])
        if networks.turn is not None:
            told = jax.vmap(networks.passes)(before, windows.actions[:, k])
            surprise = optax.sigmoid_binary_cross_entropy(told, windows.passes[:, k])
            # After an episode's end nobody moves.
            turn = turn + (surprise * windows.live[:, k + 1]).mean() / unroll
        more_policy, more_value = judged(vector, k + 1)
        policy, value = policy + more_policy / unroll, value + more_value / unroll
        lost = networks.rewards.loss(earned, windows.reward[:, k]) * windows.known[:, k]
        reward = reward + lost.mean() / unroll
    total = policy + value_weight * value + reward + turn
    losses = {"policy_loss": policy, "value_loss": value, "reward_loss": reward}
    return total, losses if networks.turn is None else {**losses, "turn_loss": turn}
