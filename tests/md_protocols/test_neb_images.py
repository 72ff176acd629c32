"""Bands between given minima: matched whatever their order and cell image, and refused where they are one."""

import json

import numpy as np
import pytest
from ase.io import write

from mlip_sse.errors import FormatError, InputError, SpecError
from mlip_sse.md_protocols import NebImagesSpec, NebSettings, load_protocol, neb_vacancy, run_neb_images
from mlip_sse.md_protocols.neb_images import compute_pair, matched_pair, pair_inputs, read_minima
from mlip_sse.md_protocols.neb_specs import PairSettings
from mlip_sse.structures import crystal, vacancy_hops
from tests.md_protocols.landscape import TIGHT, crystal_of_argon, landscape

ONE = {"scheduler": "embedded", "cores": 1}


def ends_of_argon(width=8.0):
    atoms = crystal_of_argon()
    (hop,) = vacancy_hops(atoms, "Ar", 4.0)
    _, ion, initial, final = neb_vacancy.hop_ends(atoms, hop, width)
    return ion, initial, final


def spec_of(*files, **changes):
    plain = {"description": "x", "protocol": "neb_images", "files": list(map(str, files)), "n_images": 3}
    return NebImagesSpec.parse({**plain, "potential": "argon_lennard_jones", "n_neighbours": 2, **changes})


def test_atoms_are_found_again_whatever_their_order_and_image():
    crystal_ = crystal("licl")
    (hop,) = vacancy_hops(crystal_, "Li", 4.0)
    _, ion, initial, final = neb_vacancy.hop_ends(crystal_, hop, 8.0)
    order = np.random.default_rng(5).permutation(len(final))
    other = final[order]
    other.positions += np.random.default_rng(6).integers(-2, 3, (len(other), 3)) @ other.cell.array
    moved, n_reordered = matched_pair(initial, other)
    assert list(moved.symbols) == list(initial.symbols)
    assert n_reordered > 0
    steps = np.linalg.norm(moved.positions - initial.positions, axis=1)
    assert steps[ion] == pytest.approx(hop.distance)
    assert np.delete(steps, ion) == pytest.approx(0, abs=1e-9)
    same, none = matched_pair(initial, final)
    assert (none, same.positions) == (0, pytest.approx(final.positions))


def test_two_ions_that_go_far_in_the_same_order_are_matched_anew():
    ion, initial, final = ends_of_argon()
    one, other = [atom for atom in range(len(initial)) if atom != ion][2:4]
    swapped = final.copy()
    swapped.positions[[one, other]] = swapped.positions[[other, one]]
    moved, n_reordered = matched_pair(initial, swapped)
    assert n_reordered == 2
    assert moved.positions == pytest.approx(final.positions)
    kept, none = matched_pair(initial, swapped, "order")
    assert none == 0
    assert np.count_nonzero(np.linalg.norm(kept.positions - initial.positions, axis=1) > 1) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda atoms: atoms.__delitem__(0), "found ends of Ar.* and Ar.*, expected the same atoms in both"),
        (lambda atoms: atoms.set_cell(atoms.cell * 1.02, scale_atoms=True), "in cells that differ by 2.00%"),
    ],
)
def test_what_does_not_go_together_is_refused(change, message):
    _, initial, final = ends_of_argon()
    change(final)
    with pytest.raises(InputError, match=message) as caught:
        matched_pair(initial, final)
    assert "\n" not in str(caught.value)


def test_the_band_between_given_ends_is_that_of_the_hop():
    crystal_, hop, settings, calculator = landscape(h=0.4, a=0.0, b=1.5)
    _, _, initial, final = neb_vacancy.hop_ends(crystal_, hop, settings.min_width_a)
    own = {name: getattr(settings, name) for name in PairSettings.model_fields}
    found = compute_pair(pair_inputs(initial, final), lambda: calculator, PairSettings(**own))
    assert found.hop.is_reversible
    assert found.hop.distance == pytest.approx(hop.distance)
    assert found.barrier_forward.value == pytest.approx(0.4, abs=1e-3)


def test_ends_that_relax_to_one_minimum_are_refused():
    crystal_, hop, settings, calculator = landscape(h=0.4, a=0.0, b=1.5)
    _, ion, initial, final = neb_vacancy.hop_ends(crystal_, hop, settings.min_width_a)
    final.positions[ion] = initial.positions[ion] + 0.12 * np.array(hop.vector)
    own = {**{name: getattr(settings, name) for name in PairSettings.model_fields}, "symmetrise": False}
    found = compute_pair(pair_inputs(initial, final), lambda: calculator, PairSettings(**own))
    assert found.verdict.quality == "refused"
    assert found.verdict.reasons == (
        "both ends relax to the same site: found one minimum, expected two; choose other ends",
    )


def test_a_protocol_with_three_minima_gives_two_barriers_once(tmp_path, lammps):
    ion, initial, final = ends_of_argon()
    third = final.copy()
    third.positions[ion], first = initial.positions[ion], third.positions[ion].copy()
    assert not np.allclose(first, third.positions[ion])
    write(tmp_path / "path.extxyz", [initial, final], format="extxyz")
    write(tmp_path / "third.vasp", third, format="vasp", direct=True)
    spec = spec_of(tmp_path / "path.extxyz", tmp_path / "third.vasp")
    result = run_neb_images(spec, tmp_path / "out", engine=ONE)
    there, back = result.hops
    assert (there["start"], there["end"], back["start"], back["end"]) == (0, 1, 1, 2)
    assert there["quality"] == back["quality"] == "pass"
    assert there["barrier_forward_ev"]["value"] == pytest.approx(back["barrier_forward_ev"]["value"], abs=2e-3)
    assert 0.05 < there["barrier_forward_ev"]["value"] < 0.08
    assert run_neb_images(spec, tmp_path / "out", engine=ONE).n_reused == 2
    assert json.loads(json.dumps(result.to_dict()))["crystal"] is None


def test_files_that_cannot_be_ends_are_refused(tmp_path):
    _, initial, _ = ends_of_argon()
    write(tmp_path / "one.extxyz", initial, format="extxyz")
    with pytest.raises(InputError, match=r"found 1 structure in .*, expected two or more"):
        read_minima([tmp_path / "one.extxyz"])
    with pytest.raises(InputError, match="does not exist"):
        read_minima([tmp_path / "none.cif"])
    (tmp_path / "bad.cif").write_text("no crystal")
    with pytest.raises(FormatError, match="ASE cannot read it"):
        read_minima([tmp_path / "bad.cif"])
    initial.pbc = False
    write(tmp_path / "open.extxyz", [initial, initial], format="extxyz")
    with pytest.raises(InputError, match="periodic in three directions"):
        read_minima([tmp_path / "open.extxyz"])


def test_the_shipped_protocol_finds_its_file_and_another():
    spec = load_protocol("neb_images")
    first, second = read_minima(spec.files)
    assert list(first.symbols) != list(second.symbols)
    assert matched_pair(first, second)[1] > 0
    assert spec.with_structure("mine.extxyz").files[0].endswith("/mine.extxyz")
    with pytest.raises(SpecError, match="files"):
        spec_of()


def test_tight_settings_are_those_of_the_hop():
    assert {name for name in PairSettings.model_fields} < {name for name in NebSettings(**TIGHT).model_dump()}
