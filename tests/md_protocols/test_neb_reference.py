"""Where forces come from, and a reference along the same band: errors of the potential and of its path apart."""

import pytest

from mlip_sse.errors import CatalogueError, InputError, SpecError
from mlip_sse.md_protocols import NebVacancySpec, run_neb_vacancy
from mlip_sse.md_protocols.force_source import ForceSource, force_source
from mlip_sse.potentials import load_potential

ONE = {"scheduler": "embedded", "cores": 1}
LENNARD_JONES = "ase:ase.calculators.lj:LennardJones"
SMALL = {
    "description": "argon",
    "protocol": "neb_vacancy",
    "structure": {"prototype": "fcc", "species": ["Ar"], "density_g_cm3": [1.78]},
    "potential": "argon_lennard_jones",
    "mobile": "Ar",
    "max_distance_a": 4.0,
    "min_width_a": 8.5,
    "n_images": 1,
    "cell": "fixed",
    "n_neighbours": 2,
}


def reference_file(tmp_path, depth):
    """Write the spec of a Lennard-Jones argon of another depth."""
    path = tmp_path / f"argon_{depth}.yaml"
    settings = f"{{epsilon: {depth}, sigma: 3.405, rc: 8.5, smooth: true}}"
    path.write_text(f"kind: ase\ncalculator: ase.calculators.lj:LennardJones\nsettings: {settings}\n")
    return path


def test_a_reference_twice_as_deep_has_twice_the_barrier_and_no_other_path(tmp_path, lammps):
    plain = {**SMALL, "potential": f"reference:{reference_file(tmp_path, 0.0103)}"}
    plain |= {"reference": str(reference_file(tmp_path, 0.0206)), "reference_band": True, "fmax": 0.002}
    plain |= {"band_fmax": 0.002}
    result = run_neb_vacancy(NebVacancySpec.parse(plain), tmp_path / "out", engine=ONE)
    (hop,) = result.hops
    found = hop["on_reference"]
    mine = hop["barrier_forward_ev"]["value"]
    assert hop["quality"] == "pass", hop["reasons"]
    assert result.potential == "reference:ase"
    assert found["barrier_forward_ev"] == pytest.approx(2 * mine, rel=1e-6)
    assert found["potential_error_forward_ev"] == pytest.approx(-mine, rel=1e-6)
    # Forces of 0.002 eV/Å are left in either band; the same landscape but for its scale has the same path.
    assert found["path_error_forward_ev"] == pytest.approx(0, abs=1e-3)
    assert found["own_barrier_forward_ev"] == pytest.approx(2 * mine, abs=1e-3)
    total = mine - found["own_barrier_forward_ev"]
    assert total == pytest.approx(found["potential_error_forward_ev"] + found["path_error_forward_ev"], abs=1e-12)
    assert found["energies_ev"][0] == 0
    assert len(found["energies_ev"]) == len(hop["energies_ev"])


def test_a_source_is_a_potential_or_a_reference(tmp_path):
    named = force_source("licl_born_mayer", tmp_path)
    assert named.name == "licl_born_mayer"
    assert named.reference is None
    assert force_source(named, tmp_path) is named
    saved = force_source(load_potential("licl_born_mayer"), tmp_path)
    assert (tmp_path / "potential").is_dir()
    assert saved.digest == ForceSource(saved.settings).digest
    other = force_source(f"reference:{LENNARD_JONES}", tmp_path)
    assert other.potential is None
    assert other.name == "reference:ase"
    assert other.calculator() is other.calculator()
    assert other.digest != force_source("reference:ase:ase.calculators.emt:EMT", tmp_path).digest
    other.require_elements(["Ar"])


def test_a_source_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(SpecError, match="expected reference:KIND such as reference:chgnet"):
        force_source("reference:", tmp_path)
    with pytest.raises(SpecError, match=r"found no reference 'chgnett'.*did you mean 'chgnet'"):
        force_source("reference:chgnett", tmp_path)
    with pytest.raises(CatalogueError, match="licl_born_maye"):
        force_source("licl_born_maye", tmp_path)
    with pytest.raises(InputError, match="knows Li, Cl, not Na"):
        force_source("licl_born_mayer", tmp_path).require_elements(["Na"])


def test_a_band_of_a_reference_that_is_not_named_is_refused():
    with pytest.raises(SpecError, match="reference_band: found true without a reference"):
        NebVacancySpec.parse({**SMALL, "reference_band": True})
