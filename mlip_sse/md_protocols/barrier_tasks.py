"""Barriers as tasks of the engine's md lane: crystals, hops, and what they leave."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase import Atoms

from mlip_sse.engine import Engine, EngineSpec, Outcome, Outcomes, Work
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.errors import RunError
from mlip_sse.md_protocols.force_source import ForceSource
from mlip_sse.md_protocols.hop_barrier import Hop
from mlip_sse.md_protocols.neb_specs import BandSpec
from mlip_sse.md_protocols.plain_atoms import atoms_to_plain
from mlip_sse.provenance import Provenance

__all__ = [
    "BarrierTasks",
    "Barriers",
    "CrystalError",
    "EngineLike",
    "NebResult",
    "Told",
    "figures_of",
    "relaxed_crystal_of",
]

_START = "mlip_sse.md_protocols.neb_tasks:start"

Told = Callable[[str, TaskProgress], None] | None
EngineLike = Engine | EngineSpec | dict[str, Any] | str | Path | None


class CrystalError(RunError):
    """A crystal that the potential cannot relax, or relaxes into one whose hops are no longer those asked for."""


@dataclass(frozen=True)
class Barriers:
    """The relaxed crystal and its hops, as in `NebResult`."""

    crystal: dict[str, Any]
    hops: tuple[dict[str, Any], ...]
    n_reused: int


@dataclass(frozen=True)
class NebResult:
    """The barriers of a crystal, or between given ends.

    Parameters
    ----------
    folder, potential
        Where, and with which forces.
    crystal
        The relaxed crystal: symbols, cell, positions, energy, change of the volume; None where ends were given.
    hops
        One for each symmetry-distinct hop: barriers, path, energies, ``quality`` and ``reasons``, the file of the
        ``band``, and ``on_reference`` where one was asked for.
    n_reused
        How many tasks had been done by an earlier call.
    """

    folder: str
    potential: str
    crystal: dict[str, Any] | None
    hops: tuple[dict[str, Any], ...]
    n_reused: int
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def is_refused(self) -> bool:
        """Whether no hop has a barrier."""
        return all(hop["quality"] == "refused" for hop in self.hops)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        from mlip_sse.analysis.results import to_plain

        names = ("folder", "potential", "crystal", "hops", "n_reused", "provenance")
        return {name: to_plain(getattr(self, name)) for name in names}


@dataclass(frozen=True)
class BarrierTasks:
    """Crystals and hops as tasks of an open engine.

    Parameters
    ----------
    source
        Where the forces come from.
    engine
        Stays open.
    time_limit_s
        Of one task.
    progress
        Called as tasks end with the stage.
    """

    source: ForceSource
    engine: Engine
    time_limit_s: float = 86400.0
    progress: Told = None

    def crystals(self, kind: str, wanted: Sequence[tuple[Atoms, BandSpec]]) -> Outcomes:
        """Relax crystals for hops of a kind."""
        inputs = [
            {**self._head("crystal", settings), "of": kind, "crystal": atoms_to_plain(atoms)}
            for atoms, settings in wanted
        ]
        return self._run("crystal", inputs)

    def hops(self, kind: str, wanted: Sequence[tuple[Mapping[str, Any], BandSpec]]) -> Outcomes:
        """Compute barriers; what decides each is in plain data."""
        return self._run("hops", [{**self._head(kind, settings), **each} for each, settings in wanted])

    def _head(self, kind: str, settings: BandSpec) -> dict[str, Any]:
        return {"kind": kind, "potential": self.source.digest, "settings": settings.model_dump(mode="json")}

    def _run(self, stage: str, inputs: list[dict[str, Any]]) -> Outcomes:
        work = Work(_START, dict(self.source.settings), self.time_limit_s, "neb")
        tell = self.progress
        told = None if tell is None else (lambda state: tell(stage, state))
        return self.engine.run("md", work, inputs, min_success=0.0, progress=told)


def relaxed_crystal_of(outcome: Outcome) -> dict[str, Any]:
    """Return the crystal that a task relaxed.

    Raises
    ------
    CrystalError
        When it could not.
    """
    result = {"reasons": [outcome.failure.reason]} if outcome.failure is not None else outcome.result()
    if result["reasons"]:
        raise CrystalError(f"the crystal cannot be relaxed: {'; '.join(result['reasons'])}")
    return result


def figures_of(hop: Hop, outcome: Outcome) -> dict[str, Any]:
    """Return what the task of a hop found; one that failed, the reason."""
    if outcome.failure is not None:
        reason = f"the task failed: {outcome.failure.reason}"
        return {**hop.figures(), "quality": "refused", "reasons": [reason], "band": None}
    found = outcome.result()
    if found["band"] is not None:
        found["band"] = {**found["band"], "file": os.fspath(outcome.folder.path / found["band"]["file"])}
    return found
