"""Files that are there whole or not at all, and a folder that one process changes at a time."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

__all__ = ["LEFT_OVER", "locked", "write_json_whole", "written_whole"]

LEFT_OVER = ".part-"
"""How the temporary names begin; one that is found belongs to a process that died."""


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """Open a temporary file beside ``path`` and put it in place at the end, on the disk by then."""
    part = path.with_name(f"{LEFT_OVER}{uuid4().hex}-{path.name}"[:200])
    try:
        with open(part, "w", encoding="utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    _sync_folder(path.parent)


def write_json_whole(path: Path, data: Any) -> None:
    """Write plain data as JSON, whole or not at all."""
    with written_whole(path) as stream:
        json.dump(data, stream, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        stream.write("\n")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process changes the folder; the lock ends with the process, however it ends."""
    with open(folder / ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
