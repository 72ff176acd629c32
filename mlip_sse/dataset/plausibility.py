"""Is the stress what it is said to be: sign and unit against the volume, among frames of one composition."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mlip_sse.dataset.frame import LabelledFrame
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["DatasetWarning", "doubts_about_stress"]

_SMALLEST_SPREAD = 0.01
_SOFTEST_GPA, _HARDEST_GPA = 0.5, 700.0  # a molecular crystal at high temperature; diamond is at 440
_CORRELATION = 0.7


class DatasetWarning(UserWarning):
    """Labels that can be used but are probably not what they are said to be."""


def doubts_about_stress(frames: Iterable[LabelledFrame]) -> tuple[str, ...]:
    """Compare the mean stress with the volume among frames of the same composition.

    For small changes σ_mean = K ln(V/V₀), with the bulk modulus K > 0: stretched matter pulls. A falling line means
    the other sign convention (VASP's kB, LAMMPS' pressure), a slope far from any solid's another unit.

    Returns
    -------
    tuple of str
        One sentence for each composition in doubt; empty where nothing speaks against the stresses, or where the
        volumes differ by less than 1 % and nothing can be said.
    """
    by_composition: dict[tuple[str, str], list[LabelledFrame]] = defaultdict(list)
    for frame in frames:
        if frame.stress is not None and all(frame.pbc):
            by_composition[_reduced(frame), frame.fingerprint.digest].append(frame)
    sentences = []
    for (composition, _), members in sorted(by_composition.items()):
        volumes = np.array([frame.volume / frame.n_atoms for frame in members])
        means = np.array([frame.stress[:3].mean() for frame in members if frame.stress is not None])
        if sentence := _doubt(volumes, means):
            sentences.append(f"{composition}: {sentence}")
    return tuple(sentences)


def _doubt(volumes: NDArray[np.float64], means: NDArray[np.float64]) -> str:
    logs = np.log(volumes)
    if len(volumes) < 2 or np.ptp(logs) < _SMALLEST_SPREAD or np.ptp(means) == 0:
        return ""
    # Slabs stand beside bulk cells with twice the volume and no stress; the line is that of the denser half.
    dense = logs <= np.median(logs) + 0.15
    logs, means = logs[dense], means[dense]
    if len(logs) < 2 or np.ptp(logs) < _SMALLEST_SPREAD or np.ptp(means) == 0:
        return ""
    if abs(float(np.corrcoef(logs, means)[0, 1])) < _CORRELATION:
        return ""
    modulus_gpa = float(np.polyfit(logs, means, 1)[0]) * EV_PER_A3_TO_GPA
    if modulus_gpa < 0:
        return (
            f"the stress falls from {means.max():.3g} to {means.min():.3g} eV/Å³ as the volume grows, expected a rise "
            "(positive = tension): its sign is probably reversed, import it with the other sign"
        )
    if not _SOFTEST_GPA < modulus_gpa < _HARDEST_GPA:
        return (
            f"the stress means a bulk modulus of {modulus_gpa:.3g} GPa, expected {_SOFTEST_GPA} to {_HARDEST_GPA:g}: "
            "its unit is probably not eV/Å³"
        )
    return ""


def _reduced(frame: LabelledFrame) -> str:
    elements = sorted(set(frame.symbols))
    counts = [frame.symbols.count(element) for element in elements]
    divisor = int(np.gcd.reduce(counts))
    return "".join(f"{e}{n // divisor if n > divisor else ''}" for e, n in zip(elements, counts, strict=True))
