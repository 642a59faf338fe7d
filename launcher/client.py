"""A typed Python client, generated from an OpenAPI document: attrs classes and a module for each operation."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from launcher.errors import LauncherError, UsageError

BYTES = (
    "application/vnd.apache.parquet",
    "application/vnd.apache.arrow.stream",
    "application/yaml",
    "application/zip",
    "*/*",
)  # what the generator takes for a file


class ClientError(LauncherError):
    """The generator left something out."""


def write(document: Mapping[str, object], folder: Path) -> None:
    """Make the package `folder` of `document`. Raises UsageError when it is there, ClientError for what is left out."""
    from openapi_python_client import generate
    from openapi_python_client.config import Config, ConfigFile, MetaType

    if folder.exists():
        raise UsageError(f"{folder} exists already: a generated package is replaced as a whole, delete it first")
    with tempfile.TemporaryDirectory(prefix="tradingsystem-") as place:
        source = Path(place) / "openapi.json"
        source.write_bytes(msgspec.json.encode(document))
        settings = ConfigFile(
            package_name_override=folder.name,
            post_hooks=[],
            literal_enums=True,
            content_type_overrides=dict.fromkeys(BYTES, "application/octet-stream"),
        )
        config = Config.from_sources(
            settings, MetaType.NONE, source, file_encoding="utf-8", overwrite=False, output_path=folder
        )
        left_out = [f"{error.header} {error.detail or ''}".strip() for error in generate(config=config)]
    if left_out:
        raise ClientError("the document has what the generator cannot say:\n  " + "\n  ".join(left_out))
