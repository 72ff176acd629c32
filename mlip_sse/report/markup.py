"""HTML that is escaped by construction: a plain string becomes text, and only `tag` makes markup."""

import html
from collections.abc import Iterable, Sequence

__all__ = ["Markup", "badge", "bullets", "joined", "table", "tag"]

_VOID = frozenset({"br", "meta", "hr", "img"})


class Markup(str):
    """A string that is HTML already."""

    __slots__ = ()


def tag(element: str, /, *children: str | None, **attributes: str | None) -> Markup:
    """Return an element; children that are not `Markup` are escaped, as are all attributes.

    Parameters
    ----------
    element
        Its name.
    *children
        None is left out.
    **attributes
        ``class_`` for ``class``, an underscore elsewhere is a hyphen; None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value, quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in _VOID:
        return Markup(f"<{element}{written}>")
    return Markup(f"<{element}{written}>{joined(children)}</{element}>")


def joined(parts: Iterable[str | None]) -> Markup:
    """Return parts one after another, escaped where they are not `Markup`."""
    return Markup(
        "".join(part if isinstance(part, Markup) else html.escape(part) for part in parts if part is not None)
    )


def bullets(lines: Iterable[str], class_: str | None = None) -> Markup | None:
    """Return an unordered list; None where there is no line."""
    found = [tag("li", line) for line in lines if line]
    return tag("ul", *found, class_=class_) if found else None


def badge(words: str, kind: str) -> Markup:
    """Return a word in a coloured frame: ``good``, ``weak``, ``bad`` or ``plain``; the word says it, not the colour."""
    return tag("span", words, class_=f"badge {kind}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str | None = None) -> Markup:
    """Return a table that scrolls sideways on a narrow screen; the first cell of a row is its head."""
    top = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    body = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    named = None if caption is None else tag("caption", caption)
    return tag("div", tag("table", named, tag("thead", top), tag("tbody", *body)), class_="wide")
