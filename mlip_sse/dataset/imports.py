"""Labelled frames from the files of others; each file is one trajectory unless it says otherwise."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from mlip_sse.dataset.fingerprint import Fingerprint
from mlip_sse.dataset.frame import LabelledFrame
from mlip_sse.dataset.from_dpdata import read_dpdata
from mlip_sse.dataset.from_extxyz import read_extxyz
from mlip_sse.dataset.from_maml import read_maml_json
from mlip_sse.dataset.from_vasp import read_outcar, read_vasprun
from mlip_sse.errors import FormatError, InputError

__all__ = ["FORMATS", "read_frames"]

FORMATS: Mapping[str, Callable[..., list[LabelledFrame]]] = MappingProxyType(
    {"vasprun": read_vasprun, "outcar": read_outcar, "extxyz": read_extxyz, "maml": read_maml_json}
)
"""The readers that need nothing but a path and, where the file does not say, a fingerprint."""


def read_frames(
    path: str | Path, fingerprint: Fingerprint | None = None, format: str | None = None
) -> list[LabelledFrame]:
    """Read labelled frames, the format known from the name unless it is given.

    Parameters
    ----------
    path
        vasprun.xml or OUTCAR (also compressed with gzip), extended XYZ, or the JSON of maml.
    fingerprint
        How the labels were made; needed for files that do not say.
    format
        One of ``vasprun``, ``outcar``, ``extxyz``, ``maml``, or ``dpdata:`` and dpdata's name of a format.

    Raises
    ------
    FormatError
        When the file is not what it is said to be.
    InputError
        When a frame cannot be a label, or nobody says how the labels were made.
    """
    path = Path(path)
    chosen = format or _format_of(path)
    if chosen.startswith("dpdata:"):
        return read_dpdata(path, chosen.removeprefix("dpdata:"), fingerprint)
    if chosen not in FORMATS:
        raise InputError(f"found the format {chosen!r}, expected one of {', '.join(FORMATS)} or dpdata:NAME")
    if not path.is_file():
        raise FormatError(f"{path}: found no such file, expected labelled frames")
    return FORMATS[chosen](path, fingerprint)


def _format_of(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".xyz", ".extxyz")):
        return "extxyz"
    if "outcar" in name:
        return "outcar"
    if name.endswith(".xml"):
        return "vasprun"
    if name.endswith(".json"):
        return "maml"
    raise FormatError(f"{path}: found an unknown kind of file, expected {', '.join(FORMATS)}: say format=")
