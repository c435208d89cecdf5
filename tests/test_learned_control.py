"""Control and selection, deontic action and attainment: the worlds, by hand and by closed forms."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import MLP, descended
from deliberation.claims.experiments.control import errands, lever, rocks
from deliberation.claims.experiments.influence import influence, left_otherwise
from deliberation.claims.experiments.norms import kicked, lesions, red_light
from deliberation.claims.experiments.reinforced import World, play, returns, reward_loss
from deliberation.runs import Context

KEY = jax.random.key(3)


def do(world, state, *actions):
    """The state after some actions, the last reward, and whether it is over."""
    reward, over = 0.0, False
    for action in actions:
        assert not over
        state, reward, over = world.act(state, jnp.int32(action))
    return state, float(reward), bool(over)


# --- the measure, and learning by reward ---------------------------------------------------------


def test_influence_is_the_total_variation_from_a_passive_world():
    present = jnp.array([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8]])
    passive = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert float(influence(present, passive)) == pytest.approx((0.5 + 0.8) / 2)
    assert float(influence(passive, passive)) == 0
    ends = jnp.array([0, 1, 0, 1, 2, 2, 1, 2, 2, 2])  # draws from those: 2 of 4, 5 of 6 elsewhere
    rests = jnp.array([0] * 4 + [1] * 6)
    assert float(left_otherwise(ends, rests)) == pytest.approx(0.7)
    assert float(left_otherwise((rests, ends), (rests, ends))) == 0
    assert float(left_otherwise((rests, ends), (rests, rests))) == pytest.approx(0.7)


class Table:
    """Logits and a value, whatever is seen."""

    actions = 2

    def __init__(self, logits, value=0.0):
        self.logits, self.value = jnp.asarray(logits, float), jnp.asarray(value)

    def __call__(self, seen):
        return self.logits, self.value


def bandit():
    """One turn; action 1 pays 1."""

    def act(state, action):
        return state + 1, (action == 1).astype(float), jnp.bool_(True)

    return World(lambda key: jnp.int32(0), lambda state: jnp.zeros(1), act)


def test_the_gradient_of_the_loss_is_that_of_the_expected_return():
    assert returns(jnp.array([[1.0, 0.0, 4.0]]), 0.5).tolist() == [[2.0, 2.0, 4.0]]
    logits = jnp.array([0.3, -0.4])
    slope = jax.grad(
        lambda x: reward_loss(
            Table(x, 0.2), play(Table(logits), bandit(), KEY, 40_000, 3), 0.9, bonus=0.0
        )
    )(logits)
    p = jax.nn.softmax(logits)
    np.testing.assert_allclose(slope, [p[1] * p[0], -p[0] * p[1]], atol=0.01)


def test_nothing_happens_after_the_end():
    some = play(Table([0.0, 0.0]), bandit(), KEY, 8, 3)
    np.testing.assert_array_equal(some.alive, [[True, False, False]] * 8)
    np.testing.assert_array_equal(some.last, 1)
    assert float(some.reward[:, 1:].sum()) == 0


# --- rocks ------------------------------------------------------------------------------------


def test_rocks_are_seen_where_one_stands_or_in_the_list():
    for shown in (True, False):
        world = rocks.row(shown, True)
        state = world.start(KEY)
        assert bool(state.seen.all()) is shown and int(state.right) == int(state.size.argmax())
        at, seen, size, most = np.split(np.asarray(world.observe(state)), 4)
        assert at.argmax() == 0 and seen.sum() == (rocks.PLACES if shown else 1)
        np.testing.assert_allclose(size, state.size * seen)
        assert most.argmax() == (int(state.right) if shown else 0) and most.sum() == 1
        walked, _, over = do(world, state, rocks.RIGHT, rocks.RIGHT, rocks.LEFT, rocks.LEFT)
        assert not over and int(walked.at) == 0 and walked.seen[:3].all()


def test_a_rock_pays_where_taking_pays_and_a_word_where_words_do():
    for pays, place in itertools.product((True, False), range(rocks.PLACES)):
        world = rocks.row(True, pays)
        state = world.start(KEY)
        right = place == int(state.right)
        way = [rocks.RIGHT] * place + [rocks.TAKE]
        taken, reward, over = do(world, state, *way)
        assert over and int(taken.took) == place and reward == (pays and right)
        assert len(way) == int(rocks.shortest(taken.at))
        said, reward, over = do(world, state, rocks.SAY + place)
        assert over and int(said.said) == place and reward == (not pays and right)
    drawn = jax.vmap(rocks.row(True, True, null=True).start)(jax.random.split(KEY, 2000))
    agreed = float((drawn.right == drawn.size.argmax(1)).mean())
    assert agreed == pytest.approx(1 / rocks.PLACES, abs=0.04)


# --- the lever --------------------------------------------------------------------------------


def test_a_lever_moves_the_number_unless_it_is_cut():
    for number, moves in itertools.product(range(lever.NUMBERS), (True, False)):
        world = lever.asked(moves)
        state = world.start(KEY)._replace(number=jnp.int32(number))
        pulled, reward, over = do(world, state, lever.PULL)
        assert not over and reward == 0 and int(pulled.number) == (0 if moves else number)
        assert bool(world.observe(pulled)[-1]) and not bool(world.observe(state)[-1])
        for said in range(lever.NUMBERS):
            assert do(world, state, said)[1:] == (said == number, True)
            assert do(world, state, lever.PULL, said)[1:] == (said == int(pulled.number), True)


def test_the_best_answer_from_the_picture_alone():
    world = lever.asked(True)
    some = jax.vmap(world.start)(jax.random.split(KEY, 20_000))
    right = jax.vmap(world.observe)(some)[:, :-1].argmax(1) == some.number
    assert float(right.mean()) == pytest.approx(lever.honest(), abs=0.015)
    strange = jax.vmap(lever.asked(True, -1.0).observe)(some)[:, :-1].argmax(1) == some.number
    assert float(strange.mean()) < 0.1


def test_who_is_rewarded_comes_to_pull_and_who_is_told_does_not():
    settings = {"trainings": 3, "arm": "", "key": 5, "steps": 400, "batch": 64}
    nothing = Context.__new__(Context)
    found = {
        null: lever.train({**settings, "null": null}, nothing).outcomes for null in (False, True)
    }
    moved, cut = (np.asarray(found[null]["open_influence"]) for null in (False, True))
    told, paid = 0, 1
    assert moved[:, paid].min() > 0.6 and cut[:, paid].max() < 0.2
    assert moved[:, told].max() < 0.2
    assert np.ptp([x["cut_influence"] for x in found.values()]) == 0
    right = np.asarray(found[False]["open_right"])
    assert 0.4 < right[:, told].mean() < lever.honest() + 0.03 < right[:, paid].min()


# --- errands ----------------------------------------------------------------------------------


def world_of(room):
    return int(room.at), int(room.account), int(room.pressed)


@pytest.mark.parametrize("errand", range(len(errands.ERRANDS)))
def test_every_errand_can_be_run_and_searches_leave_the_world_alone(errand):
    world = errands.room_world()
    for seed in range(8):
        room = errands.start(jax.random.key(seed), jnp.int32(errand))
        less, more = errands.STEPS_ if errand == 0 else errands.POINTS
        far = int(room.goal) - int(room.at if errand == 0 else room.pointer)
        walk = [more if far > 0 else less] * abs(far)
        way = {0: walk, 1: [errands.PAYS] * 3, 2: [errands.PRESSES] * 3}
        after, reward, over = do(world, room, *way.get(errand, [*walk, errands.SAYS]))
        assert reward == 1 and over and bool(after.right)
        assert (world_of(after) == world_of(room)) == (errand >= len(errands.GOALS))
        if errand == 3:
            assert int(room.goal) == int(room.entries.argmax())
        if errand >= len(errands.GOALS) and far:
            assert do(world, room, errands.SAYS)[1:] == (0.0, True)


def test_of_a_function_the_slope_is_seen_and_of_inputs_whether_it_is_the_one():
    for errand, place in ((4, -3), (5, -2)):
        for pointer in range(errands.SIZE):
            room = errands.start(KEY, jnp.int32(errand))._replace(pointer=jnp.int32(pointer))
            seen, toward = np.asarray(errands.observe(room)), int(room.goal) - pointer
            assert seen[place] == (np.sign(toward) if errand == 4 else toward == 0)
            assert seen[-8:-3].sum() == 0 and seen[6:11].sum() == 0  # no list, no place asked for


# --- the red light ----------------------------------------------------------------------------


def street(cell, red, others):
    return red_light.Street(*map(jnp.asarray, (cell, red, others, others == 0)), KEY)


def test_the_planner_goes_where_nobody_is_and_the_law_does_not():
    for others in range(red_light.CROWD + 1):
        plan = red_light.planned(others)
        for cell, red in itertools.product(range(red_light.CELLS), (0, 1)):
            now = street(cell, bool(red), others)
            assert plan[cell, red] == int(red_light.best(now))
            stops = red and cell == red_light.LINE
            assert int(red_light.law(now)) == (not stops)
    assert red_light.planned(0)[red_light.LINE, 1] == 1


def test_expected_turns_in_closed_form():
    law = jnp.ones((red_light.CELLS, 2)).at[red_light.LINE, 1].set(0.0)
    assert float(red_light.waits(jnp.ones((red_light.CELLS, 2)))) == pytest.approx(3)
    assert float(red_light.waits(law, 200)) == pytest.approx(3 + 0.5 / red_light.SWITCH)
    assert float(red_light.waits(0 * law)) == red_light.TURNS


def test_to_go_at_red_costs_for_each_of_the_others():
    world = red_light.street_world(0.0)
    for others, cell, red in itertools.product((0, 2), range(3), (True, False)):
        after, reward, over = world.act(street(cell, red, others), jnp.int32(red_light.GO))
        hurt = others if red and cell == red_light.LINE else 0
        assert float(reward) == pytest.approx(-0.1 - hurt) and int(after.cell) == cell + 1
        assert bool(over) == (cell == 2)
    hours = jax.vmap(red_light.street_world(0.3).start)(jax.random.split(KEY, 2000))
    assert float(hours.night.mean()) == pytest.approx(0.3, abs=0.04)
    np.testing.assert_array_equal(hours.night, hours.others == 0)


# --- kicks ------------------------------------------------------------------------------------


def test_a_thermostat_comes_back_after_a_kick_and_a_recital_does_not():
    began, wanted = jnp.float32(0.2), jnp.float32(-0.5)
    calm = kicked.lived(kicked.thermostat, began, wanted)
    hit = kicked.lived(kicked.thermostat, began, wanted, kick=1.8)
    np.testing.assert_allclose(calm[3:], wanted, atol=1e-5)
    assert float(abs(hit[kicked.HALF] - wanted)) > 0.5
    np.testing.assert_allclose(hit[-1], wanted, atol=1e-5)
    keep = float(wanted * kicked.LEAK / kicked.HEAT)

    def still(began, wanted):
        return lambda x, turn: jnp.float32(keep)

    off = kicked.lived(still, wanted, wanted, kick=wanted + 1.0) - wanted
    turns = kicked.TURNS - kicked.HALF
    np.testing.assert_allclose(off[: kicked.HALF], 0, atol=1e-6)
    np.testing.assert_allclose(off[-1], (1 - kicked.LEAK) ** turns, rtol=1e-5)
    lost = kicked.lived(kicked.thermostat, began, wanted, way=-1.0)
    assert float(abs(lost[-1] - wanted)) > 0.5


def test_a_kick_leads_beyond_all_that_was_trained_and_back_in_time():
    assert kicked.KICK[0] > kicked.MODELLED > kicked.SPREAD > kicked.WANTED
    began, wanted = kicked.starts(KEY, 64)
    for side in (-1, 1):
        hit = jax.vmap(
            lambda b, w, side=side: kicked.lived(
                kicked.thermostat, b, w, kick=side * kicked.KICK[1]
            )
        )(began, wanted)
        np.testing.assert_allclose(hit[:, -1], wanted, atol=1e-5)
        assert (abs(hit[:, kicked.HALF - 1]) < kicked.SPREAD).all()


def test_of_the_way_is_none_with_no_heat_and_all_by_the_best_law():
    began, wanted = kicked.starts(KEY, 16)

    def after(way, wired=1.0, kick=1.5):
        law = kicked.until_half(kicked.thermostat, way)
        return jax.vmap(lambda b, w: kicked.lived(law, b, w, kick=kick, way=wired))(began, wanted)

    none, best = after(kicked.idle), after(kicked.thermostat)
    turned = after(kicked.opposite(kicked.thermostat), -1.0)
    np.testing.assert_allclose(turned, best, atol=1e-6)
    late = (none + best) / 2
    for paths, expected in ((none, 0), (best, 1)):
        assert float(kicked.of_the_way(paths, none, best, wanted)) == pytest.approx(expected)
    assert 0 < float(kicked.of_the_way(late, none, best, wanted)) < 1

    # no heats bring it nearer than the law does
    def off(heat):
        x, far = jnp.float32(1.5), 0.0
        for turn in range(4):
            x = kicked.room(x, heat(x, turn))
            far += float(abs(x - wanted[0]))
        return far

    least = off(kicked.thermostat(began[0], wanted[0]))
    for heats in itertools.product((-1.0, 0.0, 1.0), repeat=4):
        assert least <= off(lambda x, turn, heats=heats: jnp.float32(heats[turn])) + 1e-5


def test_the_search_for_a_plan_comes_near_the_best_in_a_true_model(monkeypatch):
    monkeypatch.setattr(kicked, "out", lambda model, x, heat: kicked.room(x, heat) - x)
    began, wanted = kicked.starts(KEY, 32)
    net = MLP((2,), 1, width=2, depth=1, key=KEY)
    cost = [
        float(((jax.vmap(lambda b, w, way=way: kicked.lived(way, b, w))(began, wanted)
                - wanted[:, None]) ** 2).sum(1).mean())
        for way in (kicked.thermostat, kicked.plan(net), kicked.replanning(net, net))
    ]  # fmt: skip
    assert cost[0] <= cost[1] < 1.15 * cost[0] and cost[2] < 1.15 * cost[0]


# --- lesions ----------------------------------------------------------------------------------


def test_plans_in_the_true_model_reach_every_goal_in_the_fewest_turns():
    model = jax.nn.one_hot(jnp.asarray(lesions.LEADS), lesions.N)
    acts = lesions.planned(model)
    assert float(lesions.reached(acts)) == 1
    places, goals = lesions.PAIRS.T
    assert lesions.BEST[places, np.asarray(acts)[places, goals], goals].all()
    assert len(lesions.PAIRS) == lesions.N * (lesions.N - 1) and lesions.FAR.max() < lesions.TURNS
    assert float(lesions.reached(0 * acts)) < 0.4


def test_a_lesion_silences_what_matters_most():
    matter = jnp.arange(lesions.WIDTH, dtype=float)
    kept = lesions.silenced(matter, 0.25)
    assert kept.sum() == lesions.WIDTH * 0.75 and not kept[-lesions.WIDTH // 4 :].any()
    layer = lesions.Layer(KEY)
    to_model, to_habit = lesions.matters(layer)
    assert float(to_model.sum()) == pytest.approx(1, abs=1e-4)
    assert float(to_habit.sum()) == pytest.approx(1, abs=1e-4)
    whole = jnp.ones(lesions.WIDTH)
    one = lesions.scores(layer, layer, (0 * whole, whole))
    both = lesions.scores(layer, layer, (whole, whole))
    assert one[1] == both[1]  # the habit does not read the model's units


def test_two_habits_are_scored_on_their_own_goals_and_read_their_own_units():
    assert len(lesions.EVEN) + len(lesions.ODD) == len(lesions.PAIRS)
    even = jnp.arange(lesions.N) % 2 == 0
    acts = lesions.planned(jax.nn.one_hot(jnp.asarray(lesions.LEADS), lesions.N))
    spoilt = jnp.where(even, acts, 0)
    assert float(lesions.reached(spoilt, even)) == 1 > float(lesions.reached(spoilt, ~even))
    layer = lesions.Layer(KEY)
    one, other = lesions.matters(layer, twins=True)
    assert float(one.sum()) == pytest.approx(1, abs=1e-4) and not np.allclose(one, other)
    mute = eqx.tree_at(lambda x: x.act_even.w, layer, 0 * layer.act_even.w)
    whole = jnp.ones(lesions.WIDTH)
    assert lesions.twin_scores(mute, whole)[1] == lesions.twin_scores(layer, whole)[1]


def test_two_habits_in_one_layer_come_apart_though_there_is_no_model():
    def loss(layer, key):
        return lesions.by_twins(layer, key, 64)

    def apart(key):
        make, learn = jax.random.split(key)
        layer, _ = descended(loss, lesions.Layer(make), learn, steps=400, learning_rate=1e-2)
        even, odd = lesions.matters(layer, twins=True)
        whole, own, other = (
            lesions.twin_scores(layer, keep)
            for keep in (
                jnp.ones(lesions.WIDTH),
                lesions.silenced(even - odd, 0.5),
                lesions.silenced(odd - even, 0.5),
            )
        )
        return whole.min(), (other - own)[0] + (own - other)[1]

    whole, further = jax.jit(jax.vmap(apart))(jax.random.split(KEY, 4))
    assert whole.min() > 0.9 and further.mean() > 0.1
