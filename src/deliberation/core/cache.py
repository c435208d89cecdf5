"""Where caches are kept: files that can be made again. The largest is that of compiled programs.

JAX has a cache of compiled programs and leaves it off. Here it is on from the first task that is
made, unless the user chose a folder by JAX's own setting (then all is left as it is) or switched it
off. Nothing of JAX is imported until then. The files are kept by `ProgramStore` in place of JAX's
own store, which leaves half a file where a process is killed, complains of that file ever after,
and cannot be bounded without a further package.
"""

import contextlib
import functools
import hashlib
import os
import platform
import stat
import tempfile
import zlib
from pathlib import Path

PROGRAMS = "DELIBERATION_PROGRAMS"
"""The environment variable that switches the cache off (`off`, `no`, `false` or `0`), or names the
folder that it is kept in."""
LARGEST = 2**30
"""Bytes that the folder may hold, unless `JAX_COMPILATION_CACHE_MAX_SIZE` says otherwise."""
LEAST_SECONDS = 0.0
"""Programs that compile faster are not kept: there are none. A first decision takes some twenty
programs, most of them small, and together these are much of its time."""
_OFF = ("off", "no", "false", "0")
_ROOM = 0.75
"""The share of the bound that is left when old programs are removed."""
_NOWHERE = Path(os.devnull) / "deliberation"
"""A folder that cannot be made: whoever would keep something does as with any such."""
_SUFFIX, _PART = "-cache", ".part"
_CHECK_BYTES = 4


def cache_folder() -> Path:
    """The folder of caches: `DELIBERATION_CACHE`, or one in the user's cache folder.

    Where there is no home, or none that can be written, as in containers, it is one of the user's
    own among the system's temporary files; without these either, it is none that can be written.
    """
    if os.environ.get("DELIBERATION_CACHE"):
        return Path(os.environ["DELIBERATION_CACHE"])
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deliberation"
    except RuntimeError:  # there is no home
        return _temporary()
    # A folder that may not be looked into counts as absent, and its parent then decides.
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    return folder if os.access(there, os.W_OK | os.X_OK) else _temporary()


@functools.cache
def _temporary() -> Path:
    """The user's own folder among temporary files, the same for all processes.

    Compiled code is loaded from it. One that somebody else made, or may write to, is passed over
    for a new one. Where none can be made, it is `_NOWHERE`.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    with contextlib.suppress(OSError):
        folder = Path(tempfile.gettempdir()) / f"deliberation-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
        own = not hasattr(os, "getuid") or about.st_uid == user
        if stat.S_ISDIR(about.st_mode) and own and not about.st_mode & 0o022:
            return folder
    with contextlib.suppress(OSError):
        return Path(tempfile.mkdtemp(prefix="deliberation-"))
    return _NOWHERE


def processor() -> str:
    """What compiled code depends on: the kind of processor and what it is able to do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    wanted = ("model name", "flags", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def programs_folder() -> Path | None:
    """Where compiled programs are kept, judged by the environment; None where they are not."""
    given = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if os.environ.get("JAX_ENABLE_COMPILATION_CACHE", "").lower() in _OFF:
        return None
    return Path(given) if given else own_folder()


def own_folder() -> Path | None:
    """The folder of our own choice; None where `PROGRAMS` switches the cache off.

    Machines that share a home have a folder each: a program is made for one kind of processor.
    """
    asked = os.environ.get(PROGRAMS, "")
    if asked.lower() in _OFF:
        return None
    chosen = Path(asked).expanduser().absolute() if asked else cache_folder() / "jax"
    return chosen / _machine()


def keep_programs() -> bool:
    """Let JAX keep compiled programs from now on; whether they are kept in the folder of ours.

    What the user has set stays. Where the folder cannot be written to, nothing is kept. Called
    whenever a task is made; only the first call does anything.
    """
    return _started[0] if _started else _start()


_started: list[bool] = []


def _start() -> bool:
    _started.append(False)
    try:
        folder = own_folder()
    except RuntimeError:  # there is no home
        return False
    if folder is None:
        return False
    import jax

    if jax.config.values["jax_compilation_cache_dir"] is not None or not _writable(folder):
        return False
    _install(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    chosen = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" in os.environ
    if not chosen and jax.config.values["jax_persistent_cache_min_compile_time_secs"] == 1.0:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    _started[0] = True
    return True


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _install(folder: Path) -> None:
    """Have JAX keep this folder by a `ProgramStore`; by its own store if its insides have moved."""
    try:
        from jax._src import compilation_cache

        usual = compilation_cache.get_file_cache
    except (ImportError, AttributeError):
        return
    import jax

    most = jax.config.values["jax_compilation_cache_max_size"]
    store = ProgramStore(folder, LARGEST if most < 0 else most)

    def get_file_cache(path: str):
        return (store, path) if path == str(folder) else usual(path)

    compilation_cache.get_file_cache = get_file_cache  # type: ignore[assignment]


class ProgramStore:
    """Files of compiled programs in a folder, for any number of processes at once.

    What JAX asks of a cache: `get` and `put` of bytes by name. A file is written beside its place
    and moved there, and holds a sum by which a damaged one is known: it is removed, and written
    anew. Beyond `most` bytes, what was not used for longest goes. Nothing here raises: where the
    disk is full or the folder gone, programs are compiled as if there were no store.
    """

    def __init__(self, folder: Path, most: int):
        self.folder, self.most = folder, most
        self._path = folder
        self._held: int | None = None

    def get(self, key: str) -> bytes | None:
        """The bytes of this name; None where there are none, or they are damaged."""
        file = self.folder / f"{key}{_SUFFIX}"
        try:
            kept = file.read_bytes()
        except OSError:
            return None
        value = kept[_CHECK_BYTES:]
        sound = kept[:_CHECK_BYTES] == _check(value)
        with contextlib.suppress(OSError):
            os.utime(file) if sound else file.unlink()  # used just now, or of no use
        return value if sound else None

    def put(self, key: str, value: bytes) -> None:
        """Keep bytes under a name."""
        size = len(value) + _CHECK_BYTES
        if size > self.most:
            return
        with contextlib.suppress(OSError):
            self._make_room(size)
            handle, part = tempfile.mkstemp(dir=self.folder, suffix=_PART)
            try:
                with os.fdopen(handle, "wb") as out:
                    out.write(_check(value) + value)
                os.replace(part, self.folder / f"{key}{_SUFFIX}")
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(part)

    def _make_room(self, size: int) -> None:
        """Remove what is oldest, once there would be too much; other processes add to it, too."""
        if self._held is None or self._held + size > self.most:
            files = sorted(_files(self.folder))
            self._held = sum(bytes_ for _, bytes_, _ in files)
            excess = self._held + size - self.most
            if excess > 0:
                excess += int((1 - _ROOM) * self.most)
            for _, bytes_, path in files:
                if excess <= 0:
                    break
                with contextlib.suppress(OSError):
                    os.unlink(path)
                excess, self._held = excess - bytes_, self._held - bytes_
        self._held += size


def _files(folder: Path) -> list[tuple[float, int, str]]:
    """When each file was last used, its bytes, and its path; files that go meanwhile are left out.

    What a killed process left of a file that it wrote is among them, and goes in its time.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                about = entry.stat()
                found.append((about.st_mtime, about.st_size, entry.path))
    return found


def _check(value: bytes) -> bytes:
    return zlib.crc32(value).to_bytes(_CHECK_BYTES, "little")


def _machine() -> str:
    """A name for what programs are compiled for."""
    return f"{platform.machine() or 'any'}-{hashlib.sha256(processor().encode()).hexdigest()[:8]}"
