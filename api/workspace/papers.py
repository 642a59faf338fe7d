"""`/api/prds/{language}`: the product papers that stand as Markdown files in a folder of each language."""

import datetime as dt
from pathlib import Path
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter
from msgspec import Struct

from api.kernel.access import scoped
from api.kernel.errors import invalid, responses

LANGUAGES = ("pt", "en")


class Paper(Struct, frozen=True, kw_only=True, rename="camel"):
    """One paper. `size` is in bytes; `path` is below the folder of papers."""

    id: str
    file_name: str
    name: str
    size: int
    modified_at: dt.datetime
    path: str


class PaperList(Struct, frozen=True, kw_only=True):
    """Papers, by file name."""

    success: bool = True
    language: str
    count: int
    data: list[Paper]


@get(
    "/api/prds/{language:str}",
    tags=["workspace"],
    summary="Product papers of a language",
    opt=scoped("workspace:read"),
    responses=responses(400, 401, 403, 404, 429),
    sync_to_thread=True,
)
def list_papers(
    language: Annotated[str, PathParameter(description="`pt` or `en`.")], papers_dir: NamedDependency[Path]
) -> PaperList:
    """The Markdown files of the language's folder. 404 when there is no such folder."""
    if language not in LANGUAGES:
        raise invalid("language", f"expected one of {', '.join(LANGUAGES)}; found {language[:40]!r}")
    folder = papers_dir / language
    if not folder.is_dir():
        raise NotFoundException(
            f"there are no papers in {language!r}: {folder.name} is missing in the folder of papers"
        )
    found = [paper_of(path, papers_dir) for path in sorted(folder.glob("*.md")) if path.is_file()]
    return PaperList(language=language, count=len(found), data=found)


def paper_of(path: Path, root: Path) -> Paper:
    """What a listing says about a file; its name is that of the file, in words."""
    known = path.stat()
    return Paper(
        id=path.stem,
        file_name=path.name,
        name=path.stem.replace("-", " ").replace("_", " "),
        size=known.st_size,
        modified_at=dt.datetime.fromtimestamp(known.st_mtime, dt.UTC),
        path=path.relative_to(root).as_posix(),
    )
