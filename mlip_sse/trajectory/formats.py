"""Which format a trajectory file has, and who reads it.

The content decides and the name must agree: a file whose suffix promises one format and whose first bytes show another
is refused, because one of the two is a mistake that only the user can name.
"""

import importlib
import inspect
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import FrameSource
from mlip_sse.trajectory.readers.compressed import compression_of, open_bytes, read_head, strip_compression_suffix
from mlip_sse.trajectory.readers.hdf5 import explained, require_sound_heaps

__all__ = ["FORMATS", "Format", "detect_format", "open_bytes", "open_source"]

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Format:
    """A trajectory format: its name, its reader and how a file shows it.

    Parameters
    ----------
    title
        The name a user knows it by.
    opener
        ``module:function`` below `mlip_sse.trajectory`, imported when a file of the format is opened.
    recognise
        Says from the first bytes whether a file has this format.
    suffixes, basenames
        Endings, and beginnings of a name without a known ending, that promise the format.
    binary
        Binary formats are read in place and cannot be compressed.
    certain
        Whether every file of the format is recognised by its content; else the name may vouch for it.
    """

    title: str
    opener: str
    recognise: Callable[[bytes], bool]
    suffixes: tuple[str, ...] = ()
    basenames: tuple[str, ...] = ()
    binary: bool = False
    certain: bool = True

    def load(self) -> Callable[..., FrameSource]:
        """Import the reader."""
        module, function = self.opener.split(":")
        return cast(
            Callable[..., FrameSource],
            getattr(importlib.import_module(f"mlip_sse.trajectory.readers.{module}"), function),
        )


def _is_lammps_binary(head: bytes) -> bool:
    # since 2021 a dump begins with minus the length of the magic string, then the string itself
    return len(head) >= 16 and head[8:12] == b"DUMP" and -64 <= struct.unpack("<q", head[:8])[0] < 0


def _is_lammps_text(head: bytes) -> bool:
    return head.lstrip().startswith((b"ITEM: TIMESTEP", b"ITEM: UNITS", b"ITEM: TIME"))


def _is_xdatcar(head: bytes) -> bool:
    lines = head.split(b"\n", 6)
    return len(lines) > 5 and _numbers(lines[1]) == 1 and all(_numbers(line) == 3 for line in lines[2:5])


def _is_extxyz(head: bytes) -> bool:
    return bool(re.match(rb"\s*\d+[ \t]*\r?\n[^\n]*(?:lattice|properties)\s*=", head, re.IGNORECASE))


def _is_xyz(head: bytes) -> bool:
    atom = rb"[A-Za-z0-9_]{1,8}(?:\s+[-+0-9.eEdDinfaNA]+){3}"
    return not _is_extxyz(head) and bool(re.match(rb"\s*\d+[ \t]*\r?\n[^\n]*\n[ \t]*" + atom, head))


def _is_vasprun(head: bytes) -> bool:
    return head.lstrip().startswith(b"<?xml") and b"<modeling" in head


def _is_outcar(head: bytes) -> bool:
    return bool(re.match(rb"\s*vasp\.\d", head))


def _is_dcd(head: bytes) -> bool:
    return head[4:8] == b"CORD" and head[:4] in (b"\x54\x00\x00\x00", b"\x00\x00\x00\x54")


def _is_netcdf(head: bytes) -> bool:
    return head[:3] == b"CDF" and head[3:4] in (b"\x01", b"\x02", b"\x05")


def _numbers(line: bytes) -> int:
    """Count the numbers of a line that holds nothing else; -1 for another line."""
    try:
        return len([float(word) for word in line.split()])
    except ValueError:
        return -1


FORMATS: dict[str, Format] = {
    "lammps-dump": Format(
        "LAMMPS text dump",
        "lammps_text:open_lammps_text",
        _is_lammps_text,
        (".lammpstrj", ".lammpsdump", ".dump"),
        ("dump",),
    ),
    "lammps-binary": Format(
        "LAMMPS binary dump",
        "lammps_binary:open_lammps_binary",
        _is_lammps_binary,
        (".bin",),
        binary=True,
        certain=False,
    ),
    "xdatcar": Format("VASP XDATCAR", "xdatcar:open_xdatcar", _is_xdatcar, (".xdatcar",), ("xdatcar",)),
    "extxyz": Format("extended XYZ", "extxyz:open_extxyz", _is_extxyz, (".extxyz", ".exyz", ".xyz")),
    "vasprun": Format("vasprun.xml", "vasprun:open_vasprun", _is_vasprun, (".xml",), ("vasprun",)),
    "outcar": Format("VASP OUTCAR", "outcar:open_outcar", _is_outcar, (".outcar",), ("outcar",)),
    "ase": Format(
        "ASE .traj", "ase_files:open_ase", lambda head: head.startswith(b"- of Ulm"), (".traj",), binary=True
    ),
    "dcd": Format("DCD", "dcd:open_dcd", _is_dcd, (".dcd",), binary=True),
    "xtc": Format(
        "XTC",
        "xtc:open_xtc",
        lambda head: head[:4] in (b"\x00\x00\x07\xcb", b"\x00\x00\x07\xe7"),
        (".xtc",),
        binary=True,
    ),
    "trr": Format("TRR", "trr:open_trr", lambda head: head[:4] == b"\x00\x00\x07\xc9", (".trr",), binary=True),
    "h5md": Format(
        "H5MD", "h5md:open_h5md", lambda head: head.startswith(_HDF5_MAGIC), (".h5md", ".h5", ".hdf5"), binary=True
    ),
    "netcdf": Format("AMBER NetCDF", "netcdf:open_netcdf", _is_netcdf, (".nc", ".ncdf"), binary=True),
    "xyz": Format("XYZ (CP2K)", "xyz:open_xyz", _is_xyz, (".xyz",)),
}
"""Every format that can be read, by the name that `format=` takes."""


def detect_format(path: str | Path) -> str:
    """Return the key in `FORMATS` of a file's format.

    Raises
    ------
    FormatError
        When the file is empty, of no known format, or of another format than its name promises.
    """
    path = Path(path)
    found = _format_of_content(path)
    promised = _formats_of_name(path.name)
    if found is None:
        vouched = [name for name in promised if not FORMATS[name].certain]
        if vouched:
            return vouched[0]
        raise FormatError(f"{path}: {_unrecognised(path, promised)}")
    if promised and found not in promised:
        raise FormatError(
            f"{path}: the content looks like {FORMATS[found].title}, the name promises {FORMATS[promised[0]].title}; "
            f"rename the file, or say format={found!r}"
        )
    return found


def open_source(path: str | Path, format: str | None = None, **options: object) -> FrameSource:
    """Open a trajectory file with the reader of its format.

    Parameters
    ----------
    path
        The file; text formats may be compressed with gzip, bzip2 or xz.
    format
        A key of `FORMATS`; it overrides what the file's name promises, never what its content shows.
    **options
        Options of the format's reader.

    Raises
    ------
    FormatError
        When the file is not what its name or ``format`` says.
    InputError
        When the reader does not know an option.
    """
    path = Path(path)
    name = detect_format(path) if format is None else _stated_format(path, format)
    chosen = FORMATS[name]
    if chosen.binary and compression_of(path):
        raise FormatError(f"{path}: {chosen.title} is binary and read in place; decompress the file first")
    opener = chosen.load()
    known = [parameter for parameter in inspect.signature(opener).parameters if parameter != "path"]
    for option in options:
        if option not in known:
            raise InputError(
                f"{path}: {chosen.title} has no option {option!r}; it takes {', '.join(known) if known else 'none'}"
            )
    return opener(path, **options)


def _stated_format(path: Path, name: str) -> str:
    if name not in FORMATS:
        raise InputError(f"format {name!r} is unknown; expected one of {', '.join(FORMATS)}")
    found = _format_of_content(path)
    if found != name and (found is not None or FORMATS[name].certain):
        looks = f"looks like {FORMATS[found].title}" if found else "has no known format"
        raise FormatError(
            f"{path}: format={name!r} was asked for, the content {looks}; leave format out or give the right file"
        )
    return name


def _format_of_content(path: Path) -> str | None:
    head = read_head(path)
    for name, candidate in FORMATS.items():
        if candidate.recognise(head):
            return _hdf5_kind(path) if name == "h5md" else name
    return None


def _hdf5_kind(path: Path) -> str | None:
    """Tell H5MD from NetCDF-4 and from any other HDF5 file."""
    import h5py

    require_sound_heaps(path)
    with explained(path, "the HDF5 file"), h5py.File(path, "r") as file:
        if "h5md" in file:
            return "h5md"
        conventions = file.attrs.get("Conventions", b"")
        return "netcdf" if "AMBER" in str(conventions) or "_NCProperties" in file.attrs else None


def _formats_of_name(name: str) -> list[str]:
    name = strip_compression_suffix(name).lower()
    by_suffix = [key for key, candidate in FORMATS.items() if name.endswith(candidate.suffixes or ("\n",))]
    return by_suffix or [key for key, candidate in FORMATS.items() if name.startswith(candidate.basenames or ("\n",))]


def _unrecognised(path: Path, promised: list[str]) -> str:
    head = read_head(path, 32)
    start = ascii(head[:24].decode("latin-1"))
    if promised:
        titles = " or ".join(FORMATS[name].title for name in promised)
        return f"the name promises {titles}, the content begins with {start}, which is not; give the right file"
    titles = ", ".join(candidate.title for candidate in FORMATS.values())
    return f"the content begins with {start}, which is no known format; expected one of {titles}"
