"""What a simulation leaves: one folder a run, and the figures of each."""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlip_sse.errors import RunError
from mlip_sse.md_protocols.deck import TRAJECTORY_FILE
from mlip_sse.provenance import Provenance

__all__ = ["FINISHED_FILE", "SegmentResult", "SimulationResult", "read_finished", "write_finished"]

FINISHED_FILE = "finished.json"


@dataclass(frozen=True)
class SegmentResult:
    """One temperature and one seed.

    Parameters
    ----------
    folder
        Where deck, log, dump and `finished.json` lie.
    temperature_k, seed
        What was asked for.
    mean_temperature_k, mean_pressure_gpa, density_g_cm3
        What LAMMPS reported over production.
    energy_drift_mev_atom_ps
        Slope of the total energy in meV per atom and ps; tells of conservation only without a thermostat.
    n_atoms, n_frames, frame_spacing_fs
        What the dump holds.
    wall_s
        Wall time of the run.
    engine
        Version of LAMMPS.
    inputs_sha256
        Hash of all that decided the run.
    trajectory_bytes
        Size of the dump, by which a damaged one is known.
    reused
        It had been finished by an earlier call.
    """

    folder: str
    temperature_k: float
    seed: int
    mean_temperature_k: float
    mean_pressure_gpa: float
    density_g_cm3: float
    energy_drift_mev_atom_ps: float
    n_atoms: int
    n_frames: int
    frame_spacing_fs: float
    wall_s: float
    engine: str
    inputs_sha256: str
    trajectory_bytes: int
    reused: bool = False

    @property
    def trajectory(self) -> Path:
        """Path of the dump."""
        return Path(self.folder) / TRAJECTORY_FILE

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**dataclasses.asdict(self), "trajectory": str(self.trajectory)}


@dataclass(frozen=True)
class SimulationResult:
    """All runs of a protocol, in the order of temperatures, then seeds."""

    folder: str
    potential: str
    segments: tuple[SegmentResult, ...]
    provenance: Provenance = field(default_factory=Provenance)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        return {
            "folder": self.folder,
            "potential": self.potential,
            "segments": [segment.to_dict() for segment in self.segments],
            "provenance": json.loads(json.dumps(dataclasses.asdict(self.provenance))),
        }


def write_finished(segment: SegmentResult, folder: Path) -> None:
    """Write the marker of a finished run into the folder that is about to be put in place."""
    plain = dataclasses.asdict(segment)
    del plain["folder"], plain["reused"]
    (folder / FINISHED_FILE).write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


def read_finished(folder: Path, inputs_sha256: str) -> SegmentResult | None:
    """Return the finished run that lies in ``folder``, or None where there is none.

    Raises
    ------
    RunError
        When the folder holds something else: a run of other inputs, a damaged dump, or files that are not ours. It is
        never overwritten.
    """
    if not folder.exists():
        return None
    advice = "choose another output folder, or remove this one"
    try:
        plain = json.loads((folder / FINISHED_FILE).read_text(encoding="utf-8"))
        segment = SegmentResult(folder=os.fspath(folder), reused=True, **plain)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{folder} exists but holds no readable {FINISHED_FILE}: {advice}") from error
    if segment.inputs_sha256 != inputs_sha256:
        raise RunError(f"{folder} holds a finished run of other inputs (protocol, potential or version): {advice}")
    size = segment.trajectory.stat().st_size if segment.trajectory.is_file() else 0
    if size != segment.trajectory_bytes:
        raise RunError(f"{segment.trajectory} has {size} bytes, expected {segment.trajectory_bytes}: {advice}")
    return segment
