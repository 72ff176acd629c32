"""Vacancy barriers of many compounds in one folder, and one table; a compound that fails does not stop the rest."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ase import Atoms

from mlip_sse.analysis.results import to_json
from mlip_sse.engine import Engine
from mlip_sse.errors import InputError, MlipSseError
from mlip_sse.md_protocols.barrier_tasks import BarrierTasks, EngineLike, Told, figures_of, relaxed_crystal_of
from mlip_sse.md_protocols.force_source import force_source
from mlip_sse.md_protocols.neb_features import COLUMNS, hop_features, table_text
from mlip_sse.md_protocols.neb_reference import images_in
from mlip_sse.md_protocols.neb_specs import NebBatchSpec, NebSettings
from mlip_sse.md_protocols.neb_vacancy import LONGEST_OF_CELL, find_hops
from mlip_sse.md_protocols.plain_atoms import atoms_from_plain
from mlip_sse.potentials import Potential
from mlip_sse.provenance import Provenance, package_version
from mlip_sse.structures import VacancyHop, read_structure
from mlip_sse.structures.ionic_properties import oxidation_states
from mlip_sse.structures.prototypes import PROTOTYPES, prototype_crystal

__all__ = ["TABLE_FILE", "NebBatchResult", "build_compound", "mobile_element", "run_neb_batch"]

TABLE_FILE = "barriers.csv"
JSON_FILE = "barriers.json"
_MOBILE = ("Li", "Na", "K", "Rb", "Cs", "Ag", "Cu", "Mg", "Ca", "Zn", "Al")


@dataclass(frozen=True)
class NebBatchResult:
    """The barriers of many compounds.

    Parameters
    ----------
    folder, potential
        Where, and with which forces.
    rows
        One for each hop, and one for each compound without any; the columns of `neb_features.COLUMNS`.
    table
        The CSV file of the rows; a JSON file lies beside it.
    n_reused
        How many tasks had been done by an earlier call.
    """

    folder: str
    potential: str
    rows: tuple[dict[str, Any], ...]
    table: str
    n_reused: int
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def is_refused(self) -> bool:
        """Whether no hop of any compound has a barrier."""
        return all(row["quality"] == "refused" for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        from mlip_sse.analysis.results import to_plain

        names = ("folder", "potential", "rows", "table", "n_reused", "provenance")
        return {**{name: to_plain(getattr(self, name)) for name in names}, "columns": dict(COLUMNS)}


@dataclass
class _Compound:
    """What is known of one compound on the way."""

    name: str
    atoms: Atoms | None = None
    settings: NebSettings | None = None
    relaxed: dict[str, Any] | None = None
    hops: tuple[VacancyHop, ...] = ()
    figures: tuple[dict[str, Any], ...] = ()
    reason: str = ""


def build_compound(name: str) -> Atoms:
    """Return the crystal that an entry of ``structures`` names.

    Parameters
    ----------
    name
        A crystal of the package, the path of a file, or ``prototype:formula``.

    Raises
    ------
    CatalogueError, InputError, FormatError
        When there is none.
    """
    kind, colon, formula = name.partition(":")
    return prototype_crystal(kind, formula) if colon and kind in PROTOTYPES else read_structure(name)


def mobile_element(atoms: Atoms) -> str:
    """Return the first of the usual mobile ions that a compound holds.

    Raises
    ------
    InputError
        When it holds none.
    """
    for element in _MOBILE:
        if element in atoms.symbols:
            return element
    raise InputError(f"found none of {', '.join(_MOBILE)} in {atoms.get_chemical_formula()}, expected mobile: to say")


def run_neb_batch(
    spec: NebBatchSpec,
    folder: str | Path,
    *,
    potential: Potential | str | Path | None = None,
    engine: EngineLike = None,
    progress: Told = None,
) -> NebBatchResult:
    """Compute the vacancy barriers of many compounds; what is finished is never done again.

    Parameters
    ----------
    spec
        The protocol.
    folder, potential, engine, progress
        As in `neb_run.run_neb_vacancy`.
    """
    source = force_source(spec.potential if potential is None else potential, folder)
    source.require_elements([])
    compounds = [_Compound(name) for name in spec.structures]
    for each in compounds:
        try:
            each.atoms = build_compound(each.name)
            each.settings = spec.settings_for(mobile_element(each.atoms) if spec.mobile == "auto" else spec.mobile)
            source.require_elements(each.atoms.get_chemical_symbols())
            find_hops(each.atoms, each.settings)
        except MlipSseError as error:
            each.reason = str(error)
    with nullcontext(engine) if isinstance(engine, Engine) else Engine(folder, engine) as lanes:
        tasks = BarrierTasks(source, lanes, spec.time_limit_hours * 3600, progress)
        n_reused = _relax(compounds, tasks) + _hop(compounds, tasks)
    head = {"potential": source.name, "potential_sha256": source.digest, "mlip_sse_version": package_version()}
    rows = tuple(row for each in compounds for row in _rows(each, head, Path(folder)))
    provenance = Provenance(settings=spec.model_dump(mode="json"))
    result = NebBatchResult(
        os.fspath(folder), source.name, rows, os.fspath(Path(folder) / TABLE_FILE), n_reused, provenance
    )
    for name, text in ((TABLE_FILE, table_text(rows)), (JSON_FILE, to_json(result.to_dict()) + "\n")):
        part = Path(folder) / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        os.replace(part, Path(folder) / name)
    return result


def _relax(compounds: Sequence[_Compound], tasks: BarrierTasks) -> int:
    chosen = [each for each in compounds if not each.reason]
    wanted = [(each.atoms, each.settings) for each in chosen if each.atoms is not None and each.settings is not None]
    outcomes = tasks.crystals("hop", wanted)
    for each, outcome in zip(chosen, outcomes, strict=True):
        try:
            each.relaxed = relaxed_crystal_of(outcome)
            if each.settings is not None:
                each.hops = find_hops(atoms_from_plain(each.relaxed), each.settings)
        except MlipSseError as error:
            each.reason = str(error)
    return outcomes.n_reused


def _hop(compounds: Sequence[_Compound], tasks: BarrierTasks) -> int:
    wanted: list[tuple[dict[str, Any], NebSettings]] = []
    for each in compounds:
        if each.relaxed is not None and each.settings is not None:
            plain = {name: each.relaxed[name] for name in ("symbols", "cell", "positions")}
            wanted += [({"crystal": plain, "hop": asdict(hop)}, _wide_enough(each.settings, hop)) for hop in each.hops]
    outcomes = tasks.hops("hop", wanted)
    done = iter(outcomes)
    for each in compounds:
        each.figures = tuple(figures_of(hop, next(done)) for hop in each.hops)
    return outcomes.n_reused


def _wide_enough(settings: NebSettings, hop: VacancyHop) -> NebSettings:
    """Return the settings with a cell that the hop fits into: lattices of one list may differ by half."""
    if settings.repeats is not None:
        return settings
    least = 1.001 * hop.distance / LONGEST_OF_CELL
    return settings if settings.min_width_a >= least else settings.model_copy(update={"min_width_a": least})


def _rows(each: _Compound, head: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    formula = each.name if each.atoms is None else each.atoms.get_chemical_formula("metal", empirical=True)
    same = {"compound": formula, "structure": each.name, **head}
    if each.relaxed is None or each.reason:
        return [{**same, "quality": "refused", "reasons": [each.reason]}]
    atoms = atoms_from_plain(each.relaxed)
    rows = []
    for number, hop in enumerate(each.figures, start=1):
        row = {**same, "hop": number, "quality": hop["quality"], "reasons": list(hop["reasons"])}
        try:
            row |= hop_features(atoms, hop, images_in(hop), oxidation_states(atoms.get_chemical_formula()))
        except MlipSseError as error:  # no charges: the barrier stands, its features do not
            row["reasons"] = [*row["reasons"], f"no features: {error}"]
            row |= {"hop_distance_a": hop["distance_a"], "n_equivalent": hop["n_equivalent"]}
            barrier = hop.get("barrier_forward_ev")
            row["barrier_forward_ev"] = None if barrier is None else barrier["value"]
        if hop["band"] is not None:
            row["band_file"] = os.path.relpath(hop["band"]["file"], folder)
            row["band_sha256"] = hop["band"]["sha256"]
        rows.append(row)
    return rows
