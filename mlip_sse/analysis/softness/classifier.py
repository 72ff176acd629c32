"""The softness of an ion: its distance from a plane between hopping and resting surroundings.

S = w · (x − m)/s + b, with structure functions x standardised by mean m and standard deviation s of the training set,
and the plane of a linear support vector machine; the margin lies at S = ±1. A fitted softness is kept as JSON, with
everything that is needed to apply it, and nothing that a file could execute.

References
----------
Cubuk et al., 10.1103/PhysRevLett.114.108001; Schoenholz et al., 10.1038/nphys3644.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import to_json
from mlip_sse.analysis.softness.features import StructureFunctions
from mlip_sse.analysis.softness.hop_indicator import Thresholds
from mlip_sse.errors import FormatError, InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Plane", "Softness", "SoftnessField", "fit_planes"]

_FORMAT = "mlip-sse softness 1"
FAR_SIGMAS = 3.0
"""A function whose mean lies further than this from the training mean, in its standard deviations, does not fit."""

MAX_KURTOSIS = 50.0
"""A function that differs from its mean more seldom than this says, about one sample in fifty, gets no weight."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane in the space of standardised structure functions.

    Parameters
    ----------
    weights, means, scales : (n_functions,)
    intercept
        b.
    penalty
        C of the support vector machine.
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    scales: NDArray[np.float64]
    intercept: float
    penalty: float

    def distances(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return S of samples with features (n_samples, n_functions)."""
        steep = self.weights / self.scales
        values: NDArray[np.float64] = features @ steep + (self.intercept - float(self.means @ steep))
        return values


@dataclass(frozen=True, eq=False)
class SoftnessField:
    """Softness of ions in time.

    Parameters
    ----------
    frames : (n_frames,)
    ions : (n_ions,) atom indices
    values : (n_frames, n_ions)
    unlike : names of structure functions that lie outside of what the softness was trained on
    """

    frames: NDArray[np.int64]
    ions: NDArray[np.int64]
    values: NDArray[np.float64]
    unlike: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Softness:
    """A fitted softness.

    Parameters
    ----------
    mobile
        Species whose softness it is.
    functions
        The structure functions.
    plane
        Weights and scales.
    thresholds
        p_c and p_0 by which the classes were made.
    half_window_ps, stable_ps
        t_R/2 and the length of a stable span.
    trained_on
        In words: trajectory, samples, seed.
    """

    mobile: tuple[str, ...]
    functions: StructureFunctions
    plane: Plane
    thresholds: Thresholds
    half_window_ps: float
    stable_ps: float
    trained_on: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, trajectory: "Trajectory", frames: NDArray[np.integer] | None = None) -> SoftnessField:
        """Return the softness of all mobile ions.

        Parameters
        ----------
        trajectory
            Of the same species; its frames may lie anywhere in time.
        frames
            Which frames; by default one a half window.

        Raises
        ------
        InputError
            When the trajectory holds other species than those the softness was trained on.
        """
        if frames is None:
            step = max(1, round(1000.0 * self.half_window_ps / trajectory.frame_spacing_fs))
            frames = np.arange(0, trajectory.n_frames, step)
        chosen: NDArray[np.int64] = np.asarray(frames, dtype=np.int64)
        if chosen.size and not 0 <= chosen.min() <= chosen.max() < trajectory.n_frames:
            raise InputError(f"found frames {chosen.min()} to {chosen.max()}, expected 0 to {trajectory.n_frames - 1}")
        ions = np.asarray(trajectory.indices(self.mobile), dtype=np.int64)
        features = self.functions.evaluate(trajectory, np.repeat(chosen, len(ions)), np.tile(ions, len(chosen)))
        values = self.plane.distances(features).reshape(len(chosen), len(ions))
        return SoftnessField(chosen, ions, values, self.unlike(features))

    def unlike(self, features: NDArray[np.floating]) -> tuple[str, ...]:
        """Return the functions whose mean lies more than three training standard deviations from the training mean."""
        if not len(features):
            return ()
        away = np.abs(features.mean(axis=0, dtype=np.float64) - self.plane.means) / self.plane.scales
        return tuple(self.functions.names[k] for k in np.flatnonzero((away > FAR_SIGMAS) & (self.plane.weights != 0)))

    def save(self, path: str | Path) -> Path:
        """Write the softness as JSON."""
        path = Path(path)
        path.write_text(to_json(self) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: str | Path) -> "Softness":
        """Read a softness that was saved.

        Raises
        ------
        FormatError
            When the file is no softness, of another version, or incomplete.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FormatError(f"{path}: {error}; expected the JSON file of a softness") from error
        return cls.from_dict(data, str(path))

    @classmethod
    def from_dict(cls, data: Any, label: str = "softness") -> "Softness":
        """Make a softness of plain data, as `to_dict` returns it."""
        found = data.get("format") if isinstance(data, Mapping) else None
        if found != _FORMAT:
            raise FormatError(f"{label}: found format {found!r}, expected {_FORMAT!r}; fit the softness again")
        try:
            settings: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in data["functions"].items()
            }
            functions = StructureFunctions(**settings)
            arrays = {key: np.asarray(data["plane"][key], dtype=np.float64) for key in ("weights", "means", "scales")}
            plane = Plane(
                **arrays, intercept=float(data["plane"]["intercept"]), penalty=float(data["plane"]["penalty"])
            )
            names = list(data["names"])
            softness = cls(
                mobile=tuple(data["mobile"]),
                functions=functions,
                plane=plane,
                thresholds=Thresholds(**data["thresholds"]),
                half_window_ps=float(data["half_window_ps"]),
                stable_ps=float(data["stable_ps"]),
                trained_on=dict(data["trained_on"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{label}: incomplete softness ({error!r}); fit and save it again") from error
        lengths = {len(plane.weights), len(plane.means), len(plane.scales), len(functions.names)}
        if len(lengths) != 1 or names != list(functions.names):
            raise FormatError(f"{label}: weights and structure functions do not fit each other; fit the softness again")
        return softness

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, from which `from_dict` makes the softness again."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        shown = {name: dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]
                 for name, value in fields.items()}  # fmt: skip
        return {"format": _FORMAT, "names": self.functions.names, **shown}


def fit_planes(features: NDArray[np.floating], hops: NDArray[np.bool_], penalties: Sequence[float]) -> list[Plane]:
    """Fit standardised linear support vector machines (squared hinge loss, primal, deterministic), one for each C.

    A function that does not vary, or hardly ever differs from its mean (kurtosis above 50, a distance that one sample
    in fifty visits), gets no weight: its scale says nothing about other samples.

    Parameters
    ----------
    features : (n_samples, n_functions)
    hops : (n_samples,) True for the hop class
    penalties
        C per sample: the machine's own C is this over the number of samples, so that it means the same in every fold.

    Raises
    ------
    InputError
        When there is one class only.
    """
    from sklearn import config_context
    from sklearn.svm import LinearSVC

    n_hops, n_samples = int(np.sum(hops)), len(hops)
    if not 0 < n_hops < n_samples:
        raise InputError(f"found {n_hops} hops among {n_samples} samples, expected two classes to tell apart")
    means, scales, flat = _standard(features)
    standard = np.where(flat, 0.0, (features - means) / scales)
    classes = {0: 0.5 * n_samples / (n_samples - n_hops), 1: 0.5 * n_samples / n_hops}  # balanced
    planes = []
    for penalty in penalties:
        machine = LinearSVC(C=penalty / n_samples, dual=False, class_weight=classes, tol=1e-4, max_iter=2000)
        with config_context(assume_finite=True, skip_parameter_validation=True):  # they cost more than a small fit
            machine.fit(standard, hops.astype(np.int64))
        weights = np.where(flat, 0.0, machine.coef_[0])
        planes.append(Plane(weights, means, scales, float(machine.intercept_[0]), float(penalty)))
    return planes


def _standard(
    features: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return means, standard deviations (1 where there is none) and which functions say nothing."""
    means = features.mean(axis=0, dtype=np.float64)
    squares = np.square(features - means)
    variances = squares.mean(axis=0)
    flat = variances <= 1e-12 * np.maximum(means**2, 1e-6)
    variances = np.where(flat, 1.0, variances)
    flat |= np.square(squares).mean(axis=0) > MAX_KURTOSIS * variances**2
    return means, np.sqrt(variances), flat
