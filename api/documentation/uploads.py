"""`/api/v1/files/upload…`: files in, part by part from the request's temporary file to the database."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.exceptions import ClientException, HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body
from msgspec import UNSET, Meta, Struct, UnsetType

from api.documentation.answers import CHANGES, READS
from api.documentation.clashes import clashes_told
from api.documentation.files import PATH, TAGS, File, FileAnswer
from api.documentation.kinds import KINDS, MAX_FILE_BYTES, MAX_FILES, media_type_of, name_in, stored_name
from api.documentation.values import who_asks
from api.kernel.access import scoped
from api.kernel.deadlines import SECONDS
from api.kernel.errors import FieldError, InvalidRequestError, invalid
from sql.documentation import files
from sql.documentation.audit import Who
from sql.documentation.files import PART_BYTES, Arrival
from sql.pool import Pool

UPLOAD_SECONDS = 300.0  # for a slow line
FORM_BYTES = 1 << 16  # the other fields of a form, and its boundaries
Form = Body(media_type=RequestEncodingType.MULTI_PART, multipart_form_part_limit=20)


class UploadDetails(Struct, frozen=True, kw_only=True):
    """What may be said of files that come in."""

    system_id: uuid.UUID | None = None
    idea_id: uuid.UUID | None = None
    description: Annotated[str, Meta(max_length=500)] | None = None
    is_public: bool = False


class OneFile(UploadDetails, frozen=True, kw_only=True):
    """A form with one file."""

    file: UploadFile


class SomeFiles(UploadDetails, frozen=True, kw_only=True):
    """A form with up to five files."""

    files: Annotated[list[UploadFile], Meta(min_length=1)]


class Refused(Struct, frozen=True, kw_only=True):
    """A file that was not taken."""

    filename: str
    error: str


class UploadAnswer(Struct, frozen=True, kw_only=True):
    """What was taken, and what was not."""

    success: bool = True
    data: list[File]
    message: str
    errors: list[Refused] | UnsetType = UNSET


class UploadLimits(Struct, frozen=True, kw_only=True):
    """What is taken. Sizes in bytes; there is no directory: content stands in the database."""

    max_file_size: int = MAX_FILE_BYTES
    max_file_size_mb: int = MAX_FILE_BYTES >> 20
    allowed_extensions: tuple[str, ...] = tuple(f".{extension}" for extension in KINDS)
    max_files_per_request: int = MAX_FILES
    storage: str = "database"
    upload_directory: str | None = None


class LimitsAnswer(Struct, frozen=True, kw_only=True):
    """What is taken."""

    success: bool = True
    data: UploadLimits


@post(
    f"{PATH}/upload",
    tags=TAGS,
    summary="Upload a file",
    opt={**scoped("documentation:write"), SECONDS: UPLOAD_SECONDS},
    request_max_body_size=MAX_FILES * MAX_FILE_BYTES + FORM_BYTES,  # a file too large is 400 and told which
    responses=CHANGES,
)
async def upload_file(
    request: Request[Any, Any, Any], data: Annotated[OneFile, Form], documentation_pool: NamedDependency[Pool]
) -> FileAnswer:
    """10 MB at most, of one of the types of `upload-info`. 404 when the system or the idea does not exist."""
    try:
        row = await _taken(documentation_pool, data.file, data, who_asks(request))
    finally:
        await data.file.close()
    return FileAnswer(data=row, message="File uploaded successfully")


@post(
    f"{PATH}/upload-multiple",
    tags=TAGS,
    summary="Upload up to five files",
    opt={**scoped("documentation:write"), SECONDS: UPLOAD_SECONDS},
    request_max_body_size=MAX_FILES * MAX_FILE_BYTES + FORM_BYTES,
    responses={
        **CHANGES,
        207: ResponseSpec(UploadAnswer, generate_examples=False, description="Some files were not taken"),
    },
)
async def upload_files(
    request: Request[Any, Any, Any], data: Annotated[SomeFiles, Form], documentation_pool: NamedDependency[Pool]
) -> Response[UploadAnswer]:
    """201 when all are taken, 207 when some are, 400 with `details` when none is. Each file stands on its own."""
    try:
        if len(data.files) > MAX_FILES:
            raise invalid("files", f"expected at most {MAX_FILES} files, found {len(data.files)}")
        kept, refused = await _each(documentation_pool, data, who_asks(request))
    finally:
        for upload in data.files:
            await upload.close()
    if not kept:
        raise InvalidRequestError(*(FieldError(entry.filename, entry.error) for entry in refused))
    message = f"{len(kept)} of {len(data.files)} files uploaded"
    answer = UploadAnswer(data=kept, message=message, errors=refused or UNSET)
    return Response(answer, status_code=207 if refused else 201)


@get(
    f"{PATH}/upload-info", tags=TAGS, summary="What is taken", opt=scoped("documentation:read"), responses=READS
)  # fmt: skip
async def upload_info() -> LimitsAnswer:
    """Sizes and types."""
    return LimitsAnswer(data=UploadLimits())


async def _each(pool: Pool, form: SomeFiles, who: Who) -> tuple[list[File], list[Refused]]:
    kept, refused = [], []
    for upload in form.files:
        try:
            kept.append(await _taken(pool, upload, form, who))
        except (InvalidRequestError, ClientException) as error:
            words = error.detail if isinstance(error, HTTPException) else error.errors[0].message
            refused.append(Refused(filename=upload.filename, error=words))
    return kept, refused


async def _taken(pool: Pool, upload: UploadFile, details: UploadDetails, who: Who) -> File:
    try:
        name = name_in(upload.filename)
        media_type = media_type_of(name, upload.content_type)
    except ValueError as error:
        raise invalid("file", str(error)) from error
    size = upload.file.seek(0, 2)
    upload.file.seek(0)
    if size > MAX_FILE_BYTES:
        raise invalid("file", f"expected at most {MAX_FILE_BYTES} bytes (10 MB), found {size}")
    arrival = Arrival(
        filename=stored_name(name, dt.datetime.now(dt.UTC)),
        original_name=name,
        mime_type=media_type,
        description=(details.description or "").strip() or None,
        idea_id=details.idea_id,
        system_id=details.system_id,
        is_public=details.is_public,
    )
    with clashes_told():
        return File(**await files.stored(pool, arrival, _parts(upload), who))


async def _parts(upload: UploadFile) -> AsyncIterator[bytes]:
    while part := await upload.read(PART_BYTES):
        yield part


HANDLERS = (upload_file, upload_files, upload_info)
