"""Pages of `docs/` as HTML: one template, links that work on the own port and behind a prefix, no foreign file."""

import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markdown_it.token import Token
from markupsafe import Markup
from msgspec import Struct

from api.hub.pages import Page, markdown, target_of

HERE = Path(__file__).parent
SECTIONS = (("", "Pages"), ("guides", "Guides"), ("adr", "Decisions"))


class Entry(Struct, frozen=True):
    """A line of the menu."""

    address: str
    title: str
    current: bool


@cache
def templates() -> jinja2.Environment:
    """The Hub's templates; everything is escaped that is not marked as HTML."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )


def page_html(page: Page, pages: list[Page], root: str) -> str:
    """A page with the menu; `root` is what stands before the Hub's own paths."""
    tokens = markdown().parse(page.source)
    reader = markdown()
    _point(tokens, page.path, {each.path for each in pages}, root)
    body = reader.renderer.render(tokens, reader.options, {})
    headings = [
        (str(token.attrs["id"]), "".join(child.content for child in tokens[at + 1].children or []))
        for at, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h2" and "id" in token.attrs
    ]
    values = {"title": page.title, "body": Markup(body), "headings": headings}  # noqa: S704 - rendered with HTML off
    return _rendered("page.html", pages, root, page.path, values)


def search_html(words: str, found: list[dict[str, Any]], total: int, pages: list[Page], root: str) -> str:
    """What a search found. `highlight` of each row is HTML already."""
    shown = [
        {**row, "address": address_of(row["path"], root), "highlight": Markup(row["highlight"])}  # noqa: S704 - escaped
        for row in found
    ]
    return _rendered(
        "search.html", pages, root, "", {"title": "Search", "words": words, "found": shown, "total": total}
    )


def message_html(title: str, words: str, pages: list[Page], root: str) -> str:
    """A page that says one thing."""
    return _rendered("message.html", pages, root, "", {"title": title, "message": words})


def address_of(path: str, root: str) -> str:
    """Where the Hub has a page: its path without `.md`."""
    return f"{root}/{path.removesuffix('.md')}"


def _rendered(template: str, pages: list[Page], root: str, current: str, values: dict[str, Any]) -> str:
    menu = [
        (
            title,
            [
                Entry(address_of(page.path, root), page.title, page.path == current)
                for page in pages
                if _in(page, folder)
            ],
        )
        for folder, title in SECTIONS
    ]
    others = [page for page in pages if page.path.partition("/")[0] not in ("guides", "adr") and "/" in page.path]
    if others:
        menu.append(("More", [Entry(address_of(page.path, root), page.title, page.path == current) for page in others]))
    return templates().get_template(template).render(root=root, menu=menu, **values)


def _in(page: Page, folder: str) -> bool:
    return posixpath.dirname(page.path) == folder


def _point(tokens: list[Token], path: str, known: set[str], root: str) -> None:
    """Make links between pages lead to the Hub's addresses; those out of docs/ stay as text of the repository."""
    for token in tokens:
        for child in token.children or []:
            if child.type == "link_open":
                child.attrs["href"] = _address(str(child.attrs.get("href", "")), path, known, root)


def _address(link: str, path: str, known: set[str], root: str) -> str:
    if re.match(r"^[a-z][a-z0-9+.-]*:|^/", link):
        return link
    target, anchor = target_of(path, link)
    after = f"#{anchor}" if anchor else ""
    if target in known:
        return address_of(target, root) + after
    index = posixpath.join(target, "README.md")
    return address_of(index, root) + after if index in known else link
