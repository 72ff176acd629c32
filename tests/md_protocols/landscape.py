"""A crystal of argon, and a model potential with a known barrier for an ion in it."""

import numpy as np
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from mlip_sse.md_protocols import NebSettings, neb_vacancy
from mlip_sse.structures import vacancy_hops

__all__ = ["TIGHT", "Landscape", "crystal_of_argon", "landscape"]

TIGHT = {
    "mobile": "Ar",
    "max_distance_a": 4.0,
    "cell": "isotropic",
    "min_width_a": 10.0,
    "n_images": 3,
    "fmax": 0.0002,
    "band_fmax": 0.0003,
}


def crystal_of_argon():
    return bulk("Ar", a=5.3)


class Landscape(Calculator):
    """Atoms on springs to their places, and one ion that feels a landscape along its way from 0 to L.

    V = h (1 - u²)² + (b - a (1 - u²)) y² + c y⁴ + d z² with u = 2 x/L - 1; for a > b the straight way is no valley at
    its top: the way aside over y² = (a - b)/2c is lower by (a - b)²/4c.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, places, ion, origin, vector, **shape):
        super().__init__()
        self.places, self.ion, self.origin, self.shape = places, ion, origin, {"c": 2.0, "d": 2.0, **shape}
        self.length = np.linalg.norm(vector)
        x = vector / self.length
        y = np.cross([0.3, 0.5, 0.9], x)
        self.axes = np.array([x, y / np.linalg.norm(y), np.cross(x, y / np.linalg.norm(y))])

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        away = self.atoms.positions - self.places
        away[self.ion] = 0
        x, y, z = self.axes @ (self.atoms.positions[self.ion] - self.origin)
        u, s, length = 2 * x / self.length - 1, self.shape, self.length
        valley, bend = 1 - u**2, s["b"] - s["a"] * (1 - u**2)
        energy = s["h"] * valley**2 + bend * y**2 + s["c"] * y**4 + s["d"] * z**2 + (away**2).sum()
        slope_x = (-4 * s["h"] * u * valley + 2 * s["a"] * u * y**2) * 2 / length
        forces = -2 * away
        forces[self.ion] = -self.axes.T @ [slope_x, 2 * bend * y + 4 * s["c"] * y**3, 2 * s["d"] * z]
        self.results = {"energy": energy, "forces": forces, "stress": np.zeros(6)}


def landscape(**shape):
    """Return crystal, hop, settings, and a calculator with a known barrier."""
    settings = NebSettings(**{**TIGHT, "cell": "fixed"})
    crystal = crystal_of_argon()
    (hop,) = vacancy_hops(crystal, "Ar", 4.0)
    _, ion, initial, _ = neb_vacancy.hop_ends(crystal, hop, settings.min_width_a)
    calculator = Landscape(initial.positions.copy(), ion, initial.positions[ion].copy(), np.array(hop.vector), **shape)
    return crystal, hop, settings, calculator
