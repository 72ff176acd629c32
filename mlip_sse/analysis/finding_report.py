"""What `analyze` returns for a recipe about mechanism or structure: each trajectory, and all together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.results import Quality, Verdict, to_json, to_plain
from mlip_sse.analysis.trajectory_settings import FindingRecipe
from mlip_sse.errors import InputError
from mlip_sse.provenance import Provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FindingReport", "FindingRow"]


@dataclass(frozen=True, eq=False)
class FindingRow:
    """One trajectory of a report.

    Parameters
    ----------
    path
        The file it came from.
    temperature_k
        None where nobody said.
    mobile
        Mobile species, joined by commas.
    finding
        None where the file could not be analysed.
    verdict
        Of the finding, or refused with the reason of the failure.
    provenance
        Of the trajectory: the file's sha256 and what was done to its coordinates.
    composition
        All atoms of the trajectory by element; "" where it could not be read.
    """

    path: str
    temperature_k: float | None
    mobile: str
    finding: Finding | None
    verdict: Verdict
    provenance: Provenance | None = None
    composition: str = ""

    @property
    def label(self) -> str:
        """Temperature and path, for reasons."""
        return self.path if self.temperature_k is None else f"{self.temperature_k:g} K, {self.path}"

    @property
    def stem(self) -> str:
        """Temperature for names of files, ``trajectory`` where it is not known."""
        return "trajectory" if self.temperature_k is None else f"{self.temperature_k:g}K"

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the names that scripts rely on; numbers that this row lacks are None."""
        numbers: Mapping[str, Number] = {} if self.finding is None else self.finding.numbers
        row = {
            "path": self.path,
            "temperature_k": self.temperature_k,
            "mobile": self.mobile,
            **{name: numbers.get(name) for name in names},
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }
        plain: dict[str, Any] = to_plain(row)
        return plain


@dataclass(frozen=True, eq=False)
class FindingReport:
    """The result of a recipe about mechanism or structure.

    Parameters
    ----------
    recipe
        With the options that overruled it.
    rows
        One for each trajectory, in the order given.
    together
        What all temperatures say together; None where they say nothing more.
    provenance
        Version, settings and time.
    """

    recipe: FindingRecipe
    rows: tuple[FindingRow, ...]
    together: Finding | None = None
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def kind(self) -> str:
        """The recipe's kind, which names the files."""
        return str(getattr(self.recipe, "recipe"))  # noqa: B009 - every recipe has it, each its own literal

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the numbers of all rows, in their first order."""
        found = (name for row in self.rows if row.finding is not None for name in row.finding.numbers)
        return tuple(dict.fromkeys(found))

    def to_dict(self) -> dict[str, Any]:
        """Return the names that scripts rely on, and nothing else."""
        names = self.names
        together = None if self.together is None else self.together.to_dict()
        return {"trajectories": [row.to_dict(names) for row in self.rows], "temperatures": together}

    def details(self) -> dict[str, Any]:
        """Return everything but arrays and pictures."""
        whole = self.to_dict()
        for plain, row in zip(whole["trajectories"], self.rows, strict=True):
            plain |= _details(row.finding) | {"provenance": to_plain(row.provenance)}
            plain |= {"composition": row.composition} if row.composition else {}
        if self.together is not None:
            whole["temperatures"] |= _details(self.together)
        recipe = self.recipe.model_dump(mode="json")
        return {"recipe": recipe, **whole, "provenance": to_plain(self.provenance)}

    def to_json(self) -> str:
        """Return the stable names as JSON."""
        return to_json(self.to_dict())

    def save(self, folder: str | Path) -> list[Path]:
        """Write JSON, CSV, arrays, plots and the page into a folder; see `finding_files.write_findings`."""
        from mlip_sse.analysis.finding_files import write_findings

        return write_findings(self, folder)

    def plot(self) -> "Figure":
        """Draw what all temperatures say together, or else the first trajectory.

        Raises
        ------
        InputError
            When nothing was found that can be drawn.
        """
        findings = [self.together, *(row.finding for row in self.rows)]
        for finding in findings:
            if finding is not None and finding.plot is not None:
                return finding.plot()
        raise InputError("there is nothing to draw: no trajectory was analysed")

    @property
    def all_refused(self) -> bool:
        """Whether no trajectory carries a number."""
        return all(row.verdict.quality is Quality.REFUSED for row in self.rows)


def _details(finding: Finding | None) -> dict[str, Any]:
    if finding is None:
        return {}
    tables = {name: [dict(row) for row in rows] for name, rows in finding.tables.items()}
    plain: dict[str, Any] = to_plain({"details": finding.details, "tables": tables})
    return plain
