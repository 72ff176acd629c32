"""What the recipe `structure` reports of one trajectory: numbers, tables, arrays and pictures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.structure.structure_analysis import StructureResult
from mlip_sse.analysis.structure.structure_factor import Radiation

__all__ = ["structure_finding"]


def structure_finding(result: StructureResult, radiation: Radiation = "none") -> Finding:
    """Return the finding of one trajectory.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.structure.structure_analysis.Structure.run`.
    radiation
        What weighs the atoms in the S(q) that is shown.
    """

    def plot() -> Any:
        from mlip_sse.analysis.structure.structure_plots import plot_structure

        return plot_structure(result, radiation)

    def scenes() -> Any:
        from mlip_sse.analysis.structure.density_scene import density_scene

        return {f"Density of {', '.join(result.mobile)}": density_scene(result)}

    return Finding(
        numbers=_numbers(result),
        verdict=result.verdict,
        details=_details(result),
        tables=_tables(result, radiation),
        arrays=_arrays(result),
        plot=plot,
        scenes=scenes,
        result=result,
    )


def _numbers(result: StructureResult) -> dict[str, Number]:
    numbers: dict[str, Number] = {f"first_peak_{name}": peak for name, peak in result.peaks.items()}
    for name, shell in result.main_shells.items():
        numbers[f"coordination_{name.replace(' ', '_')}"] = shell.coordination
    for pair, units in result.speciation.items():
        numbers[f"intact_{pair}"] = units.intact
        for kind, share in units.centre_shares.items():
            numbers[f"{units.centre}_in_{kind.replace(' ', '_')}"] = share
        if "free" in units.ligand_shares:
            numbers[f"free_{units.ligand}"] = units.ligand_shares["free"]
        numbers[f"{units.centre}-{units.centre}_bonded"] = units.bound_to_centre
        numbers[f"bond_length_{pair}"] = units.bond_length
        numbers[f"bond_angle_{units.ligand}-{pair}_degrees"] = units.angle
        numbers[f"unit_changes_{pair}"] = len(units.changes)
    if result.order is not None:
        for degree, mean in zip(result.order.degrees, result.order.mean, strict=True):
            numbers[f"q{degree}_{'+'.join(result.sublattice)}"] = mean
    if result.density_map.percolation is not None:
        numbers["percolation_barrier"] = result.density_map.percolation.dimensions_ev[2]
    if result.distortions is not None:
        numbers["strange_surroundings"] = result.distortions.strange_share
        numbers["false_alarms_measured"] = result.distortions.model.measured_rate
        numbers["persistently_distorted_atoms"] = len(result.distortions.persistent)
    return numbers


def _details(result: StructureResult) -> dict[str, Any]:
    details: dict[str, Any] = {
        "frames_for_pairs": result.pairs.n_frames,
        "density_grid": result.density_map.density.shape,
        "longest_bonds": {name: units.lengths for name, units in result.speciation.items()},
        "unit_changes": {name: units.changes for name, units in result.speciation.items()},
    }
    levels = result.density_map.percolation
    if levels is not None:
        details["percolation_barriers"] = {
            "axes": dict(zip("abc", levels.axes_ev, strict=True)),
            "dimensions": dict(zip("123", levels.dimensions_ev, strict=True)),
        }
    if result.distortions is not None:
        model = result.distortions.model
        details["outliers"] = {
            "method": model.method,
            "false_alarm_rate": model.false_alarm_rate,
            "measured_rate": model.measured_rate,
            "persistent_atoms": result.distortions.persistent,
        }
    return details


def _tables(result: StructureResult, radiation: Radiation) -> dict[str, list[dict[str, Any]]]:
    tables = {"g_of_r": _pairs(result), "shells": _shells(result)}
    factor = result.structure_factor
    if factor is not None:
        columns = {"q_per_a": factor.q, "total": factor.total, "total_error": factor.total_errors}
        if radiation != "none":
            columns[radiation] = factor.weighted(radiation)
        tables["structure_factor"] = _rows({**columns, **factor.partials})
    for pair, units in result.speciation.items():
        of = (("centres", units.centre, units.centre_shares), ("ligands", units.ligand, units.ligand_shares))
        tables[f"units_{pair}"] = [
            {"unit": kind, "of": what, "species": symbol, "share": share}
            for what, symbol, shares in of
            for kind, share in shares.items()
        ]
        tables[f"units_in_time_{pair}"] = _in_time(units)
        tables[f"unit_changes_{pair}"] = [
            {"frame": change.frame, "atom": change.centre, "before": change.before, "after": change.after}
            for change in units.changes
        ]
        tables[f"bond_lengths_{pair}"] = _rows({"length": units.bond_histogram[0], "density": units.bond_histogram[1]})
        tables[f"bond_angles_{pair}"] = _rows(
            {"angle_degrees": units.angle_histogram[0], "density": units.angle_histogram[1]}
        )
    if result.order is not None:
        mean_q, mean_w = np.nanmean(result.order.q, axis=0), np.nanmean(result.order.w, axis=0)
        order: dict[str, NDArray[Any]] = {"atom": result.order.atoms}
        for k, degree in enumerate(result.order.degrees):
            order |= {f"q{degree}": mean_q[:, k], f"w{degree}": mean_w[:, k]}
        tables["order"] = _rows(order)
    peaks = result.density_map.peaks
    if peaks is not None:
        places = {f"{axis}_fraction": peaks.fractions[:, k] for k, axis in enumerate("abc")}
        tables["density_peaks"] = _rows({**places, "ions": peaks.occupancies, "height_per_a3": peaks.heights})
    if result.distortions is not None:
        share, score = result.distortions.strange.mean(axis=0), result.distortions.scores.mean(axis=0)
        tables["distortions"] = _rows({"atom": result.distortions.atoms, "strange_share": share, "score": score})
    return tables


def _pairs(result: StructureResult) -> list[dict[str, Any]]:
    columns: dict[str, NDArray[Any]] = {}
    for name, partial in result.pairs.partials.items():
        columns |= {"radius": partial.radii, name: partial.values, f"{name}_error": partial.errors}
        for centre in dict.fromkeys(partial.species):
            other = partial.species[1] if centre == partial.species[0] else partial.species[0]
            columns[f"{other}_within_edge_of_{centre}"] = partial.running_coordination(centre)
    return _rows(columns)


def _shells(result: StructureResult) -> list[dict[str, Any]]:
    return [
        {
            "centre": shell.centre,
            "neighbour": shell.neighbour,
            "peak": shell.peak_a,
            "height": shell.height,
            "minimum": shell.minimum_a,
            "coordination": shell.coordination,
            "reasons": "; ".join(shell.verdict.reasons),
        }
        for shell in result.pairs.shells.values()
    ]


def _in_time(units: Any) -> list[dict[str, Any]]:
    """Return the share of the centres in units of each kind, frame by frame."""
    columns: dict[str, NDArray[Any]] = {"frame": units.frames}
    for kind in units.centre_shares:
        columns[kind] = (units.of_centres == units.names.index(kind)).mean(axis=1)
    return _rows(columns)


def _arrays(result: StructureResult) -> dict[str, NDArray[np.generic]]:
    density, free_energy = result.density_map.density, result.density_map.free_energy
    arrays: dict[str, NDArray[np.generic]] = {"density_per_a3": density.values, "cell": density.cell}
    if free_energy is not None:
        arrays |= {"free_energy_ev": free_energy.values, "free_energy_error_ev": free_energy.errors}
    for pair, units in result.speciation.items():
        arrays |= {
            f"{pair}_unit_names": np.array(units.names),
            f"{pair}_centres": units.centres,
            f"{pair}_ligands": units.ligands,
            f"{pair}_unit_of_centres": units.of_centres,
            f"{pair}_unit_of_ligands": units.of_ligands,
        }
    if result.order is not None:
        arrays |= {"order_atoms": result.order.atoms, "order_q": result.order.q, "order_w": result.order.w}
    if result.distortions is not None:
        arrays |= {"distortion_atoms": result.distortions.atoms, "distortion_strange": result.distortions.strange}
    return arrays


def _rows(columns: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    lists = [column.tolist() for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]
