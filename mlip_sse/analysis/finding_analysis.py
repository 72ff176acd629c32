"""Trajectories through a recipe about mechanism or structure: one row each, and then all temperatures together."""

from collections.abc import Iterator, Sequence

from mlip_sse.analysis.finding_report import FindingReport, FindingRow
from mlip_sse.analysis.results import Quality, Verdict
from mlip_sse.analysis.trajectory_input import read_for
from mlip_sse.analysis.trajectory_settings import FindingRecipe
from mlip_sse.errors import MlipSseError
from mlip_sse.provenance import Provenance

__all__ = ["finding_report", "finding_rows"]


def finding_rows(
    recipe: FindingRecipe, files: Sequence[tuple[str, float | None]], frame_spacing_fs: float | None
) -> Iterator[tuple[FindingRow, MlipSseError | None]]:
    """Yield the row of each file, with the error behind it where it could not be analysed.

    Parameters
    ----------
    recipe
        What to look for.
    files
        Path and temperature in K of each; None takes the file's.
    frame_spacing_fs
        Where the files do not say.
    """
    mobile = ",".join(recipe.mobile)
    for path, kelvin in files:
        try:
            yield _row(recipe, path, kelvin, frame_spacing_fs), None
        except MlipSseError as error:
            reason = str(error).removeprefix(f"{path}: ")
            yield FindingRow(path, kelvin, mobile, None, Verdict().refuse(reason)), error


def _row(recipe: FindingRecipe, path: str, kelvin: float | None, frame_spacing_fs: float | None) -> FindingRow:
    trajectory, doubt = read_for(recipe, path, kelvin, frame_spacing_fs)
    seen = trajectory.in_reference_frame(recipe.reference, recipe.mobile)
    finding = recipe.measure(seen)
    verdict = finding.verdict if doubt is None else finding.verdict.weaken(doubt)
    mobile = ",".join(recipe.mobile)
    return FindingRow(path, trajectory.temperature_k, mobile, finding, verdict, seen.provenance, trajectory.formula)


def finding_report(recipe: FindingRecipe, rows: Sequence[FindingRow]) -> FindingReport:
    """Return the report of rows, with what all temperatures say together; refused rows say nothing there."""
    usable = [
        (row.temperature_k, row.finding)
        for row in rows
        if row.finding is not None and row.temperature_k is not None and row.verdict.quality is not Quality.REFUSED
    ]
    together = recipe.compare(usable) if usable else None
    return FindingReport(recipe, tuple(rows), together, Provenance(settings=recipe.model_dump(mode="json")))
