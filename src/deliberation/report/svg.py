"""Turns a matplotlib SVG into one that belongs in a page: it follows the page's colour scheme and
fonts, carries a text alternative, has ids of its own, and refers to nothing outside."""

import re
import xml.etree.ElementTree as ET

from ..core.display.palette import DARK, NAMES, PLACEHOLDERS

__all__ = ["DARK", "NAMES", "PLACEHOLDERS", "SVG", "adapt", "standalone", "variables"]

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
MARGIN = 12.0

ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)


def adapt(source: str, *, prefix: str, title: str, description: str) -> str:
    """The SVG element ready to stand inside a page that has the CSS variables.

    `prefix` must differ between figures of one page; `title` and `description` are read aloud in
    place of the picture.
    """
    root = ET.fromstring(source)
    _strip(root)
    _rename_ids(root, prefix)
    for element in root.iter():
        _recolour(element)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}-title {prefix}-desc")
    root.set("stroke-linejoin", "round")
    _describe(root, prefix, title, description)
    return ET.tostring(root, encoding="unicode")


def standalone(svgs: list[str], columns: int = 2) -> str:
    """Several adapted SVGs as one file, light or dark as its reader prefers."""
    roots = [ET.fromstring(svg) for svg in svgs]
    sizes = [tuple(map(float, root.get("viewBox", "").split()[2:])) for root in roots]
    width, height = max(w for w, _ in sizes), max(h for _, h in sizes)
    # Room round the panels, since a picture in a page has no margin of its own.
    width, height = width + 2 * MARGIN, height + 2 * MARGIN
    across = min(columns, len(roots))
    down = -(-len(roots) // across)
    whole = ET.Element(f"{{{SVG}}}svg", viewBox=f"0 0 {across * width:g} {down * height:g}")
    whole.set("width", f"{across * width:g}")
    style = ET.SubElement(whole, f"{{{SVG}}}style")
    style.text = variables()
    ground = {"width": "100%", "height": "100%", "style": "fill: var(--paper)"}
    ET.SubElement(whole, f"{{{SVG}}}rect", ground)
    for index, (root, size) in enumerate(zip(roots, sizes, strict=True)):
        root.set("x", f"{index % across * width + MARGIN:g}")
        root.set("y", f"{index // across * height + MARGIN:g}")
        root.set("width", f"{size[0]:g}")
        root.set("height", f"{size[1]:g}")
        whole.append(root)
    return ET.tostring(whole, encoding="unicode") + "\n"


def variables() -> str:
    """The CSS that gives the colours their values, in the light and in the dark."""
    light = "; ".join(f"--{name}: {value}" for name, value in PLACEHOLDERS.values())
    dark = "; ".join(f"--{name}: {value}" for name, value in DARK.items())
    return (
        f"svg {{ font-family: system-ui, sans-serif; {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }}"
    )


def _strip(root: ET.Element) -> None:
    """Without metadata, and without the style sheet, which would apply to the whole page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.split("}")[-1] in ("metadata", "style"):
                parent.remove(child)


def _rename_ids(root: ET.Element, prefix: str) -> None:
    """Keep the ids that are referred to, under the figure's own prefix; drop the others."""
    text = " ".join(value for element in root.iter() for value in element.attrib.values())
    used = set(re.findall(r"url\(#([^)]+)\)", text))
    link = f"{{{XLINK}}}href"
    used |= {e.attrib[link][1:] for e in root.iter() if e.attrib.get(link, "").startswith("#")}
    fresh: dict[str, str] = {}
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name is not None and name in used:
            element.set("id", fresh.setdefault(name, f"{prefix}-{len(fresh)}"))
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == link and value[1:] in fresh:
                element.set(key, "#" + fresh[value[1:]])
            elif "url(#" in value:
                element.set(
                    key, re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{fresh[m[1]]})", value)
                )


def _recolour(element: ET.Element) -> None:
    style = element.get("style")
    if style is None:
        return
    for placeholder, (name, light) in PLACEHOLDERS.items():
        style = style.replace(placeholder, f"var(--{name}, {light})")
    # The page's own font: only the size, weight and anchor are the figure's.
    style = re.sub(r"font-family: [^;]*;? ?", "", style)
    style = re.sub(r"font: (?:(bold|\d+) )?([\d.]+px) [^;]*", _font, style)
    element.set("style", style)


def _font(match: re.Match[str]) -> str:
    weight = f"font-weight: {match[1]}; " if match[1] else ""
    return f"{weight}font-size: {match[2]}"


def _describe(root: ET.Element, prefix: str, title: str, description: str) -> None:
    for index, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(f"{{{SVG}}}{tag}", id=f"{prefix}-{tag}")
        element.text = text
        root.insert(index, element)
