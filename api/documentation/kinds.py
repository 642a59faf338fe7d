"""Which files are taken, under which name they are stored and under which name and type they are given back."""

import datetime as dt
import re
import secrets
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote

MAX_FILE_BYTES = 10 << 20
MAX_FILES = 5
MAX_NAME = 255

OFFICE = "application/vnd.openxmlformats-officedocument"
# Extension -> its media types; the first one is meant when the caller names none, or none of these.
KINDS: dict[str, tuple[str, ...]] = {
    "pdf": ("application/pdf",),
    "doc": ("application/msword",),
    "docx": (f"{OFFICE}.wordprocessingml.document",),
    "xls": ("application/vnd.ms-excel",),
    "xlsx": (f"{OFFICE}.spreadsheetml.sheet",),
    "ppt": ("application/vnd.ms-powerpoint",),
    "pptx": (f"{OFFICE}.presentationml.presentation",),
    "txt": ("text/plain",),
    "md": ("text/markdown", "text/x-markdown", "text/plain"),
    "markdown": ("text/markdown", "text/x-markdown", "text/plain"),
    "jpg": ("image/jpeg",),
    "jpeg": ("image/jpeg",),
    "png": ("image/png",),
    "gif": ("image/gif",),
    "svg": ("image/svg+xml",),
    "webp": ("image/webp",),
    "json": ("application/json",),
    "xml": ("application/xml", "text/xml"),
    "csv": ("text/csv",),
    "yaml": ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"),
    "yml": ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"),
    "zip": ("application/zip", "application/x-zip-compressed"),
    "rar": ("application/vnd.rar", "application/x-rar-compressed"),
}
GENERIC = frozenset({"", "application/octet-stream", "text/plain", "application/vnd.ms-excel"})  # what browsers guess


def name_in(filename: str) -> str:
    """The last part of a name as it was sent, without control characters, cut to 255 characters before its extension.

    Raises ValueError for none.
    """
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", filename)[-1])
    clean = "".join(character for character in last if character.isprintable()).strip()
    if not clean.strip("."):
        raise ValueError(f"expected a file name, found {filename[:40]!r}")
    suffix = PurePosixPath(clean).suffix[:20]
    return clean if len(clean) <= MAX_NAME else clean[: MAX_NAME - len(suffix)] + suffix


def media_type_of(name: str, told: str) -> str:
    """The media type of a file, as its extension says and the caller may say more closely.

    Raises ValueError when the extension is not taken, or the type is that of another one.
    """
    extension = PurePosixPath(name).suffix.removeprefix(".").lower()
    types = KINDS.get(extension)
    if types is None:
        raise ValueError(f"expected one of the types {', '.join(KINDS)}; found {extension[:20] or 'no extension'!r}")
    told = told.partition(";")[0].strip().lower()
    if told in types:
        return told
    if told in GENERIC:
        return types[0]
    raise ValueError(f"expected {types[0]} for a .{extension} file, found {told[:80]!r}")


def stored_name(name: str, now: dt.datetime) -> str:
    """A name that no other file has: time in milliseconds, chance, and the letters, digits, dots of the name."""
    clean = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._") or "file"
    return f"{int(now.timestamp() * 1000)}-{secrets.token_hex(6)}-{clean[-200:]}"


def disposition(name: str) -> str:
    """The header that makes a browser keep a file instead of showing it (RFC 6266)."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
