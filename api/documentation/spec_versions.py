"""`/api/v1/versions` and `/spec`: the API documents as they are now, as they were kept, and how they differ."""

import datetime as dt
import io
import json
import zipfile
from typing import Annotated, Any, Literal

import anyio.to_thread
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import JSONBody, PathParameter
from msgspec import Struct

from api.documentation import spec_parts
from api.documentation.answers import READS
from api.documentation.library import READ, WRITE
from api.kernel.access import actor
from api.kernel.bodies import Body
from api.kernel.errors import responses
from api.kernel.health import product_version
from sql.documentation import specs
from sql.pool import Pool

PATH = "/api/v1/versions"
TAGS = ["specs"]
YAML = "application/yaml"
LIVE = frozenset({"base", "current"})

Step = Literal["major", "minor", "patch"]
Source = Annotated[Literal["openapi", "asyncapi"], PathParameter(description="Which of the two documents")]
Number = Annotated[str, PathParameter(max_length=40, description="A number, `latest`, `stable`, `base` or `current`")]


class Versions(Struct, frozen=True, kw_only=True):
    """`base` is what this program serves now; `stable` the newest one that was kept as a major version."""

    success: bool = True
    base: str
    latest: str
    stable: str
    all: list[dict[str, Any]]


class Version(Struct, frozen=True, kw_only=True, rename="camel"):
    """One version, and where its documents are."""

    success: bool = True
    version: str
    path: str
    specs: dict[str, str]
    last_updated: dt.datetime


class Kept(Struct, frozen=True, kw_only=True):
    """A version that was just kept."""

    success: bool = True
    version: str
    type: Step
    path: str
    specs: dict[str, str]


class Condition(Struct, frozen=True, kw_only=True, rename="camel"):
    """How the documents of a version are."""

    success: bool = True
    openapi: Literal["healthy", "error"]
    asyncapi: Literal["healthy", "error"]
    last_updated: dt.datetime
    version: str
    endpoints: int
    channels: int


class Compared(Struct, frozen=True, kw_only=True):
    """What changed from `v1` to `v2`: added, removed, modified."""

    success: bool = True
    v1: str
    v2: str
    changes: dict[str, dict[str, list[str]]]


class NewVersion(Struct, frozen=True, kw_only=True):
    """How much changed since the last one."""

    type: Step = "minor"


class Documents(Struct, frozen=True, kw_only=True):
    """Both documents of one version."""

    version: str
    openapi: spec_parts.Document
    asyncapi: spec_parts.Document
    at: dt.datetime


@get(PATH, tags=TAGS, summary="Versions of the API documents", opt=READ, responses=READS)
async def list_versions(documentation_pool: NamedDependency[Pool]) -> Versions:
    """In their order."""
    kept = await specs.versions(documentation_pool)
    majors = [row["version"] for row in kept if row["type"] == "major"]
    latest = kept[-1]["version"] if kept else "base"
    return Versions(base=product_version(), latest=latest, stable=majors[-1] if majors else latest, all=kept)


@post(
    PATH,
    tags=TAGS,
    summary="Keep the documents as they are now",
    opt=WRITE,
    dto=Body[NewVersion],
    responses=responses(400, 401, 403, 409, 413, 422, 429, 503),
)
async def keep_version(
    request: Request[Any, Any, Any], data: JSONBody[NewVersion], documentation_pool: NamedDependency[Pool]
) -> Kept:
    """Under the next number."""
    openapi, asyncapi = await spec_parts.live(request)
    number = await specs.keep(documentation_pool, data.type, openapi, asyncapi, actor(request))
    return Kept(version=number, type=data.type, path=f"{PATH}/{number}", specs=_addresses(number))


@get(f"{PATH}/{{number:str}}", tags=TAGS, summary="One version", opt=READ, responses=READS)
async def get_version(
    request: Request[Any, Any, Any], number: Number, documentation_pool: NamedDependency[Pool]
) -> Version:
    """Where its documents are."""
    found = await documents(request, documentation_pool, number)
    return Version(version=found.version, path=f"{PATH}/{number}", specs=_addresses(number), last_updated=found.at)


@get(f"{PATH}/{{number:str}}/status", tags=TAGS, summary="How a version is", opt=READ, responses=READS)
async def version_status(
    request: Request[Any, Any, Any], number: Number, documentation_pool: NamedDependency[Pool]
) -> Condition:
    """Whether its documents are what their standards ask for, and how much is in them."""
    found = await documents(request, documentation_pool, number)
    of_openapi, of_asyncapi = spec_parts.issues_of(found.openapi, found.asyncapi)
    return Condition(
        openapi="error" if of_openapi else "healthy",
        asyncapi="error" if of_asyncapi else "healthy",
        last_updated=found.at,
        version=found.version,
        endpoints=sum(1 for _ in spec_parts.operations(found.openapi)),
        channels=len(found.asyncapi.get("channels", {})),
    )


@get(
    f"{PATH}/{{number:str}}/spec/{{source:str}}",
    tags=TAGS,
    summary="A document of a version",
    opt=READ,
    responses=READS,
    media_type=YAML,
)
async def version_spec(
    request: Request[Any, Any, Any], number: Number, source: Source, documentation_pool: NamedDependency[Pool]
) -> Response[str]:
    """As YAML."""
    found = await documents(request, documentation_pool, number)
    return await _yaml(found.openapi if source == "openapi" else found.asyncapi)


@get(f"{PATH}/compare/{{first:str}}/{{second:str}}", tags=TAGS, summary="Compare", opt=READ, responses=READS)
async def compare_versions(
    request: Request[Any, Any, Any], first: Number, second: Number, documentation_pool: NamedDependency[Pool]
) -> Compared:
    """Paths, components and channels that were added, removed or modified."""
    before = await documents(request, documentation_pool, first)
    after = await documents(request, documentation_pool, second)
    pair = [{"openapi": one.openapi, "asyncapi": one.asyncapi} for one in (before, after)]
    return Compared(v1=first, v2=second, changes=spec_parts.changes(*pair))


@get("/spec/openapi.yaml", tags=TAGS, summary="OpenAPI, now", opt=READ, responses=READS, media_type=YAML)
async def openapi_yaml(request: Request[Any, Any, Any]) -> Response[str]:
    """Of everything that this process serves."""
    openapi, _ = await spec_parts.live(request)
    return await _yaml(openapi)


@get("/spec/asyncapi.yaml", tags=TAGS, summary="AsyncAPI, now", opt=READ, responses=READS, media_type=YAML)
async def asyncapi_yaml(request: Request[Any, Any, Any]) -> Response[str]:
    """Of the stream."""
    _, asyncapi = await spec_parts.live(request)
    return await _yaml(asyncapi)


@get("/api/v1/docs/status", tags=TAGS, summary="How the documents are", opt=READ, responses=READS)
async def documents_status(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """`status` is `error` when something is missing in one of them."""
    openapi, asyncapi = await spec_parts.live(request)
    of_openapi, of_asyncapi = spec_parts.issues_of(openapi, asyncapi)
    schemas = openapi.get("components", {}).get("schemas", {})
    endpoints, channels = sum(1 for _ in spec_parts.operations(openapi)), len(asyncapi.get("channels", {}))
    return {
        "openapi": {
            "valid": not of_openapi,
            "version": openapi["openapi"],
            "endpoints": endpoints,
            "issues": of_openapi,
        },
        "asyncapi": {
            "valid": not of_asyncapi,
            "version": asyncapi["asyncapi"],
            "channels": channels,
            "issues": of_asyncapi,
        },
        "symbols": {"valid": bool(schemas), "symbolCount": len(schemas), "issues": [] if schemas else ["no schemas"]},
        "lastChecked": dt.datetime.now(dt.UTC),
        "issues": of_openapi + of_asyncapi,
        "status": "error" if of_openapi or of_asyncapi else "ok",
    }


@get("/api/v1/docs/check", tags=TAGS, summary="Are the documents well", opt=READ, responses=READS)
async def documents_check(request: Request[Any, Any, Any]) -> dict[str, str]:
    """In one line."""
    of_openapi, of_asyncapi = spec_parts.issues_of(*await spec_parts.live(request))
    issues = of_openapi + of_asyncapi
    if issues:
        return {"status": "error", "message": f"{len(issues)} issues, the first: {issues[0]}"}
    return {"status": "ok", "message": "the documents are what their standards ask for"}


@get(
    "/api/v1/docs/download",
    tags=TAGS,
    summary="Documents, schemas and examples in one file",
    opt=READ,
    responses=READS,
    media_type="application/zip",
)
async def documents_download(request: Request[Any, Any, Any]) -> Response[bytes]:
    """openapi.yaml, asyncapi.yaml, schemas/*.json, examples.json."""
    openapi, asyncapi = await spec_parts.live(request)
    texts = {"openapi.yaml": await spec_parts.as_yaml(openapi), "asyncapi.yaml": await spec_parts.as_yaml(asyncapi)}
    name = f'attachment; filename="api-documents-{product_version()}.zip"'
    content = await anyio.to_thread.run_sync(_packed, texts, openapi)
    return Response(content, media_type="application/zip", headers={"Content-Disposition": name})


def _packed(texts: dict[str, str], openapi: spec_parts.Document) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
        for name, schema in openapi.get("components", {}).get("schemas", {}).items():
            archive.writestr(f"schemas/{name}.json", json.dumps(schema, ensure_ascii=False, indent=2))
        archive.writestr("examples.json", json.dumps(spec_parts.examples_of(openapi), ensure_ascii=False, indent=2))
    return buffer.getvalue()


async def documents(request: Request[Any, Any, Any], pool: Pool, number: str) -> Documents:
    """The documents of a version. Raises NotFoundException."""
    if number in ("latest", "stable"):
        kept = await specs.versions(pool)
        chosen = [row["version"] for row in kept if number == "latest" or row["type"] == "major"]
        number = chosen[-1] if chosen else kept[-1]["version"] if kept else "base"
    if number in LIVE:
        openapi, asyncapi = await spec_parts.live(request)
        return Documents(version=product_version(), openapi=openapi, asyncapi=asyncapi, at=dt.datetime.now(dt.UTC))
    row = await specs.version(pool, number)
    if row is None:
        raise NotFoundException(f"there is no version {number!r}; see {PATH}")
    return Documents(version=number, openapi=row["openapi"], asyncapi=row["asyncapi"], at=row["created_at"])


def _addresses(number: str) -> dict[str, str]:
    return {source: f"{PATH}/{number}/spec/{source}" for source in ("openapi", "asyncapi")}


async def _yaml(found: spec_parts.Document) -> Response[str]:
    return Response(await spec_parts.as_yaml(found), media_type=YAML)


HANDLERS = (
    list_versions,
    keep_version,
    compare_versions,
    get_version,
    version_status,
    version_spec,
    openapi_yaml,
    asyncapi_yaml,
    documents_status,
    documents_check,
    documents_download,
)
