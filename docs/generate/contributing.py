"""CONTRIBUTING.md as pages, one for each kind of file that is added, and the changelog.

The text stands there alone; its files are written and run by tests/test_contributing.py.
"""

import re
from pathlib import Path

import mkdocs_gen_files

ROOT = Path(__file__).resolve().parents[2]
FIRST = "Where things live"
LAST = "House rules"


def parts() -> dict[str, str]:
    """The page's sections, by heading."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    pieces = re.split(r"^## (.*)\n", text, flags=re.M)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def main() -> None:
    """A page a section; where things live and the rules of the house stand first."""
    found = parts()
    nav = ["* [All kinds, and where they live](index.md)"]
    index = ["# What is added as one file", "", found.pop(FIRST), f"## {LAST}", "", found.pop(LAST)]
    for heading, text in found.items():
        name = re.sub(r"\W+", "_", heading.partition(":")[0].lower()).strip("_")
        nav.append(f"* [{heading.partition(':')[0]}]({name}.md)")
        with mkdocs_gen_files.open(f"extend/{name}.md", "w") as file:
            file.write(f"# {heading}\n\n{text}")
    text = "\n".join(index).replace("](docs/", "](../")
    for name, content in (("index", text), ("SUMMARY", "\n".join([*nav, ""]))):
        with mkdocs_gen_files.open(f"extend/{name}.md", "w") as file:
            file.write(content)
    with mkdocs_gen_files.open("changelog.md", "w") as file:
        file.write((ROOT / "CHANGELOG.md").read_text("utf-8"))


main()
