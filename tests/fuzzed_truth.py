"""What is right in a world of `fuzzed`: brute force over what can be done, happen and be known.

Several players each want their own (max^n), and where they have several equally good actions every
equilibrium counts: values and best actions come as sets.
"""

import dataclasses
import math

import numpy as np
from fuzzed import WIDTH


@dataclasses.dataclass
class Truth:
    """Of one state: the values of its actions to its mover, least and greatest over equilibria.

    `low` and `high` are minus infinity where illegal; `value` holds the least and the greatest
    value; all None where something is hidden from several who have still to move. `dead` says
    whether a dead end can follow, `last` whether every action surely ends the episode, `clash`
    whether rewards of two players can follow that do not cancel, and `clash_now` whether they can
    at once, where there is a choice.
    """

    low: np.ndarray | None
    high: np.ndarray | None
    value: tuple[float, float] | None
    dead: bool
    last: bool
    clash: bool = False
    clash_now: bool = False

    def loss(self, action):
        """How much an action falls short of the best one, at the least."""
        others = np.delete(self.low, action)
        return max(0.0, others.max(initial=-math.inf) - self.high[action])


_ROUNDING = 1e-6
_MOST = 200
"""How many equilibria of one state are told apart."""


class TooManyError(Exception):
    """There are more equilibria than anybody wants to list."""


class Oracle:
    """Brute force over everything that can be done, happen and be known; knows no solver.

    Actions are equally good to their mover whose values are as near as `near` parts of the greatest
    return; to the player `own`, if one is named, only where they are equal but for rounding.
    """

    def __init__(self, world, near=_ROUNDING, own=None):
        self.world, self.known, self.own = world, {}, own
        self.near, self.nearest = (x * max(world.span, 1e-30) for x in (near, _ROUNDING))

    def truth(self, place, kind, posterior):
        """That of one state, as its mover may know it."""
        world = self.world
        if world.over[place]:
            return Truth(None, None, None, False, False)
        mover = world.mover[place]
        own = world.seen[mover] == world.seen[mover, kind]
        belief = np.where(own, posterior, 0.0)
        belief = belief / belief.sum()
        movers, *facts = self._ahead([place], belief > 0)
        if facts[0] or (world.kind.hidden and movers != {mover}):
            return Truth(None, None, None, *facts)
        try:
            q = self._actions(place, tuple(belief))
            legal = np.flatnonzero(world.legal[place])
            low, high = np.full((2, world.kind.actions), -np.inf)
            for a in legal:
                low[a], high[a] = q[a][:, mover].min(), q[a][:, mover].max()
            values = np.concatenate(list(self._chosen(place, q).values()))[:, mover]
        except TooManyError:
            return Truth(None, None, None, *facts)
        return Truth(low, high, (values.min(), values.max()), *facts)

    def start(self):
        """Player 0's expected return from the first states, one player or two opposed; or None."""
        world, total = self.world, 0.0
        for place, share in enumerate(world.first):
            for seen in np.unique(world.seen[0]):
                weight = np.where(world.seen[0] == seen, world.prior, 0.0)
                if share * weight.sum() == 0:
                    continue
                found = self.truth(place, int(weight.argmax()), world.prior)
                if found.value is None:
                    return None
                sign = 1 if world.mover[place] == 0 else -1
                total += share * weight.sum() * sign * found.value[0]
        return total

    @property
    def clash(self):
        """Whether rewards of two players that do not cancel can follow any first state."""
        return self._ahead(np.flatnonzero(self.world.first), self.world.prior > 0)[3]

    def _ahead(self, places, kinds):
        """(who has still to move, then the last four facts of a `Truth`), from some places."""
        world, movers, seen, left, last = self.world, set(), set(), list(places), True
        clash = clash_now = False
        while left:
            now = left.pop()
            if now in seen or world.over[now]:
                continue
            seen.add(now)
            movers.add(world.mover[now])
            for a in np.flatnonzero(world.legal[now]):
                possible = (world.chance[:, now, a] > 0) & kinds[:, None]
                after = world.child[:, now, a][possible]
                left.extend(np.unique(after))
                paid = world.reward[np.nonzero(possible)[0], now, a, after % WIDTH]
                clashes = world.kind.players == 2 and bool(paid.sum(-1).any())
                clash = clash or clashes
                choice = now in places and world.legal[now].sum() > 1
                clash_now = clash_now or (choice and clashes)
            last = last and now in places and world.over[left].all()
        return movers, bool(world.dead[list(seen)].any()), bool(last), clash, bool(clash_now)

    def _values(self, place, belief):
        """Every vector of values that best play from here can have, [equilibria, players]."""
        if self.world.over[place]:
            return np.zeros((1, self.world.kind.players))
        if (place, belief) not in self.known:
            chosen = self._chosen(place, self._actions(place, belief))
            self.known[place, belief] = self._distinct(np.concatenate(list(chosen.values())))
        return self.known[place, belief]

    def _chosen(self, place, q):
        """Of every action the vectors with which it is a best one, if the others are no better."""
        mover, found = self.world.mover[place], {}
        for a, mine in q.items():
            rivals = [other[:, mover].min() for b, other in q.items() if b != a]
            near = self.nearest if mover == self.own else self.near
            best = mine[:, mover] >= max(rivals, default=-math.inf) - near
            if best.any():
                found[a] = mine[best]
        return found

    def _actions(self, place, belief):
        """The vectors of values of each legal action."""
        world, found = self.world, {}
        for a in np.flatnonzero(world.legal[place]):
            joint: dict[int, np.ndarray] = {}
            gain = np.zeros(world.kind.players)
            for kind, share in enumerate(belief):
                pairs = zip(world.child[kind, place, a], world.chance[kind, place, a], strict=True)
                for then, odds in pairs:
                    if share * odds == 0:
                        continue
                    gain = gain + share * odds * world.reward[kind, place, a, then % WIDTH]
                    weights = joint.setdefault(int(then), np.zeros(len(belief)))
                    weights[kind] += share * odds
            total = gain[None]
            for then, weights in joint.items():
                mass = weights.sum()
                ahead = self._values(then, tuple(weights / mass))
                total = total[:, None] + world.discount * mass * ahead[None]
                total = self._distinct(total.reshape(-1, gain.size))
            found[int(a)] = total
        return found

    def _distinct(self, vectors):
        rounded = np.round(vectors / max(self.nearest, 1e-300))
        kept = vectors[np.unique(rounded, axis=0, return_index=True)[1]]
        if len(kept) > _MOST:
            raise TooManyError
        return kept
