"""Gymnasium environments with one fault or one speciality each, for the tests of adapters."""

import collections
import os
import sys
import time

import gymnasium
import numpy as np
from gymnasium import spaces

COUNT = [0]
"""A global variable, which no copy of an environment holds."""


class Counter(gymnasium.Env):
    """Counts up by the action; ends at 12. What is odd about it is up to those below."""

    observation_space = spaces.Box(0, 100, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, delay: float = 0.0):
        self.delay = delay
        self.total = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.total = int(self.np_random.integers(3))
        return self.seen(), {}

    def seen(self):
        return np.array([self.total], np.float32)

    def step(self, action):
        until = time.perf_counter() + self.delay
        while time.perf_counter() < until:
            pass
        self.total += 1 + int(action)
        return self.seen(), float(action), self.total >= 12, False, {"total": self.total}


class Global(Counter):
    """Keeps its count in a global variable."""

    def step(self, action):
        COUNT[0] += 1
        self.total += COUNT[0] % 3
        return super().step(action)


class Shared(Counter):
    """Draws from NumPy's global generator."""

    def step(self, action):
        self.total += int(np.random.randint(2))
        return super().step(action)


class Entropy(Counter):
    """Draws from a generator that it makes from nowhere."""

    def step(self, action):
        self.total += int(np.random.default_rng().integers(1000)) % 3
        return super().step(action)


class Throwing(Counter):
    """Raises an error in the middle, where random trials do not get."""

    def step(self, action):
        if self.total >= 10 and self.armed:
            raise ZeroDivisionError("the middle was reached")
        return super().step(action)

    armed = False


class Breaking(Counter):
    """Counts, and fails after that."""

    armed = False

    def step(self, action):
        came = super().step(action)
        if self.armed:
            raise OSError("the net is down")
        return came


class Leaving(Counter):
    """Ends its own process."""

    def step(self, action):
        if self.total >= 10 and self.armed:
            import os

            os._exit(3)
        return super().step(action)

    armed = False


class Closed:
    """Keeps a number where nobody finds it, and forgets it when it is copied."""

    __slots__ = ("number",)

    def __init__(self):
        self.number = 0

    def __deepcopy__(self, memo):
        return Closed()


class Hidden(Counter):
    """Keeps its state in an object without attributes that copies badly."""

    def __init__(self):
        super().__init__()
        self.box = Closed()

    def reset(self, *, seed=None, options=None):
        self.box.number = 0
        return super().reset(seed=seed, options=options)

    def step(self, action):
        self.box.number += 1
        self.total += self.box.number % 2
        return super().step(action)


class Hooked(Hidden):
    """The same with hooks."""

    def get_state(self):
        return self.total, self.box.number

    def set_state(self, state):
        self.total, self.box.number = state


class Nodes(Counter):
    """Keeps a chain of objects, made anew in every step: copies are exact, rows cannot be."""

    class Node:
        def __init__(self, number):
            self.number = number

    def reset(self, *, seed=None, options=None):
        seen, info = super().reset(seed=seed, options=options)
        self.node = Nodes.Node(self.total)
        return seen, info

    def step(self, action):
        self.node = Nodes.Node(self.node.number + 1)
        self.total += self.node.number % 2
        return super().step(action)


class Rare(Counter):
    """Sets an attribute late, where a short trial does not get."""

    late = None

    def __init__(self):
        super().__init__()
        self.flag = 0

    def step(self, action):
        if self.total >= 11:
            self.flag += 1
        return super().step(action)


class Graphic(Counter):
    """Is observed in a space that no array is."""

    observation_space = spaces.Graph(spaces.Discrete(2), None)


class Mission(spaces.Space):
    """Texts in a space of their own, which does not say how long they are, as MiniGrid has it."""

    def __init__(self):
        super().__init__(dtype=str)

    def sample(self, mask=None, probability=None):
        return f"get the {['key', 'red ball'][self.np_random.integers(2)]}"


class Wordy(Counter):
    """Is observed in words, too; says too much past a count of ten if `long`."""

    observation_space = spaces.Dict(
        {
            "seen": spaces.Box(0, 100, (1,), np.float32),
            "mission": Mission(),
            "note": spaces.Text(3, charset="añ"),
        }
    )

    def __init__(self, long=False):
        super().__init__()
        self.long = long

    def seen(self):
        mission = "get the key" if self.total < 10 or not self.long else "get the key " * 9
        return {"seen": super().seen(), "mission": mission, "note": "ñ" * (self.total % 3)}


class Many(Counter):
    """Takes several actions at once."""

    action_space = spaces.MultiBinary(3)


class Mixed(Counter):
    """Is observed in a dictionary of tuples; acts in a box whose bounds differ."""

    observation_space = spaces.Dict(
        {
            "place": spaces.Box(-1, 1, (2,), np.float64),
            "cards": spaces.Tuple([spaces.Discrete(3, start=1), spaces.MultiDiscrete([2, 4])]),
        }
    )
    action_space = spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([1.0, 4.0], np.float32))

    def seen(self):
        return {
            "place": np.array([self.total / 20, 0.5]),
            "cards": (np.int64(1 + self.total % 3), np.array([self.total % 2, self.total % 4])),
        }

    def step(self, action):
        self.total += 1 + int(action[1] > 2)
        return self.seen(), float(action[0]), self.total >= 12, False, {"force": action * 1.0}


class Drifting(Counter):
    """Hands out one array, which it goes on changing."""

    def __init__(self):
        super().__init__()
        self.view = np.zeros(1, np.float32)

    def seen(self):
        self.view[0] = self.total
        return self.view


class Dealer:
    """Deals from a generator of its own."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)


class Boxed(Counter):
    """Draws from generators in a dictionary, or (`dealt`) from those of objects in a list."""

    dealt = False

    def reset(self, *, seed=None, options=None):
        came = super().reset(seed=seed, options=options)
        if self.dealt:
            self.dealers = [Dealer(int(self.np_random.integers(99))) for _ in range(2)]
            self.rng = self.dealers[1].rng
        else:
            self.rngs = {"coin": self.np_random.spawn(1)[0]}
        return came

    def step(self, action):
        rng = self.dealers[0].rng if self.dealt else self.rngs["coin"]
        self.total += int(rng.integers(2))
        return super().step(action)


class Dealt(Boxed):
    """The second kind."""

    dealt = True


class Counting(Counter):
    """Begins with how many of them were made where there are several processes."""

    def __init__(self):
        super().__init__()
        self.number = os.getpid()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed, options=options)
        self.total = self.number % 97
        return self.seen(), {}

    def step(self, action):
        return (*super().step(action)[:2], False, False, {})


class Quitting(Counter):
    """Leaves its process where it is not the one that it was first made in."""

    def step(self, action):
        if self.total >= 5 and sys.argv[0].endswith("worker.py"):
            raise SystemExit(3)
        return super().step(action)


class Odd(Counter):
    """Counts to 60; what else it does is handed over: `altered` makes another answer of a step."""

    def __init__(self, altered=None, begun=None, **attributes):
        super().__init__()
        self.observation_space = spaces.Box(-1e9, 1e9, (1,), np.float32)
        self.altered, self.begun = altered, begun
        for name, value in attributes.items():
            setattr(self, name, value)

    def reset(self, *, seed=None, options=None):
        answer = super().reset(seed=seed, options=options)
        return answer if self.begun is None else self.begun(self, answer)

    def step(self, action):
        seen, reward, _, _, info = super().step(action)
        answer = seen, reward, self.total >= 60, False, info
        return answer if self.altered is None else self.altered(self, answer)


def put(place, value):
    """A step's answer with another value at a place."""
    return lambda env, answer: (*answer[:place], value, *answer[place + 1 :])


def raising(error):
    def altered(env, answer):
        raise error

    return altered


def made(kind="Counter", limit=0, **options):
    """One of these by its name, cut after `limit` actions where that is positive."""
    env = globals()[kind](**options)
    return gymnasium.wrappers.TimeLimit(env, limit) if limit else env


class Late(Counter):
    """Fourteen ones in a row leave a mark, where a random trial hardly comes; `how` it is kept."""

    def __init__(self, how: str = "new"):
        super().__init__()
        self.how, self.run = how, 0
        self.keys, self.grid = [0, 0], np.zeros((3, 3))
        self.queue, self.pair = collections.deque([0]), ([0], 1)

    def reset(self, *, seed=None, options=None):
        self.run, self.keys[:], self.grid[:] = 0, [0, 0], 0
        self.queue[0] = self.pair[0][0] = 0
        self.__dict__.pop("bonus", None)
        return super().reset(seed=seed, options=options)

    def step(self, action):
        self.run = self.run + 1 if action else 0
        if self.run >= 14:
            if self.how == "new":
                self.bonus = True
            elif self.how == "list":
                self.keys[0] = 1
            elif self.how == "deque":
                self.queue[0] = 1
            elif self.how == "tuple":
                self.pair[0][0] = 1
            else:
                self.grid[1, 1] = 1
        marked = hasattr(self, "bonus") or self.keys[0] or self.grid[1, 1]
        marked = marked or self.queue[0] or self.pair[0][0]
        self.total += 1
        return self.seen(), 100.0 * bool(marked), self.total >= 60, False, {}
