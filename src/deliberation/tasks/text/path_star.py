"""Paths on a star as text: arms leave a start, and the path to the end of one of them is asked for.

Forward, the first step alone takes a search, and a model that is trained by next tokens with the
right ones before them can learn all the others without it; backward, every step follows from the
one before (Bachmann and Nagarajan 2024, "The pitfalls of next-token prediction"). With two arms of
two edges "b d | a b | c e | a c | a e =" is answered by "a c e end".
"""

import functools
import string
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.errors import TaskOptionError
from .base import QuestionTask, TextState

TASKS = {
    "path_star": {
        "summary": "Write the path to the end of one arm of a star; options arms, edges, names, "
        "backward, length, grammar",
        "factory": "PathStar",
        "options": {
            "arms": 2,
            "edges": 3,
            "names": 10,
            "backward": False,
            "length": None,
            "grammar": False,
        },
    },
}

_MOST_NAMES = 1000


class PathStar(QuestionTask):
    """`arms` of so many `edges` leave a start; nodes have names dealt anew in every star.

    The edges are told in any order, then the start and the goal, which is the end of one arm. The
    answer is the path from start to goal, both included; with `backward` from goal to start. With
    `grammar` each node is a neighbour of the one before, away from where the answer begins. Raises
    `TaskOptionError`.
    """

    kinds: ClassVar[tuple[str, ...]] = ("path",)
    backward: bool = eqx.field(static=True, default=False)
    arms: int = eqx.field(static=True, default=2)
    edges: int = eqx.field(static=True, default=3)
    names: int = eqx.field(static=True, default=10)

    def __check_init__(self) -> None:
        if min(self.arms, self.edges) < 1 or not self._nodes <= self.names <= _MOST_NAMES:
            raise TaskOptionError(
                "A star takes arms and edges of at least 1, and from arms * edges + 1 to "
                f"{_MOST_NAMES} names; got arms={self.arms}, edges={self.edges}, "
                f"names={self.names}."
            )
        self.check_length(self.usual_places)

    def __repr__(self) -> str:
        way = "backward" if self.backward else "forward"
        return f"PathStar({self.arms} arms of {self.edges} edges, {self.names} names, {way})"

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names, a bar behind each edge, a sign that asks, and the end."""
        return _symbols(self.names)

    @property
    def prompt_places(self) -> int:
        """Two names and a bar for each edge; the start, the goal and a sign."""
        return 3 * (self.arms * self.edges + 1)

    @property
    def usual_places(self) -> int:
        """The nodes of a path, and the end."""
        return self.edges + 2

    def prompt(self, key: Key[Array, ""]) -> Int[Array, " prompt_places"]:
        """The edges, the start and the goal."""
        return self._star(key)[0]

    @property
    def _nodes(self) -> int:
        return self.arms * self.edges + 1

    def examples(self, key: Key[Array, ""], kind: str) -> Int[Array, " places"]:
        """A star with its path. Raises `UnknownNameError` for other kinds than "path"."""
        self.check_kind(kind)
        prompt, path = self._star(key)
        return self.with_answer(prompt, jnp.append(path, self.end))

    def grade(self, tokens: Int[Array, " places"]) -> Float[Array, ""]:
        """1 for the path and nothing else."""
        told, start, goal = self._told(tokens)
        first, last = (goal, start) if self.backward else (start, goal)
        path = self.answer(tokens)[: self.usual_places]
        steps = jnp.stack([path[:-2], path[1:-1]], 1)
        known = (steps[:, None] == told).all(-1).any(-1).all()
        right = known & (path[0] == first) & (path[-2] == last) & (path[-1] == self.end)
        return right.astype(jnp.float32)

    def well_formed(self, state: TextState) -> Bool[Array, " symbols"]:
        """The node that the answer begins with; then neighbours; the end at the end of an arm."""
        told, start, goal = self._told(state.tokens)
        last = state.tokens[self.prompt_places + state.time - 1]
        none = jnp.zeros(len(self.symbols), bool)
        onward = none.at[told[:, 1]].max(told[:, 0] == last)
        onward = onward.at[self.end].set(~onward.any())
        first = none.at[goal if self.backward else start].set(True)
        return jnp.where(state.time == 0, first, onward)

    def _told(
        self, tokens: Int[Array, " places"]
    ) -> tuple[Int[Array, "edges two"], Int[Array, ""], Int[Array, ""]]:
        """The edges in the sense of the answer, the start and the goal."""
        asked = tokens[: self.prompt_places].reshape(-1, 3)
        told = asked[:-1, 1::-1] if self.backward else asked[:-1, :2]
        return told, asked[-1, 0], asked[-1, 1]

    def _star(
        self, key: Key[Array, ""]
    ) -> tuple[Int[Array, " prompt_places"], Int[Array, " path"]]:
        """A prompt, and the path in the sense of the answer."""
        deal, mix, choose = jax.random.split(key, 3)
        names = jax.random.permutation(deal, self.names)[: self._nodes]
        nodes = names[1:].reshape(self.arms, self.edges)
        before = jnp.concatenate([jnp.full((self.arms, 1), names[0]), nodes[:, :-1]], 1)
        bars = jnp.full(nodes.shape, self.names)
        told = jax.random.permutation(mix, jnp.stack([before, nodes, bars], -1).reshape(-1, 3))
        arm = nodes[jax.random.randint(choose, (), 0, self.arms)]
        asked = jnp.stack([names[0], arm[-1], jnp.int32(self.names + 1)])
        path = jnp.concatenate([names[:1], arm])
        prompt = jnp.concatenate([told.ravel(), asked])
        return prompt.astype(jnp.int32), path[::-1] if self.backward else path


@functools.cache
def _symbols(names: int) -> tuple[str, ...]:
    """Letters as far as they go, then n26, n27, ..."""
    letters = string.ascii_lowercase
    words = [letters[k] if k < len(letters) else f"n{k}" for k in range(names)]
    return (*words, "|", "=", "end")
