"""What a barrier may depend on, one row a hop: geometry, radii, polarizabilities, site energies, vibrations.

Columns carry their units. Formal charges are the most common ones that make the compound neutral.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from numpy.typing import NDArray

from mlip_sse.md_protocols.attempt_frequency import frequency_or_none
from mlip_sse.structures.ewald import ewald_matrix
from mlip_sse.structures.ionic_properties import ion_polarizability, shannon_radius

__all__ = ["COLUMNS", "hop_features", "table_text"]

COLUMNS: Mapping[str, str] = {
    "compound": "formula",
    "structure": "name, file or prototype it was built from",
    "mobile": "the element that hops",
    "hop": "number of the hop in the compound, shortest first",
    "hop_distance_a": "Å between the two sites of the perfect crystal",
    "n_equivalent": "hops of the cell equivalent to it, ways back included",
    "is_reversible": "whether symmetry maps it on its way back",
    "volume_a3_atom": "Å³ per atom of the relaxed crystal",
    "barrier_forward_ev": "eV",
    "barrier_forward_low_ev": "eV, lower end of what the forces left may hide",
    "barrier_forward_high_ev": "eV",
    "barrier_backward_ev": "eV",
    "reaction_energy_ev": "eV, end minus start",
    "n_maxima": "maxima of the path",
    "attempt_frequency_forward_thz": "THz, Vineyard",
    "attempt_frequency_forward_low_thz": "THz, least of the steps and groups of neighbours tried",
    "attempt_frequency_forward_high_thz": "THz, largest of them",
    "attempt_frequency_backward_thz": "THz",
    "hop_rate_forward_thz": "THz at temperature_k",
    "temperature_k": "K",
    "vacancy_diffusivity_cm2_s": "cm²/s of one vacancy at temperature_k by this hop alone, z d² k/6",
    "bottleneck_ion": "ion whose surface the hopping one is nearest to at the saddle",
    "bottleneck_distance_a": "Å from the hopping ion to that ion at the saddle",
    "bottleneck_clearance_a": "Å, that distance less both Shannon radii (coordination 6)",
    "bottleneck_polarizability_a3": "Å³, mean of the counter-ions around the ion at the saddle; free ions of Pauling",
    "counterion_polarizability_a3": "Å³, mean of all counter-ions of the compound",
    "radius_mobile_a": "Å, Shannon, coordination 6",
    "site_energy_start_ev": "eV, formal charge times Ewald potential in the perfect crystal",
    "site_energy_end_ev": "eV",
    "site_energy_rise_ev": "eV, site energy of the hopping ion at the saddle less that at the start, on the images",
    "coordination_start": "counter-ions within 1.25 times the shortest distance",
    "coordination_saddle": "counter-ions",
    "coordination_end": "counter-ions",
    "charges": "formal charges",
    "quality": "pass, weak or refused",
    "reasons": "what speaks against it",
    "potential": "what gave the forces",
    "potential_sha256": "hash of all that decides the forces",
    "band_file": "the images, relative to the table",
    "band_sha256": "of that file",
    "mlip_sse_version": "what computed it",
}
"""Each column of the table, and what stands in it."""

_SHELL = 1.25
_A2_THZ_TO_CM2_S = 1e-4


def hop_features(
    crystal: Atoms, hop: Mapping[str, Any], images: Sequence[Atoms], charges: Mapping[str, float]
) -> dict[str, Any]:
    """Return the features of a hop; those of the saddle are None where it has no band.

    Parameters
    ----------
    crystal
        The relaxed crystal that ``start`` and ``end`` count in.
    hop
        As in `barrier_tasks.NebResult`.
    images
        Of its band.
    charges
        Formal charge of each element.
    """
    mobile = str(crystal.symbols[hop["start"]])
    site_energies = _site_energies(crystal, charges)
    counter = {symbol for symbol in charges if charges[symbol] * charges[mobile] < 0}
    features = {
        "mobile": mobile,
        "hop_distance_a": hop["distance_a"],
        "n_equivalent": hop["n_equivalent"],
        "is_reversible": hop["is_reversible"],
        "volume_a3_atom": float(crystal.get_volume()) / len(crystal),
        "counterion_polarizability_a3": _mean(
            [ion_polarizability(s, charges[s]) for s in crystal.symbols if s in counter]
        ),
        "radius_mobile_a": shannon_radius(mobile, charges[mobile]),
        "site_energy_start_ev": float(site_energies[hop["start"]]),
        "site_energy_end_ev": float(site_energies[hop["end"]]),
        "charges": " ".join(f"{symbol}{charge:+g}" for symbol, charge in charges.items()),
        **_barriers(crystal, hop, mobile),
    }
    if not images or hop.get("highest_image") is None:
        return features
    ion = int(np.argmax(np.linalg.norm(images[-1].positions - images[0].positions, axis=1)))
    saddle = images[int(hop["highest_image"])]
    rises = [_site_energies(each, charges)[ion] for each in (saddle, images[0])]
    return {
        **features,
        **_bottleneck(saddle, ion, charges, counter),
        "site_energy_rise_ev": float(rises[0] - rises[1]),
        "coordination_start": len(_shell(images[0], ion, counter)),
        "coordination_saddle": len(_shell(saddle, ion, counter)),
        "coordination_end": len(_shell(images[-1], ion, counter)),
    }


def _barriers(crystal: Atoms, hop: Mapping[str, Any], mobile: str) -> dict[str, Any]:
    forward, backward, vibrations = (
        hop.get(key) for key in ("barrier_forward_ev", "barrier_backward_ev", "attempt_frequency")
    )
    extrema = hop.get("extrema")
    found = {
        "barrier_forward_ev": forward and forward["value"],
        "barrier_forward_low_ev": forward and forward["low"],
        "barrier_forward_high_ev": forward and forward["high"],
        "barrier_backward_ev": backward and backward["value"],
        "reaction_energy_ev": hop.get("reaction_energy_ev"),
        "n_maxima": extrema and sum(each["kind"] == "maximum" for each in extrema),
    }
    if vibrations is None:
        return found
    rate = vibrations["rate_forward_thz"]
    if rate is not None and hop["are_sites_equivalent"]:
        n_ways = hop["n_equivalent"] / sum(symbol == mobile for symbol in crystal.symbols)
        found["vacancy_diffusivity_cm2_s"] = n_ways * hop["distance_a"] ** 2 * rate / 6 * _A2_THZ_TO_CM2_S
    span = vibrations["forward"]["frequency_thz"]
    return {
        **found,
        "attempt_frequency_forward_thz": frequency_or_none(vibrations["forward"]),
        "attempt_frequency_forward_low_thz": span and span["low"],
        "attempt_frequency_forward_high_thz": span and span["high"],
        "attempt_frequency_backward_thz": frequency_or_none(vibrations["backward"]),
        "hop_rate_forward_thz": rate,
        "temperature_k": vibrations["temperature_k"],
    }


def _site_energies(atoms: Atoms, charges: Mapping[str, float]) -> NDArray[np.float64]:
    """Return q_i φ_i of each ion in eV, φ_i = Σ_j q_j M_ij the Ewald potential; (n_atoms,)."""
    q = np.array([charges[symbol] for symbol in atoms.symbols])
    matrix = ewald_matrix(np.asarray(atoms.cell.array), atoms.get_scaled_positions())
    return np.asarray(q * (matrix @ q))


def _distances(atoms: Atoms, ion: int) -> NDArray[np.float64]:
    distances = find_mic(atoms.positions - atoms.positions[ion], atoms.cell, atoms.pbc)[1]
    distances[ion] = np.inf
    return np.asarray(distances)


def _shell(atoms: Atoms, ion: int, counter: set[str]) -> NDArray[np.int64]:
    """Return the counter-ions within 1.25 times the distance of the nearest."""
    distances = _distances(atoms, ion)
    distances[[symbol not in counter for symbol in atoms.symbols]] = np.inf
    return np.flatnonzero(distances <= _SHELL * distances.min())


def _bottleneck(saddle: Atoms, ion: int, charges: Mapping[str, float], counter: set[str]) -> dict[str, Any]:
    radii = {symbol: shannon_radius(symbol, charge) for symbol, charge in charges.items()}
    around = [ion_polarizability(saddle.symbols[k], charges[saddle.symbols[k]]) for k in _shell(saddle, ion, counter)]
    found: dict[str, Any] = {"bottleneck_polarizability_a3": _mean(around)}
    mine = radii[saddle.symbols[ion]]
    if mine is None or any(radius is None for radius in radii.values()):
        return found
    distances = _distances(saddle, ion)
    clearances = distances - mine - np.array([radii[symbol] for symbol in saddle.symbols], dtype=np.float64)
    nearest = int(np.argmin(clearances))
    return {
        **found,
        "bottleneck_ion": str(saddle.symbols[nearest]),
        "bottleneck_distance_a": float(distances[nearest]),
        "bottleneck_clearance_a": float(clearances[nearest]),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean; None where one is not known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV, the columns of `COLUMNS` in their order; what is not known is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(row.get(name)) for name in COLUMNS})
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return f"{value:.8g}" if isinstance(value, float) else value
