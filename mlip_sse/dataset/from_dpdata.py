"""Any labelled format of dpdata, which is optional."""

from pathlib import Path

import numpy as np

from mlip_sse.dataset.fingerprint import Fingerprint
from mlip_sse.dataset.frame import LabelledFrame
from mlip_sse.errors import FormatError, InputError, MissingExtraError

__all__ = ["read_dpdata"]


def read_dpdata(path: str | Path, format: str, fingerprint: Fingerprint | None = None) -> list[LabelledFrame]:
    """Read labelled frames through dpdata.

    Parameters
    ----------
    path
        What dpdata reads.
    format
        dpdata's name of it, such as ``deepmd/npy`` or ``abacus/scf``.
    fingerprint
        How the labels were made; dpdata does not keep it.

    Raises
    ------
    MissingExtraError
        When dpdata is not installed.
    FormatError
        When dpdata cannot read it.
    InputError
        When no fingerprint is given, or a frame cannot be a label.
    """
    if fingerprint is None:
        raise InputError(f"{path}: dpdata keeps no fingerprint: give fingerprint=Fingerprint.declared(...)")
    try:
        import dpdata  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise MissingExtraError(f"reading {format}", "dpdata") from error
    try:
        data = dpdata.LabeledSystem(str(path), fmt=format).data
        names, types = data["atom_names"], data["atom_types"]
        symbols = tuple(names[kind] for kind in types)
    except Exception as error:  # dpdata raises whatever its parsers stumble over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{path}: dpdata cannot read it as {format}: {reason}") from error
    group = f"{Path(path).parent.name}/{Path(path).name}".strip("/")[-200:]
    frames = []
    for place, (cell, positions) in enumerate(zip(data["cells"], data["coords"], strict=True)):
        # dpdata's virial is -V times ASE's stress.
        virials = data.get("virials")
        stress = None if virials is None else -np.asarray(virials[place]) / abs(np.linalg.det(cell))
        frames.append(
            LabelledFrame(
                symbols=symbols,
                cell=cell,
                positions=positions,
                energy=float(data["energies"][place]),
                forces=data["forces"][place],
                stress=None if stress is None else stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
                fingerprint=fingerprint,
                group=group,
                place=place,
                pbc=(not data.get("nopbc", False),) * 3,
            )
        )
    return frames
