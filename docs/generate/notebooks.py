"""A page for each notebook, with the outputs that it was kept with, and the notebook beside it.

Its text goes through the site's own Markdown: headings are in the contents, words in the search,
and tables take the colours of light and dark.
"""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mkdocs_gen_files
import nbformat

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
HOME = "notebooks"


def title_of(book: Any) -> str:
    """What the first cell is headed."""
    return book.cells[0].source.partition("\n")[0].lstrip("# ")


def page(name: str, book: Any) -> str:
    """The text of a notebook's page; its pictures are written beside it."""
    head, _, rest = book.cells[0].source.partition("\n")
    parts = [head, f"A notebook as it ran: [{name}.ipynb]({name}.ipynb){{ download }}.", rest]
    for number, cell in enumerate(book.cells[1:], 2):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(f"```python\n{cell.source}\n```")
            parts += shown(f"{name}-{number}", cell)
    return "\n\n".join(parts) + "\n"


def shown(name: str, cell: Any) -> Iterator[str]:
    """What a cell gave: a table or a picture where there is one, else its text."""
    for number, output in enumerate(cell.outputs):
        data: Mapping[str, Any] = output.get("data", {"text/plain": output.get("text", "")})
        if "image/png" in data:
            place = f"{name}-{number}.png"
            with mkdocs_gen_files.open(f"{HOME}/{place}", "wb") as file:
                file.write(base64.b64decode(data["image/png"]))
            drawn = cell.source.strip().splitlines()[-1].translate(str.maketrans("", "", '[]"'))
            yield f"![Drawn by {drawn}]({place}){{ .drawn }}"
        elif "text/html" in data:
            # No blank line in it: a block of HTML ends at one.
            lines = (line for line in data["text/html"].splitlines() if line.strip())
            yield '<div class="output">' + "\n".join(lines) + "</div>"
        else:
            text = f"```text\n{data['text/plain'].rstrip()}\n```"
            yield f'<div class="output" markdown>\n{text}\n</div>'


def main() -> None:
    """All pages and their order."""
    nav = []
    for path in sorted(FOLDER.glob("*.ipynb")):
        book = nbformat.read(path, as_version=4)
        nav.append(f"* [{title_of(book)}]({path.stem}.md)\n")
        with mkdocs_gen_files.open(f"{HOME}/{path.stem}.md", "w") as file:
            file.write(page(path.stem, book))
        with mkdocs_gen_files.open(f"{HOME}/{path.name}", "wb") as file:
            file.write(path.read_bytes())
    with mkdocs_gen_files.open(f"{HOME}/SUMMARY.md", "w") as file:
        file.writelines(nav)


main()
