"""What the audit reads off the layers of networks, against specimens whose layers are known."""

import dataclasses

import jax
import numpy as np
import pytest

from deliberation import make_task
from deliberation.audit import Exam
from deliberation.audit.asking import ask
from deliberation.audit.auditing import EFFORTS, Subject
from deliberation.audit.channels import Channels
from deliberation.audit.decoding import (
    FOLDS,
    Labels,
    _inverse,
    best_of,
    directions,
    partitions,
    standard,
    told,
)
from deliberation.audit.exam import way
from deliberation.audit.probes import activations
from deliberation.audit.walking import Walk, ahead
from deliberation.core.insides import Insides
from deliberation.specimens import make, random_world
from deliberation.specimens.registry import channels

KEY = jax.random.key(0)
EXAM = Exam.of(random_world(0), count=96)
SMOKE = EFFORTS["smoke"]
RNG = np.random.default_rng(0)


def subject(name, exam=EXAM):
    return Subject(make(name, exam, KEY), exam, SMOKE, KEY, channels(name, exam, KEY))


@pytest.mark.parametrize(
    ("name", "found", "says"),
    [
        ("acting_network", "none", "Neither what it does"),
        ("foreseeing_network", "responds", "the action 2 steps ahead can be read"),
        ("untrained_network", "none", "Neither"),
        ("shown_future", "none", "by what it is shown"),
        ("idle_foresight", "responds", "it is inert"),
        ("plan_layer", "responds", "it is used: pushing along it moves"),
    ],
)
def test_layers_are_read_beyond_what_is_shown(name, found, says):
    answer = activations.measure(subject(name))
    assert answer.found == found and says in answer.said, answer.said
    assert all(control.holds for control in answer.controls)
    labels = {line.label for line in answer.panel.references}
    assert {"what it is shown", "the network at random weights", "labels at random"} <= labels


def test_without_layers_or_places_it_does_not_apply():
    one = subject("acting_network")
    told_nothing = activations.measure(dataclasses.replace(one, channels=Channels()))
    assert told_nothing.found == "not applicable" and "Channels(insides=" in told_nothing.said
    small = Exam.of(random_world(0, states=20))
    few = activations.measure(subject("acting_network", small))
    assert few.found == "not applicable" and "20 places" in few.said


def test_a_layer_that_repeats_the_present_action_is_not_one_of_the_future():
    """The future action is here the present one in most states, and the layer holds that."""
    one = subject("acting_network")
    walk = Walk(one)
    rows = np.arange(len(EXAM.reached))
    now = walk.action(rows)
    states = {bytes(np.asarray(s)): i for i, s in enumerate(np.asarray(EXAM.reached.states.at))}

    def read(given):
        at = [states[bytes(np.asarray(s))] for s in np.asarray(given.at)]
        return {"layer": np.eye(3)[now[at]] + 0.01 * RNG.normal(size=(len(at), 3))}

    def resume(given, layer, units):
        return units

    found = one.channels.insides
    held = Insides(found.see, read, resume, lambda key: held)
    steady = dataclasses.replace(one, channels=Channels(insides=held))
    assert activations.measure(steady).found == "none"


def test_what_it_does_ahead_is_what_comes_of_its_actions():
    """By hand, one state after the other; a second look asks nothing new."""
    one = subject("acting_network")
    walk, rows = Walk(one), np.arange(30)
    found = ahead(walk, rows, walk.action(rows))
    actions = ask(one.decider, EXAM, np.arange(150), KEY).action
    to = EXAM.reached.to[..., 0]
    after = to[to[rows, actions[rows]], actions[to[rows, actions[rows]]]]
    np.testing.assert_array_equal(found.action, actions[after])
    np.testing.assert_array_equal(found.place, EXAM.place[to[after, actions[after]]])
    other = (found.now + 1) % 3
    after = to[to[rows, other], actions[to[rows, other]]]
    np.testing.assert_array_equal(ahead(walk, rows, other).action, actions[after])


def test_where_it_is_over_nothing_more_is_done():
    exam = Exam.of(make_task("gridworld", size=3), count=16)
    walk = Walk(Subject(make("look_up_table", exam, KEY), exam, SMOKE, KEY))
    over = np.flatnonzero(exam.reached.terminal)[:2]
    assert (walk.action(over) == exam.reached.legal.shape[1]).all()
    np.testing.assert_array_equal(walk.after(over, walk.action(over)), over)


def test_read_outs_are_those_of_ridge_regression_without_the_held_out_fold():
    x, labels = RNG.normal(size=(40, 5)), Labels.of(RNG.integers(0, 3, (40, 1)))
    folds = partitions(40, RNG)[:1]
    (found,) = told(x, [labels], folds)
    z = standard(x)
    kernel = z @ z.T / 5 + 100
    best = []
    for f in range(FOLDS):
        train, test = np.flatnonzero(folds[0] != f), np.flatnonzero(folds[0] == f)
        within, right = [], []
        for penalty in 10.0 ** np.arange(-2, 4):

            def fit(some, at, penalty=penalty):
                a = kernel[np.ix_(some, some)] + penalty * np.eye(len(some))
                weights = np.linalg.solve(a, labels.one_hot[some, 0])
                return (kernel[np.ix_(at, some)] @ weights).argmax(1)

            truth = labels.one_hot[:, 0].argmax(1)
            left = [fit(train[train != i], np.array([i]))[0] == truth[i] for i in train]
            within.append(left)
            right.append(fit(train, test) == truth[test])
        means = np.mean(within, 1)
        error = np.std(within[means.argmax()]) / len(train) ** 0.5
        chosen = np.flatnonzero(means >= means.max() - error).max()
        np.testing.assert_array_equal(found.right[0, test], right[chosen])
        best.append(means[chosen])
    np.testing.assert_allclose(found.within[0], best)
    a = RNG.normal(size=(3, 6, 6))
    a = a @ np.swapaxes(a, 1, 2) + np.eye(6)
    np.testing.assert_allclose(_inverse(a) @ a, np.tile(np.eye(6), (3, 1, 1)), atol=1e-8)


def test_read_outs_find_what_is_there_and_the_way_to_it():
    x = RNG.normal(size=(120, 8))
    labels = Labels.of((x[:, :1] > 0).astype(int))
    noise = RNG.normal(size=(120, 8))
    folds = partitions(120, RNG)
    good, bad = told(x, [labels], folds)[0], told(noise, [labels], folds)[0]
    assert good.right.mean() > 0.9 and bad.right.mean() < 0.65
    np.testing.assert_array_equal(best_of([bad, good], folds).right, good.right)
    ways = directions(x, noise, labels)
    assert ways.shape == (8, 1, 2) and np.abs(ways[:, 0, 1]).argmax() == 0 and ways[0, 0, 1] > 0


def test_a_thinking_network_needs_its_iterations():
    decider, values = make("thinking_network", EXAM, KEY), EXAM.values[EXAM.rows]
    ways = [
        way(values, ask(decider, EXAM, EXAM.rows, KEY, budget=b).action).mean()
        for b in (1, 4, 12, 64)
    ]
    assert ways[0] < 0.3 < ways[1] < 0.9 < ways[2] and ways[3] > 0.9, ways
