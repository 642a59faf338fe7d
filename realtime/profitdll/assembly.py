"""The C# assembly: built of the sources beside it, with their digest inside, so that the two cannot drift apart.

`python -m realtime.profitdll.assembly` builds it (Mono's `mcs`); a user only needs the built file.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from realtime.profitdll.errors import AssemblyError

HERE = Path(__file__).resolve().parent
ASSEMBLY = HERE / "Interop.dll"
RECORD = HERE / "Interop.sha256"
SOURCES = ("Native.cs", "Records.cs", "Rings.cs", "Callbacks.cs", "Requests.cs", "Layouts.cs", "Binding.cs")
OPTIONS = ("-langversion:5", "-target:library", "-unsafe", "-optimize+", "-warnaserror+")
STAMP = """[assembly: System.Reflection.AssemblyVersion("1.0.0.0")]
[assembly: System.Reflection.AssemblyInformationalVersion("{digest}")]
"""


def source_digest() -> str:
    """SHA-256 of the C# sources, whatever the line ends of this checkout."""
    digest = hashlib.sha256()
    for name in SOURCES:
        text = (HERE / name).read_text(encoding="utf-8")
        digest.update(f"{name}\n{text}\n".encode())
    return digest.hexdigest()


def build(target: Path = ASSEMBLY) -> None:
    """Compile the sources to `target`; beside the real one, the digests are recorded.

    Raises AssemblyError without a compiler, or with what it said.
    """
    compiler = shutil.which("mcs")
    if compiler is None:
        raise AssemblyError("expected the C# compiler `mcs` (Debian: mono-mcs) on PATH, found none")
    digest = source_digest()
    with tempfile.TemporaryDirectory() as scratch:
        stamp, out = Path(scratch) / "Stamp.cs", Path(scratch) / ASSEMBLY.name
        stamp.write_text(STAMP.format(digest=digest), encoding="utf-8")
        command = [compiler, *OPTIONS, f"-out:{out}", *(str(HERE / name) for name in SOURCES), str(stamp)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssemblyError(f"{compiler} refused the sources in {HERE}:\n{done.stdout}{done.stderr}")
        shutil.copyfile(out, target)
    if target == ASSEMBLY:
        RECORD.write_text(f"{digest}  sources\n{file_digest(ASSEMBLY)}  {ASSEMBLY.name}\n", encoding="utf-8")


def file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check() -> None:
    """Raise AssemblyError when the built file is not the one recorded, or was built of other sources."""
    if not ASSEMBLY.is_file():
        raise AssemblyError(f"expected the built assembly {ASSEMBLY}, found none: run python -m {__spec__.name}")
    lines = [line.split(maxsplit=1) for line in RECORD.read_text(encoding="utf-8").splitlines()]
    recorded = {what: digest for digest, what in lines}
    for what, found in (("sources", source_digest()), (ASSEMBLY.name, file_digest(ASSEMBLY))):
        if recorded.get(what) != found:
            raise AssemblyError(
                f"{RECORD}: expected {recorded.get(what)} for {what}, found {found}: run python -m {__spec__.name}"
            )


if __name__ == "__main__":
    if "--check" in sys.argv:
        check()
    else:
        build()
