"""What a person sees when something is refused: one clear message, no traceback."""

import os
import sys
from typing import IO, Any

import click

from ..core.errors import DeliberationError, UnknownNameError

INTERRUPTED = 130
"""The exit code that shells give to a command ended by Ctrl-C."""


class Refusal(click.ClickException):
    """An error of the library, shown in red on standard error; exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message; colours only on a terminal that wants them."""
        colour = False if os.environ.get("NO_COLOR") else None
        click.secho(self.message, file=file or sys.stderr, fg="red", color=colour)


class CarefulGroup(click.Group):
    """Turns the library's errors into refusals and suggests the nearest command."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; `--debug` lets tracebacks through."""
        try:
            return super().invoke(ctx)
        except DeliberationError as error:
            if ctx.params.get("debug"):
                raise
            raise Refusal(str(error)) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise Refusal(str(UnknownNameError("command", name, self.commands)))
        return super().resolve_command(ctx, args)


def refuse_unknown(kind: str, names: tuple[str, ...], known: Any) -> None:
    """Raise `UnknownNameError` for the first name that is not registered."""
    for name in names:
        if name not in known:
            raise UnknownNameError(kind, name, known)
