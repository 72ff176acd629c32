"""Half a band and its mirror image: the same as the whole band, and left alone where the forces know no symmetry."""

import numpy as np
import pytest

from mlip_sse.errors import MissingExtraError
from mlip_sse.md_protocols import NebSettings, neb_vacancy
from mlip_sse.md_protocols.neb_band import ConvergedBand, converge_band, first_path, path_extrema
from mlip_sse.md_protocols.neb_mirror import find_mirror
from mlip_sse.potentials import load_potential
from mlip_sse.structures import crystal, vacancy_hops
from tests.md_protocols.landscape import TIGHT, Landscape, crystal_of_argon, landscape


def ends_of(name, element, number=0, width=7.5):
    atoms = crystal_of_argon() if name == "argon" else crystal(name)
    hop = vacancy_hops(atoms, element)[number]
    return hop, *neb_vacancy.hop_ends(atoms, hop, width)[1:]


@pytest.mark.parametrize(("name", "element"), [("argon", "Ar"), ("li3ocl", "Li"), ("licl", "Li"), ("li2s", "Li")])
def test_a_mirror_exchanges_the_ends_and_is_its_own_inverse(name, element):
    hop, ion, initial, final = ends_of(name, element)
    assert hop.is_reversible
    mirror = find_mirror(initial, final)
    assert mirror.positions(initial.positions) == pytest.approx(final.positions, abs=1e-6)
    shaken = initial.positions + np.random.default_rng(1).normal(0, 0.1, initial.positions.shape)
    assert mirror.positions(mirror.positions(shaken)) == pytest.approx(shaken, abs=1e-9)
    assert mirror.permutation[ion] == ion
    assert (initial.numbers[mirror.permutation] == initial.numbers).all()
    forces = np.random.default_rng(2).normal(size=shaken.shape)
    assert np.linalg.norm(mirror.forces(forces)) == pytest.approx(np.linalg.norm(forces))
    # An energy that knows the symmetry: forces of the mirror image are the mirror image of the forces.
    path = mirror.symmetrised(np.linspace(shaken, final.positions, 5))
    assert mirror.positions(path[1]) == pytest.approx(path[3], abs=1e-9)
    assert mirror.symmetrised(path) == pytest.approx(path, abs=1e-9)


def test_ends_that_nothing_exchanges_have_no_mirror():
    _, _, initial, final = ends_of("li3ocl", "Li")
    final.positions[3] += 0.3
    assert find_mirror(initial, final) is None


def test_half_a_band_is_the_whole_band_at_half_the_cost():
    try:
        argon = load_potential("argon_lennard_jones").calculator()
    except MissingExtraError as error:
        pytest.skip(str(error))
    _, _, initial, final = ends_of("argon", "Ar", width=10.0)
    settings = NebSettings(**{**TIGHT, "band_fmax": 0.002})
    path = first_path(initial, final, 3)
    counts, bands = [], []
    for mirror in (None, find_mirror(initial, final)):
        calls = []

        class Counting(type(argon)):
            def calculate(self, *arguments, calls=calls, **keywords):
                calls.append(1)
                super().calculate(*arguments, **keywords)

        before, argon.__class__ = argon.__class__, Counting
        bands.append(converge_band(initial, path, argon, settings, mirror=mirror))
        argon.__class__ = before
        counts.append(len(calls) / (bands[-1].n_steps + 2))
    whole, half = bands
    assert half.is_converged
    assert half.energies == pytest.approx(whole.energies, abs=2e-5)  # forces of 0.002 eV/Å are left in both
    assert half.energies == pytest.approx(half.energies[::-1], abs=1e-9)
    assert counts[1] < 0.85 * counts[0]


def test_forces_that_know_no_symmetry_get_the_whole_band():
    crystal_, hop, settings, calculator = landscape(h=0.4, a=0.0, b=1.5)

    class Bumped(Landscape):
        """A bump on the second half of the way alone; the ends do not feel it."""

        def calculate(self, *arguments, **keywords):
            super().calculate(*arguments, **keywords)
            u = 2 * self.axes[0] @ (self.atoms.positions[self.ion] - self.origin) / self.length - 1
            bump = 0.1 * np.exp(-(((u - 0.4) / 0.12) ** 2))
            self.results["energy"] += bump
            self.results["forces"][self.ion] += bump * 2 * (u - 0.4) / 0.12**2 * 2 / self.length * self.axes[0]

    calculator.__class__ = Bumped
    _, _, initial, final = neb_vacancy.hop_ends(crystal_, hop, settings.min_width_a)
    path = first_path(initial, final, 5)
    found = converge_band(initial, path, calculator, settings, mirror=find_mirror(initial, final))
    assert found.is_converged
    # A whole band of its own: no image is the mirror image of another.
    assert np.abs(found.energies - found.energies[::-1]).max() > 1e-3


def test_all_maxima_and_minima_of_a_path_are_told():
    energies = np.array([0.0, 0.3, 0.1, 0.25, 0.2495, 0.5, 0.05])
    positions = np.zeros((7, 1, 3))
    positions[:, 0, 0] = np.arange(7)
    band = ConvergedBand(positions, energies, np.zeros_like(positions), 0.0, 1, True)
    found = path_extrema(band, 0.005)
    assert [(each["kind"], each["image"]) for each in found] == [("maximum", 1), ("minimum", 2), ("maximum", 5)]
    assert [each["energy_ev"] for each in found] == pytest.approx([0.3, 0.1, 0.5])
    assert [each["path_a"] for each in found] == [1.0, 2.0, 5.0]
    downhill = ConvergedBand(positions[:3], np.array([0.0, -0.2, -0.4]), positions[:3] * 0, 0.0, 1, True)
    assert path_extrema(downhill, 0.005) == []
