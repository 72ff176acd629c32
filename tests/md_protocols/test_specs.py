"""Protocols are checked in full before the first step."""

import pytest

from mlip_sse.catalogue import entries
from mlip_sse.errors import CatalogueError, SpecError
from mlip_sse.md_protocols import DiffusionSpec, ProtocolSpec, load_protocol

INJECTIONS = ["900\nshell id", "900 &", "${HOME}", "$(1+1)", "900; shell id", '"""', "@seed", "", "nine hundred"]


def test_the_example_is_accepted_and_frozen(short):
    spec = DiffusionSpec.parse(short)
    assert spec.preparation_steps == 150
    assert spec.production_steps == 200
    assert spec.total_steps == 350
    with pytest.raises(ValueError, match="frozen"):
        spec.timestep_fs = 1.0


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_passes_for_a_number(short, text):
    places = [
        {"temperatures_k": [text]},
        {"seeds": [text]},
        {"timestep_fs": text},
        {"equilibration_ps": text},
        {"production_ps": text},
        {"dump_every_fs": text},
        {"current_every_fs": text},
        {"dump_velocities": text},
        {"time_limit_hours": text},
        {"melt": {**short["melt"], "temperature_k": text}},
        {"thermostat": {"kind": text}},
        {"thermostat": {"time_constant_fs": text}},
        {"structure": {**short["structure"], "prototype": text}},
        {"structure": {**short["structure"], "species": ["Li", text]}},
        {"structure": {**short["structure"], "repeats": [1, 1, text]}},
        {"structure": {**short["structure"], "density_g_cm3": [text]}},
    ]
    for place in places:
        with pytest.raises(SpecError) as caught:
            DiffusionSpec.parse({**short, **place})
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperatures_k": [-300.0]}, r"temperatures_k\[0\]': found -300.0, .*greater than 0"),
        ({"temperatures_k": [0.0]}, "greater than 0"),
        ({"temperatures_k": [float("nan")]}, "temperatures_k"),
        ({"temperatures_k": [float("inf")]}, "temperatures_k"),
        ({"temperatures_k": []}, "at least 1 item"),
        ({"temperatures_k": [900.0, 900.0]}, "temperatures_k: found a value twice in 900, 900"),
        ({"seeds": [1, 1]}, "seeds: found a value twice"),
        ({"seeds": [0]}, "greater than or equal to 1"),
        ({"seeds": [900_000_000]}, "less than or equal to 899999999"),
        ({"seeds": [1.5]}, "integer"),
        ({"temperature_k": [900.0]}, "unknown key 'temperature_k'.*did you mean 'temperatures_k'"),
        ({"timestep_fs": 0.0}, "greater than 0"),
        ({"dump_every_fs": 5.0}, "dump_every_fs: found 5 fs, expected a multiple of timestep_fs = 2"),
        ({"dump_every_fs": 0.5}, "expected a multiple of timestep_fs"),
        ({"current_every_fs": 3.0}, "current_every_fs: found 3 fs, expected a multiple"),
        ({"production_ps": 0.03}, "expected at least two times dump_every_fs"),
        ({"production_ps": 1e12}, "steps for one run"),
        ({"thermostat": {"kind": "langevin"}}, "thermostat.kind"),
        (
            {"structure": {"prototype": "rocksalt", "species": ["Li"], "density_g_cm3": [1.0]}},
            "found 1 species, expected 2",
        ),
        ({"structure": {"prototype": "fcc", "species": ["Ar", "Ne"], "density_g_cm3": [1.0]}}, "found 2 species"),
        ({"structure": {"prototype": "fcc", "species": ["Ar"]}}, "needs density_g_cm3"),
        ({"structure": {}}, "found none of prototype, crystal and file"),
        (
            {"structure": {"prototype": "fcc", "species": ["Ar"], "file": "x.cif"}},
            "found prototype and file of prototype, crystal and file",
        ),
        ({"structure": {"file": "x.cif", "species": ["Ar"]}}, "found species beside file"),
        (
            {"structure": {"prototype": "fcc", "species": ["Ar"], "density_g_cm3": [1.0, 1.1]}},
            "found 2 values for 1 temperatures",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(short, changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        DiffusionSpec.parse({**short, **changes})
    assert "\n" not in str(caught.value)


def test_intervals_that_are_multiples_in_all_but_rounding_pass(short):
    spec = DiffusionSpec.parse({**short, "timestep_fs": 0.1, "dump_every_fs": 0.3, "production_ps": 0.01})
    assert spec.every(spec.dump_every_fs) == 3
    assert spec.production_steps == 99  # the last whole frame


def test_densities_go_with_the_temperatures(short):
    both = {**short["structure"], "density_g_cm3": [1.5, 1.4]}
    spec = DiffusionSpec.parse({**short, "structure": both, "temperatures_k": [900.0, 1100.0]})
    assert [spec.density_at(index) for index in (0, 1)] == [1.5, 1.4]
    one = DiffusionSpec.parse({**short, "temperatures_k": [900.0, 1100.0]})
    assert [one.density_at(index) for index in (0, 1)] == [1.45, 1.45]


@pytest.mark.parametrize("entry", entries("md_protocols"), ids=lambda entry: entry.name)
def test_each_shipped_protocol_loads_and_fits_its_potential(entry, tmp_path):
    from mlip_sse.md_protocols.force_source import force_source

    spec = load_protocol(entry.name)
    if (potential := force_source(spec.potential, tmp_path).potential) is None:
        return  # a reference knows all elements it was trained on
    card = potential.card
    species = spec.structure.species if isinstance(spec, ProtocolSpec) else ()
    assert set(species) <= set(card.elements)
    assert all(card.temperature_k[0] <= t <= card.temperature_k[1] for t in getattr(spec, "temperatures_k", ()))


def test_a_structure_file_is_looked_for_beside_the_protocol(tmp_path, short):
    import yaml

    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**short, "structure": {"file": "cells/licl.vasp"}}))
    assert load_protocol(path).structure.file == str(tmp_path / "cells" / "licl.vasp")


def test_a_name_that_is_not_there_lists_those_that_are():
    with pytest.raises(
        CatalogueError,
        match=r"antiperovskite_barriers, bulk_diffusion, elastic, equation_of_state, .*interface_anneal, "
        r"interface_energy, liquid_argon, melt_quench, molten_licl, neb_batch, neb_images, neb_interstitial, "
        r"neb_vacancy, quasi_harmonic, relax, thermal_expansion"
        r".*did you mean 'molten_licl'",
    ):
        load_protocol("molten_lcl")
