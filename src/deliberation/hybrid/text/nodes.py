"""The texts at the nodes of search trees: kept on the host, where the model and the verifier are.

A node's edges are proposals: the likeliest next tokens, or lines that were drawn from the model.
The search engine asks for one edge of each tree at a time, and all of them go to the model at once.
"""

import abc
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt32

from ...core.contract.text_model import Memory, Sampling, TextModel
from ...core.errors import NonFiniteError
from .drawing import Allow, Row, lengths, mixed, next_logprobs
from .shelf import Place, Shelf
from .spending import Best, Purse
from .verifying import Logits, Texts, Valuer

Worth = Callable[[Texts], Float[np.ndarray, " n"]]
"""What unfinished texts are worth, in the unit of the grades."""


class Manner(NamedTuple):
    """How trees are grown: see `tree_search`."""

    tokens: int
    candidates: int
    sampling: Sampling
    stop: int | None
    allow: Allow | None
    value: Worth | None
    rollouts: int
    line: int | None


class Arrived(NamedTuple):
    """The nodes that edges led to: numbers, priors, which edges they have, what was earned."""

    node: Int[np.ndarray, " lanes"]
    logits: Float[np.ndarray, "lanes candidates"]
    legal: Bool[np.ndarray, "lanes candidates"]
    reward: Float[np.ndarray, " lanes"]
    value: Float[np.ndarray, " lanes"]
    over: Bool[np.ndarray, " lanes"]


class Nodes(abc.ABC):
    """The nodes of the trees of some prompts, numbered over all of them; the roots come first."""

    def __init__(
        self, model: TextModel, prompts: Texts, read: tuple[Logits, Memory], how: Manner,
        purse: Purse, best: Best, seed: UInt32[np.ndarray, " prompts"],
    ):  # fmt: skip
        self.model, self.how, self.purse, self.best, self.seed = model, how, purse, best, seed
        self.ends = lengths(prompts) + how.tokens
        self.shelf = Shelf(model)
        self.texts: list[np.ndarray] = list(prompts)
        self.rows: list[int] = list(range(len(prompts)))
        self.logprob: list[float] = [0.0] * len(prompts)
        self.places: list[Place | None] = list(self.shelf.keep(read[1], len(prompts)))
        # What the model said of the next token, and what is drawn from by that.
        self.raw: list[np.ndarray | None] = list(np.asarray(read[0]))
        self.next: list[np.ndarray | None] = list(self._narrowed(np.asarray(read[0]), prompts))

    @abc.abstractmethod
    def proposals(
        self, nodes: Int[np.ndarray, " n"]
    ) -> tuple[Float[np.ndarray, "n candidates"], Bool[np.ndarray, "n candidates"]]:
        """The log-prior of the edges of live nodes, and which of them there are."""

    @abc.abstractmethod
    def follow(
        self, nodes: Int[np.ndarray, " n"], edge: Int[np.ndarray, " n"]
    ) -> Int[np.ndarray, " n"]:
        """New nodes behind edges; -1 where the budget or the model gave none."""

    @property
    def dearest(self) -> int:
        """How many tokens one more node may cost."""
        first = 1 if self.how.line is None else self.how.tokens
        return first + self.how.rollouts * self.how.tokens

    def roots(self) -> Arrived:
        """The nodes that the trees begin from."""
        return self._arrived(np.arange(len(self.seed)))

    def step(
        self, node: Int[np.ndarray, " lanes"], edge: Int[np.ndarray, " lanes"],
        new: Bool[np.ndarray, " lanes"],
    ) -> Arrived:  # fmt: skip
        """Follow edges that nobody has followed; lanes that are not `new` are answered anyhow."""
        child = np.full(len(node), -1)
        at = np.flatnonzero(new & ~self.best.over[np.array(self.rows)[node]])
        if len(at):
            child[at] = self.follow(node[at], edge[at])
        return self._arrived(child)

    def _arrived(self, node: Int[np.ndarray, " lanes"]) -> Arrived:
        lanes, width = len(node), self.how.candidates
        found = Arrived(
            np.maximum(node, 0).astype(np.int32), np.zeros((lanes, width), np.float32),
            np.zeros((lanes, width), bool), np.full(lanes, self._least, np.float32),
            np.zeros(lanes, np.float32), np.ones(lanes, bool),
        )  # fmt: skip
        there = np.flatnonzero(node >= 0)
        done = there[self._finished(node[there])]
        found.reward[done] = self._graded(node[done])
        live = np.array([i for i in there if self.places[node[i]] is not None], np.int64)
        if len(live):
            found.logits[live], found.legal[live] = self.proposals(node[live])
            found.over[live] = ~found.legal[live].any(1)
            found.reward[live] = np.where(found.over[live], self._least, 0.0)
            found.value[live] = self._valued(node[live])
        return found

    @property
    def _least(self) -> float:
        assert self.best.verifier is not None
        return self.best.verifier.least

    def _finished(self, node: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        out = np.zeros(len(node), bool)
        for i, n in enumerate(node):
            text = self.texts[n]
            size = int((text >= 0).sum())
            began = size > self.ends[self.rows[n]] - self.how.tokens
            out[i] = size >= self.ends[self.rows[n]] or (began and text[size - 1] == self.how.stop)
        return out

    def _graded(self, node: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        if not len(node):
            return np.zeros(0)
        rows = np.array([self.rows[n] for n in node])
        logprobs = np.array([self.logprob[n] for n in node])
        return self.best.look(rows, np.stack([self.texts[n] for n in node]), logprobs)

    def _valued(self, node: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """By the value function, by the mean grade of the model's own endings, or by both."""
        texts = np.stack([self.texts[n] for n in node])
        values = [] if self.how.value is None else [self._told(self.how.value, texts)]
        learned = self.shelf.values([self._place(n) for n in node])
        if learned is not None:
            if not np.isfinite(learned).all():
                raise NonFiniteError(f"{self.model!r} gave no finite number as a text's value.")
            values.append(learned)
        if self.how.rollouts:
            values.append(self._rolled_out(node, texts))
        return np.mean(values, axis=0) if values else np.full(len(node), self._least)

    def _told(self, value: Worth, texts: Texts) -> Float[np.ndarray, " n"]:
        """What the value function says. Raises `VerifierError`, as for grades."""
        assert self.best.verifier is not None
        return Valuer(value, self.best.verifier.greatest, self._least)(texts)

    def _rolled_out(self, node: Int[np.ndarray, " n"], texts: Texts) -> Float[np.ndarray, " n"]:
        """The mean grade of texts that the model writes on from each; what it cannot pay, 0."""
        count, rows = self.how.rollouts, np.array([self.rows[n] for n in node])
        total = np.zeros(len(node))
        for number in range(count):
            room = np.minimum(self.ends[rows], lengths(texts) + self.purse.writable[rows])
            grades = np.full(len(node), self._least)
            for at, memory in self.shelf.take([self._place(n) for n in node]):
                written = Row(
                    self.model, texts[at], room[at], self._stacked(self.raw, node[at]), memory,
                    sampling=self.how.sampling, stop=self.how.stop, allow=self.how.allow,
                )  # fmt: skip
                written.logprob += [self.logprob[n] for n in node[at]]
                written.run(self._seeds(node[at], np.full(len(at), -1 - number)))
                self._pay(rows[at], written)
                done = written.ended(self.ends[rows[at]])
                grades[at[done]] = self.best.look(
                    rows[at[done]], written.texts[done], written.logprob[done]
                )
            total += grades
        return total / count

    def _place(self, node: Any) -> Place:
        place = self.places[node]
        assert place is not None, "only nodes whose text goes on are read on from"
        return place

    def _pay(self, rows: Int[np.ndarray, " n"], written: Row) -> None:
        np.add.at(self.purse.passes, rows, written.passes)
        np.add.at(self.purse.tokens, rows, written.length - written.begun)

    def _narrowed(self, logits: Logits, texts: Texts) -> Float[np.ndarray, "n vocabulary"]:
        return next_logprobs(self.model, logits, texts, self.how.sampling, self.how.allow)

    def _stacked(self, kept: list[np.ndarray | None], node: Int[np.ndarray, " n"]) -> Logits:
        return np.stack([kept[n] for n in node])  # type: ignore[misc]

    def _seeds(
        self, node: Int[np.ndarray, " n"], number: Int[np.ndarray, " n"]
    ) -> UInt32[np.ndarray, " n"]:
        """A seed from the text at each node alone, and a number."""
        texts = [self.texts[n] for n in node]
        words = [zlib.crc32(t[t >= 0].astype(np.int32).tobytes()) for t in texts]
        prompt = self.seed[[self.rows[n] for n in node]]
        return mixed(prompt, np.array(words, np.int64) % 2**31, number)

    def _add(
        self, parent: Any, text: np.ndarray, nats: Any, place: Place | None,
        raw: np.ndarray | None, logprobs: np.ndarray | None,
    ) -> int:  # fmt: skip
        self.texts.append(text)
        self.rows.append(self.rows[parent])
        self.logprob.append(self.logprob[parent] + nats)
        self.places.append(place)
        self.raw.append(raw)
        self.next.append(logprobs)
        return len(self.texts) - 1


class TokenNodes(Nodes):
    """Edges are the likeliest tokens of a node, the likeliest first."""

    def proposals(
        self, nodes: Int[np.ndarray, " n"]
    ) -> tuple[Float[np.ndarray, "n candidates"], Bool[np.ndarray, "n candidates"]]:
        """The model's own probabilities."""
        logprobs = self._stacked(self.next, nodes)
        order = self._order(nodes)
        prior = np.take_along_axis(logprobs, order, 1)
        legal = np.isfinite(prior)
        return np.where(legal, prior, 0.0), legal

    def _order(self, nodes: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n candidates"]:
        order = np.argsort(-self._stacked(self.next, nodes), axis=1, kind="stable")
        return order[:, : self.how.candidates]

    def follow(
        self, nodes: Int[np.ndarray, " n"], edge: Int[np.ndarray, " n"]
    ) -> Int[np.ndarray, " n"]:
        """The token is written, and read where the text goes on: one forward pass."""
        token = self._order(nodes)[np.arange(len(nodes)), edge]
        texts = np.stack([self.texts[n] for n in nodes])
        size = lengths(texts)
        texts[np.arange(len(nodes)), size] = token
        rows = np.array([self.rows[n] for n in nodes])
        over = (size + 1 >= self.ends[rows]) | (
            token == (-2 if self.how.stop is None else self.how.stop)
        )
        can = (self.purse.tokens_left[rows] > 0) & (over | (self.purse.passes_left[rows] > 0))
        np.add.at(self.purse.tokens, rows[can], 1)
        read = np.flatnonzero(can & ~over)
        np.add.at(self.purse.passes, rows[read], 1)
        child = np.full(len(nodes), -1)
        places: list[Place | None] = [None] * len(nodes)
        raw, after = (np.zeros((len(nodes), self.model.vocabulary)) for _ in range(2))
        if len(read):
            logits, kept = self.shelf.extend([self._place(nodes[i]) for i in read], token[read])
            raw[read], after[read] = logits, self._narrowed(logits, texts[read])
            for i, place in zip(read, kept, strict=True):
                places[i] = place
        for i in np.flatnonzero(can):
            nats = self.next[nodes[i]][token[i]]  # type: ignore[index]
            child[i] = self._add(nodes[i], texts[i], nats, places[i], raw[i], after[i])
        return child


class LineNodes(Nodes):
    """Edge i is the i-th line drawn after a node's text, up to the token that ends a line.

    Drawn when it is followed, from a seed of the text alone; one that an earlier edge has
    drawn already leads nowhere.
    """

    def __init__(self, *given: Any):
        super().__init__(*given)
        self.drawn: set[tuple[int, bytes]] = set()

    def proposals(
        self, nodes: Int[np.ndarray, " n"]
    ) -> tuple[Float[np.ndarray, "n candidates"], Bool[np.ndarray, "n candidates"]]:
        """All alike, as nobody knows what will be drawn."""
        legal = np.asarray(np.isfinite(self._stacked(self.next, nodes)).any(1))
        shape = (len(nodes), self.how.candidates)
        return np.zeros(shape), np.repeat(legal[:, None], self.how.candidates, 1)

    def follow(
        self, nodes: Int[np.ndarray, " n"], edge: Int[np.ndarray, " n"]
    ) -> Int[np.ndarray, " n"]:
        """A line is drawn token by token, and read: its last token too where the text goes on."""
        child = np.full(len(nodes), -1)
        for at, memory in self.shelf.take([self._place(n) for n in nodes]):
            rows = np.array([self.rows[n] for n in nodes[at]])
            texts = np.stack([self.texts[n] for n in nodes[at]])
            room = np.minimum(self.ends[rows], lengths(texts) + self.purse.writable[rows])
            line = Row(
                self.model, texts, room, self._stacked(self.raw, nodes[at]), memory,
                sampling=self.how.sampling, stop=self.how.stop, allow=self.how.allow,
                line=self.how.line,
            )  # fmt: skip
            line.run(self._seeds(nodes[at], edge[at]))
            child[at] = self._kept(nodes[at], rows, line)
        return child

    def _kept(
        self, nodes: Int[np.ndarray, " n"], rows: Int[np.ndarray, " n"], line: Row
    ) -> Int[np.ndarray, " n"]:
        """Nodes for the lines that are new among those after the same text."""
        known = [(int(n), line.texts[i].tobytes()) for i, n in enumerate(nodes)]
        fresh = np.array([k not in self.drawn for k in known]) & ~line.dead
        self.drawn.update(known)
        done = line.ended(self.ends[rows])
        last = line.texts[np.arange(len(nodes)), np.maximum(line.length - 1, 0)]
        whole = (last == self.how.line) & (line.length > line.begun) & ~done
        affordable = self.purse.passes_left[rows] > line.passes
        going = fresh & whole & affordable
        if going.any():
            line.read(np.where(going, last, -1))
        self._pay(rows, line)
        child = np.full(len(nodes), -1)
        raw = line.logits
        after = np.full(raw.shape, -np.inf)
        after[going] = self._narrowed(raw[going], line.texts[going])
        places = self.shelf.keep(line.memory, len(nodes))
        for i in np.flatnonzero(fresh & (done | going)):
            place = places[i] if going[i] else None
            nats = float(line.logprob[i])
            child[i] = self._add(nodes[i], line.texts[i], nats, place, raw[i], after[i])
        return child
