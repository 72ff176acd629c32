"""A folder that is there whole or not at all, whenever the process that writes it is killed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["folder_put_in_place"]


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
