"""`/docs`: the OpenAPI document and Swagger UI, every file of it served from here.

Swagger UI comes from the wheel `flask_openapi3_swagger`; only its files are read, its Python is never imported.
"""

from decimal import Decimal
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, OpenAPIType, Schema, SecurityScheme, Tag
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition

from api.kernel.access import OPEN
from api.kernel.health import product_version
from api.kernel.openapi import CompleteDocument

WHEEL = "flask-openapi3-swagger"
HERE = Path(__file__).parent
FILES = {  # name below /docs -> (media type, where it is)
    "swagger.js": ("text/javascript", "own"),
    "swagger-ui-bundle.js": ("text/javascript", "js"),
    "swagger-ui.css": ("text/css", "css"),
    "swagger.svg": ("image/svg+xml", "images"),
}
# Swagger UI writes style attributes and shows its icons as data URLs.
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


class SwaggerPage(OpenAPIRenderPlugin):
    """The page at `/docs` and its files."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - its interface
        """The page; the document is fetched by its script."""
        return (HERE / "swagger.html").read_bytes()

    def receive_router(self, router: Router) -> None:
        """Add the page's files to the router of `/docs`."""
        for name, (media_type, _) in FILES.items():
            router.register(_served(name, media_type))


class ExactNumbers(OpenAPISchemaPlugin):
    """Decimals come as numbers or, where a caller fears for their digits, as text."""

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """Whether the schema is told here."""
        return value is Decimal

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:  # noqa: ARG002 - its interface
        """The schema."""
        return Schema(type=[OpenAPIType.NUMBER, OpenAPIType.STRING])


def openapi(title: str, description: str, tags: dict[str, str]) -> OpenAPIConfig:
    """Configuration of the OpenAPI document; `tags` maps a tag to what it holds."""
    return OpenAPIConfig(
        title=title,
        version=product_version(),
        description=description,
        path="/docs",
        render_plugins=[SwaggerPage(), CompleteDocument()],
        openapi_router=Router(
            "/docs",
            route_handlers=[],
            include_in_schema=False,
            opt=OPEN,
            response_headers={"Content-Security-Policy": POLICY},
        ),
        tags=[Tag(name=name, description=text) for name, text in tags.items()],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "key": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
                "bearer": SecurityScheme(type="http", scheme="bearer"),
            }
        ),
        # The empty entry says that a key is optional: on loopback, reads need none.
        security=[{}, {"key": []}, {"bearer": []}],
    )


@cache
def _content(name: str) -> bytes:
    folder = FILES[name][1]
    path = HERE / name
    if folder != "own":
        path = Path(str(distribution(WHEEL).locate_file(f"flask_openapi3_swagger/templates/swagger/{folder}/{name}")))
    if not path.is_file():
        raise NotFoundException(f"{name} is missing: {WHEEL} is not installed as the lock says")
    return path.read_bytes()


def _served(name: str, media_type: str) -> Any:
    @get(f"/{name}", sync_to_thread=True, name=f"docs-{name}")
    def served() -> Response[bytes]:
        return Response(_content(name), media_type=media_type, headers={"Cache-Control": "max-age=3600"})

    return served
