"""The command line: `deliberate table | advise | audit | look | play | serve | ...`.

One file a command or small group. Nothing heavy is imported at module level: a command that only
prints answers in well under 0.2 s, and JAX is imported inside the commands that compute.
"""

import click

from .. import __version__
from ._refusals import CarefulGroup
from .advise import advise
from .audit import audit
from .doctor import doctor
from .lists import claims, tasks
from .look import look
from .play import play
from .serve import serve
from .table import report, table
from .train import train
from .zoo import zoo


@click.group(
    cls=CarefulGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `deliberate table`: everything it needs comes with the installation.",
)
@click.version_option(__version__, "-V", "--version", prog_name="deliberate")
@click.option(
    "--debug",
    is_flag=True,
    envvar="DELIBERATE_DEBUG",
    help="Show the traceback of an error (also: DELIBERATE_DEBUG=1).",
)
def main(debug: bool) -> None:
    """Measure whether a system searches for its answers, evaluates a learned function, or both."""


for command in (table, advise, audit, look, play, report, train, zoo, serve, tasks, claims, doctor):
    main.add_command(command)
