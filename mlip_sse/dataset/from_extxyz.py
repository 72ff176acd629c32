"""Labelled frames from extended XYZ, in both key conventions."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlip_sse.dataset.fingerprint import Fingerprint
from mlip_sse.dataset.frame import LabelledFrame, voigt
from mlip_sse.errors import FormatError, InputError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["read_extxyz"]

_GROUP_KEYS = ("group", "trajectory", "config_type")


def read_extxyz(
    path: str | Path,
    fingerprint: Fingerprint | None = None,
    *,
    convention: Literal["auto", "plain", "ref"] = "auto",
    groups: Literal["file", "frame"] = "file",
    stress_sign: Literal[1, -1] = 1,
) -> list[LabelledFrame]:
    """Read extended XYZ with ``energy/forces/stress`` or ``REF_energy/REF_forces/REF_stress`` (or ``virial``).

    Parameters
    ----------
    path
        The file.
    fingerprint
        How the labels were made; the file does not say.
    convention
        Which keys count; ``auto`` takes those that are there.
    groups
        What a frame's group is where it has no key ``group``, ``trajectory`` or ``config_type``: ``file`` takes the
        whole file as one trajectory; ``frame`` each frame for itself, for files that are known to be shuffled.
    stress_sign
        -1 where the file's stress is positive under compression.

    Raises
    ------
    FormatError
        When it is not extended XYZ.
    InputError
        When both conventions are there and disagree, a frame is not labelled, or no fingerprint is given.
    """
    path = Path(path)
    if fingerprint is None:
        raise InputError(
            f"{path}: says nothing of how its labels were made: give fingerprint=Fingerprint.declared(...), or --labels"
        )
    frames: list[LabelledFrame] = []
    places: dict[str, int] = {}
    for number, atoms in enumerate(_images(path)):
        default = f"{path.stem} {number}" if groups == "frame" else path.stem
        group = next((str(atoms.info[key]) for key in _GROUP_KEYS if key in atoms.info), default)
        place = int(atoms.info.get("place", places.get(group, 0)))
        places[group] = place + 1
        try:
            energy, forces, stress = _labels(atoms, convention)
            frames.append(
                LabelledFrame(
                    symbols=tuple(atoms.get_chemical_symbols()),
                    cell=atoms.cell.array,
                    positions=atoms.positions,
                    energy=energy,
                    forces=forces,
                    stress=None if stress is None else stress_sign * stress,
                    fingerprint=fingerprint,
                    group=group,
                    place=place,
                    pbc=tuple(atoms.pbc),
                )
            )
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: frame {number}: {error}") from error
    if not frames:
        raise FormatError(f"{path}: found no frame, expected extended XYZ")
    return frames


def _images(path: Path) -> "list[Atoms]":
    from ase.io import read

    try:
        images: list[Atoms] = read(path, index=":", format="extxyz")
    except FileNotFoundError:
        raise
    except Exception as error:  # ASE's parser raises whatever it stumbles over
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise FormatError(f"{path}: not extended XYZ: {reason}") from error
    return images


def _labels(atoms: "Atoms", convention: str) -> tuple[float, np.ndarray, np.ndarray | None]:
    results = {**getattr(atoms.calc, "results", {})}
    plain = {name: _value(atoms, results, name) for name in ("energy", "forces", "stress", "virial")}
    if results.get("free_energy") is not None:
        plain["energy"] = results["free_energy"]
    ref = {name: _value(atoms, {}, f"REF_{name}") for name in ("energy", "forces", "stress", "virial")}
    both = plain["energy"] is not None and ref["energy"] is not None
    if convention == "auto" and both and abs(float(plain["energy"]) - float(ref["energy"])) > 1e-6:
        raise InputError(
            f"found energy {float(plain['energy']):.6f} and REF_energy {float(ref['energy']):.6f} eV, expected one "
            "convention: say convention='plain' or 'ref'"
        )
    chosen = plain if convention == "plain" or (convention == "auto" and ref["energy"] is None) else ref
    if missing := [name for name in ("energy", "forces") if chosen[name] is None]:
        raise InputError(f"found a frame without {' and '.join(missing)}, expected labels: label it first")
    stress = None
    if chosen["stress"] is not None:
        stress = voigt(chosen["stress"])
    elif chosen["virial"] is not None:
        stress = -voigt(chosen["virial"]) / atoms.get_volume()
    return float(chosen["energy"]), np.asarray(chosen["forces"], dtype=float), stress


def _value(atoms: "Atoms", results: dict[str, Any], name: str) -> Any:
    for store in (results, atoms.arrays, atoms.info):
        if name in store:
            return store[name]
    return None
