"""A folder that is there whole or not at all, whenever the process that writes it is killed."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlip_sse.errors import InputError
from mlip_sse.provenance import sha256_of_file

__all__ = ["folder_digest", "folder_put_in_place"]


def folder_digest(folder: str | Path) -> str:
    """Return a sha256 of all files in a folder, by name and content.

    Raises
    ------
    InputError
        When there is no such folder, or nothing in it.
    """
    folder = Path(folder)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    if not files:
        raise InputError(f"{folder}: found no files, expected a folder that holds some")
    content = {name: sha256_of_file(folder / name) for name in files}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@contextmanager
def folder_put_in_place(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside ``folder``, and put it in its place when the block ends without an error.

    Parameters
    ----------
    folder
        Where the content goes; what is there is replaced. Whether it may be is the caller's to check.

    Yields
    ------
    Path
        The folder to write into.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            os.replace(folder, old)
            os.replace(partial, folder)
            shutil.rmtree(old)
        else:
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
