"""Policies on disk: they come back whole, survive crashes, and refuse what was tampered with."""

import hashlib
import json
import math
import os
import resource

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from lessons import KEY, same, small_net

from deliberation import Ledger, hybrid
from deliberation import amortised as am
from deliberation.amortised.networks import feed_forward as networks
from deliberation.core import errors
from deliberation.direct import CEM, TreeSearch
from deliberation.tasks import make_task


def save(folder, network=None, **options):
    network = small_net() if network is None else network
    return am.save_network(folder, network, "tic_tac_toe", **options)


def weights_of(folder):
    return folder / json.loads((folder / "policy.json").read_text())["files"]["weights"]["name"]


def resign(folder, **changes):
    """Rewrite the manifest with changes and a correct signature, as a newer release might."""
    path = folder / "policy.json"
    content = {**json.loads(path.read_text()), **changes}
    rest = {k: v for k, v in sorted(content.items()) if k != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(content))


def replace_weights(folder, payload):
    digest = hashlib.sha256(payload).hexdigest()
    name = f"weights-{digest[:16]}.safetensors"
    (folder / name).write_bytes(payload)
    resign(folder, files={"weights": {"name": name, "sha256": digest}})


def assert_refused(folder, match):
    with pytest.raises(errors.PolicyFileError, match=match) as caught:
        am.load_network(folder)
    assert str(folder) in str(caught.value)


def test_a_policy_comes_back_as_it_was_saved(tmp_path):
    net = am.ResidualConvolution((4, 5, 2), 5, 4, 1, key=KEY)
    moments = {"mu.0": np.arange(3, dtype=np.float32), "count": np.int32(7)}
    path = am.save_network(
        tmp_path / "p", net, "connect_four", {"width": 5, "height": 4},
        ledger=Ledger(fits=3, flops=1.5e12, model_steps=None), extra={"note": [1, "é"]},
        files={"optimiser": moments},
    )  # fmt: skip
    assert path.name == "policy.json" and len(list((tmp_path / "p").iterdir())) == 3
    task, again, info = am.load_network(tmp_path / "p")
    assert repr(task) == "MNK(5x4, k=4, gravity)" and again.config == net.config
    assert same(eqx.filter(net, eqx.is_array), eqx.filter(again, eqx.is_array))
    assert info.extra == {"note": [1, "é"]} and info.task_options == {"width": 5, "height": 4}
    assert (info.ledger.fits, info.ledger.flops, info.ledger.model_steps) == (3, 1.5e12, None)
    assert same(info.tensors["optimiser"], {k: np.asarray(v) for k, v in moments.items()})
    am.NetworkPolicy(task, again).decide(jax.vmap(task.init)(jax.random.split(KEY, 2)), key=KEY)


TASKS_OF = {
    "mlp": ("tic_tac_toe", {"width": 4}),
    "residual_convolution": ("tic_tac_toe", {"channels": 4, "blocks": 1}),
    "actor_critic": ("tic_tac_toe", {"width": 4}),
    "transformer": ("markov_text", {"width": 4, "depth": 1}),
    "recurrent_mlp": ("convex_programme", {"width": 4, "rounds": 2}),
    "normalised": ("tic_tac_toe", {"limit": 10.0}),
    "normalised_gaussian": ("pendulum", {"limit": None}),
    "gaussian_mlp": ("pendulum", {"width": 4}),
}
WITHIN = {"normalised": "mlp", "normalised_gaussian": "gaussian_mlp"}


def network_for(kind, sizes, task):
    """A network of a kind with a task's shapes."""
    if kind in WITHIN:
        inner = network_for(WITHIN[kind], TASKS_OF[WITHIN[kind]][1], task).config
        config = {"kind": kind, "network": inner, **sizes}
        return am.network_from_config(config, KEY, networks.Buildable)
    observed = jax.eval_shape(task.observe, jax.eval_shape(task.init, KEY)).shape
    shape, discrete = task.traits.shape, task.traits.discrete
    config = {"kind": kind, "observation_shape": observed, **sizes}
    if kind == "gaussian_mlp":
        return am.network_from_config({**config, "shape": shape}, KEY, am.GaussianMLP)
    actions = task.traits.actions if discrete else math.prod(shape)
    return am.network_from_config({**config, "actions": actions, "value_range": None}, KEY)


def test_every_kind_of_network_comes_back_and_decides_as_before(tmp_path):
    # Learned models, which hybrid adds, are no policies: they come back in their own tests.
    # So does a map of sequences, which is no policy either.
    models = {"latent_networks", "ensemble", "thinking"}
    assert set(TASKS_OF) == {*networks.NETWORKS, *networks.ELSEWHERE} - models
    for kind, (name, sizes) in TASKS_OF.items():
        task = make_task(name)
        net = network_for(kind, sizes, task)
        am.save_network(tmp_path / kind, net, name)
        again = am.load_network(tmp_path / kind, networks.Buildable)[1]
        assert type(again) is type(net) and again.config == net.config
        assert same(eqx.filter(net, eqx.is_array), eqx.filter(again, eqx.is_array))
    state = jax.vmap(task.init)(jax.random.split(KEY, 3))
    alone = hybrid.load(tmp_path / "gaussian_mlp", search=False)
    before, _ = am.GaussianPolicy(task, net).decide(state, key=KEY)
    assert same(alone.decide(state, key=KEY)[0].action, before.action)
    with pytest.raises(errors.PolicyFileError, match="not a Network"):
        am.load_network(tmp_path / "gaussian_mlp")
    wrong = network_for("recurrent_mlp", {"width": 4}, make_task("convex_programme", size=3))
    am.save_network(tmp_path, wrong, "convex_programme")
    assert_refused(tmp_path, "observations of shape")


def test_saved_policies_are_improved_by_the_search_that_suits_them(tmp_path):
    kinds = {
        ("mlp", True): TreeSearch, ("mlp", False): am.NetworkPolicy,
        ("recurrent_mlp", True): hybrid.SemiAmortised, ("recurrent_mlp", False): am.AnswerPolicy,
        ("gaussian_mlp", True): CEM, ("gaussian_mlp", False): am.GaussianPolicy,
    }  # fmt: skip
    for (kind, search), decider in kinds.items():
        name, sizes = TASKS_OF[kind]
        am.save_network(tmp_path / kind, network_for(kind, sizes, make_task(name)), name)
        found = hybrid.load(tmp_path / kind, search=search)
        assert type(found) is decider
        if search:
            assert int(found.budget.simulations) == 64
        with pytest.raises(TypeError):
            hybrid.load(tmp_path / kind, search=search, magic=3)


def test_the_budget_asked_for_goes_before_the_one_saved(tmp_path):
    name, sizes = TASKS_OF["mlp"]
    net = network_for("mlp", sizes, make_task(name))
    am.save_network(tmp_path, net, name, extra={"search": {"budget": 16}})
    for asked, expected in ((None, 16), (4, 4)):
        found = hybrid.load(tmp_path, budget=asked)
        assert isinstance(found, TreeSearch) and found.budget.simulations == expected


def test_saving_again_replaces_the_policy_and_its_files_only(tmp_path):
    save(tmp_path, extra={"round": 1})
    (tmp_path / "notes.safetensors").write_text("mine")
    stray = tmp_path / f"weights-{'0' * 16}.safetensors"
    stray.write_bytes(b"left by a save that was killed")
    os.utime(stray, (1, 1))
    old = weights_of(tmp_path)
    save(tmp_path, small_net(width=3), extra={"round": 2})
    assert am.load_network(tmp_path)[2].extra == {"round": 2}
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"policy.json", "notes.safetensors", weights_of(tmp_path).name}
    assert not old.exists()


def test_a_killed_save_leaves_the_old_policy(tmp_path, monkeypatch):
    """Cut the save off at each rename: the old policy loads until the last one is done."""
    save(tmp_path, extra={"round": 1})
    replace = os.replace
    for survive in range(3):
        done = []

        def cut(source, target, survive=survive, done=done):
            if len(done) == survive:
                raise KeyboardInterrupt
            done.append(replace(source, target))

        monkeypatch.setattr(os, "replace", cut)
        try:
            save(tmp_path, small_net(width=3 + survive), extra={"round": 2})
        except KeyboardInterrupt:
            assert survive < 2
        assert am.load_network(tmp_path)[2].extra == {"round": 2 if survive == 2 else 1}


def test_a_full_disk_leaves_the_old_policy(tmp_path):
    save(tmp_path / "else", small_net(width=400))  # compiles what it needs, before room is short
    save(tmp_path, extra={"round": 1})
    before, large = sorted(p.name for p in tmp_path.iterdir()), small_net(width=400)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))  # as real as a full disk
    try:
        with pytest.raises(errors.StorageError, match="intact"):
            save(tmp_path, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert am.load_network(tmp_path)[2].extra == {"round": 1}
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.StorageError):
        save(tmp_path / "file" / "p")


def test_missing_and_damaged_files_are_named(tmp_path):
    assert_refused(tmp_path, r"policy\.json is missing")
    save(tmp_path)
    path, text = tmp_path / "policy.json", (tmp_path / "policy.json").read_text()
    for cut in (0, 1, len(text) // 2, len(text) - 3):
        path.write_text(text[:cut])
        assert_refused(tmp_path, r"policy\.json is not JSON")
    path.write_text(text.replace('"width": 32', '"width": 33'))
    assert_refused(tmp_path, r"policy\.json was altered")
    path.write_text("[" * 100_000)
    assert_refused(tmp_path, r"policy\.json is not JSON")
    path.write_text('{"format": "something else"}')
    assert_refused(tmp_path, "not a policy of this library")
    with pytest.raises(errors.OutputFolderError, match="Move it"):
        save(tmp_path)
    path.write_text(text)
    weights = weights_of(tmp_path)
    whole = weights.read_bytes()
    for payload in (whole[:-1], whole[: len(whole) // 2], b"", whole[:-1] + b"\0", whole + b"\0"):
        weights.write_bytes(payload)
        assert_refused(tmp_path, rf"{weights.name} is truncated or altered")
    weights.unlink()
    assert_refused(tmp_path, rf"{weights.name} is missing")
    weights.write_bytes(whole)
    am.load_network(tmp_path)


def test_a_manifest_that_says_the_impossible_is_refused(tmp_path):
    save(tmp_path)
    good = json.loads((tmp_path / "policy.json").read_text())
    network, weights = good["network"], good["files"]["weights"]
    outside = {"weights": {**weights, "name": "../weights-0123456789abcdef.safetensors"}}
    for changes, match in [
        ({"version": 2}, "version 2; this release reads version 1"),
        ({"files": {}}, "no file of weights"),
        ({"files": outside}, "impossible file"),
        ({"task": {"name": "tic_tac_to", "options": {}}}, "tic_tac_toe"),
        ({"task": {"name": "tic_tac_toe", "options": {"depth": 3}}}, "depth"),
        ({"task": {"name": "connect_four", "options": {}}}, "observations"),
        ({"network": {**network, "kind": "magic"}}, "magic"),
        ({"network": {**network, "width": 33}}, "the network needs"),
        ({"network": {**network, "depth": 2}}, "lacks tensor 'hidden.1.b'"),
        ({"ledger": {"watts": 3}}, "unknown kind of spending"),
        ({"surprise": 1}, "surprise"),
    ]:
        resign(tmp_path, **{**good, **changes})
        assert_refused(tmp_path, match)
        (tmp_path / "policy.json").write_text(json.dumps(good))


def test_weights_of_another_shape_type_or_not_finite_are_refused(tmp_path):
    save(tmp_path)
    tensors = safetensors.numpy.load(weights_of(tmp_path).read_bytes())
    bias = tensors["policy.b"]
    for changed, match in [
        (bias[:-1], r"policy.b as float32\[8\], the network needs float32\[9\]"),
        (bias.astype(np.float64), "float64"),
        (bias * np.nan, "NaN or infinity in policy.b"),
    ]:
        replace_weights(tmp_path, safetensors.numpy.save({**tensors, "policy.b": changed}))
        assert_refused(tmp_path, match)
    replace_weights(tmp_path, safetensors.numpy.save({**tensors, "spare": bias}))
    assert_refused(tmp_path, "unexpected tensor 'spare'")
    replace_weights(tmp_path, b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    assert_refused(tmp_path, "is not safetensors")


def test_what_cannot_be_loaded_again_is_not_saved(tmp_path):
    save(tmp_path, extra={"round": 1})
    net = small_net()
    with pytest.raises(errors.NonFiniteError, match=r"policy\.b"):
        save(tmp_path, eqx.tree_at(lambda n: n.policy.b, net, net.policy.b * jnp.nan))
    with pytest.raises(ValueError, match="plain JSON"):
        save(tmp_path, extra={"function": print})
    with pytest.raises(ValueError, match="a-z"):
        save(tmp_path, files={"../x": {"a": np.zeros(1)}})
    assert am.load_network(tmp_path)[2].extra == {"round": 1}
