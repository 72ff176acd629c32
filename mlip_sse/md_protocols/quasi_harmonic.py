"""Thermal expansion of a crystal: relaxed, stretched, its phonons at each volume, and what the free energy says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.analysis.mechanics.quasi_harmonic import QuasiHarmonic, quasi_harmonic_expansion
from mlip_sse.analysis.results import Verdict
from mlip_sse.md_protocols.phonons import mesh_of, phonon_frequencies, require_phonopy
from mlip_sse.md_protocols.quasi_harmonic_specs import QuasiHarmonicSpec
from mlip_sse.md_protocols.relaxation import Relaxation, relax_as

__all__ = ["QuasiHarmonicScan", "quasi_harmonic_scan"]


@dataclass(frozen=True, eq=False)
class QuasiHarmonicScan:
    """Expansion by phonons, and what was done for it.

    Parameters
    ----------
    base
        The relaxed crystal.
    volumes : (n,) Å³ of the cell
    energies : (n,) eV of the cell
    lowest_thz : (n,)
        Lowest frequency of each volume; negative where imaginary.
    expansion
        None where a relaxation failed.
    verdict
        Of all together.
    """

    base: Relaxation
    volumes: NDArray[np.float64]
    energies: NDArray[np.float64]
    lowest_thz: NDArray[np.float64]
    expansion: QuasiHarmonic | None
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, volumes and energies for an atom."""
        n_atoms, found = len(self.base.atoms), self.expansion
        return {
            "n_atoms": n_atoms,
            "volumes_a3_atom": self.volumes / n_atoms,
            "energies_ev_atom": self.energies / n_atoms,
            "lowest_frequencies_thz": self.lowest_thz,
            "temperatures_k": None if found is None else found.temperatures_k,
            "equilibrium_volumes_a3_atom": None if found is None else found.volumes / n_atoms,
            "volumetric_expansions_per_k": None if found is None else found.volumetric_per_k,
            "bulk_moduli_gpa": None if found is None else found.bulk_modulus_gpa,
            "reference_k": None if found is None else found.reference_k,
            "volumetric_expansion_per_k": None if found is None else found.volumetric,
            "linear_expansion_per_k": None if found is None else found.linear,
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }


def quasi_harmonic_scan(
    atoms: Atoms, calculator: Any, spec: QuasiHarmonicSpec, progress: Callable[[int, int], None] | None = None
) -> QuasiHarmonicScan:
    """Return the thermal expansion of a crystal by quasi-harmonic phonons.

    Parameters
    ----------
    atoms
        The crystal; a primitive cell is enough.
    calculator
        An ASE calculator with energy, forces and stress.
    spec
        The protocol; its structure and potential are not read.
    progress
        Called with the number of volumes done and their total.

    Raises
    ------
    MissingExtraError
        When phonopy is not installed.
    InputError
        When atoms overlap.
    """
    require_phonopy()
    base = relax_as(spec, atoms, calculator, "free")
    if base.verdict.reasons:
        reason = f"the middle of the volumes: {'; '.join(base.verdict.reasons)}"
        nothing = np.empty(0)
        return QuasiHarmonicScan(base, nothing, nothing, nothing, None, Verdict().refuse(reason))
    mesh = mesh_of(base.atoms, spec.mesh_a)
    points: list[Relaxation] = []
    frequencies, weights = [], np.empty(0)
    verdict = Verdict()
    for index, ratio in enumerate(np.linspace(1 - spec.compression, 1 + spec.expansion, spec.n_volumes)):
        stretched = base.atoms.copy()
        stretched.set_cell(base.atoms.cell.array * np.cbrt(ratio), scale_atoms=True)
        point = relax_as(spec, stretched, calculator, "shape" if spec.relax == "shape" else "fixed")
        if point.verdict.reasons:
            verdict = verdict.refuse(f"volume {ratio - 1:+.1%}: {'; '.join(point.verdict.reasons)}")
            break
        found, weights = phonon_frequencies(
            point.atoms, calculator, min_width_a=spec.min_width_a, displacement_a=spec.displacement_a, mesh=mesh
        )
        points.append(point)
        frequencies.append(found)
        if progress is not None:
            progress(index + 1, spec.n_volumes)
    volumes = np.array([point.atoms.get_volume() for point in points])
    energies = np.array([point.energy for point in points])
    lowest = np.array([each.min() for each in frequencies])
    if verdict.reasons:
        return QuasiHarmonicScan(base, volumes, energies, lowest, None, verdict)
    expansion = quasi_harmonic_expansion(
        volumes, energies, np.array(frequencies), weights, spec.temperatures_k, reference_k=spec.reference_k
    )
    return QuasiHarmonicScan(base, volumes, energies, lowest, expansion, expansion.verdict)
