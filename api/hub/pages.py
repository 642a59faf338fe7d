"""The pages of `docs/`: what their front matter says, their words, what is wrong with them. Only `read` reads files."""

import datetime as dt
import hashlib
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from msgspec import Struct

DOMAINS = ("frontend", "backend", "ops", "shared")
TYPES = (
    *("guide", "reference", "adr", "prd", "rfc", "runbook", "overview", "index", "glossary", "template", "feature"),
)
STATUSES = ("active", "draft", "deprecated")
NEEDED = ("title", "domain", "type")
SUMMARY = 500  # characters
OUTDATED = dt.timedelta(days=365)
ISSUES = ("frontmatter", "links", "duplicates", "outdated")
GRADES = ((90, "A", "Excellent"), (80, "B", "Good"), (70, "C", "Fair"), (60, "D", "Poor"), (0, "F", "Critical"))

IssueKind = Literal["frontmatter", "links", "duplicates", "outdated"]


class Page(Struct, frozen=True, kw_only=True):
    """One Markdown file. `about` is its front matter, `anchors` the ids of its headings."""

    path: str  # below docs/, with slashes
    title: str
    about: dict[str, Any]
    text: str  # without markup and code
    links: tuple[str, ...]
    anchors: frozenset[str]
    source: str

    @property
    def indexed(self) -> bool:
        """Whether the search knows it: its front matter holds title, domain and type."""
        return all(self.about.get(name) for name in NEEDED)

    def row(self) -> dict[str, Any]:
        """As it is stored for the search."""
        return {
            "path": self.path,
            "title": self.title,
            "domain": str(self.about["domain"]),
            "type": str(self.about["type"]),
            "tags": [str(tag) for tag in self.about.get("tags") or []],
            "status": str(self.about.get("status") or "active"),
            "summary": self.text[:SUMMARY],
            "body": self.text,
        }


class Issue(Struct, frozen=True, kw_only=True):
    """Something wrong with a page."""

    type: IssueKind
    path: str
    message: str


def markdown() -> MarkdownIt:
    """The dialect of the pages: CommonMark with tables, anchors at headings, front matter; HTML is shown as text."""
    reader = MarkdownIt("commonmark", {"html": False, "typographer": False}).enable(["table", "strikethrough"])
    return reader.use(front_matter_plugin).use(anchors_plugin, max_level=4)


def read(folder: Path) -> list[Page]:
    """Every page below `folder`, in the order of their paths."""
    files = sorted(path for path in folder.rglob("*.md") if path.is_file()) if folder.is_dir() else []
    return [page_of(file.relative_to(folder).as_posix(), file.read_text(encoding="utf-8")) for file in files]


def page_of(path: str, source: str) -> Page:
    """One page of its text."""
    tokens = markdown().parse(source)
    about = _front_matter(tokens)
    headings = [(token, tokens[at + 1]) for at, token in enumerate(tokens) if token.type == "heading_open"]
    first = next((_plain(inline) for token, inline in headings if token.tag == "h1"), None)
    return Page(
        path=path,
        title=str(about.get("title") or first or Path(path).stem.replace("-", " ")),
        about=about,
        text=" ".join(" ".join(_plain(token) for token in tokens if token.type == "inline").split()),
        links=tuple(_links(tokens)),
        anchors=frozenset(str(token.attrs["id"]) for token, _ in headings if "id" in token.attrs),
        source=source,
    )


def fingerprint(pages: list[Page]) -> str:
    """The same for the same pages."""
    digest = hashlib.blake2b(digest_size=16)
    for page in pages:
        digest.update(f"{page.path}\0{page.source}\0".encode())
    return digest.hexdigest()


def issues_of(pages: list[Page], today: dt.date) -> list[Issue]:
    """What is wrong with the pages, in the order of their paths."""
    by_path = {page.path: page for page in pages}
    titles = Counter(page.title.casefold() for page in pages)
    found = []
    for page in pages:
        found += [Issue(type="frontmatter", path=page.path, message=words) for words in _front_matter_issues(page)]
        found += [Issue(type="links", path=page.path, message=words) for words in _link_issues(page, by_path)]
        if titles[page.title.casefold()] > 1:
            found.append(Issue(type="duplicates", path=page.path, message=f"another page has the title {page.title!r}"))
        updated = _date_of(page.about.get("updated") or page.about.get("last_review"))
        if updated and today - updated > OUTDATED:
            found.append(Issue(type="outdated", path=page.path, message=f"last looked at on {updated}"))
    return found


def score_of(pages: int, issues: list[Issue]) -> float:
    """100 when nothing is wrong; every page with something wrong takes its share."""
    return round(100 * (1 - len({issue.path for issue in issues}) / pages), 1) if pages else 0.0


def grade_of(score: float) -> tuple[str, str]:
    """The letter and the word for a score."""
    return next((letter, word) for least, letter, word in GRADES if score >= least)


def target_of(page: str, link: str) -> tuple[str, str]:
    """The path below docs/ and the anchor that a relative link of a page leads to; the path may leave docs/ by `..`."""
    place, _, anchor = link.partition("#")
    return (posixpath.normpath(posixpath.join(posixpath.dirname(page), place)) if place else page), anchor


def _front_matter(tokens: list[Token]) -> dict[str, Any]:
    for token in tokens[:1]:
        if token.type == "front_matter":
            try:
                found = yaml.safe_load(token.content)
            except yaml.YAMLError:
                return {}
            return found if isinstance(found, dict) else {}
    return {}


def _plain(token: Token) -> str:
    parts = []
    for child in token.children or []:
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return "".join(parts)


def _links(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        for child in token.children or []:
            if child.type == "link_open":
                yield str(child.attrs.get("href", ""))


def _front_matter_issues(page: Page) -> Iterator[str]:
    missing = [name for name in NEEDED if not page.about.get(name)]
    if missing:
        yield f"front matter lacks {', '.join(missing)}"
    for name, known in (("domain", DOMAINS), ("type", TYPES), ("status", STATUSES)):
        value = page.about.get(name)
        if value is not None and value not in known:
            yield f"{name}: expected one of {', '.join(known)}; found {value!r}"


def _link_issues(page: Page, by_path: Mapping[str, Page]) -> Iterator[str]:
    for link in page.links:
        if re.match(r"^[a-z][a-z0-9+.-]*:|^/", link):
            continue
        target, anchor = target_of(page.path, link)
        if target.startswith("..") or not target.endswith(".md"):
            continue  # of the repository around docs/, or a folder
        if target not in by_path:
            yield f"{link} leads to no page"
        elif anchor and anchor not in by_path[target].anchors:
            yield f"{link}: that page has no such heading"


def _date_of(value: Any) -> dt.date | None:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
