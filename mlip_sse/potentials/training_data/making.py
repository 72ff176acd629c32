"""Make the labelled frames of a recipe; what is there already is not made again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.dataset import Dataset, LabelledFrame
from mlip_sse.dataset.whole_files import locked
from mlip_sse.errors import InputError
from mlip_sse.potentials.training_data.drawing import contact_frames, distorted_frames
from mlip_sse.potentials.training_data.dynamics import run_trajectory
from mlip_sse.potentials.training_data.kept_files import KeptFolder
from mlip_sse.potentials.training_data.specs import MdSpec, StructureSpec, TrainingDataSpec
from mlip_sse.potentials.training_data.starts import plain_structure, start_structures
from mlip_sse.references import Reference, load_reference

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["make_training_data"]

SOURCES_FOLDER = "sources"
Progress = Callable[[float, str], None]


def make_training_data(spec: TrainingDataSpec, folder: str | Path, progress: Progress | None = None) -> Dataset:
    """Label what a recipe asks for, and return the dataset.

    Parameters
    ----------
    spec
        The section ``data`` of a recipe.
    folder
        Where the dataset goes. Beside its frames lies ``sources/``: relaxed structures, labels and trajectories, each
        under the sha256 of what it was made from, so that a run that was killed goes on where it was.
    progress
        Called with the share done, in [0, 1], and a line that names the source.

    Returns
    -------
    Dataset
        Each trajectory is a group, and so is each set of drawn frames.

    Raises
    ------
    InputError
        When a structure cannot be built, the reference cannot do what is asked, or no frame passed its gates.
    """
    dataset = Dataset(folder, create=True)
    sources = dataset.folder / SOURCES_FOLDER
    sources.mkdir(exist_ok=True)
    with locked(sources):
        work = _Work(spec, load_reference(spec.reference), sources, _Counter(_n_frames(spec), progress))
        for structure in spec.structures:
            for name, start in work.starts(structure):
                for frames in (work.drawn(structure, name, start), *work.trajectories(structure, name, start)):
                    dataset.add(frames)
    if progress is not None:
        progress(1.0, f"{len(dataset)} frames in {len(set(dataset.groups))} groups")
    if not len(dataset):
        raise InputError(f"{folder}: found no frame that passed the gates of {work.reference.kind}, expected some")
    return dataset


def _n_frames(spec: TrainingDataSpec) -> int:
    """Return how many frames are asked for, as if no disorder had fewer orderings than were asked for."""
    total = 0
    for structure in spec.structures:
        drawn = sum(each.n_frames for each in structure.distortions) + sum(each.n_frames for each in structure.contacts)
        total += structure.ordering.n_structures * (drawn + sum(md.n_frames * md.repeats for md in structure.md))
    return total


class _Counter:
    """Counts frames over all sources, and tells the caller."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress, self._done = total, progress, 0

    def say(self, source: str, n_here: int, n_wanted: int) -> None:
        if self._progress is not None:
            share = min(1.0, (self._done + n_here) / max(1, self._total))
            self._progress(share, f"{source}: {n_here} of {n_wanted} frames")

    def close(self, source: str, n_wanted: int, remark: str = "") -> None:
        self._done += n_wanted
        if self._progress is not None and remark:
            self._progress(min(1.0, self._done / max(1, self._total)), f"{source}: {remark}")


@dataclass
class _Work:
    """What the sources of one recipe share; the calculator is made when it is first needed."""

    spec: TrainingDataSpec
    reference: Reference
    sources: Path
    counter: _Counter
    _calculator: Any = None

    def calculator(self) -> Any:
        if self._calculator is None:
            self._calculator = self.reference.calculator()
        return self._calculator

    def _identity(self) -> dict[str, Any]:
        stated = self.reference.fingerprint.model_dump(mode="json", exclude_none=True)
        return {"settings": self.spec.identity(), "fingerprint": stated}

    def starts(self, structure: StructureSpec) -> "Iterator[tuple[str, Atoms]]":
        self.counter.say(f"{structure.name}, building", 0, 0)
        kept = self.sources / "relaxations"
        return start_structures(self.spec, structure, kept, self.calculator, self._identity())

    def drawn(self, structure: StructureSpec, name: str, start: "Atoms") -> list[LabelledFrame]:
        """Label the single frames of one start."""
        wanted: list[Atoms] = []
        for distortion in structure.distortions:
            wanted += distorted_frames(start, distortion, f"{name} {distortion.name}", self.spec.seed)
        for contact in structure.contacts:
            wanted += contact_frames(start, contact, f"{name} {contact.name}", self.spec.seed)
        if not wanted:
            return []
        source = f"{name}, single frames"
        labels = self.reference.label(
            wanted, self.sources / "labels", progress=lambda done, of: self.counter.say(source, done, of)
        )
        reasons = f"{len(labels.failures)} refused, {labels.failures[0].reason}" if labels.failures else ""
        self.counter.close(source, len(wanted), reasons)
        return list(labels)

    def trajectories(self, structure: StructureSpec, name: str, start: "Atoms") -> Iterator[list[LabelledFrame]]:
        """Run the trajectories from one start."""
        for md in structure.md:
            for repeat, title in enumerate(md.titles()):
                yield self._trajectory(md, repeat, f"{name} {title}", start)

    def _trajectory(self, md: MdSpec, repeat: int, source: str, start: "Atoms") -> list[LabelledFrame]:
        inputs = {
            "reference": self._identity(),
            "md": md.model_dump(mode="json", exclude={"n_frames", "repeats"}),
            "seed": self.spec.seed,
            "repeat": repeat,
            "start": plain_structure(start),
        }
        frames, remark = run_trajectory(
            start,
            md,
            KeptFolder.of(self.sources / "trajectories", inputs),
            self.calculator,
            self.reference.fingerprint,
            self.spec.reference.gates,
            source,
            lambda done: self.counter.say(source, done, md.n_frames),
        )
        self.counter.close(source, md.n_frames, remark)
        return frames
