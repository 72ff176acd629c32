"""Named arrays and a head of plain data in one file; nothing in it is ever executed."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError

__all__ = ["array_bytes", "read_arrays"]


def array_bytes(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, compressed: bool = False) -> bytes:
    """Return the content of a file; ``head`` holds the version as ``format``."""
    text = np.frombuffer(json.dumps(head, sort_keys=True).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    write = np.savez_compressed if compressed else np.savez
    write(buffer, head=text, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def read_arrays(
    path: str | Path, version: int, names: Sequence[str], what: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read head and arrays.

    Parameters
    ----------
    path
        The file.
    version
        The format that is understood.
    names
        Arrays that must be there.
    what
        What the file should hold, for the message.

    Raises
    ------
    FormatError
        When it is another file, damaged, holds a pickle, or has another format version.
    """
    try:
        buffer = io.BytesIO(Path(path).read_bytes())
        with np.load(buffer, allow_pickle=False) as content:
            arrays: dict[str, Any] = {name: content[name] for name in content.files}
        head = json.loads(arrays.pop("head").tobytes())
        found = head.pop("format")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError(
            f"{path}: found no {what} ({' '.join(str(error).split())}), expected those of a POD fit"
        ) from error
    if found != version:
        raise FormatError(f"{path}: found {what} of format {found}, expected {version}: fit the recipe again")
    if missing := [name for name in names if name not in arrays]:
        raise FormatError(f"{path}: found no {', '.join(missing)}, expected the {what} of a POD fit")
    return head, arrays
