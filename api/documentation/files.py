"""`/api/v1/files`: what is there, its bytes, and what is said of it. `uploads.py` takes files in."""

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from litestar import Request, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import UNSET, Meta, Struct, UnsetType

from api.documentation.answers import CHANGES, DELETES, READS, Done, Page, something
from api.documentation.clashes import clashes_told
from api.documentation.kinds import disposition
from api.documentation.states import as_seen
from api.documentation.values import (
    Key,
    Offset,
    Question,
    Search,
    existing,
    given,
    instant_in,
    key_in,
    sought,
    who_asks,
)
from api.kernel.access import scoped
from api.kernel.bodies import Body
from api.kernel.errors import responses
from api.ranges import wanted
from sql.documentation import entities, files
from sql.documentation.entities import Asked
from sql.documentation.tables import FILES, IDEAS, SYSTEMS, Entity
from sql.pool import Pool

PATH = "/api/v1/files"
TAGS = ["files"]

Order = Literal[
    "created_at", "updated_at", "size", "size_bytes", "filename", "original_name", "mime_type", "download_count"
]
Size = Annotated[int | None, QueryParameter(ge=0, le=1 << 40, description="In bytes.")]
Text = Annotated[str | None, QueryParameter(min_length=1, max_length=255)]
BYTES = {
    200: ResponseSpec(bytes, generate_examples=False, media_type="*/*", description="The file"),
    206: ResponseSpec(bytes, generate_examples=False, media_type="*/*", description="The part that was asked for"),
    **responses(416),
}


class File(Struct, frozen=True, kw_only=True):
    """One file. `filename` is the name it is stored under, `checksum` its SHA-256; it stands in no directory."""

    id: uuid.UUID
    filename: str
    original_name: str
    mime_type: str
    size_bytes: int
    file_path: str | None
    description: str | None
    idea_id: uuid.UUID | None
    system_id: uuid.UUID | None
    uploaded_by: str | None
    is_public: bool
    download_count: int
    checksum: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


class FileChanges(Struct, frozen=True, kw_only=True):
    """What is to change; what is left out stays."""

    description: Annotated[str, Meta(max_length=500)] | UnsetType | None = UNSET
    is_public: bool | UnsetType = UNSET
    system_id: uuid.UUID | UnsetType | None = UNSET
    idea_id: uuid.UUID | UnsetType | None = UNSET


class FileAnswer(Struct, frozen=True, kw_only=True):
    """One file."""

    success: bool = True
    data: File
    message: str | UnsetType = UNSET


class Pagination(Struct, frozen=True, kw_only=True):
    """Which part of what fits."""

    total: int
    limit: int
    offset: int


class FileList(Struct, frozen=True, kw_only=True):
    """Files. `count` are in this answer."""

    success: bool = True
    data: list[File]
    count: int
    pagination: Pagination | UnsetType = UNSET
    query: str | UnsetType = UNSET


class FileFigures(Struct, frozen=True, kw_only=True):
    """Figures over all files. Sizes in bytes; small is below 1 MB, medium below 10, large below 100."""

    total: int
    total_size: int
    total_size_bytes: int
    total_downloads: int
    by_mime_type: dict[str, int]
    by_uploader: dict[str, int]
    by_visibility: dict[str, dict[str, int]]
    size_distribution: dict[str, int]
    by_idea: int


class FileFiguresAnswer(Struct, frozen=True, kw_only=True):
    """Figures over all files."""

    success: bool = True
    data: FileFigures


@get(PATH, tags=TAGS, summary="Files", opt=scoped("documentation:read"), responses=READS)
async def list_files(
    *,
    documentation_pool: NamedDependency[Pool],
    system_id: FromQuery[uuid.UUID | None] = None,
    idea_id: FromQuery[uuid.UUID | None] = None,
    uploaded_by: Text = None,
    mime_type: Text = None,
    search: Search = None,
    is_public: FromQuery[bool | None] = None,
    min_size: Size = None,
    max_size: Size = None,
    created_from: FromQuery[str | None] = None,
    created_to: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 50,
    offset: Offset = 0,
    order_by: FromQuery[Order] = "created_at",
    order_direction: FromQuery[Literal["ASC", "DESC", "asc", "desc"]] = "DESC",
) -> FileList:
    """The newest first. `created_from` and `created_to` are ISO 8601, both part of what is asked for."""
    filters = {
        "system_id": system_id,
        "idea_id": idea_id,
        "uploaded_by": uploaded_by,
        "mime_type": mime_type,
        "is_public": is_public,
        "min_size": min_size,
        "max_size": max_size,
        "created_from": instant_in("created_from", created_from),
        "created_to": instant_in("created_to", created_to),
    }
    asked = Page(limit=limit, offset=offset, order_by=order_by, order_direction=order_direction).asked(filters, search)
    rows = await entities.listed(documentation_pool, FILES, asked)
    total = await entities.counted(documentation_pool, FILES, asked)
    page = Pagination(total=total, limit=limit, offset=offset)
    return FileList(data=[File(**row) for row in rows], count=len(rows), pagination=page)


@get(f"{PATH}/{{file_id:str}}", tags=TAGS, summary="One file", opt=scoped("documentation:read"), responses=READS)
async def get_file(file_id: Key, documentation_pool: NamedDependency[Pool]) -> FileAnswer:
    """What is known of the file of this id."""
    row = await entities.found(documentation_pool, FILES, key_in(file_id))
    return FileAnswer(data=File(**existing(row, "File", file_id)))


@get(
    f"{PATH}/{{file_id:str}}/download",
    tags=TAGS,
    summary="The bytes of a file",
    opt=scoped("documentation:read"),
    responses={**READS, **BYTES},
)
async def download_file(
    request: Request[Any, Any, Any], file_id: Key, documentation_pool: NamedDependency[Pool]
) -> Response[Any]:
    """As they were uploaded, for keeping and not for showing; byte ranges are answered. Counts one download."""
    file = File(**existing(await entities.found(documentation_pool, FILES, key_in(file_id)), "File", file_id))
    part = wanted(request.headers.get("range", ""), file.size_bytes)
    first, last = part or (0, file.size_bytes - 1)
    headers = {
        "Content-Type": file.mime_type,  # as it was told: whatever the letters are, they are its own
        "Content-Disposition": disposition(file.original_name),
        "Content-Length": str(last - first + 1),
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-cache",
        "ETag": f'"{file.checksum}"',
    }
    if part:
        headers["Content-Range"] = f"bytes {first}-{last}/{file.size_bytes}"
    if request.scope["state"].get("head"):
        return Response(b"", headers=headers)
    if first == 0:
        await files.count_download(documentation_pool, file.id)
    parts = files.content(documentation_pool, file.id, first, last - first + 1)
    return Stream(parts, status_code=206 if part else 200, headers=headers)


@put(
    f"{PATH}/{{file_id:str}}",
    tags=TAGS,
    summary="Change what is said of a file",
    opt=scoped("documentation:write"),
    dto=Body[FileChanges],
    responses=CHANGES,
)
async def update_file(
    request: Request[Any, Any, Any],
    file_id: Key,
    data: JSONBody[FileChanges],
    documentation_pool: NamedDependency[Pool],
) -> FileAnswer:
    """The file as it is now. Its bytes never change."""
    values = something(given(data))
    with clashes_told():
        row = await entities.changed(
            documentation_pool,
            FILES,
            key_in(file_id),
            change=lambda _: values,
            who=who_asks(request),
            check=as_seen(request),
        )
    return FileAnswer(data=File(**existing(row, "File", file_id)), message="File updated successfully")


@delete(
    f"{PATH}/{{file_id:str}}",
    tags=TAGS,
    summary="Remove a file",
    opt=scoped("documentation:delete"),
    status_code=200,
    responses=DELETES,
)
async def delete_file(request: Request[Any, Any, Any], file_id: Key, documentation_pool: NamedDependency[Pool]) -> Done:
    """Its bytes go with it; the audit log keeps its name, size and checksum."""
    row = await entities.removed(
        documentation_pool, FILES, key_in(file_id), who=who_asks(request), check=as_seen(request)
    )
    existing(row, "File", file_id)
    return Done(message="File deleted successfully")


@get(f"{PATH}/idea/{{idea_id:str}}", tags=TAGS, summary="Files of an idea", opt=scoped("documentation:read"),
     responses=READS)  # fmt: skip
async def files_of_idea(idea_id: Key, documentation_pool: NamedDependency[Pool]) -> FileList:
    """The oldest first. 404 when there is no such idea."""
    return await _files_of(documentation_pool, IDEAS, "Idea", idea_id)


@get(f"{PATH}/system/{{system_id:str}}", tags=TAGS, summary="Files of a system", opt=scoped("documentation:read"),
     responses=READS)  # fmt: skip
async def files_of_system(system_id: Key, documentation_pool: NamedDependency[Pool]) -> FileList:
    """The oldest first. 404 when there is no such system."""
    return await _files_of(documentation_pool, SYSTEMS, "System", system_id)


@get(f"{PATH}/search", tags=TAGS, summary="Search files", opt=scoped("documentation:read"), responses=READS)
async def search_files(question: Question, documentation_pool: NamedDependency[Pool]) -> FileList:
    """Words in Portuguese or English, or a part of one, in name and description."""
    words = sought(question)
    rows = await entities.listed(documentation_pool, FILES, Asked(search=words))
    return FileList(data=[File(**row) for row in rows], count=len(rows), query=words)


@get(f"{PATH}/statistics", tags=TAGS, summary="Figures over all files", opt=scoped("documentation:read"),
     responses=READS)  # fmt: skip
async def file_statistics(documentation_pool: NamedDependency[Pool]) -> FileFiguresAnswer:
    """By type, uploader, visibility and size."""
    return FileFiguresAnswer(data=FileFigures(**await files.statistics(documentation_pool)))


async def _files_of(pool: Pool, entity: Entity, kind: str, key: str) -> FileList:
    owner = existing(await entities.found(pool, entity, key_in(key)), kind, key)
    asked = Asked(filters={f"{kind.lower()}_id": owner["id"]}, direction="ASC")
    rows = await entities.listed(pool, FILES, asked)
    return FileList(data=[File(**row) for row in rows], count=len(rows))


HANDLERS = (
    list_files,
    get_file,
    download_file,
    update_file,
    delete_file,
    files_of_idea,
    files_of_system,
    search_files,
    file_statistics,
)
