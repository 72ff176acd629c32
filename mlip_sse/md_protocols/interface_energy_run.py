"""Compute the energies of an interface on the engine's md lane, each part a task of its own."""

import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlip_sse.analysis.results import Quality
from mlip_sse.engine import Engine, EngineSpec
from mlip_sse.engine import Progress as TaskProgress
from mlip_sse.md_protocols.force_source import force_source
from mlip_sse.md_protocols.interface_energy import InterfaceEnergies, convergence, interface_energies_of
from mlip_sse.md_protocols.interface_layers import TwoSidedCell
from mlip_sse.md_protocols.interface_parts import Part, RelaxedPart, relax_parts
from mlip_sse.md_protocols.interface_specs import InterfaceEnergySpec
from mlip_sse.md_protocols.interface_start import interface_at_rest
from mlip_sse.potentials import Potential
from mlip_sse.provenance import Provenance

__all__ = ["InterfaceEnergyResult", "run_interface_energy"]


@dataclass(frozen=True)
class InterfaceEnergyResult:
    """The energies of an interface, and how it was built.

    Parameters
    ----------
    folder, potential
        Where, and with which forces.
    interface
        Strain, area, atoms, terminations.
    energies
        What was found; its ``verdict`` is the result's.
    n_reused
        How many parts had been relaxed by an earlier call.
    """

    folder: str
    potential: str
    interface: dict[str, Any]
    energies: InterfaceEnergies
    n_reused: int
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def is_refused(self) -> bool:
        """Whether an energy that it needs is not there."""
        return self.energies.verdict.quality == Quality.REFUSED

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        from mlip_sse.analysis.results import to_plain

        head = {name: to_plain(getattr(self, name)) for name in ("folder", "potential", "interface")}
        tail = {"n_reused": self.n_reused, "provenance": to_plain(self.provenance)}
        return {**head, **self.energies.to_dict(), **tail}


def run_interface_energy(
    spec: InterfaceEnergySpec,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    engine: Engine | EngineSpec | dict[str, Any] | str | Path | None = None,
    progress: Callable[[str, TaskProgress], None] | None = None,
) -> InterfaceEnergyResult:
    """Build an interface and compute its energies; parts that are relaxed are never relaxed again.

    Parameters
    ----------
    spec
        The protocol; its ``configuration``, where it names one, is what the reaction energy is of.
    folder
        Task folders go into ``tasks/``; a potential that lies nowhere yet goes into ``potential/``.
    potential
        Another potential than the one the protocol names, or ``reference:KIND``.
    engine
        Where tasks run; this machine if not given. One that is open keeps its own folder, and stays open.
    progress
        Called as tasks end with the stage: ``bulks`` or ``parts``.

    Raises
    ------
    InputError
        When no interface can be built, the potential does not know an element, or the configuration holds other atoms.
    RunError
        When a bulk cannot be relaxed, or the engine cannot work.
    """
    source = force_source(spec.potential if potential is None else potential, folder)
    configuration = None if spec.configuration is None else TwoSidedCell.read(spec.configuration).atoms
    limit_s, n_reused = spec.time_limit_hours * 3600, 0

    def told(stage: str) -> Callable[[TaskProgress], None] | None:
        return None if progress is None else (lambda state: progress(stage, state))

    with nullcontext(engine) if isinstance(engine, Engine) else Engine(folder, engine) as lanes:

        def relax(parts: Mapping[str, Part]) -> dict[str, RelaxedPart]:
            nonlocal n_reused
            goal = convergence(spec.settings)
            found, n_before = relax_parts(parts, goal, source, lanes, time_limit_s=limit_s, progress=told("parts"))
            n_reused += n_before
            return found

        interface, n_bulks = interface_at_rest(
            spec.interface, source, lanes, time_limit_s=limit_s, progress=told("bulks")
        )
        energies = interface_energies_of(interface, relax, spec.settings, configuration)
    return InterfaceEnergyResult(
        folder=os.fspath(folder),
        potential=source.name,
        interface=interface.to_dict(),
        energies=energies,
        n_reused=n_reused + n_bulks,
        provenance=Provenance(settings=spec.model_dump(mode="json")),
    )
