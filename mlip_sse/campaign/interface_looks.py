"""What the anneals of a campaign show: each trajectory in its place, with what the interphase analysis finds in it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.analysis.interphase.planes import interface_planes
from mlip_sse.analysis.interphase.recipe import InterphaseRecipe
from mlip_sse.analysis.results import Quality, Verdict, to_plain
from mlip_sse.campaign.production import linked
from mlip_sse.errors import MlipSseError
from mlip_sse.md_protocols.interface_layers import TwoSidedCell
from mlip_sse.trajectory.fractional_positions import consistent_cells, fractional_chunks
from mlip_sse.trajectory.model import Trajectory

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.campaign.interface_specs import InterfaceCampaignSpec
    from mlip_sse.md_protocols.interface_anneal import Annealed

__all__ = ["last_frame", "looked_at"]

_CURVE_POINTS = 400
_OF_THE_RUN = ("inner_temperature_k", "inner_peak_k", "energy_change_ev_atom", "height_change", "pressure_z_gpa")


def looked_at(spec: "InterfaceCampaignSpec", annealed: "Annealed", place: Path) -> list[dict[str, Any]]:
    """Return a row for each anneal; its trajectory gets a name in ``place``.

    Parameters
    ----------
    spec
        The campaign.
    annealed
        The anneals.
    place
        The folder of the campaign's trajectories.
    """
    place.mkdir(parents=True, exist_ok=True)
    electrolyte = _electrolyte(spec, TwoSidedCell.read(annealed.cell["structure"]))
    rows = []
    for run in annealed.runs:
        row: dict[str, Any] = {key: run[key] for key in ("temperature_k", "seed", "ended", "quality")}
        row |= {key: run.get(key) for key in _OF_THE_RUN}
        row |= {"reasons": list(run["reasons"]), "path": None, "reaction": None, "curve": None}
        if run["trajectory"] is not None:
            source = Path(run["trajectory"])
            file = linked(source, place / f"{run['temperature_k']:g}K_seed{run['seed']}{source.suffix}")
            row |= {"path": f"{place.name}/{file.name}"}
            row |= _analysed(spec, file, electrolyte, row)
        rows.append(row)
    return rows


def _analysed(
    spec: "InterfaceCampaignSpec", file: Path, electrolyte: tuple[float, float] | None, row: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the interphase analysis finds: numbers, curves for the report, its verdict beside the run's."""
    recipe = InterphaseRecipe(
        recipe="interphase",
        description="anneal of a campaign",
        mobile=(spec.mobile,),
        units=spec.units,
        look_ps=max(0.5, spec.anneal.dump_every_fs / 1000),
        electrolyte=electrolyte,
        products=spec.expected,
    )
    try:
        found = recipe.measure(Trajectory.read(file, temperature_k=row["temperature_k"]))
    except MlipSseError as error:
        return {"quality": "refused", "reasons": [*row["reasons"], str(error).removeprefix(f"{file}: ")]}
    verdict = Verdict(Quality(row["quality"]), tuple(row["reasons"]))
    for reason in found.verdict.reasons:
        verdict = verdict.weaken(reason)
    plain: dict[str, Any] = json.loads(json.dumps(to_plain(dict(found.numbers))))
    return plain | {
        "quality": str(verdict.quality),
        "reasons": list(verdict.reasons),
        "curve": _thinned(found.tables["interphase"]),
        "products": json.loads(json.dumps(to_plain(list(found.tables["products"])))),
    }


def _electrolyte(spec: "InterfaceCampaignSpec", cell: TwoSidedCell) -> tuple[float, float] | None:
    """Return between which fractions along the normal the side lies that alone holds units; None where both do."""
    symbols = np.array(cell.atoms.get_chemical_symbols())
    holds = [any((symbols[cell.side == side] == unit.centre).any() for unit in spec.units) for side in (0, 1)]
    planes = interface_planes(cell.atoms.positions, cell.atoms.cell.array, cell.side)
    if holds[0] == holds[1] or len(planes) != 2:
        return None
    low, high = (planes[0], planes[1]) if holds[1] else (planes[1], planes[0])
    return float(low), float(low + (high - low) % 1.0)


def _thinned(table: Any) -> dict[str, list[Any]]:
    """Return columns of the curve, evenly thinned."""
    rows = list(table)
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _CURVE_POINTS)).round().astype(int))
    names = [name for name in rows[0]] if rows else []
    return {name: [rows[k][name] for k in places] for name in names}


def last_frame(path: str | Path, frame_spacing_fs: float | None = None) -> "Atoms":
    """Return the last stored frame of a trajectory, atoms in their order.

    Unwrapped positions lead there by steps in all the cells on the way: the fractions in the last cell are what counts.
    """
    from ase import Atoms

    trajectory = Trajectory.read(path, frame_spacing_fs=frame_spacing_fs)
    cells, everyone = consistent_cells(trajectory.cells), np.arange(trajectory.n_atoms)
    for _, part in fractional_chunks(trajectory, everyone, cells):
        fractions = part[-1]
    return Atoms(list(trajectory.species), positions=fractions @ cells[-1], cell=cells[-1], pbc=True)
