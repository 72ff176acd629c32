"""The front door of every fit: recipe and labelled frames in, a potential with its card out.

```
FOLDER/dataset/     labels, where the recipe makes them
FOLDER/work/        what the family keeps of an unfinished fit, and the potential before it was measured
FOLDER/potential/   the potential, put in place whole
```
The same call again repeats nothing that was done: a finished potential of the same recipe and frames is loaded.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mlip_sse.catalogue import resolve
from mlip_sse.dataset import (
    Dataset,
    DatasetWarning,
    Fingerprint,
    LabelledFrame,
    Split,
    doubts_about_stress,
    read_frames,
    split_by_group,
    split_by_time,
)
from mlip_sse.errors import InputError
from mlip_sse.potentials.calibration import calibrate_bounds
from mlip_sse.potentials.contract import CARD_FILE, FAMILIES, RECIPE_FILE, Card, FittedPotential, load_potential
from mlip_sse.potentials.fit_specs import FittedSpec
from mlip_sse.potentials.gates import CHEAP_GATES, GATES, choose_structures, run_gates, to_plain
from mlip_sse.potentials.model_errors import Prediction, model_errors, predict
from mlip_sse.specs import load_spec

__all__ = ["DATASET_FOLDER", "POTENTIAL_FOLDER", "fit"]

DATASET_FOLDER = "dataset"
WORK_FOLDER = "work"
POTENTIAL_FOLDER = "potential"
UNMEASURED_FOLDER = "unmeasured"

_MOST_TRAINING_FRAMES = 500
_SHARES = {"data": 0.3, "fit": 0.85, "errors": 0.95}  # of the bar at the end of each step

Progress = Callable[[float, str], None]
Data = Dataset | Split | str | Path | Sequence[LabelledFrame | Dataset | str | Path]


def fit(
    recipe: FittedSpec | str | Path,
    data: Data | None = None,
    folder: str | Path = "fit",
    *,
    labels: str | None = None,
    gates: Iterable[str] = CHEAP_GATES,
    progress: Progress | None = None,
) -> FittedPotential:
    """Fit a recipe, measure what came out, and put it into ``folder/potential``.

    Parameters
    ----------
    recipe
        A name in `potentials/`, a path, or a checked recipe.
    data
        Datasets or their folders, frames, labelled files of others (vasprun.xml, OUTCAR, extended XYZ), or a split;
        None: the recipe's section ``data`` says what to label.
    folder
        For labels, checkpoints and the potential.
    labels
        How the labels in files were made, where the files do not say: functional, code, cutoff.
    gates
        Names of the gates to run at the end; those that run dynamics take minutes.
    progress
        Called with the share done, in [0, 1], and a line to show.

    Returns
    -------
    FittedPotential
        With its errors on training, validation and test frames, its calibrated uncertainty and its gates in the card.

    Raises
    ------
    InputError
        When there is nothing to fit, labels were made in different ways, or a frame has an element that the recipe or
        the training frames do not know.
    SpecError
        When the recipe is not that of a fitted family.

    Warns
    -----
    DatasetWarning
        When the stresses have probably the wrong sign or unit.
    """
    spec, name = _recipe(recipe, Path(folder))
    wanted = _known_gates(gates)

    def say(share: float, line: str) -> None:
        if progress is not None:
            progress(round(min(share, 1.0), 6), line)

    if labels is not None:
        if data is None or isinstance(data, Split):
            raise InputError(
                f"found labels={labels[:60]!r} and no file that it could speak of, expected files of labels"
            )
        data = _frames(data, Fingerprint.declared(labels))
    split = _split(spec, data, Path(folder), lambda share, line: say(_SHARES["data"] * share, line))
    _require_consistent(spec, split)
    for doubt in doubts_about_stress(split.train):
        warnings.warn(DatasetWarning(doubt), stacklevel=2)
    job = _Job(spec, name, split, Path(folder), say)
    potential = job.finished() or job.measured(job.fitted())
    return job.gated(potential, wanted)


@dataclass(frozen=True)
class _Job:
    """One fit: what goes in, and where it goes."""

    spec: FittedSpec
    name: str
    split: Split
    folder: Path
    say: Progress

    @property
    def digest(self) -> str:
        """Of the recipe and of the frames of each set."""
        plain: dict[str, Any] = {"recipe": self.spec.model_dump(mode="json", exclude={"description", "data"})}
        plain |= {name: [f.id for f in getattr(self.split, name)] for name in ("train", "validation", "test")}
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def finished(self) -> FittedPotential | None:
        """Return the potential of an earlier call with the same recipe and frames."""
        return self._loaded(self.folder / POTENTIAL_FOLDER)

    def fitted(self) -> FittedPotential:
        """Fit, or take what an interrupted call fitted but did not measure."""
        work = self.folder / WORK_FOLDER
        found = self._loaded(work / UNMEASURED_FOLDER)
        if found is not None:
            return found
        work.mkdir(parents=True, exist_ok=True)
        module, name = FAMILIES[self.spec.family].split(":")  # type: ignore[attr-defined]
        family: type[FittedPotential] = getattr(import_module(module), name)
        start, end = _SHARES["data"], _SHARES["fit"]
        potential = family.fit(
            self.spec,
            self.split.train,
            self.split.validation,
            work,
            progress=lambda share, line: self.say(start + (end - start) * share, line),
        )
        potential = potential.with_card(name=self.name, data=self._data(potential.card))
        potential.save(work / UNMEASURED_FOLDER)
        return potential

    def measured(self, potential: FittedPotential) -> FittedPotential:
        """Put errors and uncertainty into the card, and the potential into its place."""
        sets = {name: getattr(self.split, name) for name in ("train", "validation", "test")}
        sets["train"] = _evenly(sets["train"], _MOST_TRAINING_FRAMES)
        predictions: dict[str, list[Prediction]] = {}
        total, done = sum(len(frames) for frames in sets.values()), 0
        for name, frames in sets.items():
            self.say(_SHARES["fit"] + (_SHARES["errors"] - _SHARES["fit"]) * done / total, f"errors, {name} frames")
            predictions[name] = predict(potential, frames)
            done += len(frames)
        errors = {n: model_errors(potential, f, predictions[n]) for n, f in sets.items() if f}
        potential = potential.with_card(errors=errors, uncertainty=_uncertainty(sets, predictions))
        potential.save(self.folder / POTENTIAL_FOLDER)
        return self._loaded(self.folder / POTENTIAL_FOLDER) or potential

    def gated(self, potential: FittedPotential, wanted: Sequence[str]) -> FittedPotential:
        """Run the gates that were not run yet, or could not be, and note them in the card."""
        structures = choose_structures(self.split.train)
        known = {name for name, plain in potential.card.gates.items() if plain["found"] is not None}
        missing = [name for name in wanted if name not in known]
        if not missing or not structures:
            self.say(1.0, "done")
            return potential
        start = _SHARES["errors"]
        results = run_gates(
            potential, structures, missing, lambda share, gate: self.say(start + (1 - start) * share, f"gate {gate}")
        )
        gates = {**potential.card.gates, **{name: result.to_dict() for name, result in results.items()}}
        potential.with_card(gates=gates).save(self.folder / POTENTIAL_FOLDER)
        self.say(1.0, "done")
        return self._loaded(self.folder / POTENTIAL_FOLDER) or potential

    def _data(self, card: Card) -> dict[str, Any]:
        counts = {f"{name}_frames": len(getattr(self.split, name)) for name in ("train", "validation", "test")}
        structures = to_plain(choose_structures(self.split.train))
        return {
            **card.data,
            **counts,
            "split": self.split.statement,
            "inputs_sha256": self.digest,
            "structures": structures,
        }

    def _loaded(self, folder: Path) -> FittedPotential | None:
        """Return the potential in a folder where it is that of this very job."""
        if not (folder / CARD_FILE).is_file() or Card.read(folder / CARD_FILE).data.get("inputs_sha256") != self.digest:
            return None
        found = load_potential(folder)
        return found.with_card(name=self.name) if isinstance(found, FittedPotential) else None


def _recipe(recipe: FittedSpec | str | Path, folder: Path) -> tuple[FittedSpec, str]:
    """Return the checked recipe and what the potential will be called."""
    if isinstance(recipe, FittedSpec):
        return recipe, folder.resolve().name
    path = resolve("potentials", recipe)
    spec = load_spec(path, "potential")
    if not isinstance(spec, FittedSpec):
        fitted = ", ".join(family for family in FAMILIES if family != "lammps_pair")
        raise InputError(
            f"{path}: found the family {spec.family!r}, which has nothing to fit, expected one of {fitted}"  # type: ignore[attr-defined]
        )
    return spec, path.resolve().parent.name if path.name == RECIPE_FILE else path.stem


def _known_gates(gates: Iterable[str]) -> list[str]:
    wanted = list(gates)
    if unknown := [name for name in wanted if name not in GATES]:
        raise InputError(f"found no gate {unknown[0]!r}, expected some of {', '.join(GATES)}")
    return wanted


def _split(spec: FittedSpec, data: Data | None, folder: Path, say: Progress) -> Split:
    if isinstance(data, Split):
        return data
    if data is None:
        if spec.data is None:
            raise InputError(
                "found no dataset, and no section 'data' in the recipe that says how to make one, expected either: "
                "mlip-sse fit RECIPE DATASET"
            )
        from mlip_sse.potentials.training_data import make_training_data

        data = make_training_data(spec.data, folder / DATASET_FOLDER, say)
    frames = _frames(data)
    shares = spec.split
    if shares.by == "time":
        return split_by_time(frames, shares.validation, shares.test)
    return split_by_group(frames, shares.validation, shares.test, seed=shares.seed)


def _frames(data: Data, fingerprint: Fingerprint | None = None) -> list[LabelledFrame]:
    """Return the frames of datasets, folders, files and frames, each once."""
    if isinstance(data, str | Path):
        data = read_frames(data, fingerprint) if Path(data).is_file() else Dataset(data)
    found: dict[str, LabelledFrame] = {}
    for item in data:  # type: ignore[union-attr]  # a split was dealt with before
        for frame in [item] if isinstance(item, LabelledFrame) else _frames(item, fingerprint):
            found.setdefault(frame.id, frame)
    if not found:
        raise InputError("found no labelled frames, expected some to fit")
    return list(found.values())


def _require_consistent(spec: FittedSpec, split: Split) -> None:
    if not split.train:
        raise InputError("found no training frames, expected some: smaller shares for validation and test")
    everything = [*split.train, *split.validation, *split.test]
    merged = everything[0].fingerprint
    for frame in everything:
        if difference := merged.difference(frame.fingerprint):
            raise InputError(
                f"found labels made in two ways: {merged.describe()} and {frame.fingerprint.describe()} differ in "
                f"{difference}; expected one fingerprint: label alike"
            )
        merged = merged.merged(frame.fingerprint)
    trained = {symbol for frame in split.train for symbol in frame.symbols}
    seen = {symbol for frame in everything for symbol in frame.symbols}
    if spec.elements is not None and (stray := sorted(seen - set(spec.elements))):
        raise InputError(
            f"found {', '.join(stray)} in the frames, expected the recipe's {', '.join(spec.elements)}: add it to "
            "elements or leave those frames out"
        )
    if lacking := sorted(seen - trained):
        raise InputError(
            f"found {', '.join(lacking)} in validation or test frames only, expected every element in the training: "
            "another seed or way of the split"
        )


def _evenly(frames: Sequence[LabelledFrame], n_most: int) -> tuple[LabelledFrame, ...]:
    step = max(1, -(-len(frames) // n_most))
    return tuple(frames[::step])


def _uncertainty(
    sets: dict[str, tuple[LabelledFrame, ...]], predictions: dict[str, list[Prediction]]
) -> dict[str, Any]:
    """Return the calibrated bounds as the card holds them, or in words why there are none."""
    if not sets["validation"]:
        return {"notes": "no validation frames: the uncertainty is not calibrated"}
    try:
        bounds = calibrate_bounds(sets["validation"], predictions["validation"])
    except InputError as error:
        return {"notes": f"not calibrated: {error}"}
    plain = bounds.to_dict()
    if sets["test"]:
        plain["coverage_on_test"] = bounds.coverage_on(sets["test"], predictions["test"]).to_dict()
    return plain
