"""Where a number came from: program, inputs by content, settings, time."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["InputFile", "Provenance", "package_version", "sha256_of_file"]


def package_version() -> str:
    """Return the installed version of mlip-sse, or ``"unknown"`` in an uninstalled checkout."""
    try:
        return version("mlip-sse")
    except PackageNotFoundError:
        return "unknown"


def sha256_of_file(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file's bytes, read in chunks."""
    with open(path, "rb", buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class InputFile:
    """A file that entered a result, known by its content."""

    path: str
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, path: str | Path) -> "InputFile":
        """Hash ``path`` and remember where it lay."""
        return cls(path=str(path), sha256=sha256_of_file(path), size_bytes=Path(path).stat().st_size)


@dataclass(frozen=True)
class Provenance:
    """What made a result: version, inputs, the operations in order, settings and time (UTC)."""

    version: str = field(default_factory=package_version)
    inputs: tuple[InputFile, ...] = ()
    operations: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def then(self, operation: str) -> "Provenance":
        """Return a copy with one more operation at the end."""
        return Provenance(self.version, self.inputs, (*self.operations, operation), self.settings, self.created)
