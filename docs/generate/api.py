"""Pages of the API: one for each wing and each of its rooms, of the names that these export.

Names are read from the stubs (`__init__.pyi`), or from `__all__` where a package has none; nothing
is imported. What is exported by a room stands on the room's page; the wing's page lists it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import mkdocs_gen_files

sys.path.insert(0, str(Path(__file__).parent))
from names import Package, wings


def full(of: Package, name: str) -> str:
    """A page's block for one name."""
    return f"::: {of.path(name)}\n"


def short(name: str, of: Package) -> str:
    """A line of a list: the name, linked."""
    return f"[`{name}`][{of.path(name)}]"


def write_wing(wing: Package, rooms: Sequence[Package]) -> None:
    """The wing's page: what it is for, its rooms with what they export, and what stands in none."""
    faces = {room.name.rpartition(".")[2]: room for room in rooms}
    lines = [f"# {wing.name.rpartition('.')[2]}", "", wing.said, ""]
    for short_name, room in faces.items():
        names = " · ".join(short(name, room) for name in room.exports)
        link = f"{wing.page}/{short_name}.md".removeprefix(f"{wing.page}/")
        lines += [f"**[{short_name}]({link})** {room.lead}", "", f"{names}", ""]
    own = [name for name, room in wing.exports.items() if room not in faces]
    lines += [full(wing, name) for name in own]
    with mkdocs_gen_files.open(f"api/{wing.page}/index.md", "w") as page:
        page.write("\n".join(lines))
    for room in rooms:
        title = room.name.removeprefix("deliberation.")
        text = "\n".join([f"# {title}", "", room.said, "", *(full(room, n) for n in room.exports)])
        with mkdocs_gen_files.open(f"api/{room.page}.md", "w") as page:
            page.write(text)


def main() -> None:
    """All pages, and their order."""
    top = ["# The API", "", _FACE, ""]
    nav = ["* [All wings](index.md)"]
    for name, (wing, rooms) in wings().items():
        write_wing(wing, rooms)
        nav.append(f"* [{name}]({name}/index.md)")
        nav += [f"    * [{r.name.rpartition('.')[2]}]({r.page}.md)" for r in rooms]
        top += [f"- **[`deliberation.{name}`]({name}/index.md)** {wing.lead}"]
    with mkdocs_gen_files.open("api/index.md", "w") as page:
        page.write("\n".join([*top, ""]))
    with mkdocs_gen_files.open("api/SUMMARY.md", "w") as page:
        page.write("\n".join([*nav, ""]))


_FACE = """Everything is imported on first use, so that `import deliberation` is instant. What most
programs need stands at the top: [`make_task`][deliberation.tasks.make_task],
[`list_tasks`][deliberation.tasks.list_tasks], [`rollout`][deliberation.core.rollout],
[`load`][deliberation.hybrid.guided.load], [`Task`][deliberation.core.Task],
[`Objective`][deliberation.core.Objective], [`Decider`][deliberation.core.Decider],
[`Decision`][deliberation.core.Decision], [`Budget`][deliberation.core.Budget],
[`Ledger`][deliberation.core.Ledger], [`Traits`][deliberation.core.Traits],
[`check_task`][deliberation.core.contract.check_task] and
[`check_decider`][deliberation.core.contract.check_decider] are names of `deliberation` itself.

Shapes stand in the types, as in `Float[Array, "batch actions"]`; keys are JAX's typed keys, and
every draw is from one that the caller hands over. Errors are subclasses of `DeliberationError`,
and say what was wrong, where, and what to do."""

main()
