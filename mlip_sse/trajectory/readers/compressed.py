"""Bytes of a file, compressed or not: one way to open what every text reader shares.

What a file is compressed with is decided by its first bytes, never by its name; a damaged or cut-off stream becomes a
one-line error.
"""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO

from mlip_sse.errors import FormatError, InputError

__all__ = ["compression_of", "open_bytes", "read_head", "strip_compression_suffix"]

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz"}
_BUFFER_BYTES = 1 << 20


def strip_compression_suffix(name: str) -> str:
    """Return a file's name without ``.gz``, ``.bz2`` or ``.xz``."""
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def compression_of(path: Path) -> str | None:
    """Return ``gzip``, ``bzip2``, ``xz`` or None, judged by the first bytes.

    Raises
    ------
    InputError
        When there is no such file.
    FormatError
        When the file is empty, or named as compressed and is not.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; give the path of a trajectory")
    if not path.is_file():
        raise InputError(f"{path}: is not a regular file; give the path of one trajectory file")
    try:
        with path.open("rb") as file:
            head = file.read(6)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}); check the file's permissions") from error
    if not head:
        raise FormatError(
            f"{path}: the file is empty (0 bytes), expected a trajectory; was the run killed or still starting?"
        )
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    promised = _SUFFIXES.get(path.suffix.lower())
    if promised:
        raise FormatError(
            f"{path}: the suffix promises {promised}, the content is not compressed; rename it without {path.suffix}"
        )
    return None


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading bytes, decompressing on the fly.

    Returns
    -------
    BinaryIO
        A buffered stream; for an uncompressed file it has a file descriptor and can be mapped.

    Raises
    ------
    FormatError
        Here when the file is empty; from `read` when the compressed stream is damaged or cut off.
    """
    kind = compression_of(path)
    file = _OwnReader(_OwnFile(path))
    if kind is None:
        return file
    openers: dict[str, Callable[..., Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    plain = openers[kind](file, "rb")
    return _OwnReader(_CheckedStream(plain, file, path, kind), _BUFFER_BYTES)


def read_head(path: Path, size: int = 8192) -> bytes:
    """Return the first (decompressed) bytes of a file."""
    with open_bytes(path) as stream:
        return stream.read(size)


class _OwnFile(io.FileIO):
    """The file below an `_OwnReader`, which the garbage collector may let go first."""

    def __del__(self) -> None:
        self.close()


class _OwnReader(io.BufferedReader):
    """A stream that closes when it is let go, because a reader may be dropped before its first frame is asked for."""

    def __del__(self) -> None:
        self.close()


class _CheckedStream(io.RawIOBase):
    """A decompressing stream whose failures are one-line errors."""

    def __init__(self, stream: IO[bytes], file: io.BufferedReader, path: Path, kind: str) -> None:
        self._stream, self._file, self._path, self._kind = stream, file, path, kind

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        try:
            data = self._stream.read(len(view))
        except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
            raise FormatError(
                f"{self._path}: the {self._kind} stream is damaged or cut off ({error}); copy the file again, or "
                "decompress what is left of it and read that"
            ) from error
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        self._file.close()
        super().close()
