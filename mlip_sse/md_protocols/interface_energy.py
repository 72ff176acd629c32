"""What an interface costs: adhesion, formation, strain, and what it gains by reacting.

All energies come from one potential and from parts that have the same freedom: each is relaxed in its positions, and in
its height where there is no vacuum, in a cell whose area is that of the interface. A bulk that meets itself without
strain therefore forms an interface of no energy, and its work of adhesion is twice the energy of its surface.

References
----------
M. L. Holekevi Chandrappa, J. Qi, C. Chen, S. Banerjee, S. P. Ong, J. Am. Chem. Soc. 144, 18009 (2022),
doi:10.1021/jacs.2c07482
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from mlip_sse.analysis.interphase import FormationEnergy
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError
from mlip_sse.md_protocols.interface_parts import Convergence, Part, RelaxedPart, relax_part
from mlip_sse.md_protocols.interface_specs import InterfaceEnergySettings
from mlip_sse.md_protocols.relaxation import closest_pair

if TYPE_CHECKING:
    from mlip_sse.structures.interfaces import Interface

__all__ = ["GapPoint", "InterfaceEnergies", "RelaxAll", "interface_energies", "interface_energies_of"]

RelaxAll = Callable[[Mapping[str, Part]], dict[str, RelaxedPart]]
"""Relaxes parts, each by its own name."""

_OVERLAP_A = 0.8
_THIN_A = 12.0
_SIDES = ("a", "b")


@dataclass(frozen=True)
class GapPoint:
    """One gap of the scan, nothing relaxed.

    Parameters
    ----------
    gap_a
        Å.
    energy_ev
        Of the cell; None where atoms would overlap.
    adhesion_ev_a2
        What it would take to pull these rigid slabs apart, over the area.
    """

    gap_a: float
    energy_ev: float | None
    adhesion_ev_a2: float | None


@dataclass(frozen=True, eq=False)
class InterfaceEnergies:
    """The energies of one interface.

    Parameters
    ----------
    work_of_adhesion
        eV/Å²; > 0 where the sides stick.
    formation
        eV/Å², its chemical part against the strained bulks, and by itself what their strain costs.
    surface_ev_a2
        Energy of a free surface of a and of b, strained as in the interface; the mean of both faces of the slab.
    strain_ev_atom
        What the strain costs in a and in b, in eV for each of its atoms.
    reaction_ev_atom
        Explicit reaction energy of the configuration that was given, of the relaxed interface where there was none, in
        eV for each of ``n_interface_atoms``.
    n_interface_atoms
        Atoms within ``interface_depth_a`` of an interface.
    gaps
        The scan.
    parts
        Everything that was relaxed: ``interface``, ``slab_a``, ``bulk_a`` (strained), ``crystal_a`` and so on for b,
        and ``configuration``.
    verdict
        Refused where an energy that it needs is not there.
    """

    work_of_adhesion: Interval
    formation: FormationEnergy
    surface_ev_a2: tuple[float, float]
    strain_ev_atom: tuple[float, float]
    reaction_ev_atom: Interval
    n_interface_atoms: int
    gaps: tuple[GapPoint, ...]
    parts: Mapping[str, RelaxedPart]
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, the structures left out."""
        from mlip_sse.analysis.results import to_plain

        names = ("work_of_adhesion", "surface_ev_a2", "strain_ev_atom", "reaction_ev_atom", "n_interface_atoms", "gaps")
        plain = {name: to_plain(getattr(self, name)) for name in names}
        plain["work_of_adhesion_ev_a2"] = plain.pop("work_of_adhesion")
        parts = {name: part.to_dict() for name, part in self.parts.items()}
        verdict = {"quality": str(self.verdict.quality), "reasons": list(self.verdict.reasons)}
        return {**plain, "formation": to_plain(self.formation), "parts": to_plain(parts), **verdict}


def interface_energies(
    interface: "Interface",
    calculator: Any,
    settings: InterfaceEnergySettings | None = None,
    configuration: Atoms | None = None,
) -> InterfaceEnergies:
    """Compute the energies of an interface with any ASE calculator.

    Parameters
    ----------
    interface
        Built of bulks at rest in the calculator.
    calculator
        With energy, forces and stress.
    settings
        How well parts are relaxed, which gaps are tried.
    configuration
        The same atoms in the same order, as annealing left them, whose reaction energy is wanted.

    Raises
    ------
    InputError
        When the configuration holds other atoms, or atoms overlap at every gap.
    """
    chosen = settings if settings is not None else InterfaceEnergySettings()

    def relax(parts: Mapping[str, Part]) -> dict[str, RelaxedPart]:
        return {name: relax_part(part, calculator, convergence(chosen)) for name, part in parts.items()}

    return interface_energies_of(interface, relax, chosen, configuration)


def convergence(settings: InterfaceEnergySettings) -> Convergence:
    """Return when a part counts as relaxed."""
    return Convergence(settings.optimizer, settings.fmax, settings.stress_tolerance_gpa, settings.max_steps)


def interface_energies_of(
    interface: "Interface", relax: RelaxAll, settings: InterfaceEnergySettings, configuration: Atoms | None = None
) -> InterfaceEnergies:
    """Compute the energies of an interface, its parts relaxed by whatever can: a calculator, or tasks of an engine.

    Parameters and errors are those of `interface_energies`.
    """
    stages: tuple[Any, ...] = ("fixed",) if interface.n_interfaces == 1 else ("fixed", "normal")
    reacted = None if configuration is None else _checked(configuration, interface)
    trials = _trials(interface, settings.gaps_a)
    first = relax(
        {
            **{f"slab_{side}": Part(getattr(interface, f"slab_{side}"), ("fixed",)) for side in _SIDES},
            **{f"rigid_{side}": Part(getattr(interface, f"slab_{side}"), ()) for side in _SIDES},
            **{f"bulk_{side}": Part(getattr(interface, f"bulk_{side}"), ("normal",)) for side in _SIDES},
            **{f"crystal_{side}": Part(getattr(interface, f"crystal_{side}"), ("normal",)) for side in _SIDES},
            **{f"gap_{gap:g}": Part(each.atoms, ()) for gap, each in trials.items()},
        }
    )
    rigid = sum(first.pop(f"rigid_{side}").energy_ev for side in _SIDES)
    scanned = {gap: first.pop(f"gap_{gap:g}").energy_ev for gap in trials}
    best = min(scanned, key=lambda gap: scanned[gap])
    ends = {"interface": Part(trials[best].atoms, stages, interface.side)}
    if reacted is not None:
        ends["configuration"] = Part(reacted, stages, interface.side)
    parts = {**first, **relax(ends)}
    whole_area = interface.n_interfaces * interface.area
    points = tuple(
        GapPoint(gap, scanned.get(gap), None if gap not in scanned else (rigid - scanned[gap]) / whole_area)
        for gap in settings.gaps_a
    )
    return _together(interface, parts, points, settings)


def _trials(interface: "Interface", gaps_a: tuple[float, ...]) -> "dict[float, Interface]":
    """Return the interface at each gap at which no atoms overlap."""
    found = {gap: interface.with_gap(gap) for gap in gaps_a}
    free = {gap: each for gap, each in found.items() if closest_pair(each.atoms) >= _OVERLAP_A}
    if not free:
        raise InputError(f"gaps_a: found overlapping atoms at {', '.join(f'{g:g}' for g in gaps_a)} Å: give wider ones")
    return free


def _checked(configuration: Atoms, interface: "Interface") -> Atoms:
    if configuration.get_chemical_symbols() != interface.atoms.get_chemical_symbols():
        raise InputError(
            f"configuration: found {configuration.get_chemical_formula('metal')}, expected the atoms of the interface "
            f"in their order, {interface.atoms.get_chemical_formula('metal')}"
        )
    found = np.linalg.norm(np.cross(*configuration.cell.array[:2]))
    if abs(found / interface.area - 1) > 1e-4:
        raise InputError(f"configuration: found an area of {found:.3f} Å², expected {interface.area:.3f}")
    return configuration


def _together(
    interface: "Interface",
    parts: Mapping[str, RelaxedPart],
    points: tuple[GapPoint, ...],
    settings: InterfaceEnergySettings,
) -> InterfaceEnergies:
    from mlip_sse.analysis.interphase import (
        explicit_reaction_energy,
        formation_energy,
        interface_atoms,
        work_of_adhesion,
    )

    area, n_interfaces = interface.area, interface.n_interfaces
    energy = {name: part.energy_ev for name, part in parts.items()}
    atom = {name: energy[name] / len(part.atoms) for name, part in parts.items()}
    counts = {side: float((interface.side == index).sum()) for index, side in enumerate(_SIDES)}
    surface = {side: (energy[f"slab_{side}"] - counts[side] * atom[f"bulk_{side}"]) / (2 * area) for side in _SIDES}
    # With vacuum the cell has a free surface of each side besides the interface.
    bare = area * sum(surface.values()) if n_interfaces == 1 else 0.0
    strained = {side: atom[f"bulk_{side}"] for side in _SIDES}
    relaxed = {side: atom[f"crystal_{side}"] for side in _SIDES}
    reacted = parts.get("configuration", parts["interface"])
    n_near = interface_atoms(
        reacted.atoms.positions, reacted.atoms.cell.array, interface.side, settings.interface_depth_a
    )
    return InterfaceEnergies(
        work_of_adhesion=work_of_adhesion(energy["slab_a"], energy["slab_b"], energy["interface"], area, n_interfaces),
        formation=formation_energy(energy["interface"] - bare, counts, strained, area, n_interfaces, relaxed),
        surface_ev_a2=(surface["a"], surface["b"]),
        strain_ev_atom=(strained["a"] - relaxed["a"], strained["b"] - relaxed["b"]),
        reaction_ev_atom=explicit_reaction_energy(reacted.energy_ev, energy["slab_a"], energy["slab_b"], n_near),
        n_interface_atoms=n_near,
        gaps=points,
        parts=parts,
        verdict=_verdict(interface, parts, points),
    )


def _verdict(interface: "Interface", parts: Mapping[str, RelaxedPart], points: tuple[GapPoint, ...]) -> Verdict:
    verdict = Verdict()
    for name, part in parts.items():
        for reason in part.reasons:
            verdict = verdict.refuse(f"{name}: {reason}")
    known = [point for point in points if point.energy_ev is not None]
    best = min(known, key=lambda point: point.energy_ev or 0.0)
    if len(known) > 2 and best.gap_a in (known[0].gap_a, known[-1].gap_a):
        verdict = verdict.weaken(f"the best gap, {best.gap_a:g} Å, is an end of the scan: add gaps_a beyond it")
    if interface.max_strain > 0.05:
        verdict = verdict.weaken(f"a side is strained by {100 * interface.max_strain:.1f} %, expected at most 5 %")
    if min(interface.thicknesses) < _THIN_A:
        verdict = verdict.weaken(
            f"a side is {min(interface.thicknesses):.1f} Å thick, expected {_THIN_A:g} or more: its middle is no bulk"
        )
    return verdict
