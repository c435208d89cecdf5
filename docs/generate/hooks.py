"""What is changed of a page's Markdown on its way into the site.

Public names in backticks lead to the API. Links to files of the repository that are pages of the
site, too, lead to those: the sources can be read in the repository as well as on the site.
"""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from names import linked

LINKED = ("index.md", "tutorials/", "how-to/", "explanations/", "extend/")
ELSEWHERE = (
    (r"\]\(\.\./\.\./benchmarks/results/", "](../benchmarks/results/"),
    (r"\]\(\.\./\.\./notebooks/(\w+)\.ipynb\)", r"](../notebooks/\1.md)"),
    (r"\]\(\.\./notebooks/(\w+)\.ipynb\)", r"](notebooks/\1.md)"),
    (r"\]\(\.\./\.\./CONTRIBUTING\.md(#[\w-]*)?\)", "](../extend/index.md)"),
    (r"\]\(\.\./\.\./CHANGELOG\.md\)", "](../changelog.md)"),
    (r"\]\(\.\./\.\./README\.md\)", "](../index.md)"),
)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page's text with its links; code is left as it is."""
    for pattern, place in ELSEWHERE:
        markdown = re.sub(pattern, place, markdown)
    if not page.file.src_uri.startswith(LINKED):
        return markdown
    parts = re.split(r"(^```.*?^```$|^#.*$)", markdown, flags=re.M | re.S)
    code = re.compile(r"```|#")
    return "".join(part if code.match(part) else linked(part) for part in parts)
