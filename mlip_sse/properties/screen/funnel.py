"""The funnel: candidates go through stages, and each stage says how many passed and why the others did not."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlip_sse.analysis.results import to_plain
from mlip_sse.dataset.whole_files import write_json_whole, written_whole
from mlip_sse.errors import InputError
from mlip_sse.properties.screen.building import build, pymatgen_structure
from mlip_sse.properties.screen.enumeration import Candidate
from mlip_sse.properties.screen.stages import Stage
from mlip_sse.properties.table import Column, PropertyTable
from mlip_sse.properties.table_files import write_table
from mlip_sse.provenance import Provenance

__all__ = ["Funnel", "StageCount", "run_funnel", "write_funnel"]

_CAMPAIGN_KEY = "structure"


@dataclass(frozen=True)
class StageCount:
    """How many came to a stage, how many passed, and how many failed for each reason."""

    name: str
    n_in: int
    n_passed: int
    reasons: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Funnel:
    """What came of the candidates.

    Parameters
    ----------
    counts
        Of each stage, in order.
    candidates
        All, in the order of enumeration.
    failed_at, reasons
        Of each candidate: the stage that it failed at and why; empty where it passed all.
    numbers
        Of each candidate: what the stages measured.
    """

    counts: tuple[StageCount, ...]
    candidates: tuple[Candidate, ...]
    failed_at: tuple[str, ...]
    reasons: tuple[str, ...]
    numbers: tuple[Mapping[str, float], ...]

    @property
    def passed(self) -> tuple[int, ...]:
        """Indices of the candidates that passed all stages."""
        return tuple(row for row, stage in enumerate(self.failed_at) if not stage)

    def ranked(self, by: str | None = None, largest_first: bool = True) -> tuple[int, ...]:
        """Return those that passed, by a measured number where one is named.

        Raises
        ------
        InputError
            When no stage measured it.
        """
        if by is None:
            return self.passed
        known = sorted({name for row in self.passed for name in self.numbers[row]})
        if self.passed and by not in known:
            raise InputError(f"found no measured {by!r} to rank by, expected one of {', '.join(known) or 'none'}")
        sign = -1.0 if largest_first else 1.0
        return tuple(sorted(self.passed, key=lambda row: sign * self.numbers[row].get(by, -sign * np.inf)))

    def table(self, rows: Sequence[int] | None = None, with_structures: bool = False) -> PropertyTable:
        """Return some candidates (all where left out) as a table: formula, sites, numbers, stage, reason."""
        chosen = range(len(self.candidates)) if rows is None else rows
        names = sorted({name for row in chosen for name in self.numbers[row]})
        texts = {
            "composition": [self.candidates[row].formula for row in chosen],
            "family": [self.candidates[row].family.name for row in chosen],
            "material_id": [self.candidates[row].name for row in chosen],
            "failed_at": [self.failed_at[row] for row in chosen],
            "reason": [self.reasons[row] for row in chosen],
        }
        columns = {name: Column(name, kind="text") for name in texts}
        columns |= {name: Column(name, "eV/atom" if name.endswith("ev_atom") else "") for name in names}
        values: dict[str, Any] = dict(texts)
        values |= {name: [self.numbers[row].get(name, np.nan) for row in chosen] for name in names}
        structures = tuple(pymatgen_structure(self.candidates[row]) for row in chosen) if with_structures else None
        stages = tuple(f"{count.name}: {count.n_passed} of {count.n_in}" for count in self.counts)
        return PropertyTable(columns, values, structures, Provenance(operations=stages))


def run_funnel(candidates: Iterable[Candidate], stages: Sequence[Stage]) -> Funnel:
    """Send candidates through stages in order; of two with one formula the first counts.

    Raises
    ------
    InputError
        When there are no stages or no candidates, or two stages have one name.
    """
    everything = tuple(candidates)
    names = [stage.name for stage in stages]
    if not stages or not everything:
        raise InputError(f"found {len(everything)} candidates and {len(stages)} stages, expected some of both")
    if len({*names, "repeated"}) < len(names) + 1:
        raise InputError(f"found the stages {', '.join(names)}, expected each name once, and none 'repeated'")
    failed_at, reasons = [""] * len(everything), [""] * len(everything)
    numbers: list[dict[str, float]] = [{} for _ in everything]
    counts = []
    for stage in stages:
        rows = [row for row, where in enumerate(failed_at) if not where]
        outcomes = stage.judge([everything[row] for row in rows])
        for row, outcome in zip(rows, outcomes, strict=True):
            numbers[row].update(outcome.numbers)
            if outcome.reason is not None:
                failed_at[row], reasons[row] = stage.name, outcome.reason
        counts.append(_counted(stage.name, rows, failed_at, reasons))
    rows = [row for row, where in enumerate(failed_at) if not where]
    seen: dict[str, int] = {}
    for row in rows:
        first = seen.setdefault(everything[row].formula, row)
        if first != row:
            failed_at[row], reasons[row] = "repeated", "a formula that came before"
    if len(seen) < len(rows):
        counts.append(_counted("repeated", rows, failed_at, reasons))
    return Funnel(tuple(counts), everything, tuple(failed_at), tuple(reasons), tuple(numbers))


def write_funnel(
    funnel: Funnel, folder: str | Path, rows: Sequence[int], campaign: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write counts, all candidates, and those chosen with structures; return the files.

    Parameters
    ----------
    funnel
        What `run_funnel` returned.
    folder
        Made where there is none.
    rows
        The candidates that are wanted, best first.
    campaign
        A campaign's spec as plain data; one is written for each chosen candidate, with its own structure.
    """
    folder = Path(folder)
    (folder / "structures").mkdir(parents=True, exist_ok=True)
    write_json_whole(folder / "funnel.json", to_plain({"stages": funnel.counts, "n_chosen": len(rows)}))
    written = [folder / "funnel.json", *write_table(funnel.table(), folder / "candidates.csv")]
    if not rows:
        return written
    written += write_table(funnel.table(rows, with_structures=True), folder / "chosen.csv")
    specs = []
    for rank, row in enumerate(rows, start=1):
        candidate = funnel.candidates[row]
        path = folder / "structures" / f"{rank:03d}_{candidate.formula}.cif"
        _write_cif(candidate, path)
        entry: dict[str, Any] = {
            "name": f"{rank:03d}_{candidate.formula}",
            "formula": candidate.formula,
            "sites": candidate.name,
            "structure": str(path.relative_to(folder)),
            "is_ordered": build(candidate).is_ordered,
            "numbers": dict(funnel.numbers[row]),
        }
        if campaign is not None:
            spec = folder / f"campaign_{rank:03d}_{candidate.formula}.yaml"
            _write_campaign(spec, campaign, candidate, entry["structure"])
            entry["campaign"] = spec.name
            written.append(spec)
        specs.append(entry)
        written.append(path)
    write_json_whole(folder / "campaigns.json", to_plain({"materials": specs}))
    return [*written, folder / "campaigns.json"]


def _write_cif(candidate: Candidate, path: Path) -> None:
    from pymatgen.io.cif import CifWriter

    with written_whole(path) as stream:
        stream.write(str(CifWriter(pymatgen_structure(candidate))))


def _write_campaign(path: Path, campaign: Mapping[str, Any], candidate: Candidate, file: str) -> None:
    structure = {key: value for key, value in dict(campaign.get(_CAMPAIGN_KEY) or {}).items() if key != "crystal"}
    filled = {
        **campaign,
        "description": f"{candidate.formula}, found by a screen",
        _CAMPAIGN_KEY: {**structure, "file": file},
    }
    with written_whole(path) as stream:
        # JSON is YAML, and knows no surprises.
        json.dump(to_plain(filled), stream, ensure_ascii=False, indent=2)
        stream.write("\n")


def _counted(name: str, rows: Sequence[int], failed_at: Sequence[str], reasons: Sequence[str]) -> StageCount:
    failed = [reasons[row] for row in rows if failed_at[row]]
    return StageCount(name, len(rows), len(rows) - len(failed), dict(Counter(failed).most_common()))
