"""`deliberate serve`: the playground, a local page in the browser."""

import importlib.util
from pathlib import Path

import click

from ._playing import checked_deciders, trust_option

NEEDED = ("starlette", "uvicorn")
INSTALL = "pip install 'deliberation[playground]'"


@click.command(
    short_help="Open the playground: play, turn the dial, change the goal.",
    epilog="\b\n"
    "Examples:\n"
    "  deliberate serve\n"
    "  deliberate serve --runs table\n"
    "  deliberate serve --policy trained/connect_four\n"
    "  deliberate serve my_games.nim:Nim --policy my_policies:mlp\n"
    "  deliberate serve --host 0.0.0.0 --no-open",
)
@click.argument("tasks", nargs=-1, metavar="[TASKS]...")
@click.option("--port", type=click.IntRange(1, 65535), default=8321, show_default=True)
@click.option(
    "--host", default="127.0.0.1", show_default=True,
    help="Where to listen; beyond this machine everybody needs the token that is printed.",
)  # fmt: skip
@click.option(
    "--runs", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="A folder of runs (tables, audits, the zoo) to show, live while they run.",
)  # fmt: skip
@click.option(
    "--policy", "policies", multiple=True, metavar="POLICY",
    help="What answers at once, in place of a network trained on the spot: the folder of a saved "
    "policy, or package.module:factory, sb3:ppo.zip or a name of the zoo, for those of TASKS that "
    "it answers on; repeatable.",
)  # fmt: skip
@trust_option()
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
def serve(
    tasks: tuple[str, ...],
    port: int,
    host: str,
    runs: Path | None,
    policies: tuple[str, ...],
    trust: bool,
    no_open: bool,
) -> None:
    """Serve the playground on this machine and open it in the browser.

    TASKS are further tasks beside the registered ones: package.module:factory, or another
    library's. Nothing is fetched from the network; Ctrl-C ends it.
    """
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise click.ClickException(f"The playground needs starlette and uvicorn: {INSTALL}")
    from ._tasks import checked_tasks

    if runs is not None and not runs.is_dir():
        click.echo(f"There is no folder {runs} yet: its runs are shown once it is there.", err=True)
    checked_deciders([text for text in policies if not Path(text).is_dir()])
    asked = tuple(checked_tasks(tasks))
    from ..playground.serving import serve as run
    from ..playground.settings import settings_for

    run(settings_for(host, port, runs, policies, asked, trust), open_page=not no_open)
