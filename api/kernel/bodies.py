"""JSON bodies: `dto=Body[NewItem]` beside a handler reads `data: NewItem`, and names every value that is not right.

Litestar's own way tells the first of them alone; a form has to mark them all.
"""

import json
from collections import Counter
from collections.abc import Generator
from typing import Any, Generic, TypeVar, get_type_hints

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition
from msgspec import NODEFAULT, Struct, ValidationError

from api.kernel.errors import FieldError, InvalidRequestError, invalid

BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

T = TypeVar("T", bound=Struct)


class BodyRequest(Request[Any, Any, Any]):
    """A request whose JSON is refused, not broken off, where it is no UTF-8 or nested without end."""

    async def json(self) -> Any:
        """The body. Raises InvalidRequestError, and litestar's own error for other faults.

        A command that needs a key says each thing once: of two quantities nobody knows which one was meant.
        """
        try:
            found = await super().json()
            if self.scope["route_handler"].opt.get("always"):
                json.loads(await self.body() or b"null", object_pairs_hook=_said_once, parse_int=str)
        except (UnicodeDecodeError, RecursionError) as error:
            raise _broken(error) from error
        return found


class Body(AbstractDTO[T], Generic[T]):
    """Reads a Struct as it stands; nothing is generated, renamed or left out."""

    def decode_bytes(self, value: bytes) -> Any:
        """The Struct. Raises InvalidRequestError with one entry for each value that it cannot hold."""
        return read(value, self.model_type)

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,  # noqa: ARG003 - its interface
        schema_creator: Any,
    ) -> Reference | Schema:
        """The Struct's own schema."""
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """Nothing to generate."""

    @classmethod
    def is_supported_model_type_field(cls, field_definition: FieldDefinition) -> bool:  # noqa: ARG003 - its interface
        """Answers are encoded without it."""
        return False

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:  # noqa: ARG003
        """Nothing to generate."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:  # noqa: ARG003 - its interface
        """Nothing is looked into."""
        return False


def read(value: bytes, struct: type[T]) -> T:
    """`value` as `struct`. Raises InvalidRequestError with one entry for each value that does not fit."""
    try:
        return msgspec.json.decode(value, type=struct)
    except ValidationError as error:
        raise InvalidRequestError(*misfits(_json(value), struct, str(error))) from error
    except BROKEN as error:
        raise _broken(error) from error


def misfits(found: Any, struct: type[Struct], otherwise: str) -> list[FieldError]:
    """What keeps `found` from being a `struct`, field by field; `otherwise` when no single field does."""
    if not isinstance(found, dict):
        return [FieldError("body", f"expected a JSON object, found {_kind(found)}")]
    hints = get_type_hints(struct, include_extras=True)
    errors = []
    for field in msgspec.structs.fields(struct):
        name = field.encode_name
        if name not in found:
            if field.default is NODEFAULT and field.default_factory is NODEFAULT:
                errors.append(FieldError(name, "is needed"))
            continue
        try:
            msgspec.convert(found[name], hints[field.name])
        except ValidationError as error:
            errors.append(FieldError(name, _words(error, found[name], hints[field.name])))
    return errors or [FieldError("body", otherwise)]


def _said_once(pairs: list[tuple[str, Any]]) -> None:
    names = Counter(name for name, _ in pairs)
    for name, count in names.items():
        if count > 1:
            raise invalid(name, f"expected once, found {count} times")


def _json(value: bytes) -> Any:
    try:
        return msgspec.json.decode(value)
    except BROKEN as error:
        raise _broken(error) from error


def _broken(error: Exception) -> InvalidRequestError:
    return invalid("body", f"expected JSON: {error}")


def _words(error: ValidationError, value: Any, hint: Any) -> str:
    schema = msgspec.json.schema(hint)
    choices = schema.get("enum") or next((part["enum"] for part in schema.get("anyOf", ()) if "enum" in part), None)
    if choices:
        return f"expected one of {', '.join(map(str, choices))}; found {str(value)[:40]!r}"
    if schema.get("pattern") == r"\S" and isinstance(value, str) and not value.strip():
        return "must not be empty"
    return str(error)


def _kind(value: Any) -> str:
    names = {list: "a list", str: "text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
