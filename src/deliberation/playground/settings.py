"""What a playground is set up with, and the errors that it answers with."""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORT = 8321


@dataclass(frozen=True)
class Settings:
    """Where the playground listens, and what it shows.

    `runs` is a folder of runs, `policies` are folders of saved policies and names (each the habit
    of its task), `tasks` the names of tasks beside the registered ones: nobody else can have a
    module imported. `token` is asked of everybody where it is not None. `trust`: files of others
    may run code.
    """

    host: str = LOOPBACK[0]
    port: int = PORT
    runs: Path | None = None
    policies: tuple[Path | str, ...] = ()
    tasks: tuple[str, ...] = ()
    token: str | None = None
    trust: bool = False

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK

    @property
    def address(self) -> str:
        """What to open in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
        token = f"?token={self.token}" if self.token else ""
        return f"http://{shown}:{self.port}/{token}"


class RefusedError(Exception):
    """A request that is not answered: the status, and a sentence for people."""

    def __init__(self, sentence: str, status: int = 400):
        super().__init__(sentence)
        self.sentence, self.status = sentence, status


_END = re.compile(r"(?:(?<=[.:!?])|(?<= is))[ \t]*[\r\n]")
"""Where the drawing of a position begins that may follow what an error says."""


_NO_TEXT = re.compile("[\ud800-\udfff]")


def sentence_of(error: Exception | str) -> str:
    """What an error says, in a line, without a drawing below; names in it may hold line breaks."""
    return readable(" ".join(_END.split(str(error).strip(), maxsplit=1)[0].split()))


def readable(text: str) -> str:
    """Text as it can be written: bytes of a file's name that are no text are told as `\\xe9`."""
    return _NO_TEXT.sub(lambda one: f"\\x{ord(one[0]) & 0xFF:02x}", text)


def settings_for(
    host: str,
    port: int,
    runs: Path | None,
    policies: tuple[Path | str, ...],
    tasks: tuple[str, ...],
    trust: bool = False,
) -> Settings:
    """What was asked for on the command line; beyond this machine with a fresh token."""
    token = None if host in LOOPBACK else secrets.token_urlsafe(16)
    return Settings(host, port, runs, policies, tasks, token, trust)
