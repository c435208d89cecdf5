"""The page's one picture: the two curves that cross, a task at a time."""

from collections.abc import Sequence
from html import escape

from .figures import panel_svg
from .glossary import explained
from .headline import Headline, foremost


def curves(headlines: Sequence[Headline]) -> str:
    """The curves of one task, and a choice of the others; nothing where there are none.

    The first that has both curves is shown first.
    """
    if not headlines:
        return ""
    panes = [_pane(headline, f"curve-{i}") for i, headline in enumerate(headlines)]
    if len(panes) == 1:
        return f'<div class="headline">{panes[0]}</div>'
    first = foremost(headlines)
    choices = "\n".join(
        f'<input type="radio" name="task" id="task-{i}"{" checked" if i == first else ""}>'
        f'<label for="task-{i}">{escape(headline.task)}</label>\n<div class="pane">{pane}</div>'
        for i, (headline, pane) in enumerate(zip(headlines, panes, strict=True))
    )
    return (
        '<div class="headline picker" role="group" aria-label="Task of the picture">\n'
        f"{choices}\n</div>"
    )


def _pane(headline: Headline, prefix: str) -> str:
    svgs = "\n".join(
        panel_svg(panel, f"{prefix}-{i}", headline.said, marks)
        for i, (panel, marks) in enumerate(headline.panels)
    )
    sole = " sole" if len(headline.panels) == 1 else ""
    return f"""<p class="answer">{explained(escape(headline.said))}</p>
<figure><div class="panels{sole}">
{svgs}
</div></figure>
<p class="advice"><b>To choose.</b> {explained(escape(headline.advice))}</p>"""
