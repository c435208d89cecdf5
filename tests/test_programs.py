"""The cache of compiled programs: where it is, what it survives, and who has the last word."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deliberation.core import cache
from deliberation.core.cache import ProgramStore, own_folder, programs_folder

SECOND = """
import sys, warnings
warnings.simplefilter("error")
import jax, jax.monitoring
heard = []
jax.monitoring.register_event_listener(lambda event, **about: heard.append(event))
{before}
from deliberation import make_task
assert jax.config.jax_compilation_cache_dir in (None, {unchanged!r}), "set by an import alone"
task = make_task("tic_tac_toe")
jax.block_until_ready(jax.jit(jax.vmap(task.init))(jax.random.split(jax.random.key(0), 3)))
print(jax.config.jax_compilation_cache_dir)
print(heard.count("/jax/compilation_cache/cache_hits"))
"""


def begin(folder, before="", unchanged=None, **environment):
    """A process of its own: where it keeps programs, and how many it found there."""
    own = {"JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"}
    env = {name: value for name, value in os.environ.items() if name not in own}
    env |= {"XDG_CACHE_HOME": str(folder), **environment}
    env.pop(cache.PROGRAMS, None) if cache.PROGRAMS not in environment else None
    code = SECOND.format(before=before, unchanged=unchanged)
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    where, hits = done.stdout.split()
    return where, int(hits)


def test_a_second_process_finds_the_programs_of_the_first(tmp_path):
    where, hits = begin(tmp_path)
    kept = Path(where)
    assert kept.is_relative_to(tmp_path / "deliberation" / "jax") and hits == 0
    files = sorted(kept.iterdir())
    assert files and all(file.name.endswith("-cache") for file in files)
    assert begin(tmp_path)[1] >= len(files)
    # A file that was cut off is no more than a program to compile; no word is said of it.
    for file in files:
        file.write_bytes(file.read_bytes()[:-7])
    assert begin(tmp_path)[1] == 0
    assert begin(tmp_path)[1] >= len(files)


def test_what_the_user_says_stays(tmp_path):
    mine = str(tmp_path / "mine")
    assert begin(tmp_path, JAX_COMPILATION_CACHE_DIR=mine, unchanged=mine)[0] == mine
    chosen = f"jax.config.update('jax_compilation_cache_dir', {mine!r})"
    assert begin(tmp_path, before=chosen, unchanged=mine)[0] == mine
    assert begin(tmp_path, **{cache.PROGRAMS: "off"})[0] == "None"
    assert not (tmp_path / "deliberation").exists()


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert begin(tmp_path, DELIBERATION_CACHE=str(blocked))[0] == "None"


def test_the_place_and_the_switch_are_read_from_the_environment(monkeypatch, tmp_path):
    for name in ("JAX_COMPILATION_CACHE_DIR", "DELIBERATION_CACHE", cache.PROGRAMS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    folder = programs_folder()
    assert folder == own_folder() and folder is not None
    assert folder.parent == tmp_path / "xdg/deliberation/jax"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/theirs")
    assert programs_folder() == Path("/theirs")
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "false")
    assert programs_folder() is None
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.delenv("JAX_ENABLE_COMPILATION_CACHE")
    monkeypatch.setenv(cache.PROGRAMS, str(tmp_path))
    assert own_folder() == tmp_path / folder.name
    monkeypatch.setenv(cache.PROGRAMS, "off")
    assert own_folder() is None and programs_folder() is None


def test_a_store_gives_back_what_was_put_and_removes_what_is_damaged(tmp_path):
    store = ProgramStore(tmp_path, 1000)
    assert store.get("a") is None
    store.put("a", b"program")
    assert store.get("a") == b"program" and [x.name for x in tmp_path.iterdir()] == ["a-cache"]
    for damaged in (b"", b"xyz", b"\0" * 11):
        (tmp_path / "a-cache").write_bytes(damaged)
        assert store.get("a") is None and not (tmp_path / "a-cache").exists()
    store.put("a", b"anew")
    assert store.get("a") == b"anew"


def test_a_store_stays_within_its_bound_and_keeps_what_was_used_last(tmp_path):
    store = ProgramStore(tmp_path, 1000)
    for number in range(9):
        store.put(f"p{number}", b"x" * 96)
        os.utime(tmp_path / f"p{number}-cache", (number, number))
    assert store.get("p0") == b"x" * 96  # used just now
    store.put("more", b"x" * 196)
    names = {x.name.removesuffix("-cache") for x in tmp_path.iterdir()}
    assert names == {"p0", "p5", "p6", "p7", "p8", "more"}
    store.put("huge", b"x" * 1000)
    assert store.get("huge") is None and sum(x.stat().st_size for x in tmp_path.iterdir()) <= 1000


def test_stores_that_share_a_folder_do_not_disturb_each_other(tmp_path):
    wrong = []

    def work(number):
        store = ProgramStore(tmp_path, 4000)
        for turn in range(60):
            key = f"p{turn % 7}"
            store.put(key, key.encode() * 200)
            if store.get(key) not in (None, key.encode() * 200):
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and {x.suffix for x in tmp_path.iterdir()} == {""}


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_is_only_read_serves_and_is_left_alone(tmp_path):
    ProgramStore(tmp_path, 1000).put("a", b"program")
    tmp_path.chmod(0o500)
    try:
        store = ProgramStore(tmp_path, 1000)
        store.put("b", b"other")
        assert store.get("a") == b"program" and store.get("b") is None
    finally:
        tmp_path.chmod(0o700)


def test_a_store_whose_folder_is_gone_keeps_nothing_and_raises_nothing(tmp_path):
    store = ProgramStore(tmp_path / "gone", 1000)
    store.put("a", b"program")
    assert store.get("a") is None


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """No home, and a folder of temporary files that nobody has used yet."""
    for name in ("DELIBERATION_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path))
    cache._temporary.cache_clear()
    yield tmp_path / f"deliberation-{os.getuid()}"
    cache._temporary.cache_clear()


def no_home():
    raise RuntimeError("Could not determine home directory.")


def test_without_a_home_caches_are_the_users_own_among_temporary_files(temporary, monkeypatch):
    monkeypatch.setattr(cache.Path, "home", no_home)
    assert cache.cache_folder() == temporary
    assert temporary.stat().st_mode & 0o777 == 0o700
    cache._temporary.cache_clear()
    assert cache.cache_folder() == temporary, "the same for every process"


def test_a_home_that_cannot_be_written_is_as_none(temporary, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere/cache")
    monkeypatch.setattr(cache.os, "access", lambda path, mode: str(path) != "/")
    assert cache.cache_folder() == temporary
    monkeypatch.setenv("DELIBERATION_CACHE", "/nowhere/chosen")
    assert cache.cache_folder() == Path("/nowhere/chosen"), "what was asked for is not replaced"


def test_without_a_home_and_temporary_files_nothing_is_kept_and_all_else_works(
    temporary, monkeypatch
):
    def none_usable(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(cache.Path, "home", no_home)
    for name in ("gettempdir", "mkdtemp"):
        monkeypatch.setattr(cache.tempfile, name, none_usable)
    monkeypatch.setattr(cache, "_started", [])
    assert cache.keep_programs() is False
    folder = cache.cache_folder()
    with pytest.raises(OSError):
        folder.mkdir(parents=True)


@pytest.mark.parametrize("trap", ["open to all", "a link"])
def test_code_is_loaded_from_no_folder_that_others_may_write_to(temporary, monkeypatch, trap):
    monkeypatch.setattr(cache.Path, "home", no_home)
    if trap == "a link":
        theirs = temporary.parent / "theirs"
        theirs.mkdir()
        temporary.symlink_to(theirs)
    else:
        temporary.mkdir()
        temporary.chmod(0o777)
    found = cache.cache_folder()
    assert found != temporary and found.is_dir() and found.stat().st_mode & 0o077 == 0
