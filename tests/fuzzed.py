"""Small random worlds for the fuzzer: one class of tasks whose rules are arrays.

Every world has `LAYERS` layers of `WIDTH` places and ends at the last one. What kind of world it is
(players, chance, hidden parts, form of the state) is static; which world of its kind is data, so
that all worlds of a kind share each decider's compiled program.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from deliberation.core import Objective, Task, Traits

LAYERS, WIDTH, ACTIONS = 4, 3, 3
PLACES, HORIZON, KINDS = LAYERS * WIDTH, LAYERS - 1, 4
SCALES = (1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9)
SHIFT = 33
"""By which 64-bit states are shifted: their lower 32 bits are all alike."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is static: equal kinds share programs.

    `form` is that of the state: "plain" (32 bits), "wide" (64 bits; needs JAX_ENABLE_X64) or
    "keyed" (dicts within a dict, and a random key that changes from action to action).
    """

    players: int = 1
    chance: bool = False
    hidden: bool = False
    form: str = "plain"
    actions: int = ACTIONS

    def __str__(self):
        words = [f"{self.players}p", "chance" * self.chance, "hidden" * self.hidden, self.form]
        return " ".join([w for w in words if w] + ["one action"] * (self.actions == 1))


@dataclasses.dataclass
class World:
    """A world as arrays of the host. Where nothing is hidden there is one kind of world, not four.

    `child[kind, place, action, outcome]` are places of the next layer, `reward[kind, place, action,
    column of the next place, player]`; `seen[player, kind]` is all that a player sees of the kind.
    """

    kind: Kind
    child: np.ndarray
    chance: np.ndarray
    reward: np.ndarray
    mover: np.ndarray
    legal: np.ndarray
    over: np.ndarray
    seen: np.ndarray
    prior: np.ndarray
    first: np.ndarray
    discount: float
    scale: float

    @property
    def opposed(self):
        """Whether two players have opposite aims; fewer or more have none to oppose."""
        return self.kind.players == 2 and not self.reward.sum(-1).any()

    @property
    def dead(self):
        """Places that are live and leave nothing to do."""
        return ~self.over & ~self.legal.any(1)

    @property
    def span(self):
        """No return is further from 0."""
        return float(np.abs(self.reward).max(initial=0)) * HORIZON

    @property
    def limits(self):
        """The least and the greatest return that player 0 can get from any place on."""
        low, high = np.zeros((2, PLACES))
        for place in reversed(range(PLACES)):
            if self.over[place] or self.dead[place]:
                continue
            column = self.child[:, place] % WIDTH
            gain = np.take_along_axis(self.reward[:, place, :, :, 0], column, -1)
            real = (self.chance[:, place] > 0) & self.legal[place][None, :, None]
            after = self.child[:, place]
            low[place] = (gain + self.discount * low[after])[real].min()
            high[place] = (gain + self.discount * high[after])[real].max()
        return float(low.min()), float(high.max())


def random_world(
    seed, kind, *, rewards=None, scale=1.0, opposed=True, ties=False, dead=False, single=False
):
    """A world drawn from a seed, its rewards from another one if that is given (`rewards`).

    `ties` has few different rewards, `single` one legal action everywhere, `dead` a dead end.
    Chances are binary fractions, so that beliefs are exact in floats.
    """
    rng = np.random.default_rng(seed)
    kinds, outcomes = KINDS if kind.hidden else 1, 2 if kind.chance else 1
    shape = (kinds, PLACES, kind.actions, outcomes)
    layer = np.arange(PLACES) // WIDTH
    child = np.minimum(layer + 1, LAYERS - 1)[None, :, None, None] * WIDTH
    child = child + rng.integers(0, WIDTH, shape)
    if kind.hidden and rng.random() < 0.5:  # what happens says nothing of what is hidden
        child[:] = child[:1]
    first = rng.choice([0.0, 0.25, 0.5, 0.75, 1.0], shape[:-1])
    chance = np.stack([first, 1 - first], -1) if kind.chance else np.ones(shape)
    if kind.hidden and (child == child[:1]).all():
        chance[:] = chance[:1]
    over = (layer == LAYERS - 1) | ((layer > 0) & (rng.random(PLACES) < 0.15))
    legal = rng.random((PLACES, kind.actions)) < (0.0 if single else 0.8)
    legal[np.arange(PLACES), rng.integers(0, kind.actions, PLACES)] = True
    if dead:
        place = rng.integers(WIDTH, PLACES - WIDTH)
        over[place], legal[place] = False, False
    legal &= ~over[:, None]
    reward, discount = _random_rewards(seed if rewards is None else rewards, kind, scale, ties)
    reward = _rounded(reward, kind, opposed)
    seen = rng.integers(0, 2, (kind.players, kinds))
    alternating = layer % kind.players
    return World(
        kind, child, chance, reward,
        alternating if rng.random() < 0.5 else rng.integers(0, kind.players, PLACES),
        legal, over, seen, _fractions(rng, kinds), _fractions(rng, WIDTH),
        discount, scale,
    )  # fmt: skip


def _random_rewards(seed, kind, scale, ties):
    """Rewards, and the discount."""
    rng = np.random.default_rng([seed, 2])
    size = (KINDS if kind.hidden else 1, PLACES, kind.actions, WIDTH, kind.players)
    reward = rng.integers(-2, 3, size) / 2 if ties else rng.normal(size=size)
    if rng.random() < 0.3:  # only the last action pays
        reward[:, : (LAYERS - 2) * WIDTH] = 0
    return reward * scale, float(rng.choice([1.0, 1.0, 0.5, 0.75]))


def random_options(seed):
    """Options of `random_world`, drawn from a seed: half of the worlds are plain ones."""
    rng = np.random.default_rng([seed, 1])
    return {
        "scale": float(rng.choice(SCALES)) if rng.random() < 0.6 else 1.0,
        "opposed": bool(rng.random() < 0.7),
        "ties": bool(rng.random() < 0.25),
        "dead": bool(rng.random() < 0.1),
        "single": bool(rng.random() < 0.1),
    }


def _rounded(reward, kind, opposed):
    """As the task will have them; of two opposed players one gets what the other loses."""
    if kind.players == 2 and opposed:
        reward = np.stack([reward[..., 0], -reward[..., 0]], -1)
    return reward.astype(np.float64 if kind.form == "wide" else np.float32).astype(float)


def _fractions(rng, count):
    """Probabilities of which each is a number of sixteenths; some may be 0."""
    return np.bincount(rng.integers(0, count, 16), minlength=count) / 16


class Rewards(Objective):
    """Looked up by the kind of world, the place, the action and the place that follows."""

    reward: jax.Array
    worth: jax.Array
    limits: jax.Array
    form: str = eqx.field(static=True)

    def __call__(self, state, action, after):
        place, kind, _ = parts(state, self.form)
        return self.reward[kind, place, action, parts(after, self.form)[0] % WIDTH]

    @property
    def discount(self):
        return self.worth

    @property
    def bounds(self):
        return self.limits[0], self.limits[1]


class Plain(eqx.Module):
    """A state: the place and, where something is hidden, the kind of world and its posterior."""

    place: jax.Array
    kind: jax.Array | None = None
    posterior: jax.Array | None = None


def parts(state, form):
    """(place, kind, posterior or None) of a state of any form."""
    if form == "keyed":
        state = Plain(**state["at"])
    place = state.place >> SHIFT if form == "wide" else state.place
    return place, 0 if state.kind is None else state.kind, state.posterior


def key_of(layer):
    """The random key that keyed states hold in a layer."""
    return jax.random.fold_in(jax.random.key(5), layer)


class Fuzzed(Task):
    """The rules of a `World`; the posterior over kinds is what everybody knows from the places."""

    child: jax.Array
    chance: jax.Array
    mover: jax.Array
    able: jax.Array
    over: jax.Array
    seen: jax.Array
    prior: jax.Array
    first: jax.Array
    rewards: Rewards
    players: int = eqx.field(static=True)

    def __repr__(self):
        kinds, _, actions, outcomes = self.child.shape
        return f"Fuzzed({self.players} players, {kinds} kinds, {actions} actions, {outcomes})"

    @property
    def traits(self):
        kinds, _, actions, outcomes = self.child.shape
        return Traits(
            self.players, actions, HORIZON, outcomes == 1, kinds == 1,
            outcomes=outcomes if outcomes > 1 else 0,
        )  # fmt: skip

    @property
    def objective(self):
        return self.rewards

    def state(self, place, kind, posterior, layer):
        form, hidden = self.rewards.form, self.child.shape[0] > 1
        place = jnp.asarray(place, jnp.int64) << SHIFT if form == "wide" else place
        if not hidden:
            kind, posterior = None, None
        if form != "keyed":
            return Plain(place, kind, posterior)
        at = {"place": place, "kind": kind, "posterior": posterior}
        return {"at": at, "key": key_of(layer)}

    def init(self, key):
        one, two = jax.random.split(key)
        place = jax.random.categorical(one, jnp.log(self.first)).astype(jnp.int32)
        kind = jax.random.categorical(two, jnp.log(self.prior)).astype(jnp.int32)
        return self.state(place, kind, self.prior, 0)

    def starts(self):
        kinds = self.prior.size
        place, kind = jnp.divmod(jnp.arange(WIDTH * kinds, dtype=jnp.int32), kinds)
        states = jax.vmap(lambda p, k: self.state(p, k, self.prior, 0))(place, kind)
        return states, jnp.outer(self.first, self.prior).ravel().astype(jnp.float32)

    def after(self, state, action, outcome):
        place, kind, posterior = parts(state, self.rewards.form)
        then = self.child[kind, place, action, outcome]
        if posterior is not None:
            likely = self.chance[:, place, action] * (self.child[:, place, action] == then)
            posterior = posterior * likely.sum(-1)
        return self.state(then, kind, posterior, then // WIDTH)

    def advance(self, state, action, key):
        place, kind, _ = parts(state, self.rewards.form)
        chances = self.chance[kind, place, action]
        return self.after(state, action, jax.random.categorical(key, jnp.log(chances)))

    def outcomes(self, state, action):
        if self.traits.deterministic:
            return super().outcomes(state, action)
        place, kind, _ = parts(state, self.rewards.form)
        numbers = jnp.arange(self.child.shape[-1])
        after = jax.vmap(lambda o: self.after(state, action, o))(numbers)
        return after, self.chance[kind, place, action].astype(jnp.float32)

    def beliefs(self, state):
        place, kind, posterior = parts(state, self.rewards.form)
        if posterior is None:
            return jax.tree.map(lambda x: x[None], state), jnp.ones(1)
        known = self.seen[self.mover[place]]
        chances = jnp.where(known == known[kind], posterior, 0.0)
        kinds = jnp.arange(self.prior.size, dtype=jnp.int32)
        states = jax.vmap(lambda k: self.state(place, k, posterior, place // WIDTH))(kinds)
        return states, chances / chances.sum()

    def resample(self, state, key):
        if self.traits.fully_observable:
            return state
        states, chances = self.beliefs(state)
        drawn = jax.random.categorical(key, jnp.log(chances))
        return jax.tree.map(lambda x: x[drawn], states)

    def observe(self, state):
        place, kind, _ = parts(state, self.rewards.form)
        known = self.seen[self.mover[place], kind]
        return jnp.append(jnp.arange(PLACES) == place, known).astype(jnp.float32)

    def legal(self, state):
        place, _, _ = parts(state, self.rewards.form)
        return self.able[place]

    def player(self, state):
        return self.mover[parts(state, self.rewards.form)[0]]

    def terminated(self, state):
        return self.over[parts(state, self.rewards.form)[0]]


def as_task(world, own=None):
    """The same world for the deciders under test; by rewards of its `own` if these are others."""
    kind, whole = world.kind, jnp.int32
    rewards = as_objective(world if own is None else own)
    return Fuzzed(
        jnp.asarray(world.child, whole), jnp.asarray(world.chance, jnp.float32),
        jnp.asarray(world.mover, whole), jnp.asarray(world.legal), jnp.asarray(world.over),
        jnp.asarray(world.seen, whole), jnp.asarray(world.prior, jnp.float32),
        jnp.asarray(world.first, jnp.float32), rewards, kind.players,
    )  # fmt: skip


def as_objective(world):
    """What is good in a world."""
    real = jnp.float64 if world.kind.form == "wide" else jnp.float32
    return Rewards(
        jnp.asarray(world.reward, real), jnp.float32(world.discount),
        jnp.asarray(world.limits, jnp.float32), world.kind.form,
    )  # fmt: skip


@dataclasses.dataclass
class Rows:
    """Some states of a world, one after another: `places`, `kinds` and posteriors."""

    places: np.ndarray
    kinds: np.ndarray
    posteriors: np.ndarray


def draw_rows(world, seed, count=4):
    """States that random play leads to: a first one, later ones, and at the end one that is over.

    No row is a dead end.
    """
    rng = np.random.default_rng(seed)
    found = []
    for row in range(count):
        place, kind = rng.choice(WIDTH, p=world.first), rng.choice(len(world.prior), p=world.prior)
        known = world.prior
        for _ in range((0, 1, 2, HORIZON)[row % 4]):
            if world.over[place] or world.dead[place]:
                break
            action = rng.choice(np.flatnonzero(world.legal[place]))
            odds = world.chance[kind, place, action]
            then = world.child[kind, place, action, rng.choice(len(odds), p=odds)]
            if world.dead[then]:
                break
            likely = world.chance[:, place, action] * (world.child[:, place, action] == then)
            place, known = then, known * likely.sum(-1)
        found.append((place, kind, known))
    places, kinds, known = zip(*found, strict=True)
    return Rows(np.array(places), np.array(kinds), np.array(known))


def as_states(task, rows):
    """The same states for the deciders under test."""
    return _states(
        task, jnp.asarray(rows.places, jnp.int32), jnp.asarray(rows.kinds, jnp.int32),
        jnp.asarray(rows.posteriors, jnp.float32),
    )  # fmt: skip


@eqx.filter_jit
def _states(task, places, kinds, posteriors):
    return jax.vmap(lambda p, k, w: task.state(p, k, w, p // WIDTH))(places, kinds, posteriors)
