"""Tasks of text that break their contract, each in one way, and the sentence that says how."""

import itertools
from typing import ClassVar

import jax
import jax.numpy as jnp
import pytest

from deliberation import check_task
from deliberation.core.errors import ContractError
from deliberation.core.objective import Objective
from deliberation.tasks.text import TextTask

PLUS, END = 5, 6
COUNT = itertools.count()


class Copy(TextTask):
    """'2 3 +' is answered by '2 end': the sound task."""

    kinds: ClassVar[tuple[str, ...]] = ("right", "longer")

    @property
    def symbols(self):
        return (*"01234+", "end")

    @property
    def prompt_places(self):
        return 3

    @property
    def answer_places(self):
        return 3

    def prompt(self, key):
        a, b = jax.random.randint(key, (2,), 0, 5)
        return jnp.array([a, b, PLUS])

    def examples(self, key, kind):
        self.check_kind(kind)
        prompt = self.prompt(key)
        answers = {"right": jnp.array([prompt[0], END, -1]), "longer": prompt.at[2].set(END)}
        return jnp.concatenate([prompt, answers[kind]])

    def grade(self, tokens):
        said = self.answer(tokens)
        return ((said[0] == tokens[0]) & (said[1] == END)).astype(float)

    def well_formed(self, state):
        symbol = jnp.arange(7)
        return jnp.where(state.time == 0, symbol < 5, symbol == END)


class Twice(Objective):
    """It pays for another text than the grade does."""

    def __call__(self, state, action, after):
        return (action == END).astype(jnp.float32)[None]

    @property
    def bounds(self):
        return (0.0, 1.0)


def made(**parts):
    return type("Broken", (Copy,), parts)()


def given(value):
    return property(lambda self: value)


def swapped(self, key, kind):
    self.check_kind(kind)
    prompt = self.prompt(key)
    return jnp.concatenate([prompt, jnp.array([PLUS, END, -1])])


def answered(*tokens):
    def examples(self, key, kind):
        self.check_kind(kind)
        return jnp.concatenate([self.prompt(key), jnp.array(tokens)])

    return examples


def unchecked(self, key, kind):
    return jnp.concatenate([self.prompt(key), jnp.array([0, END, -1])])


def raises(self, *_):
    raise KeyError("nothing of that kind")


BROKEN = {
    r"symbols` gives '012345e'": {"symbols": given("012345e")},
    r"symbol 5 is 'plus sign'": {"symbols": given((*"01234", "plus sign", "end"))},
    r"symbol 2 is 2": {"symbols": given(("0", "1", 2, "3", "4", "+", "end"))},
    r"symbols` has '3' more than once": {"symbols": given((*"01233+", "end"))},
    r"`end` is 7, and the symbols are tokens 0 to 6": {"end": given(7)},
    r"`end` is 'end'": {"end": given("end")},
    r"prompt_places` is 3.0": {"prompt_places": given(3.0)},
    r"answer_places` is 0": {"answer_places": given(0)},
    r"prompt` gives int\d+\[2\]; it must give integer\[3\]": {
        "prompt": lambda self, key: jnp.array([0, PLUS])
    },
    r"prompt` gives float": {"prompt": lambda self, key: jnp.array([0.0, 1.0, 5.0])},
    r"prompt` has token 7 in place 1": {"prompt": lambda self, key: jnp.array([0, 7, PLUS])},
    r"prompt` has token -1 in place 0": {"prompt": lambda self, key: jnp.array([-1, 0, PLUS])},
    r"prompt` raised KeyError": {"prompt": raises},
    r"prompt` gives .* under `vmap`": {
        "prompt": lambda self, key: jnp.array([next(COUNT) % 5, 0, PLUS])
    },
    r"kinds` is 'right'": {"kinds": "right"},
    r"kinds` is \(\)": {"kinds": ()},
    r"examples of kind 'hard'` raised KeyError": {"kinds": ("hard",), "examples": raises},
    r"examples of kind 'right'` gives int\d+\[5\]": {"examples": answered(0, END)},
    r"examples` gave a text for the kind 'no such kind'": {"examples": unchecked},
    r"gives the answer \[0, -1, 6\]": {"examples": answered(0, -1, END)},
    r"gives the answer \[0, 6, 0\]": {"examples": answered(0, END, 0)},
    r"gives the answer \[0, 0, -1\]": {"examples": answered(0, 0, -1)},
    r"does not allow '\+', token 1 of the answer": {"examples": swapped},
    r"grade` gives bool\[\]": {"grade": lambda self, tokens: tokens[0] == tokens[3]},
    r"grade` gives NaN or infinity": {"grade": lambda self, tokens: jnp.nan * tokens[5]},
    r"rewards of `objective` on the way add up to": {"objective": given(Twice())},
    r"something stands behind its end": {
        "grade": lambda self, tokens: (tokens[-1] == -1).astype(float)
    },
    r"decode` gives .* and `encode` of that is": {
        "decode": lambda self, tokens: " ".join(self.symbols[t] for t in tokens[::-1])
    },
    r"encode` raised KeyError": {"encode": raises},
}  # fmt: skip


def test_the_sound_task_keeps_the_contract_with_a_grammar_and_without():
    check_task(Copy(), episodes=4)
    check_task(Copy(grammar=True), episodes=4)


@pytest.mark.parametrize("told", BROKEN)
def test_each_way_to_break_it_is_told(told):
    with pytest.raises(ContractError, match=told):
        check_task(made(**BROKEN[told]), episodes=4)
