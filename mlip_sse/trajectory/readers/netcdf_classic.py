"""The header of a classic NetCDF file (CDF-1, CDF-2, CDF-5), and its variables as slices of a memory map.

Every offset and length of the header is checked against the file before anything is mapped.

References
----------
NetCDF classic format specification, https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError

__all__ = ["ClassicFile", "ClassicVariable"]

_TYPES = {1: "i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8", 7: "u1", 8: ">u2", 9: ">u4", 10: ">i8", 11: ">u8"}
_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 10, 11, 12
_LARGEST_HEADER = 1 << 20


@dataclass(frozen=True, eq=False)
class ClassicVariable:
    """A variable: its attributes and its values, the first axis being the record where ``is_record``."""

    attributes: dict[str, object]
    values: NDArray[np.generic]
    is_record: bool


class ClassicFile:
    """The dimensions, attributes and variables of a classic NetCDF file.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    FormatError
        When the header is damaged or points outside the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            self._head = file.read(_LARGEST_HEADER)
        self._at = 4
        self._version = self._head[3]
        self.n_records_stated = self._count()
        self._dimensions = [(self._name(), self._count()) for _ in range(self._list(_DIMENSIONS))]
        self.attributes = self._attribute_list()
        described = [self._variable() for _ in range(self._list(_VARIABLES))]
        self.variables: dict[str, ClassicVariable] = {}
        self.n_records, self.is_cut = self._map(described)

    @property
    def dimensions(self) -> dict[str, int]:
        """Length by name; the record dimension has length 0."""
        return dict(self._dimensions)

    def _damaged(self) -> FormatError:
        return FormatError(f"{self._path}: the NetCDF header is damaged at byte {self._at}; copy the file again")

    def _take(self, n_bytes: int) -> bytes:
        if not 0 <= n_bytes <= len(self._head) - self._at:
            raise self._damaged()
        taken = self._head[self._at : self._at + n_bytes]
        self._at += n_bytes
        return taken

    def _integer(self, n_bytes: int) -> int:
        return int.from_bytes(self._take(n_bytes), "big", signed=True)

    def _count(self) -> int:
        return self._integer(8 if self._version == 5 else 4)

    def _list(self, kind: int) -> int:
        tag, count = self._integer(4), self._count()
        if tag not in (kind, 0) or count < 0 or (tag == 0 and count):
            raise self._damaged()
        return count

    def _padded(self, n_bytes: int) -> bytes:
        taken = self._take(n_bytes)
        self._take(-n_bytes % 4)
        return taken

    def _name(self) -> str:
        return self._padded(self._count()).decode("latin-1")

    def _attribute_list(self) -> dict[str, object]:
        attributes: dict[str, object] = {}
        for _ in range(self._list(_ATTRIBUTES)):
            name, kind, count = self._name(), self._integer(4), self._count()
            if kind not in _TYPES or count < 0:
                raise self._damaged()
            data = self._padded(count * np.dtype(_TYPES[kind]).itemsize)
            if kind == 2:
                attributes[name] = data.decode("latin-1").rstrip("\0 ")
            else:
                attributes[name] = np.frombuffer(data, _TYPES[kind]).tolist()
        return attributes

    def _variable(self) -> tuple[str, list[int], dict[str, object], np.dtype[np.generic], int]:
        name = self._name()
        dimensions = [self._count() for _ in range(self._count())]
        attributes = self._attribute_list()
        kind = self._integer(4)
        self._count()  # the stated size, which overflows for large variables and follows from the dimensions
        begin = self._integer(4 if self._version == 1 else 8)
        if kind not in _TYPES or any(not 0 <= number < len(self._dimensions) for number in dimensions):
            raise self._damaged()
        return name, dimensions, attributes, np.dtype(_TYPES[kind]), begin

    def _map(
        self, described: list[tuple[str, list[int], dict[str, object], np.dtype[np.generic], int]]
    ) -> tuple[int, bool]:
        """Map the variables and return the number of complete records, and whether the last is cut off."""
        size = self._path.stat().st_size
        shapes = [[self._dimensions[number][1] for number in dimensions] for _, dimensions, *_ in described]
        if any(length < 0 for shape in shapes for length in shape) or any(0 in shape[1:] for shape in shapes):
            raise self._damaged()
        records = [bool(shape) and shape[0] == 0 for shape in shapes]
        n_bytes = [
            math.prod(shape[is_record:]) * entry[3].itemsize
            for shape, is_record, entry in zip(shapes, records, described, strict=True)
        ]
        per_record = [length for length, is_record in zip(n_bytes, records, strict=True) if is_record]
        # a lone record variable is not padded, so that an array of bytes stays dense
        stride = per_record[0] if len(per_record) == 1 else sum(length + -length % 4 for length in per_record)
        start = min((entry[4] for entry, is_record in zip(described, records, strict=True) if is_record), default=size)
        fits = (size - start) // stride if stride and start <= size else 0
        n_records = fits if self.n_records_stated < 0 else min(fits, self.n_records_stated)
        for entry, shape, is_record, length in zip(described, shapes, records, n_bytes, strict=True):
            name, _, attributes, dtype, begin = entry
            if (
                begin < 0
                or (is_record and begin - start + length > stride)
                or (not is_record and begin + length > size)
            ):
                raise FormatError(
                    f"{self._path}: the variable {name!r} lies outside the file; it is damaged or cut off"
                )
            values = self._view(begin, dtype, shape, is_record, stride, n_records)
            self.variables[name] = ClassicVariable(attributes, values, is_record)
        return n_records, n_records < self.n_records_stated

    def _view(
        self, begin: int, dtype: np.dtype[np.generic], shape: list[int], is_record: bool, stride: int, n_records: int
    ) -> NDArray[np.generic]:
        if not is_record:
            if 0 in shape:
                return np.empty(shape, dtype)
            return np.memmap(self._path, dtype=dtype, mode="r", offset=begin, shape=tuple(shape))
        if not n_records:
            return np.empty([0, *shape[1:]], dtype)
        inner = [dtype.itemsize * math.prod(shape[axis + 1 :]) for axis in range(1, len(shape))]
        end = begin + (n_records - 1) * stride + dtype.itemsize * math.prod(shape[1:])
        raw = np.memmap(self._path, dtype=np.uint8, mode="r")[begin:end]
        return np.ndarray((n_records, *shape[1:]), dtype, buffer=raw, strides=(stride, *inner))
