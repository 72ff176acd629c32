"""Barriers as tasks: a folder for each hop, stages that no kill repeats, the committee's spread beside the interval."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write

from mlip_sse.engine import Engine
from mlip_sse.errors import CatalogueError, FormatError, InputError, RunError, SpecError
from mlip_sse.md_protocols import NebVacancySpec, load_protocol, neb_pair, neb_tasks, run_neb_vacancy
from mlip_sse.md_protocols.hop_barrier import HopBarrier
from mlip_sse.md_protocols.neb_band import ConvergedBand
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.whole_folder import folder_digest
from mlip_sse.structures import VacancyHop, crystal, rattle, vacancy_hops

SMALL = {
    "description": "argon",
    "protocol": "neb_vacancy",
    "structure": {"prototype": "fcc", "species": ["Ar"], "density_g_cm3": [1.78]},
    "potential": "argon_lennard_jones",
    "mobile": "Ar",
    "max_distance_a": 4.0,
    "n_images": 3,
}


def small(**changes):
    return NebVacancySpec.parse({**SMALL, **changes})


def test_a_hop_is_a_task_that_is_done_once(tmp_path, lammps):
    seen = []
    first = run_neb_vacancy(small(), tmp_path, progress=lambda stage, state: seen.append((stage, state.n_ended)))
    assert seen == [("crystal", 1), ("hops", 1)]
    (hop,) = first.hops
    assert (hop["quality"], hop["n_equivalent"], first.is_refused) == ("pass", 48, False)
    low, value, high = (hop["barrier_forward_ev"][key] for key in ("low", "value", "high"))
    assert low < value < high
    assert 0.05 < value < 0.08  # eight times the well depth of 0.0103 eV, less what the neighbours give way
    images = read(hop["band"]["file"], index=":")
    energies = [image.get_potential_energy() for image in images]
    assert np.array(energies) - energies[0] == pytest.approx(hop["energies_ev"], abs=1e-7)
    again = run_neb_vacancy(small(), tmp_path)
    assert (first.n_reused, again.n_reused) == (0, 2)
    assert again.hops == first.hops
    assert json.loads(json.dumps(again.to_dict()))["crystal"]["reasons"] == []
    with Engine(tmp_path / "shared", {"scheduler": "embedded", "cores": 1}) as engine:
        other = run_neb_vacancy(small(n_images=1), tmp_path / "elsewhere", engine=engine)
    assert Path(other.hops[0]["band"]["file"]).is_relative_to(tmp_path / "shared" / "tasks")


def hop_inputs(place):
    """Return the inputs of the hop's task, as the driver makes them."""
    spec = small()
    atoms = bulk("Ar", a=5.3)
    (hop,) = vacancy_hops(atoms, "Ar", 4.0)
    settings = spec.settings.model_dump(mode="json")
    head = {"kind": "hop", "potential": folder_digest(place), "settings": settings}
    return {**head, "crystal": neb_tasks.atoms_to_plain(atoms), "hop": {**vars(hop)}}


def test_a_stage_that_is_there_is_not_done_again_and_the_result_is_the_same(tmp_path, lammps, monkeypatch):
    """The worker dies after the ends, and after the band; then the same task gives the same bytes."""
    place = Path(load_potential("argon_lennard_jones").save(tmp_path / "potential"))
    inputs = hop_inputs(place)
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    calm.mkdir()
    killed.mkdir()
    wanted = neb_tasks.start({"potential": str(place)})(inputs, calm)

    def die(*_):
        raise KeyboardInterrupt

    done = []
    for stage in ("_converged", "judged"):
        with monkeypatch.context() as patched:
            patched.setattr(neb_pair, stage, die)
            with pytest.raises(KeyboardInterrupt):
                neb_tasks.start({"potential": str(place)})(inputs, killed)
        done.append(sorted(path.name for path in killed.iterdir()))
    assert done == [["ends.npz"], ["band_0.npz", "ends.npz"]]
    for stage in ("_relaxed_ends", "_converged"):
        monkeypatch.setattr(neb_pair, stage, die)
    assert neb_tasks.start({"potential": str(place)})(inputs, killed) == wanted
    for name in ("ends.npz", "band_0.npz", "band.extxyz"):
        assert (killed / name).read_bytes() == (calm / name).read_bytes(), name


def test_a_task_for_another_potential_is_refused(tmp_path, lammps):
    place = load_potential("argon_lennard_jones").save(tmp_path / "potential")
    inputs = {**hop_inputs(place), "potential": "0" * 64}
    with pytest.raises(InputError, match="is not the potential this task was made for"):
        neb_tasks.start({"potential": str(place)})(inputs, tmp_path)


def test_a_hop_that_fails_has_its_reason_and_the_others_their_barriers(tmp_path, lammps):
    spec = small(min_width_a=8.0, max_distance_a=5.5)  # the second hop is too long for the cell
    result = run_neb_vacancy(spec, tmp_path)
    good, bad = result.hops
    assert (good["quality"], bad["quality"], result.is_refused) == ("pass", "refused", False)
    assert "raise min_width_a" in bad["reasons"][0]
    assert bad["distance_a"] == pytest.approx(good["distance_a"] * np.sqrt(2), rel=1e-3)


def test_a_crystal_that_cannot_be_relaxed_is_an_error(tmp_path, lammps):
    with pytest.raises(RunError, match="the crystal cannot be relaxed: not converged after 1 steps"):
        run_neb_vacancy(small(max_steps=1, fmax=1e-9, cell="free"), tmp_path)


def test_mistakes_are_found_before_anything_runs(tmp_path, lammps):
    with pytest.raises(InputError, match="found no Li in Ar"):
        run_neb_vacancy(small(mobile="Li"), tmp_path / "out")
    with pytest.raises(InputError, match="knows Li, Cl, not Ar"):
        run_neb_vacancy(small(), tmp_path / "out", potential="licl_born_mayer")
    assert not (tmp_path / "out").exists()


def test_the_committee_is_that_of_its_members(tmp_path):
    """Barriers from the committee's coefficients are those which each member gives as a potential of its own."""
    try:
        model = load_potential("li3ps4_pod")
    except (CatalogueError, FormatError, SpecError) as error:
        pytest.skip(f"the shipped POD of Li3PS4 does not load: {error}")
    atoms = crystal("gamma_li3ps4")
    images = [rattle(atoms, 0.05, seed=seed) for seed in range(3)]
    positions = np.array([image.positions for image in images])
    calculator = model.calculator()
    energies = []
    for image in images:
        image.calc = calculator
        energies.append(image.get_potential_energy())
    band = ConvergedBand(positions, np.array(energies), np.zeros_like(positions), 0.0, 1, True)
    hop = VacancyHop(0, 1, (1.0, 0.0, 0.0), 1, True, True, 2.0)
    interval = neb_tasks.Interval(0.3, 0.29, 0.31, 0.95, "")
    found = HopBarrier(hop, neb_pair.Verdict(), interval, interval, 0.1, band, template=atoms)
    committee = neb_tasks._committee(model, found)
    wanted = []
    for number in range(len(model.committee)):
        calculator = model.member(number).calculator()
        energies = []
        for image in images:
            image.calc = calculator
            energies.append(image.get_potential_energy())
        wanted.append(energies[1] - energies[0])
    assert committee["members_forward_ev"] == pytest.approx(np.array(wanted), abs=1e-6)
    spread = committee["barrier_forward_ev"]
    assert spread.value == 0.3
    assert spread.high - spread.value == pytest.approx(spread.value - spread.low)
    assert spread.high - spread.value > 1.96 * np.std(wanted, ddof=1)  # Student's t of so few is wider


def test_a_potential_without_committee_has_no_spread(tmp_path, lammps):
    assert neb_tasks._member_differences(load_potential("argon_lennard_jones"), [bulk("Ar", a=5.3)]) is None


def test_the_shipped_protocol_and_a_structure_of_ones_own(tmp_path):
    spec = load_protocol("neb_vacancy")
    assert isinstance(spec, NebVacancySpec)
    assert spec.structure.crystal == "licl"
    write(tmp_path / "mine.cif", bulk("LiCl", "rocksalt", a=5.1))
    assert spec.with_structure(tmp_path / "mine.cif").structure.file == str(tmp_path / "mine.cif")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_images": 4}, "n_images: found 4, expected an odd number"),
        ({"mobile": "lithium"}, "mobile"),
        ({"band_fmax": -0.1}, "greater than 0"),
        ({"cell": "loose"}, "expected 'free', 'isotropic' or 'fixed'"),
        ({"max_distance": 4.0}, "unknown key 'max_distance'.*did you mean 'max_distance_a'"),
        ({"structure": {"crystal": "licl", "file": "x.cif"}}, "found crystal and file of prototype, crystal and file"),
        (
            {"structure": {"prototype": "fcc", "species": ["Ar"], "density_g_cm3": [1.6, 1.7]}},
            "found 2 values, expected one",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        small(**changes)
    assert "\n" not in str(caught.value)
