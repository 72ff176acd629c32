"""Where ``mlip-sse react`` takes its phases from: files, folders, the Materials Project, our crystals relaxed."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.analysis.reactions import ConvexHull, PhaseSet, Scheme
    from mlip_sse.md_protocols.relaxation import Relaxation

__all__ = ["ENTRIES_HELP", "hull_of", "relaxed_phases"]

ENTRIES_HELP = (
    "JSON of entries, a folder of vasprun.xml, materials-project, or relaxed:NAME, our crystals relaxed with a "
    "potential or reference; may be given again."
)

_DATABASE = "materials-project"
_RELAXED = "relaxed:"

_MAX_STEPS, _LATE_STEPS = 300, 50
_SETTLED_EV_ATOM = 1e-3
"""What gains less over the last steps is taken though forces or stress are not down yet."""


def hull_of(sources: Sequence[str], corrections: str, formulas: Sequence[str], ion: str | None) -> "ConvexHull":
    """Read all sources and keep what the elements of the question can make.

    Parameters
    ----------
    sources
        As `ENTRIES_HELP` says.
    corrections
        What is done with the corrections of the energies.
    formulas
        The phases that are asked about.
    ion
        An open element or the working ion, which belongs to the question too.

    Raises
    ------
    InputError
        When there is no source, corrections are mixed, or an element is missing.
    """
    from mlip_sse.analysis.reactions import ConvexHull, read_formula
    from mlip_sse.errors import InputError

    if not sources:
        raise InputError("found no --entries, expected a JSON of entries or a folder of vasprun.xml files")
    elements = sorted(
        {element for formula in formulas for element in read_formula(formula)} | ({ion} if ion else set())
    )
    phases = _phases(sources[0], corrections, elements)
    for source in sources[1:]:
        phases = phases.joined(_phases(source, corrections, elements))
    return ConvexHull(phases.within(elements))


def _phases(source: str, corrections: str, elements: Sequence[str]) -> "PhaseSet":
    from mlip_sse.analysis.reactions import read_phases
    from mlip_sse.analysis.reactions.entries import fetch_materials_project, phases_of
    from mlip_sse.errors import InputError

    if source == _DATABASE:
        return phases_of(fetch_materials_project(elements), _DATABASE, corrections)
    if source.startswith(_RELAXED):
        if corrections != "as-stored":
            raise InputError(
                f"{source}: found --corrections {corrections}, expected as-stored: its energies are what they are"
            )
        return relaxed_phases(source.removeprefix(_RELAXED), elements)
    return read_phases(source, corrections)


def relaxed_phases(name: str, elements: Sequence[str]) -> "PhaseSet":
    """Relax every ordered crystal of our table that these elements make, with a reference or a potential."""
    from mlip_sse.analysis.reactions import EnergyState, RelaxedEnergy, competing_phases
    from mlip_sse.md_protocols.relaxation import relax_atoms
    from mlip_sse.structures import crystal, crystal_entry, crystal_names

    calculator, scheme, functional = _calculator(name)
    chosen: dict[str, Atoms] = {}
    for each in crystal_names():
        entry = crystal_entry(each)
        if entry.is_ordered and {element for site in entry.sites for element in site.species} <= set(elements):
            chosen[each] = crystal(each)

    def relax(atoms: "Atoms") -> RelaxedEnergy:
        typer.echo(f"relaxing {atoms.get_chemical_formula()}", err=True)
        relaxed = relax_atoms(atoms, calculator, cell="free", fmax=0.05, stress_tolerance_gpa=0.3, max_steps=_MAX_STEPS)
        return RelaxedEnergy(_settled_energy(relaxed), _spread(calculator, relaxed.atoms))

    return competing_phases(chosen, relax, EnergyState(scheme, functional, f"crystals relaxed with {name}"))


def _spread(calculator: Any, atoms: "Atoms") -> float | None:
    """Return the standard deviation of a potential's committee in eV, where it has one."""
    if "energy_std" not in getattr(calculator, "implemented_properties", ()):
        return None
    return float(calculator.get_property("energy_std", atoms))


def _settled_energy(relaxed: "Relaxation") -> float:
    """Return the energy unless it still falls; soft crystals keep a stress for long that costs hardly any."""
    from mlip_sse.analysis.results import Quality
    from mlip_sse.errors import RunError

    if relaxed.verdict.quality is not Quality.REFUSED:
        return relaxed.energy
    energies, n_atoms = relaxed.energies, len(relaxed.atoms)
    gained = min(energies[:-_LATE_STEPS], default=math.inf) - min(energies)
    unfinished = all("not converged" in reason for reason in relaxed.verdict.reasons)
    if not unfinished or gained > _SETTLED_EV_ATOM * n_atoms:
        formula = relaxed.atoms.get_chemical_formula()
        raise RunError(f"{formula}: {'; '.join(relaxed.verdict.reasons)}; give entries of these phases instead")
    return float(min(energies))


def _calculator(name: str) -> "tuple[Any, Scheme, str]":
    """Return the calculator of a reference or a potential, and the corrections that its energies carry."""
    from mlip_sse.potentials import load_potential
    from mlip_sse.references import REFERENCES, load_reference

    if name.partition(":")[0] in REFERENCES:
        reference = load_reference(name)
        functional = reference.fingerprint.functional
        return reference.calculator(), _scheme(functional), _described(name, functional)
    potential = load_potential(name)
    stated = (potential.card.fingerprint or {}).get("functional")
    return potential.calculator(), _scheme(stated), _described(name, stated)


def _scheme(functional: str | None) -> "Scheme":
    """Return what the labels carried: CHGNet's, and so those of its students, have MP2020's corrections in them."""
    from mlip_sse.analysis.reactions import Scheme

    return Scheme.BAKED if functional and "MP2020" in functional else Scheme.NONE


def _described(name: str, functional: str | None) -> str:
    return f"{name} ({functional})" if functional else name
