"""Models on disk without a pickle: plain JSON and arrays, of which only our own dataclasses are built.

``model.json`` holds names, numbers and texts, ``arrays.npz`` the arrays; a booster's own JSON or text is a text among
them. Reading never executes anything: a class that is not in `STORABLE`, an array of objects or a file of another
version is refused.
"""

import dataclasses
import json
import os
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mlip_sse.dataset.whole_files import write_json_whole
from mlip_sse.errors import FormatError
from mlip_sse.provenance import package_version, sha256_of_file

__all__ = ["ARRAYS_FILE", "FORMAT_VERSION", "MODEL_FILE", "read_model", "storable", "write_model"]

MODEL_FILE, ARRAYS_FILE = "model.json", "arrays.npz"
FORMAT_VERSION = 3
_FORMAT = "mlip-sse property model"
_PACKAGE = "mlip_sse.properties."
_MAX_JSON_BYTES = 1 << 29

T = TypeVar("T", bound=type)
STORABLE: dict[str, type] = {}
"""The classes that may be built from a file, by ``module:name`` below `mlip_sse.properties`."""


def storable(cls: T) -> T:
    """Allow a dataclass of this package to be stored; its fields are numbers, texts, arrays, tuples or storable."""
    STORABLE[f"{cls.__module__.removeprefix(_PACKAGE)}:{cls.__name__}"] = cls
    return cls


def write_model(folder: str | Path, fitted: object, about: Mapping[str, Any]) -> list[Path]:
    """Write a fitted model and what there is to say about it into a folder; return the files.

    Parameters
    ----------
    folder
        Made where there is none.
    fitted
        A `storable` dataclass.
    about
        Plain data: recipe, names of the features, units, provenance.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, npt.NDArray[Any]] = {}
    plain = _pack(fitted, arrays)
    part = folder / f".part-{os.getpid()}-{ARRAYS_FILE}"
    with open(part, "wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    os.replace(part, folder / ARRAYS_FILE)
    document = {
        "format": _FORMAT,
        "format_version": FORMAT_VERSION,
        "written_by": package_version(),
        "arrays_sha256": sha256_of_file(folder / ARRAYS_FILE),
        "about": about,
        "fitted": plain,
    }
    write_json_whole(folder / MODEL_FILE, document)
    return [folder / MODEL_FILE, folder / ARRAYS_FILE]


def read_model(folder: str | Path) -> tuple[Any, dict[str, Any]]:
    """Return a fitted model and what was said about it.

    Raises
    ------
    FormatError
        When the folder holds no model, one of another version, or anything that would have to be executed.
    """
    folder = Path(folder)
    path = folder / MODEL_FILE
    if not path.is_file():
        raise FormatError(f"{folder}: found no {MODEL_FILE}, expected a folder that 'mlip-sse properties fit' wrote")
    if path.stat().st_size > _MAX_JSON_BYTES:
        raise FormatError(f"{path}: found {path.stat().st_size} bytes, expected at most {_MAX_JSON_BYTES}")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{path}: not JSON ({str(error)[:60]}); a pickle is never opened: fit the model again"
        ) from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise FormatError(f"{path}: no property model in it, expected one that 'mlip-sse properties fit' wrote")
    if document.get("format_version") != FORMAT_VERSION:
        found = document.get("format_version")
        raise FormatError(f"{path}: found format version {found!r}, expected {FORMAT_VERSION}: fit the model again")
    arrays = _arrays(folder / ARRAYS_FILE, document.get("arrays_sha256"))
    try:
        return _unpack(document["fitted"], arrays), dict(document["about"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}: {type(error).__name__}: {error}: not a whole model, fit it again") from error


def _arrays(path: Path, expected: object) -> dict[str, npt.NDArray[Any]]:
    if not path.is_file() or sha256_of_file(path) != expected:
        raise FormatError(f"{path}: missing, or not the arrays that {MODEL_FILE} was written with; fit the model again")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise FormatError(f"{path}: {error}; a pickle is never opened: fit the model again") from error


def _pack(thing: Any, arrays: dict[str, npt.NDArray[Any]]) -> Any:
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        name = f"{type(thing).__module__.removeprefix(_PACKAGE)}:{type(thing).__name__}"
        if STORABLE.get(name) is not type(thing):
            raise TypeError(f"{name} is not storable")
        fields = {each.name: _pack(getattr(thing, each.name), arrays) for each in dataclasses.fields(thing)}
        return {"class": name, "fields": fields}
    if isinstance(thing, np.ndarray):
        if thing.dtype.kind not in "biuf":
            raise TypeError(f"an array of {thing.dtype} is not stored")
        name = f"a{len(arrays)}"
        arrays[name] = thing
        return {"array": name}
    if isinstance(thing, tuple | list):
        return {"items": [_pack(each, arrays) for each in thing]}
    if isinstance(thing, np.bool_ | np.integer | np.floating):
        return thing.item()
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    raise TypeError(f"a {type(thing).__name__} is not stored")


def _unpack(plain: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    if not isinstance(plain, dict):
        return plain
    if "array" in plain:
        return arrays[plain["array"]]
    if "items" in plain:
        return tuple(_unpack(each, arrays) for each in plain["items"])
    cls = _class_of(str(plain["class"]))
    return cls(**{name: _unpack(each, arrays) for name, each in plain["fields"].items()})


def _class_of(name: str) -> type:
    if name not in STORABLE:
        module = name.partition(":")[0]
        if module not in _modules():
            raise FormatError(
                f"found the class {name[:60]!r} in a model, expected one of this package; it is not opened"
            )
        import_module(_PACKAGE + module)
    if name not in STORABLE:
        raise FormatError(
            f"found the class {name[:60]!r} in a model, which is not storable: the file is of another version"
        )
    return STORABLE[name]


def _modules() -> frozenset[str]:
    """Return the modules of this package whose classes may be stored."""
    here = Path(__file__).parent
    return frozenset(str(path.relative_to(here).with_suffix("")).replace(os.sep, ".") for path in here.rglob("*.py"))
