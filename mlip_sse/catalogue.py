"""Find what lies in the catalogue folders: potentials, MD protocols and analysis recipes, by name or by path.

A name is looked up first in the folders of ``MLIP_SSE_PATH``, then in the catalogue that the wheel ships, then, where
the package runs from a checkout, in the checkout. An entry is either one file ``NAME.yaml`` or one folder ``NAME`` that
holds ``potential.yaml``, ``md_protocol.yaml``, ``campaign.yaml`` or ``analysis.yaml``, whichever the catalogue folder
asks for.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from mlip_sse.errors import CatalogueError, did_you_mean

__all__ = ["FOLDERS", "SEARCH_PATH_VARIABLE", "Entry", "entries", "resolve", "search_path"]

SEARCH_PATH_VARIABLE = "MLIP_SSE_PATH"

FOLDERS = {
    "potentials": "potential.yaml",
    "md_protocols": "md_protocol.yaml",
    "md_protocols/campaigns": "campaign.yaml",
    "analysis": "analysis.yaml",
    "analysis/properties": "property.yaml",
}
"""The catalogue folders, and the file that makes a subfolder of each an entry."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Entry:
    """One catalogue entry: its kind (the catalogue folder), its name and the path of its spec."""

    kind: str
    name: str
    path: Path


def search_path() -> tuple[Path, ...]:
    """Return the folders that may hold ``potentials/``, ``md_protocols/`` and ``analysis/``, the first wins."""
    package = Path(__file__).resolve().parent
    roots = [Path(part).expanduser() for part in os.environ.get(SEARCH_PATH_VARIABLE, "").split(os.pathsep) if part]
    roots.append(package / "_catalogue")
    if (package.parent / "pyproject.toml").is_file():
        roots.append(package.parent)
    return tuple(root for root in roots if root.is_dir())


def entries(kind: str) -> tuple[Entry, ...]:
    """Return all entries of one kind, in the order of their names.

    Parameters
    ----------
    kind
        ``potentials``, ``md_protocols``, ``md_protocols/campaigns`` or ``analysis``.

    Raises
    ------
    CatalogueError
        When there is no such kind.
    """
    _check_kind(kind)
    found: dict[str, Entry] = {}
    for root in search_path():
        for path in sorted((root / kind).glob("*")):
            entry = _entry_at(kind, path)
            if entry is not None:
                found.setdefault(entry.name, entry)
    return tuple(found[name] for name in sorted(found))


def resolve(kind: str, name: str | Path) -> Path:
    """Return the path of the spec that ``name`` stands for.

    Parameters
    ----------
    kind
        ``potentials``, ``md_protocols``, ``md_protocols/campaigns`` or ``analysis``.
    name
        A catalogue name, the path of a YAML file, or the path of a folder that holds the kind's spec file.

    Raises
    ------
    CatalogueError
        When neither a path nor an entry has that name; the message lists the entries.
    """
    _check_kind(kind)
    given = Path(name).expanduser()
    direct = _entry_at(kind, given)
    if direct is not None:
        return direct.path
    if not _NAME.fullmatch(str(name)):
        raise CatalogueError(
            f"{kind}: {str(name)!r} is neither a YAML file, nor a folder with {FOLDERS[kind]}, nor a catalogue name"
        )
    known = {entry.name: entry.path for entry in entries(kind)}
    if str(name) not in known:
        listed = ", ".join(known) or "(there is none yet)"
        raise CatalogueError(
            f"no entry {str(name)!r} in {kind}, expected one of {listed}{did_you_mean(str(name), known)}"
        )
    return known[str(name)]


def _check_kind(kind: str) -> None:
    if kind not in FOLDERS:
        raise CatalogueError(
            f"no catalogue folder {kind!r}, expected one of {', '.join(FOLDERS)}{did_you_mean(kind, FOLDERS)}"
        )


def _entry_at(kind: str, path: Path) -> Entry | None:
    if path.suffix in _SUFFIXES and path.is_file():
        return Entry(kind, path.stem, path)
    spec = path / FOLDERS[kind]
    return Entry(kind, path.name, spec) if spec.is_file() else None
