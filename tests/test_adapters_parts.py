"""What a policy is shown of an observation in parts: the page `docs/how-to/policy.md` says so."""

import gymnasium
import jax
import numpy as np
from gymnasium import spaces

from deliberation.adapters import from_callable, from_gymnasium


class Parts(gymnasium.Env):
    """Seen in a dictionary."""

    action_space = spaces.Discrete(2)
    observation_space = spaces.Dict({"place": spaces.Discrete(3), "flags": spaces.MultiBinary(2)})

    def _seen(self):
        return {"place": self.place, "flags": np.array([1, 0], np.int8)}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 0
        return self._seen(), {}

    def step(self, action):
        self.place = min(2, self.place + int(action))
        return self._seen(), 0.0, self.place == 2, False, {}


def test_parts_stay_a_dictionary_unless_one_row_is_asked_for():
    world, shown = from_gymnasium(Parts, max_episode_steps=5), []

    def first(seen):
        shown.append(seen)
        return np.zeros(len(jax.tree.leaves(seen)[0]), int)

    from_callable(first, world)
    assert set(shown[-1]) == {"place", "flags"}
    assert shown[-1]["flags"].shape[1:] == (2,)
    from_callable(first, world, observe=world.observe)
    np.testing.assert_array_equal(shown[-1][0], [1, 0, 1, 0, 0])  # flags, then place in three
