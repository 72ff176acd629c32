"""Matches: strains by hand, the best found by trying all small matrices, limits kept and named."""

from itertools import product

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlip_sse.errors import InputError
from mlip_sse.structures import crystal
from mlip_sse.structures.interfaces import MatchSettings, SlabSettings, matches, slabs
from mlip_sse.structures.interfaces.matching import green_lagrange


@pytest.fixture(scope="module")
def faces(lithium):
    """Return slabs of different lattices: square, centred rectangle, rectangle, oblique."""
    one = SlabSettings(min_thickness=5.0, max_slabs=1)
    return {
        "li100": slabs(lithium, (1, 0, 0), one)[0],
        "li110": slabs(lithium, (1, 1, 0), one)[0],
        "li2s111": slabs(crystal("li2s"), (1, 1, 1), one)[0],
        "lps100": slabs(crystal("beta_li3ps4"), (1, 0, 0), one)[0],
        "glass100": slabs(crystal("li7p3s11"), (1, 0, 0), one)[0],
    }


PAIRS = [("li100", "li2s111"), ("li110", "lps100"), ("li110", "glass100"), ("li2s111", "lps100")]


def principal(deformation):
    """Return stretches by diagonalising the change of squared lengths, not by singular values."""
    return np.sqrt(np.linalg.eigvalsh(deformation @ deformation.T))


@pytest.mark.parametrize("strained", ["a", "b", "both"])
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_both_supercells_become_the_common_cell(faces, one, other, strained):
    a, b = faces[one], faces[other]
    found = matches(a, b, MatchSettings(max_area=180.0, max_strain=0.08, strained=strained))
    assert found
    for match in found:
        for slab, supercell, deformation in (
            (a, match.supercell_a, match.deformation_a),
            (b, match.supercell_b, match.deformation_b),
        ):
            cell = supercell @ slab.plane
            assert np.linalg.det(cell) > 0
            np.testing.assert_allclose(cell @ deformation, match.cell, atol=1e-8)
            # The slow twin: the deformation gradient from three points of the slab and where they went.
            places = np.array([[0.0, 0.0], [1.0, 0.0], [0.3, 0.8]])
            went = (places @ np.linalg.inv(cell)) @ match.cell
            gradient = np.linalg.lstsq(places[1:], went[1:], rcond=None)[0].T
            expected = (gradient.T @ gradient - np.eye(2)) / 2
            np.testing.assert_allclose(green_lagrange(deformation), expected, atol=1e-8)
        strains = [np.abs(principal(side) - 1).max() for side in (match.deformation_a, match.deformation_b)]
        assert match.max_strain == pytest.approx(max(strains), abs=1e-9)
        assert match.max_strain <= 0.08 + 1e-9
        assert match.area <= 180.0 * 1.2
        if strained == "both":
            # Half each: what stretches one side shrinks the other.
            np.testing.assert_allclose(
                principal(match.deformation_a) * principal(match.deformation_b)[::-1], 1.0, atol=1e-8
            )
        else:
            rigid = match.deformation_b if strained == "a" else match.deformation_a
            np.testing.assert_allclose(green_lagrange(rigid), 0.0, atol=1e-8)
        assert match.cell[0, 1] == 0
        assert match.n_atoms == len(a.atoms) * round(np.linalg.det(match.supercell_a)) + len(b.atoms) * round(
            np.linalg.det(match.supercell_b)
        )
    assert [m.n_atoms for m in found] == sorted(m.n_atoms for m in found)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_best_of_all_small_matrices_is_found(faces, one, other):
    """The slow twin: every supercell with entries up to 4, turned every way; the least strain of each pair of sizes."""
    a, b = faces[one], faces[other]
    max_area, limit = 80.0, 0.2
    best = {}
    grams = []
    for slab in (a, b):
        cells = np.array([[[i, j], [k, m]] for i, j, k, m in product(range(-4, 5), repeat=4) if i * m - j * k > 0])
        areas = np.rint(np.linalg.det(cells)).astype(int)
        cells, areas = cells[areas * slab.area <= max_area], areas[areas * slab.area <= max_area]
        vectors = cells @ slab.plane
        unique = {}
        for area, gram in zip(areas.tolist(), vectors @ vectors.transpose(0, 2, 1), strict=True):
            unique.setdefault((area, *np.round(gram, 6).ravel().tolist()), gram)
        shapes = {}
        for key, gram in unique.items():
            shapes.setdefault(key[0], []).append(gram)
        grams.append({area: np.array(found) for area, found in shapes.items()})
    for n_a, shapes_a in grams[0].items():
        # One basis of a is enough where b takes all: the shortest one, which other matrices of a only relabel.
        traces = np.trace(shapes_a, axis1=1, axis2=2)
        for n_b, shapes_b in grams[1].items():
            if not 0.6 < n_b * b.area / (n_a * a.area) < 1.7:
                continue
            near = shapes_a[np.argsort(traces)[:60]]
            ratio = np.linalg.inv(near)[:, None] @ shapes_b[None]
            stretches = np.sqrt(np.maximum(np.linalg.eigvals(ratio).real, 1e-9))
            # b is strained on a: 1 / stretch from a to b.
            best[n_a, n_b] = float(np.abs(1 / stretches - 1).max(axis=-1).min())
    found = {}
    for match in matches(a, b, MatchSettings(max_area=max_area, max_strain=limit, max_matches=10_000)):
        size = round(np.linalg.det(match.supercell_a)), round(np.linalg.det(match.supercell_b))
        found[size] = min(found.get(size, 1.0), match.max_strain)
    wanted = {size: strain for size, strain in best.items() if strain < limit - 1e-6}
    assert set(wanted) <= set(found)
    for size, strain in wanted.items():
        assert found[size] <= strain + 1e-6, size
    assert min(found.values()) == pytest.approx(min(wanted.values()), abs=1e-6)


def test_a_crystal_matches_itself_cell_by_cell(faces):
    for slab in faces.values():
        best = matches(slab, slab, MatchSettings(max_area=80.0))[0]
        assert best.max_strain == pytest.approx(0.0, abs=1e-9)
        assert best.area == pytest.approx(slab.area)
        assert best.n_atoms == 2 * len(slab.atoms)


@pytest.mark.parametrize("lean", [1.45, -1.45])
def test_lattices_that_are_reduced_to_either_side_of_a_hexagon_match(lean):
    """Leaning right and leaning left are nearly the same hexagonal lattice; the least strain by trying all bases."""
    right, left = (Atoms("Li", cell=[[3, 0, 0], [x, 2.6, 0], [0, 0, 4]], pbc=True) for x in (lean, -lean))
    one = SlabSettings(min_thickness=4.0)
    best = matches(slabs(right, (0, 0, 1), one)[0], slabs(left, (0, 0, 1), one)[0], MatchSettings(max_area=10.0))[0]
    planes = [atoms.cell.array[:2, :2] for atoms in (right, left)]
    bases = [
        np.array([[i, j], [k, m]]) for i, j, k, m in product(range(-3, 4), repeat=4) if abs(i * m - j * k - 1) < 0.5
    ]
    strains = [
        np.abs(np.linalg.svd(np.linalg.inv(basis @ planes[1]) @ planes[0], compute_uv=False) - 1).max()
        for basis in bases
    ]
    assert best.area == pytest.approx(7.8)
    assert best.max_strain == pytest.approx(min(strains), abs=1e-9)
    assert best.max_strain < 0.01


def test_width_is_the_distance_between_sides(faces):
    for match in matches(faces["li100"], faces["li2s111"], MatchSettings(max_strain=0.1, min_width=9.0)):
        (ax, ay), (bx, by) = match.cell
        area = abs(ax * by - ay * bx)
        assert match.width == pytest.approx(min(area / np.hypot(ax, ay), area / np.hypot(bx, by)))
        assert match.width >= 9.0


def test_what_no_match_meets_names_the_best_one(faces):
    with pytest.raises(InputError, match=r"no match within 0\.1 % strain.*best has .* % at .* Å².*raise") as caught:
        matches(faces["li110"], faces["lps100"], MatchSettings(max_area=60.0, max_strain=0.001))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no cells of like area"):
        matches(faces["li110"], faces["lps100"], MatchSettings(max_area=20.0))


@pytest.mark.parametrize(
    "wrong", [{"max_area": 0}, {"max_strain": 0.5}, {"strained": "c"}, {"max_atoms": 0}, {"min_width": 99.0}]
)
def test_bad_settings(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        MatchSettings(**wrong)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # pymatgen's own
def test_no_worse_than_pymatgen(faces):
    """An independent search of the same kind finds nothing better for the same number of cells."""
    from pymatgen.analysis.interfaces.zsl import ZSLGenerator

    for one, other in PAIRS:
        a, b = faces[one], faces[other]
        planes = [np.column_stack([slab.plane, np.zeros(2)]) for slab in (a, b)]
        theirs = {}
        search = ZSLGenerator(max_area=180.0, max_area_ratio_tol=0.2, max_length_tol=0.1, max_angle_tol=0.1)
        for match in search(*planes):
            cells = [np.array(match.film_sl_vectors)[:, :2], np.array(match.substrate_sl_vectors)[:, :2]]
            stretches = np.linalg.svd(np.linalg.inv(cells[1]) @ cells[0], compute_uv=False)
            size = tuple(round(abs(np.linalg.det(cell)) / slab.area) for cell, slab in zip(cells, (a, b), strict=True))
            theirs[size] = min(theirs.get(size, 1.0), float(np.abs(stretches - 1).max()))
        ours = {}
        for match in matches(a, b, MatchSettings(max_area=180.0, max_strain=0.1, max_matches=10_000)):
            size = round(np.linalg.det(match.supercell_a)), round(np.linalg.det(match.supercell_b))
            ours[size] = min(ours.get(size, 1.0), match.max_strain)
        shared = [size for size in theirs if theirs[size] < 0.1]
        assert shared
        for size in shared:
            assert ours[size] <= theirs[size] + 1e-6, (one, other, size)


def test_lithium_on_lithium_by_another_lattice_constant():
    """4 % apart: the cubes match one to one, and all the strain is on b."""
    settings = SlabSettings(min_thickness=5.0)
    a = slabs(bulk("Li", cubic=True, a=3.44), (1, 0, 0), settings)[0]
    b = slabs(bulk("Li", cubic=True, a=3.31), (1, 0, 0), settings)[0]
    best = matches(a, b, MatchSettings(max_strain=0.05))[0]
    stretch = 3.44 / 3.31
    np.testing.assert_allclose(green_lagrange(best.deformation_b), np.eye(2) * (stretch**2 - 1) / 2, atol=1e-9)
    assert best.max_strain == pytest.approx(stretch - 1)
