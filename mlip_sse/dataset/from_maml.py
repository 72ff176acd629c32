"""The JSON of maml and of the MTP/SNAP benchmark sets: pymatgen structures with energy, forces and ``virial_stress``.

``virial_stress`` carries neither unit nor sign. On the strained cells of the lithium set the energies decide: with
σ = (1/V) dE/dε, its numbers are kbar in VASP's sign (positive = compressed) and VASP's order xx, yy, zz, xy, yz, zx.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mlip_sse.dataset.fingerprint import Fingerprint
from mlip_sse.dataset.frame import LabelledFrame
from mlip_sse.errors import FormatError, InputError
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["read_maml_json"]

_TO_VOIGT = [0, 1, 2, 4, 5, 3]


def read_maml_json(path: str | Path, fingerprint: Fingerprint | None = None) -> list[LabelledFrame]:
    """Read a list of ``{"structure": ..., "outputs": {"energy", "forces", "virial_stress"}}``.

    The group of a frame is its description without the numbers of snapshots, so that one AIMD run is one group.

    Parameters
    ----------
    path
        The JSON file.
    fingerprint
        How the labels were made; the file does not say.

    Raises
    ------
    FormatError
        When the file is something else.
    InputError
        When no fingerprint is given, or a frame cannot be a label.
    """
    if fingerprint is None:
        raise InputError(
            f"{path}: says nothing of how its labels were made: give fingerprint=Fingerprint.declared(...), or --labels"
        )
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{path}: found no JSON, expected a list of structures with outputs") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FormatError(f"{path}: found no list of objects, expected structures with outputs")
    frames: list[LabelledFrame] = []
    counts: dict[str, int] = {}
    for number, entry in enumerate(entries):
        group = _group(entry)
        try:
            frame = _frame(entry, fingerprint, group, counts.get(group, 0))
        except (KeyError, TypeError, IndexError) as error:
            raise FormatError(f"{path}: frame {number} lacks {error}, expected structure and outputs") from error
        except ValueError as error:
            raise InputError(f"{path}: frame {number}: {error}") from error
        counts[group] = frame.place + 1
        frames.append(frame)
    return frames


def _frame(entry: dict[str, Any], fingerprint: Fingerprint, group: str, place: int) -> LabelledFrame:
    structure, outputs = entry["structure"], entry["outputs"]
    stress = outputs.get("virial_stress")
    if stress is not None:
        stress = -np.array(stress, dtype=float)[_TO_VOIGT] / (10 * EV_PER_A3_TO_GPA)
    symbols = []
    for site in structure["sites"]:
        if len(site["species"]) != 1 or site["species"][0]["occu"] != 1:
            raise InputError("found a partly occupied site, expected one element on each")
        symbols.append(site["species"][0]["element"])
    cell = np.array(structure["lattice"]["matrix"], dtype=float)
    if "forces" not in outputs:
        raise InputError("found a frame without forces, expected labels")
    return LabelledFrame(
        symbols=tuple(symbols),
        cell=cell,
        positions=np.array([site["abc"] for site in structure["sites"]], dtype=float) @ cell,
        energy=outputs["energy"],
        forces=outputs["forces"],
        stress=stress,
        fingerprint=fingerprint,
        group=group,
        place=place,
    )


def _group(entry: dict[str, Any]) -> str:
    import re

    words = str(entry.get("description") or entry.get("group") or "")
    words = re.sub(r"^Snapshot \d+ of \d+ of ", "", words)
    words = re.sub(r", strain .*$", "", words)
    kept = "".join(letter if letter.isprintable() and letter not in "\"'\\" else " " for letter in words)
    return kept.strip()[:200]
