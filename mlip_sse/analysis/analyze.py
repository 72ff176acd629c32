"""One call from files to results: every trajectory analysed, all temperatures together, the verdict."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlip_sse.analysis.analysis_report import AnalysisReport
from mlip_sse.analysis.earlier_results import EARLIER_SUFFIXES, read_earlier
from mlip_sse.analysis.finding_analysis import finding_report, finding_rows
from mlip_sse.analysis.finding_report import FindingReport, FindingRow
from mlip_sse.analysis.measurement import Measurement
from mlip_sse.analysis.recipes import ArrheniusRecipe, Recipe, TransportRecipe, load_recipe
from mlip_sse.analysis.temperature_series import temperature_series
from mlip_sse.analysis.trajectory_input import read_for
from mlip_sse.analysis.trajectory_settings import FindingRecipe
from mlip_sse.errors import InputError, MlipSseError
from mlip_sse.provenance import Provenance

__all__ = ["Progress", "analyze", "measure_transport"]


@dataclass(frozen=True)
class Progress:
    """How far a call is: files done, files in all, and what it works on."""

    done: int
    total: int
    doing: str


def analyze(
    recipe: Recipe | str | Path,
    paths: str | Path | Sequence[str | Path],
    *,
    mobile: str | Sequence[str] | None = None,
    temperatures_k: float | Sequence[float] | None = None,
    frame_spacing_fs: float | None = None,
    charges: Mapping[str, float] | None = None,
    reference: str | None = None,
    species: Mapping[int, str] | Sequence[str] | None = None,
    topology: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> AnalysisReport | FindingReport:
    """Analyse trajectories by a recipe.

    A file that cannot be analysed becomes a refused row with its reason, as long as another one can; where none can,
    the error of the first is raised. Refused rows do not enter the Arrhenius line, weak ones do.

    Parameters
    ----------
    recipe
        ``transport``, ``arrhenius``, ``sites_and_jumps`` and so on, or the path of a recipe of your own.
    paths
        Trajectories. The recipe ``arrhenius`` also takes what an earlier call of ``transport`` wrote or printed
        (.json), and tables with the columns T, D and D_error (.csv).
    mobile
        Species whose transport is wanted, such as ``Li`` or ``Li,Cl``; the recipe's where left out.
    temperatures_k : one for each trajectory, in order, K
        Taken from the files where they say so. Equal temperatures are replicas, and are pooled.
    frame_spacing_fs
        Time between stored frames, where the files do not say.
    charges
        Charges in e by species; oxidation states where left out. Recipes about mechanism have no such key.
    reference
        What is held at rest: ``framework``, ``barycentric``, ``none`` or ``species:P,S``.
    species
        Atom type to symbol, or a list of symbols, for files without elements.
    topology
        A structure file with the same atoms, for files without elements.
    progress
        Called before each file.

    Returns
    -------
    AnalysisReport
        Of ``transport`` and ``arrhenius``; of any other recipe a `FindingReport`.

    Raises
    ------
    InputError
        When nothing can be analysed, the temperatures do not match the files, or the recipe ``arrhenius`` finds fewer
        than two temperatures.
    CatalogueError
        When there is no such recipe.

    Examples
    --------
    >>> report = analyze("transport", ["500K.lammpstrj", "600K.lammpstrj"], temperatures_k=[500, 600])  # doctest: +SKIP
    >>> report.to_dict()["arrhenius"]["activation_energy_ev"]  # doctest: +SKIP
    """
    named = mobile.split(",") if isinstance(mobile, str) else mobile
    named = None if named is None else [symbol.strip() for symbol in named]
    options = {"mobile": named, "charges": charges, "reference": reference, "species": species, "topology": topology}
    chosen = load_recipe(recipe, **options)
    files = _files(paths)
    if isinstance(chosen, FindingRecipe):
        return _find_all(files, temperatures_k, chosen, frame_spacing_fs, progress)
    rows, errors = _measure_all(files, temperatures_k, chosen, frame_spacing_fs, progress)
    if errors and all(row.failed for row in rows):
        raise _nothing_left(errors, rows[0].path, len(rows))
    return _report(chosen, rows)


def _find_all(
    files: Sequence[str],
    temperatures_k: float | Sequence[float] | None,
    chosen: FindingRecipe,
    frame_spacing_fs: float | None,
    progress: Callable[[Progress], None] | None,
) -> FindingReport:
    """Return the report of a recipe about mechanism or structure."""
    kelvins = _temperatures(temperatures_k, files)
    found = finding_rows(chosen, list(zip(files, kelvins, strict=True)), frame_spacing_fs)
    rows: list[FindingRow] = []
    errors: list[MlipSseError] = []
    for number, path in enumerate(files):
        if progress is not None:
            progress(Progress(number, len(files), os.path.basename(path)))
        row, error = next(found)
        rows.append(row)
        errors += [] if error is None else [error]
    if len(errors) == len(files):
        raise _nothing_left(errors, files[0], len(files))
    return finding_report(chosen, rows)


def _measure_all(
    files: Sequence[str],
    temperatures_k: float | Sequence[float] | None,
    chosen: TransportRecipe | ArrheniusRecipe,
    frame_spacing_fs: float | None,
    progress: Callable[[Progress], None] | None,
) -> tuple[list[Measurement], list[MlipSseError]]:
    """Return the rows of all files, refused ones included, and the errors behind the refusals."""
    earlier = [_is_earlier(chosen, path) for path in files]
    kelvins = _temperatures(temperatures_k, [path for path, known in zip(files, earlier, strict=True) if not known])
    rows: list[Measurement] = []
    errors: list[MlipSseError] = []
    for number, (path, known) in enumerate(zip(files, earlier, strict=True)):
        if progress is not None:
            progress(Progress(number, len(files), os.path.basename(path)))
        if known:
            rows.extend(read_earlier(path, chosen.confidence))
            continue
        kelvin = kelvins.pop(0)
        try:
            rows.append(measure_transport(path, kelvin, chosen, frame_spacing_fs))
        except MlipSseError as error:
            errors.append(error)
            reason = str(error).removeprefix(f"{path}: ")
            rows.append(Measurement.of_failure(path, kelvin, ",".join(chosen.mobile), reason))
    return rows, errors


def _files(paths: str | Path | Sequence[str | Path]) -> list[str]:
    files = [os.fspath(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not files:
        raise InputError("found no file, expected at least one trajectory")
    absent = [path for path in files if not os.path.isfile(path)]
    if absent:
        raise InputError(f"{absent[0]}: no such file; give the path of a trajectory")
    twice = sorted({path for path in files if files.count(path) > 1})
    if twice:
        raise InputError(
            f"{twice[0]} is given {files.count(twice[0])} times, expected each file once: no replica of itself"
        )
    return files


def _is_earlier(recipe: Recipe, path: str) -> bool:
    return isinstance(recipe, ArrheniusRecipe) and Path(path).suffix.lower() in EARLIER_SUFFIXES


def _temperatures(given: float | Sequence[float] | None, trajectories: Sequence[str]) -> list[float | None]:
    """Return a temperature for each trajectory, None where the file shall say it."""
    if given is None:
        return [None] * len(trajectories)
    kelvins = [float(kelvin) for kelvin in ([given] if isinstance(given, int | float) else given)]
    for kelvin in kelvins:
        if not 0 < kelvin < 1e5:
            raise InputError(f"found a temperature of {kelvin:g} K, expected a positive number of kelvin")
    if not kelvins:
        return [None] * len(trajectories)
    if len(kelvins) != len(trajectories):
        raise InputError(
            f"found {len(kelvins)} temperature{'s' * (len(kelvins) != 1)} for {len(trajectories)} "
            f"trajector{'y' if len(trajectories) == 1 else 'ies'}, expected one for each, in the same order"
        )
    return list(kelvins)


def measure_transport(
    path: str, kelvin: float | None, recipe: TransportRecipe | ArrheniusRecipe, frame_spacing_fs: float | None = None
) -> Measurement:
    """Read and analyse one trajectory.

    Parameters
    ----------
    path
        The file.
    kelvin
        Temperature in K; None takes the file's.
    recipe
        Settings of the analysis.
    frame_spacing_fs
        Where the file does not say.

    Raises
    ------
    MlipSseError
        When the trajectory cannot be read or analysed.
    """
    # Imported here, so that a table of D is fitted without the kernels.
    from mlip_sse.analysis.transport.transport import Transport

    trajectory, doubt = read_for(recipe, path, kelvin, frame_spacing_fs)
    result = Transport(
        mobile=recipe.mobile,
        reference=recipe.reference,
        charges=recipe.charges,
        hop_distance=recipe.hop_distance,
        confidence=recipe.confidence,
        n_lags=recipe.n_lags,
        n_bins=recipe.n_bins,
    ).run(trajectory)
    if doubt is not None:
        result = replace(result, verdict=result.verdict.weaken(doubt))
    clusters = None
    if recipe.clusters is not None:
        from mlip_sse.analysis.cluster_analysis import clusters_of

        try:
            clusters = clusters_of(trajectory, result, recipe.clusters)
        except InputError as error:
            result = replace(result, verdict=result.verdict.weaken(f"no clusters: {error}"))
    return Measurement.of_result(path, result, clusters, trajectory.formula)


def _nothing_left(errors: Sequence[MlipSseError], path: str, n_files: int) -> MlipSseError:
    first = errors[0]
    message = str(first) if path in str(first) else f"{path}: {first}"
    if len(errors) > 1:
        message += f" (none of the {n_files} files could be analysed; this is the first)"
    kind = type(first) if isinstance(first, InputError) else InputError
    return kind(message)


def _report(recipe: TransportRecipe | ArrheniusRecipe, rows: Sequence[Measurement]) -> AnalysisReport:
    factor = None
    if isinstance(recipe, ArrheniusRecipe) and recipe.number_density is not None:
        from mlip_sse.analysis.transport.temperature.reported import nernst_einstein_factor

        factor = nernst_einstein_factor(recipe.number_density, recipe.charge, 300.0)
    provenance = Provenance(settings=recipe.model_dump(mode="json"))
    series = temperature_series(
        rows,
        confidence=recipe.confidence,
        wanted_half_width=recipe.wanted_half_width,
        wanted_factor_300k=recipe.wanted_factor_300k,
        nernst_einstein_factor_300k=factor,
        provenance=provenance,
    )
    if isinstance(recipe, ArrheniusRecipe) and series.arrhenius is None:
        raise InputError(series.absent)
    return AnalysisReport(recipe, tuple(rows), series, provenance)
