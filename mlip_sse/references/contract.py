"""What every reference offers, whatever its kind, and the one door through which it is loaded."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.dataset import Fingerprint, LabelledFrame
from mlip_sse.dataset.frame import require_apart
from mlip_sse.engine import Outcome, Progress, run_tasks
from mlip_sse.engine.thread_lane import ThreadLane
from mlip_sse.errors import InputError, MlipSseError, SpecError, did_you_mean
from mlip_sse.references.backend import backend_of
from mlip_sse.references.gates import require_label, require_settings
from mlip_sse.references.labelling import label_in, labelling_work, task_input
from mlip_sse.references.specs import REFERENCES, ReferenceSpec
from mlip_sse.specs import read_yaml

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Failure", "Labels", "Reference", "load_reference"]


@dataclass(frozen=True)
class Failure:
    """A structure that got no label, and why.

    Parameters
    ----------
    number
        Its number among the structures that were given.
    formula
        Its chemical formula.
    reason
        One line.
    folder
        Where its log lies; None where it was refused before it was tried.
    """

    number: int
    formula: str
    reason: str
    folder: Path | None


@dataclass(frozen=True)
class Labels(Sequence[LabelledFrame]):
    """Labelled frames in the order of the structures, without those that failed.

    Parameters
    ----------
    frames
        Each structure once, though it be given twice.
    failures
        What got no label.
    n_labelled, n_reused, n_duplicates
        How many labels were made, were there already, or were asked for twice.
    """

    frames: tuple[LabelledFrame, ...]
    failures: tuple[Failure, ...]
    n_labelled: int
    n_reused: int
    n_duplicates: int

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, key: Any) -> Any:
        return self.frames[key]

    def __iter__(self) -> Iterator[LabelledFrame]:
        return iter(self.frames)


class Reference:
    """A way to label structures: frozen settings, a fingerprint, and `label`.

    Parameters
    ----------
    spec
        The settings.
    """

    def __init__(self, spec: ReferenceSpec) -> None:
        self.spec = spec
        self.kind: str = getattr(spec, "kind")  # noqa: B009  # every spec of REFERENCES has its own literal
        self._backend = backend_of(self.kind)

    @property
    def fingerprint(self) -> Fingerprint:
        """How its labels are made; a code that says its version only in its output adds it to each label."""
        return self._backend.fingerprint(self.spec)

    def require_ready(self) -> None:
        """Refuse where a package, a program or a file of the reference is missing.

        Raises
        ------
        InputError, MissingExtraError
            Naming what is missing and how to get it.
        """
        self._backend.require_ready(self.spec)

    @property
    def is_calculator(self) -> bool:
        """Whether it gives forces fast enough for dynamics and relaxations with it: a force field, no DFT code."""
        return hasattr(self._backend, "calculator")

    def identity(self) -> dict[str, Any]:
        """Return what decides its labels, as plain data: the settings that matter and the fingerprint."""
        stated = self.fingerprint.model_dump(mode="json", exclude_none=True)
        return {"settings": self.spec.identity(), "fingerprint": stated}

    def calculator(self) -> Any:
        """Return the reference as an ASE calculator in this process, for dynamics and relaxations with its forces.

        Raises
        ------
        InputError
            When the reference is a code that labels in folders of its own.
        """
        self.require_ready()
        make = getattr(self._backend, "calculator", None)
        if make is None:
            raise InputError(
                f"{self.kind} labels single structures, expected a reference that is a calculator (chgnet, ase) for "
                "dynamics and relaxations: leave out relax and md, or bring the frames as files"
            )
        return make(self.spec)

    def label(
        self,
        structures: "Sequence[Atoms]",
        folder: str | Path | None = None,
        *,
        workers: int = 1,
        retry_failed: bool = False,
        progress: Callable[[int, int], None] | None = None,
        lane: Executor | None = None,
        min_success: float = 0.0,
    ) -> Labels:
        """Label structures, each in a subprocess and a folder of its own; what is there already is not made again.

        Parameters
        ----------
        structures
            ASE atoms. ``info["group"]`` and ``info["place"]`` say which trajectory they are of, where they are of one.
        folder
            Where the tasks' folders go, ``<sha256>/{input.json, log, result.json | error.json}``; if not given, they
            are not kept.
        workers
            Processes at a time, where no lane is given.
        retry_failed
            Whether tasks that failed before are tried again.
        progress
            Called with how many are done, and of how many.
        lane
            Where the labels are made instead, such as ``engine.lane("label")``.
        min_success
            Fraction of the structures tried that must get a label; as soon as it is out of reach, the rest is not
            tried.

        Raises
        ------
        InputError
            When the settings are refused for every structure alike, or a package, program or file is missing.
        RunError
            When the labelling process cannot be kept alive, the disk is full, or too many fail.
        """
        if workers < 1:
            raise InputError(f"found workers {workers}, expected at least 1")
        if lane is not None and folder is None:
            raise InputError("found a lane and no folder, expected one that its workers see, such as engine.tasks")
        self.require_ready()
        structures = list(structures)
        with ExitStack() as stack:
            tasks = Path(folder) if folder is not None else Path(stack.enter_context(tempfile.TemporaryDirectory()))
            executor = lane if lane is not None else stack.enter_context(ThreadLane(workers))
            return self._label(structures, tasks, executor, retry_failed, min_success, progress)

    def _label(
        self,
        structures: "list[Atoms]",
        tasks: Path,
        executor: Executor,
        retry_failed: bool,
        min_success: float,
        progress: Callable[[int, int], None] | None,
    ) -> Labels:
        stated, identity = self.fingerprint, self.spec.identity()
        failures: list[Failure] = []
        inputs: dict[int, dict[str, Any]] = {}
        for number, atoms in enumerate(structures):
            try:
                self._require_structure(atoms)
            except InputError as error:
                failures.append(Failure(number, atoms.get_chemical_formula(), str(error), None))
                continue
            inputs[number] = task_input(identity, stated, atoms)

        def report(state: Progress) -> None:
            if progress is not None:
                progress(state.n_ended, state.n_to_do)

        outcomes = run_tasks(
            executor,
            labelling_work(self.spec),
            list(inputs.values()),
            tasks,
            retry_failed=retry_failed,
            min_success=min_success,
            progress=report,
        )
        frames = []
        chosen: dict[Path, int] = {}
        for number, outcome in zip(inputs, outcomes, strict=True):
            if outcome.folder.path in chosen:
                continue
            chosen[outcome.folder.path] = number
            try:
                frames.append(self._collect(structures[number], number, outcome))
            except MlipSseError as error:
                formula = structures[number].get_chemical_formula()
                failures.append(Failure(number, formula, str(error), outcome.folder.path))
        failures.sort(key=lambda failure: failure.number)
        return Labels(tuple(frames), tuple(failures), outcomes.n_done, outcomes.n_reused, len(outcomes) - len(chosen))

    def _require_structure(self, atoms: "Atoms") -> None:
        """Refuse what needs no calculation to be refused."""
        import numpy as np

        if len(atoms) == 0:
            raise InputError("found a structure without atoms, expected at least one")
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise InputError("found positions or a cell that are not finite, expected numbers")
        require_apart(atoms.get_chemical_symbols(), atoms.cell.array, atoms.positions, atoms.pbc.tolist())
        cutoff_ev = getattr(self.spec, "cutoff_ev", None)
        spacing = getattr(self.spec, "k_spacing_inv_a", None)
        require_settings(self.kind, cutoff_ev, spacing, atoms.get_chemical_symbols(), self.spec.gates)

    def _collect(self, atoms: "Atoms", number: int, outcome: Outcome) -> LabelledFrame:
        """Return a task's label after the gates."""
        if outcome.failure is not None:
            raise InputError(outcome.failure.reason)
        computed = label_in(outcome.folder)
        frame = LabelledFrame(
            symbols=tuple(atoms.get_chemical_symbols()),
            cell=atoms.cell.array,
            positions=atoms.positions,
            energy=computed.energy,
            forces=computed.forces,
            stress=computed.stress,
            fingerprint=computed.fingerprint,
            group=str(atoms.info.get("group", "")),
            place=int(atoms.info.get("place", number)),
            pbc=tuple(atoms.pbc.tolist()),
        )
        require_label(frame, self.spec.gates)
        return frame


def load_reference(source: "str | Path | Mapping[str, Any] | ReferenceSpec") -> Reference:
    """Load a reference.

    Parameters
    ----------
    source
        A kind with its default settings (``chgnet``, ``gpaw``, ``vasp``, ``cp2k``), a kind and its one argument
        (``chgnet:r2scan``, ``ase:ase.calculators.emt:EMT``), the path of a YAML spec, a mapping, or a spec.

    Raises
    ------
    SpecError
        When there is no such kind, or the settings do not fit it.
    """
    if isinstance(source, ReferenceSpec):
        return Reference(source)
    if isinstance(source, Mapping):
        return Reference(_parse(source, "reference"))
    text = str(source)
    kind, _, argument = text.partition(":")
    if kind in REFERENCES and not Path(text).is_file():
        settings: dict[str, Any] = {"kind": kind}
        if argument:
            keys = {"chgnet": "model", "ase": "calculator"}
            if kind not in keys:
                raise SpecError(f"found {text!r}, but {kind} takes no argument: write a YAML spec with 'kind: {kind}'")
            settings[keys[kind]] = argument
        return Reference(_parse(settings, " ".join(text.split())))
    if not Path(text).is_file():
        names = ", ".join(REFERENCES)
        raise SpecError(
            f"found no reference {text!r}, expected one of {names} or a spec's path{did_you_mean(text, REFERENCES)}"
        )
    return Reference(_parse(read_yaml(text), text))


def _parse(data: object, source: str) -> ReferenceSpec:
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or kind not in REFERENCES:
        shown = "nothing" if kind is None else repr(kind)[:60]
        raise SpecError(f"{source}: key 'kind': found {shown}, expected one of {', '.join(REFERENCES)}")
    return REFERENCES[kind].parse(data, source)
