"""Sites of CIFs and Wyckoff lists, laid over trajectories."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from mlip_sse.analysis.mechanism.site_mapping import cell_matches, map_sites
from mlip_sse.analysis.mechanism.sites import Sites, closest_pair, template_from_file, template_from_wyckoff
from mlip_sse.errors import InputError

CELL = np.array([[5.0, 0.0, 0.0], [1.0, 6.0, 0.0], [0.4, -0.7, 7.0]])
SYMBOLS = ["Li", "Li", "Na", "P", "S"]
POINTS = np.array([[0.1, 0.2, 0.3], [0.6, 0.7, 0.55], [0.2, 0.75, 0.9], [0.9, 0.1, 0.05], [0.5, 0.3, 0.8]])


def test_the_closest_pair_counts_images_of_skewed_cells():
    rng = np.random.default_rng(0)
    for _ in range(5):
        points = rng.random((6, 3))
        shifts = np.array([[i, j, k] for i in (-2, -1, 0, 1, 2) for j in (-2, -1, 0, 1, 2) for k in (-2, -1, 0, 1, 2)])
        apart = points[None, :, None, :] - points[:, None, None, :] + shifts[None, None]
        distances = np.linalg.norm(apart @ CELL, axis=-1)
        assert closest_pair(points, CELL)[0] == pytest.approx(distances[distances > 1e-9].min(), abs=1e-12)
    assert closest_pair(np.zeros((1, 3)), CELL)[0] == pytest.approx(5.0)  # its own image


def test_overlapping_spheres_are_refused_with_the_pair():
    sites = Sites(np.array([[0.0, 0, 0], [0.3, 0, 0], [0.5, 0.5, 0.5]]), np.array(["A", "B", "C"]), CELL)
    sites.check_radius(0.75)
    with pytest.raises(InputError, match=r"sites 0 \(A\) and 1 \(B\) are 1\.500 Å apart.*at most 0\.750 Å"):
        sites.check_radius(0.8)


def unit_file(tmp_path, cell=CELL):
    atoms = Atoms(SYMBOLS, scaled_positions=POINTS, cell=cell, pbc=True)
    path = tmp_path / "unit.cif"
    write(path, atoms)
    return path


def supercell(multiples, strain=0.0, shift=(0.0, 0.0, 0.0)):
    """Return cell, P and site positions of a supercell, in fractions."""
    atoms = Atoms(SYMBOLS, scaled_positions=POINTS, cell=CELL, pbc=True)
    from ase.build import make_supercell

    made = make_supercell(atoms, multiples)
    fractions = made.get_scaled_positions() + np.array(shift)
    symbols = np.array(made.get_chemical_symbols())
    return made.cell.array * (1 + strain), fractions, symbols


@pytest.mark.parametrize("multiples", [np.diag([2, 1, 2]), np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
                                       np.array([[1, 1, 0], [0, 2, 0], [0, 0, -1]])])  # fmt: skip
def test_a_unit_cell_is_found_again_in_any_supercell_of_it_strained_and_shifted(tmp_path, multiples):
    cell, fractions, symbols = supercell(multiples, 0.02, (0.13, 0.4, -0.2))
    template = template_from_file(unit_file(tmp_path), {"one": "Li", "two": "Na"})
    still = np.isin(symbols, ["P", "S"])
    found = map_sites(template, cell, fractions[still], symbols[still], tolerance=0.05)
    places = fractions[~still]
    assert not found.doubt
    assert len(found) == len(places)
    apart = found.fractional[:, None, :] - places[None]
    distances = np.linalg.norm((apart - np.rint(apart)) @ cell, axis=2)
    assert distances.min(axis=1).max() < 1e-4  # digits of a CIF
    marks = np.where(symbols[~still] == "Li", "one", "two")
    assert (marks[distances.argmin(axis=1)] == found.labels).all()


def test_a_cif_of_another_cell_is_refused_with_the_misfit(tmp_path):
    template = template_from_file(unit_file(tmp_path), {"Li": "Li"}, {"P": ["P"]})
    with pytest.raises(InputError, match=r"of another cell: 5 6\.0828.* misfits by \d+\.\d%, expected .* at most 5%"):
        map_sites(template, np.diag([9.0, 10.1, 8.0]), np.zeros((1, 3)), np.array(["P"]))


def test_another_framework_is_refused_with_its_distance(tmp_path):
    atoms = Atoms("LiP4", scaled_positions=[[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
                  cell=CELL, pbc=True)  # fmt: skip
    write(tmp_path / "other.cif", atoms)
    template = template_from_file(tmp_path / "other.cif", {"Li": "Li"})
    framework = np.array([[0.0, 0.0, 0.0], [0.3, 0.25, 0.25], [0.75, 0.25, 0.6], [0.25, 0.75, 0.25]])
    with pytest.raises(InputError, match=r"framework atoms are \d\.\d\d Å \(mean\) from the trajectory's"):
        map_sites(template, CELL, framework[:1], np.array(["P"]), largest_distance=0.5)


def test_a_framework_that_leaves_the_orientation_open_is_told(tmp_path):
    template = template_from_file(unit_file(tmp_path), {"one": "Li"}, {"P": ["P"]})
    found = map_sites(template, CELL, POINTS[3:4], np.array(["P"]))
    assert "fits as well in 1 other orientations" in found.doubt
    np.testing.assert_allclose(np.sort(found.fractional, axis=0), np.sort(POINTS[:2], axis=0), atol=1e-6)


def test_elements_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InputError, match="has no K for sites 'K', it holds Li, Na, P, S"):
        template_from_file(unit_file(tmp_path), {"K": "K"})
    template = template_from_file(unit_file(tmp_path), {"Li": "Li"}, {"P": ["Si"]})
    with pytest.raises(InputError, match="the trajectory has no Si for the framework, it has P"):
        map_sites(template, CELL, np.zeros((1, 3)), np.array(["P"]))
    (tmp_path / "text.cif").write_text("nothing")
    with pytest.raises(InputError, match="cannot be read as a structure"):
        template_from_file(tmp_path / "text.cif", {"Li": "Li"})


def test_wyckoff_positions_of_rock_salt():
    unit = np.eye(3) * 5.6
    template = template_from_wyckoff(225, {"octahedra": (0, 0, 0), "tetrahedra": (0.25, 0.25, 0.25)}, unit)
    found = map_sites(template, 2 * unit, np.empty((0, 3)), np.empty(0, dtype=str))
    assert [int((found.labels == label).sum()) for label in found.classes] == [32, 64]
    assert found.closest[0] == pytest.approx(5.6 * np.sqrt(3) / 4)
    with pytest.raises(InputError, match="'P9' is unknown"):
        template_from_wyckoff("P9", {"a": (0, 0, 0)}, unit)
    with pytest.raises(InputError, match="one place is listed twice"):
        template_from_wyckoff(225, {"a": (0, 0, 0), "b": (0.5, 0.5, 0)}, unit)


def test_a_cubic_cell_matches_itself_in_48_ways():
    matches, best = cell_matches(np.eye(3) * 4.0, np.eye(3) * 8.1, 0.05)
    assert len(matches) == 48
    assert best.misfit == pytest.approx(0.0125)
