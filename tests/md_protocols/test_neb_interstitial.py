"""Barriers of an interstitial: two ions in one step, a saddle that symmetry fixes, and ends that fall together."""

import json

import numpy as np
import pytest
from ase.constraints import FixAtoms
from ase.optimize import BFGS

from mlip_sse.errors import MissingExtraError, RunError, SpecError
from mlip_sse.md_protocols import (
    InterstitialSettings,
    NebInterstitialSpec,
    load_protocol,
    neb_interstitial_hops,
    run_neb_interstitial,
)
from mlip_sse.md_protocols.neb_interstitial import find_interstitial_hops, interstitial_ends
from mlip_sse.md_protocols.neb_vacancy import relaxed_crystal
from mlip_sse.potentials import load_potential
from mlip_sse.structures import crystal

SMALL = {
    "cell": "isotropic",
    "min_width_a": 10.0,
    "max_sites": 1,
    "reach": 1.1,
    "n_images": 3,
    "fmax": 0.01,
    "band_fmax": 0.02,
    "n_neighbours": 4,
}


@pytest.fixture(scope="module")
def salt():
    """Return the calculator of the shipped LiCl."""
    try:
        return load_potential("licl_born_mayer").calculator()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def hops(salt):
    """Return the barriers of the four sorts of hops, by mechanism and angle."""
    found = neb_interstitial_hops(crystal("licl"), salt, InterstitialSettings(**SMALL))
    return {(each.hop.mechanism, round(each.hop.angle_deg or 0)): each for each in found}


@pytest.mark.slow
def test_the_push_along_a_line_moves_two_ions_and_is_the_easiest(hops):
    assert set(hops) == {("direct", 0), ("interstitialcy", 71), ("interstitialcy", 109), ("interstitialcy", 180)}
    straight = hops["interstitialcy", 180]
    assert straight.verdict.quality == "pass", straight.verdict.reasons
    assert len(straight.moving) == 2
    assert straight.barrier_forward.value == min(each.barrier_forward.value for each in hops.values())
    assert straight.barrier_forward.value == pytest.approx(straight.barrier_backward.value, abs=1e-6)
    assert len(hops["direct", 0].moving) == 1


@pytest.mark.slow
def test_the_saddle_of_the_straight_push_is_the_pair_around_the_lattice_site(hops, salt):
    """At the top two ions share the site, each as far from it: hold that pair and relax the rest."""
    found = hops["interstitialcy", 180]
    settings = InterstitialSettings(**SMALL)
    relaxed = relaxed_crystal(crystal("licl"), salt, settings)
    hop = next(each for each in find_interstitial_hops(relaxed, settings) if round(each.angle_deg or 0) == 180)
    initial, final = interstitial_ends(relaxed, hop, "Li", settings.min_width_a)
    moved = np.linalg.norm(final.positions - initial.positions, axis=1)
    pair = np.flatnonzero(moved > 0.1)
    assert len(pair) == 2
    assert moved[pair] == pytest.approx(np.linalg.norm(hop.push_from), abs=1e-6)
    middle = initial.copy()
    middle.positions = 0.5 * (initial.positions + final.positions)
    middle.calc = salt
    middle.set_constraint(FixAtoms([int(pair[0])]))  # along the line the two repel; symmetry keeps them on it
    BFGS(middle, logfile=None).run(fmax=0.02, steps=200)
    top = found.images[found.band.top]
    lengths = [each.get_distance(*map(int, pair), mic=True) for each in (middle, top)]
    assert lengths[1] == pytest.approx(lengths[0], abs=0.25)
    assert found.images[0].get_distance(*map(int, pair), mic=True) < hop.distance


@pytest.mark.slow
def test_the_lattice_keeps_its_ions_and_their_order(hops):
    for found in hops.values():
        start, end = found.images[0], found.images[-1]
        assert list(start.symbols) == list(end.symbols)
        assert start.get_chemical_formula() != crystal("licl").repeat(2).get_chemical_formula()
        steps = np.diff(found.band.positions, axis=0)
        assert np.linalg.norm(steps, axis=2).max() < 2.5  # nothing jumps by a lattice vector


def test_ends_that_relax_to_one_site_are_refused(salt):
    """Two voids given 0.3 Å apart: both ends relax to the one void there is."""
    settings = InterstitialSettings(
        **{**SMALL, "sites": ((0.25, 0.25, 0.21),), "mechanisms": ("direct",), "reach": 1.0, "symmetrise": False}
    )
    (found,) = neb_interstitial_hops(crystal("licl"), salt, settings)
    assert found.hop.distance < 0.7
    assert found.verdict.quality == "refused"
    assert "both ends relax to the same site" in found.verdict.reasons[0]


@pytest.mark.slow
def test_an_interstitial_that_runs_away_is_refused(salt, monkeypatch):
    from mlip_sse.md_protocols import neb_interstitial

    monkeypatch.setattr(neb_interstitial, "_STAYS_A", 0.01)
    settings = InterstitialSettings(**{**SMALL, "mechanisms": ("direct",)})
    (found,) = neb_interstitial_hops(crystal("licl"), salt, settings)
    assert found.verdict.quality == "refused"
    assert "does not stay where it was put" in found.verdict.reasons[0]


@pytest.mark.slow
def test_the_protocol_runs_once(tmp_path, lammps):
    plain = {
        "description": "LiCl",
        "protocol": "neb_interstitial",
        "structure": {"crystal": "licl"},
        "potential": "licl_born_mayer",
        **SMALL,
        "mechanisms": ["direct"],
    }
    spec = NebInterstitialSpec.parse(plain)
    first, again = (run_neb_interstitial(spec, tmp_path, engine={"scheduler": "embedded", "cores": 1}) for _ in "ab")
    assert (first.n_reused, again.n_reused) == (0, 2)
    (hop,) = json.loads(json.dumps(again.to_dict()))["hops"]
    assert (hop["mechanism"], hop["quality"], hop["pushed"]) == ("direct", "pass", None)
    assert [each["kind"] for each in hop["extrema"]] == ["maximum"]
    with pytest.raises(RunError, match="the crystal cannot be relaxed"):
        run_neb_interstitial(NebInterstitialSpec.parse({**plain, "max_steps": 1, "fmax": 1e-9}), tmp_path)
    with pytest.raises(SpecError, match="mechanisms"):
        NebInterstitialSpec.parse({**plain, "mechanisms": ["kick-out"]})


def test_the_shipped_protocol_loads():
    assert isinstance(load_protocol("neb_interstitial"), NebInterstitialSpec)
