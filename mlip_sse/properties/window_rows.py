"""The table of early windows: a row a trajectory, what its first picoseconds say, and the diffusivity of what follows.

Which trajectories those are, their temperature, frame spacing and what was held at rest, is what the analyses and
campaigns of some folders say of them. The descriptors are those of `mlip_sse.properties.features.windows` that every
trajectory has; those that span decades stand as log₁₀ too, as linear models want them. The diffusivity of what follows
is that of generalised least squares where it is resolved and what follows is four windows long or more; else it is
missing, and the row is one to predict.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import FormatError, InputError, MlipSseError
from mlip_sse.properties.composition import parse_composition, reduced_composition
from mlip_sse.properties.features.window_extrapolation import EarlyDiffusivity, early_diffusivity
from mlip_sse.properties.features.windows import CORRECTION_NAMES, DISPLACEMENT_NAMES, JUMP_NAMES, describe_window
from mlip_sse.properties.result_materials import material_of_file, material_of_row
from mlip_sse.properties.result_rows import unit_of
from mlip_sse.properties.table import COMPOSITION, MATERIAL_ID, Column, PropertyTable
from mlip_sse.provenance import InputFile, Provenance

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["EXTRAPOLATION", "LONG_TIME", "Extrapolated", "extrapolation_error", "window_row", "window_table"]

Floats = npt.NDArray[np.float64]

LONG_TIME, EXTRAPOLATION = "long_diffusivity_cm2_s", "early_diffusivity_cm2_s"
LOGGED = (
    EXTRAPOLATION, "early_slope_diffusivity_cm2_s", "early_msd_a2", "cage_variance_a2", "jump_rate_per_ps",
    "jump_diffusivity_cm2_s", "p_hop_mean_a2", "p_hop_upper_decile_a2",
)  # fmt: skip
_FLOORS = {"cm2_s": 1e-9}
_FLOOR = 1e-5
_LEAST_REST = 4.0
_MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class Extrapolated:
    """Mean |log₁₀ D extrapolated − log₁₀ D| over runs, its 95 % interval over materials, and the number of runs."""

    error: float
    low: float
    high: float
    n_runs: int
    n_materials: int


@dataclass(frozen=True)
class _Run:
    """A trajectory and what its analysis says of it."""

    path: Path
    formula: str
    folder: str
    mobile: str
    reference: str
    temperature_k: float | None
    frame_spacing_fs: float | None


def window_table(
    folders: Sequence[str | Path],
    window_ps: float,
    compositions: Mapping[str, str] | None = None,
    say: Callable[[str], None] | None = None,
) -> PropertyTable:
    """Return the table of the windows of some folders' trajectories.

    Parameters
    ----------
    folders
        Of campaigns and analyses whose results name trajectories.
    window_ps
        Length of the window, from the beginning of each trajectory.
    compositions
        Formula by folder as given; of the others the results say it.
    say
        Called with a line for each trajectory that is left out.

    Raises
    ------
    InputError
        When no folder has a trajectory that is long enough, or nobody says which material one is of.
    """
    tell = say or (lambda _: None)
    given = {str(Path(folder)): formula for folder, formula in (compositions or {}).items()}
    for formula in given.values():
        parse_composition(formula)
    runs: dict[Path, _Run] = {}
    for folder in (Path(each) for each in folders):
        for run in _runs_of(folder, given.get(str(folder), "")):
            runs.setdefault(run.path.resolve(), run)
    rows: list[tuple[_Run, dict[str, float]]] = []
    for run in runs.values():
        try:
            rows.append((run, _measured(run, window_ps)))
        except (MlipSseError, OSError) as error:
            tell(f"{run.path}: {error}")
    if not rows:
        raise InputError(
            f"found {len(runs)} trajectories in {len(folders)} folders and none with a window of {window_ps:g} ps, "
            f"expected results (*.json of 'analyze --out' or of a campaign) that name trajectories which are there"
        )
    return _table(rows, window_ps)


def window_row(seen: "Trajectory", window_ps: float, mobile: str = "Li") -> dict[str, float]:
    """Return the numbers of a row: descriptors of the first ``window_ps``, their log₁₀, and what follows.

    Parameters
    ----------
    seen
        In the reference frame of its framework.
    window_ps
        Length of the window.
    mobile
        The mobile element.
    """
    described = describe_window(seen, window_ps, mobile).values
    values = {name: described[name] for name in dict.fromkeys((*DISPLACEMENT_NAMES, *JUMP_NAMES, *CORRECTION_NAMES))}
    for name in LOGGED:
        floor = next((least for end, least in _FLOORS.items() if name.endswith(end)), _FLOOR)
        values[f"log10_{name}"] = float(np.log10(np.maximum(values[name], floor)))
    values["early_error_decades"] = values["early_relative_error"] / float(np.log(10.0))
    spacing_ps = seen.frame_spacing_fs / 1000.0
    n_window = round(window_ps / spacing_ps) + 1
    head = {"window_ps": window_ps, "run_ps": seen.duration_fs / 1000.0}
    rest = _rest(seen, mobile, n_window, spacing_ps)
    if rest is not None and rest.method == "gls":
        head |= {LONG_TIME: rest.value, "long_relative_error": rest.relative_error}
    return head | values


def extrapolation_error(table: PropertyTable) -> Extrapolated | None:
    """Return how far the plain extrapolation is from what followed; None where nothing followed in any row."""
    if LONG_TIME not in table.columns:
        return None
    truth, early = table.numbers(LONG_TIME, "cm²/s"), table.numbers(EXTRAPOLATION, "cm²/s")
    known = np.isfinite(truth) & (truth > 0) & (early > 0)
    if not known.any():
        return None
    off = np.abs(np.log10(early[known]) - np.log10(truth[known]))
    _, member = np.unique(np.asarray(table.materials(), dtype=str)[known], return_inverse=True)
    counts, sums = np.bincount(member), np.bincount(member, weights=off)
    drawn = np.random.default_rng(0).integers(len(counts), size=(1000, len(counts)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return Extrapolated(float(off.mean()), float(low), float(high), int(known.sum()), len(counts))


def _runs_of(folder: Path, given: str) -> Iterator[_Run]:
    """Yield the trajectories that the results of a folder name."""
    if not folder.is_dir():
        raise InputError(f"{folder}: found no folder, expected that of a campaign or of an analysis")
    for path in sorted(folder.glob("*.json")):
        document = _document(path)
        named = document.get("trajectories")
        for each in named if isinstance(named, list) else ():
            if not isinstance(each, Mapping) or not isinstance(each.get("path"), str):
                continue
            formula = given or material_of_row(each).formula or material_of_file(document, folder).formula
            if not formula:
                raise InputError(f"{folder}: nothing says which material it is; give it as FORMULA={folder}")
            yield _Run(
                path=_found(folder, each["path"]),
                formula=reduced_composition(formula),
                folder=folder.name,
                mobile=str(each.get("mobile") or "Li").split(",")[0],
                reference=_reference(each.get("reference")),
                temperature_k=_positive(each.get("temperature_k")),
                frame_spacing_fs=_positive(each.get("frame_spacing_fs")),
            )


def _document(path: Path) -> Mapping[str, Any]:
    if path.name.startswith(".") or path.name.endswith(".columns.json") or path.stat().st_size > _MAX_BYTES:
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON ({str(error)[:60]}); take it out of the folder") from error
    return document if isinstance(document, Mapping) else {}


def _found(folder: Path, name: str) -> Path:
    """Return where a trajectory lies: in the folder of a campaign, or where an analysis was started."""
    inside = folder / name
    return inside if inside.exists() else Path(name)


def _reference(thing: Any) -> str:
    """Return the reference frame that a result names: of ``framework:P,S`` it lists what the framework was."""
    text = thing if isinstance(thing, str) and thing else "framework"
    return "framework" if text.startswith("framework") else text


def _positive(thing: Any) -> float | None:
    is_number = isinstance(thing, int | float) and not isinstance(thing, bool)
    return float(thing) if is_number and thing > 0 else None


def _measured(run: _Run, window_ps: float) -> dict[str, float]:
    from mlip_sse.trajectory.model import Trajectory

    whole = Trajectory.read(run.path, frame_spacing_fs=run.frame_spacing_fs, temperature_k=run.temperature_k)
    seen = whole.in_reference_frame(run.reference, (run.mobile,))
    kelvin = whole.temperature_k
    return ({} if kelvin is None else {"temperature_k": kelvin}) | window_row(seen, window_ps, run.mobile)


def _rest(seen: "Trajectory", mobile: str, n_window: int, spacing_ps: float) -> EarlyDiffusivity | None:
    if seen.n_frames - n_window < _LEAST_REST * n_window:
        return None
    coordinates = np.concatenate(list(seen.ion_blocks(seen.indices(mobile), dtype=np.float64)))
    return early_diffusivity(coordinates[:, :, n_window:], spacing_ps)


def _table(rows: Sequence[tuple[_Run, dict[str, float]]], window_ps: float) -> PropertyTable:
    texts = {
        COMPOSITION: [run.formula for run, _ in rows],
        MATERIAL_ID: [run.folder for run, _ in rows],
        "mobile": [run.mobile for run, _ in rows],
        "source": [str(run.path) for run, _ in rows],
    }
    made = f"window of {window_ps:g} ps"
    columns = {name: Column(name, kind="text", provenance=made) for name in texts}
    values: dict[str, Any] = {name: np.array(found, dtype=object) for name, found in texts.items()}
    names = [LONG_TIME, *dict.fromkeys(name for _, numbers in rows for name in numbers)]
    for name in dict.fromkeys(names):
        unit = "" if name.startswith("log10_") or name.endswith("_decades") else unit_of(name)
        columns[name] = Column(name, unit, "number", "", made)
        values[name] = np.array([numbers.get(name, np.nan) for _, numbers in rows])
    inputs = tuple(InputFile.of(run.path) for run, _ in rows)
    return PropertyTable(columns, values, None, Provenance(inputs=inputs, operations=(made,)))
