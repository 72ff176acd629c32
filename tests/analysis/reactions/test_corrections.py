"""Which scheme an energy carries, and that two never meet; the trap of the legacy sulphide correction."""

import json

import pytest

from mlip_sse.analysis.reactions.corrections import StoredEnergy, schemes_of
from mlip_sse.analysis.reactions.electrochemistry import phase_stability
from mlip_sse.analysis.reactions.entries import phases_of, read_entries, read_phases, write_entries
from mlip_sse.analysis.reactions.hull import ConvexHull
from mlip_sse.analysis.reactions.interfaces import react
from mlip_sse.analysis.reactions.phases import PhaseSet, Scheme, read_formula
from mlip_sse.errors import InputError

LEGACY_S, MP2020_S, MP2020_CL = -0.66346, -0.503, -0.614


def stored(formula, energy, correction=0.0, **more):
    return StoredEnergy(read_formula(formula), energy, correction, formula, **more)


def test_the_numbers_of_an_old_export_say_which_scheme_it_is(entries_path):
    assert set(schemes_of(read_entries(entries_path))) == {Scheme.LEGACY}


@pytest.mark.parametrize(
    ("per_sulphur", "scheme"), [(LEGACY_S, Scheme.LEGACY), (MP2020_S, Scheme.MP2020), (-0.3, Scheme.UNNAMED)]
)
def test_bare_sums_are_recognised(per_sulphur, scheme):
    sulphides = [stored("Li2S", -4.0, per_sulphur), stored("Li2S4", -4.0, 4 * per_sulphur)]
    entries = [stored("Li", 0.0), stored("S", 0.0), *sulphides]
    assert schemes_of(entries) == [scheme] * 4
    assert phases_of(entries, "file").scheme is scheme


def test_names_beside_the_numbers_decide():
    entries = [stored("Li", 0.0), stored("Li2S", -4.0, -0.1, names=("MaterialsProject2020Compatibility",))]
    assert schemes_of(entries) == [Scheme.MP2020] * 2


def test_an_uncorrected_sulphide_among_corrected_ones_is_refused_with_both_names():
    entries = [
        *(stored("Li", 0.0), stored("S", 0.0), stored("P", 0.0)),
        *(stored("Li2S", -4.0, MP2020_S), stored("Li3PS4", -9.0, 4 * MP2020_S), stored("P2S5", -5.0)),
    ]
    with pytest.raises(InputError, match=r"mixed corrections: .*'MP2020'.*P2S5.*'none'"):
        phases_of(entries, "file")


def test_a_surrogate_with_corrections_inside_meets_no_other_hull(make_phases):
    energies = {"Li": 0.0, "Cl": 0.0, "LiCl": -4.2}
    surrogate = make_phases(energies, Scheme.BAKED)
    for scheme in (Scheme.NONE, Scheme.LEGACY, Scheme.MP2020):
        with pytest.raises(InputError, match="mixed corrections") as refusal:
            surrogate.joined(make_phases(energies, scheme))
        assert Scheme.BAKED in str(refusal.value)
        assert f"{scheme.value!r}" in str(refusal.value)


def test_the_state_of_a_surrogate_survives_a_file_and_cannot_be_corrected_again(make_phases, tmp_path):
    path = tmp_path / "entries.json"
    write_entries(path, make_phases({"Li": 0.0, "Cl": 0.0, "LiCl": -4.2}, Scheme.BAKED))
    phases = read_phases(path)
    assert phases.scheme is Scheme.BAKED
    reasons = react(ConvexHull(phases), "Li", "Cl").verdict.reasons
    assert any("tens of meV/atom" in reason for reason in reasons)
    for corrections in ("none", "MP2020"):
        with pytest.raises(InputError, match="cannot be taken off"):
            read_phases(path, corrections)


def test_corrected_energies_that_were_written_again_are_not_taken_for_plain_ones(make_phases, tmp_path):
    path = tmp_path / "entries.json"
    write_entries(path, make_phases({"Li": 0.0, "Cl": 0.0, "LiCl": -4.2}, Scheme.MP2020))
    assert read_phases(path).scheme is Scheme.MP2020
    with pytest.raises(InputError, match="'MP2020', which cannot be taken off"):
        read_phases(path, "none")


def sulphides(per_sulphur):
    """Return Li, S8, Li2S and a polysulphide 20 meV/atom above the hull without corrections."""
    polysulphide = -3.9 / 3 * 2 + 6 * 0.02  # of Li2S4, on the tie line at −2.6 eV for two Li
    energies = {"Li": 0.0, "S8": 0.0, "Li2S": -3.9, "Li2S4": polysulphide - 1.3}
    counts = {"Li": 0, "S8": 0, "Li2S": 1, "Li2S4": 4}
    return [stored(f, e, counts[f] * per_sulphur) for f, e in energies.items()]


def test_the_legacy_correction_makes_polysulphides_stable_and_this_is_said():
    """Without corrections Li2S and S8 do nothing; −0.663 eV for each S of Li2S4, none for S8, makes them react."""
    raw = react(ConvexHull(phases_of(sulphides(0.0), "raw")), "Li2S", "S8")
    legacy = react(ConvexHull(phases_of(sulphides(LEGACY_S), "legacy")), "Li2S", "S8")
    assert raw.reaction_energy_ev_atom.value == 0.0
    # Li2S + 3 S → Li2S4: 6 · 0.02 − 3 · 0.66346 eV over six atoms
    assert legacy.reaction_energy_ev_atom.value == pytest.approx((6 * 0.02 + 3 * LEGACY_S) / 6)
    assert legacy.corrections == "MP legacy (MP2018)"
    assert any("LiS4, P2S7" in reason and "too stable" in reason for reason in legacy.verdict.reasons)
    assert not any("too stable" in reason for reason in raw.verdict.reasons)


def test_the_legacy_correction_shifts_the_oxidation_limit_and_this_is_said():
    """Li2S → S + 2 Li: the sulphide is corrected and the element is not, which is 0.66346 eV over two electrons."""
    limits = {}
    for name, per_sulphur in (("raw", 0.0), ("legacy", LEGACY_S)):
        stability = phase_stability(ConvexHull(phases_of(sulphides(per_sulphur)[:3], name)), "Li2S")
        limits[name] = stability.oxidation_limit_v.value
        assert any("oxidation limits" in reason for reason in stability.verdict.reasons) == (name == "legacy")
    assert limits["raw"] == pytest.approx(3.9 / 2)
    assert limits["legacy"] - limits["raw"] == pytest.approx(-LEGACY_S / 2)


def test_a_scheme_can_be_put_in_place_where_the_calculation_is_known(entries_path):
    with entries_path.open() as stream:
        some = [entry for entry in json.load(stream) if set(entry["composition"]) <= {"Li", "O"}]
    entries = [entry for entry in read_entries(entries_path) if set(entry.amounts) <= {"Li", "O"}]
    assert len(entries) == len(some)
    phases = phases_of(entries, "file", "MP2020")
    assert phases.scheme is Scheme.MP2020
    bare = PhaseSet(tuple(p for p in phases_of(entries, "file", "none").phases if p.formula == "Li2O"))
    corrected = phases.lowest({"Li": 2, "O": 1})
    assert corrected.energy - bare.lowest({"Li": 2, "O": 1}).energy == pytest.approx(-0.687 * corrected.amounts["O"])
