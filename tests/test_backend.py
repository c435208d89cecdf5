"""Which back end walks the trees: forced, found out, or done without."""

import stat

import jax
import jax.numpy as jnp
import pytest
from tables import SMALL, as_task, compile_lightly, random_world  # noqa: F401

from deliberation.core.errors import BackendError, UnknownNameError
from deliberation.direct import TreeSearch
from deliberation.direct.kernels import build
from deliberation.direct.tree_search.backends import choice as backend
from deliberation.direct.tree_search.backends import native, portable
from deliberation.direct.tree_search.backends.choice import backend_name, why_not_native


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """As in a process that has not built anything yet, with a cache of its own."""
    monkeypatch.setenv("DELIBERATION_CACHE", str(tmp_path))
    build.load.cache_clear()
    yield tmp_path
    build.load.cache_clear()


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_without_a_compiler_the_search_is_jax_and_says_why(fresh, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert backend_name() == "jax"
    assert "no C++ compiler" in why_not_native()
    with pytest.raises(BackendError, match="Install a C\\+\\+ compiler"):
        backend_name("native")
    task, judge = as_task(random_world(0))
    start = jnp.zeros(2, jnp.int32)
    TreeSearch(task, "uct", judge, **SMALL).decide(start, budget=3, key=jax.random.key(0))


def test_a_compiler_that_fails_is_named_with_its_first_error(fresh, monkeypatch, tmp_path):
    says = (
        'case "$1" in --version) echo 1;; *) echo "search.cpp:1: error: no luck" >&2; exit 1;; esac'
    )
    monkeypatch.setenv("CXX", script(tmp_path / "cxx", says))
    assert backend_name() == "jax"
    assert why_not_native().endswith("search.cpp:1: error: no luck")
    assert not list(tmp_path.glob("native/*"))  # nothing half built is left behind


def test_flags_that_a_compiler_does_not_know_are_left_out(fresh, monkeypatch, tmp_path):
    if not build.compiler():
        pytest.skip("no C++ compiler here")
    real = build.compiler()[0]
    picky = f'for x in "$@"; do [ "$x" = -march=native ] && exit 1; done; exec {real} "$@"'
    monkeypatch.setenv("CXX", script(tmp_path / "cxx", picky))
    built = build.built(build.compiler())
    assert [built] == list(tmp_path.glob("native/search-*.so"))


def test_the_environment_forces_either(monkeypatch):
    monkeypatch.setenv("DELIBERATION_BACKEND", "jax")
    assert backend_name() == "jax"
    monkeypatch.setenv("DELIBERATION_BACKEND", "natve")
    with pytest.raises(UnknownNameError, match="Did you mean 'native'"):
        backend_name()
    if not why_not_native():
        monkeypatch.setenv("DELIBERATION_BACKEND", "native")
        assert backend_name() == "native"
        assert backend_name("jax") == "jax"  # what a decider is told goes first


def test_an_accelerator_is_served_by_jax(monkeypatch):
    monkeypatch.setattr(backend.jax, "default_backend", lambda: "gpu")
    assert backend_name() == "jax"
    with pytest.raises(BackendError, match="computes on gpu"):
        backend_name("native")


def test_a_change_of_the_environment_is_heard_by_a_decider_at_work(monkeypatch):
    task, judge = as_task(random_world(3))
    planner, start = TreeSearch(task, "puct", judge, **SMALL), jnp.zeros(2, jnp.int32)
    asked = []

    def spy(name, module):
        real = module.one_round
        monkeypatch.setattr(module, "one_round", lambda *a: asked.append(name) or real(*a))

    spy("jax", portable)
    spy("native", native)
    heard = []
    for name in ("jax", "auto", "jax"):
        monkeypatch.setenv("DELIBERATION_BACKEND", name)
        planner.decide(start, budget=3, key=jax.random.key(0))
        heard.append(set(asked))
        asked.clear()
    # One program for each back end, and none is compiled twice.
    assert heard == [{"jax"}, set() if why_not_native() else {"native"}, set()]


def test_who_measures_without_a_compiler_is_told_so(monkeypatch, capsys):
    from deliberation.cli._measuring import _tell_slow

    _tell_slow("local")
    assert not capsys.readouterr().err
    monkeypatch.setenv("CXX", "no-such-compiler")
    _tell_slow("ray")
    assert not capsys.readouterr().err
    _tell_slow("local")
    told = capsys.readouterr().err
    assert "apt install g++" in told and told.count("\n") == 1
