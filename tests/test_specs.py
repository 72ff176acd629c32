"""Specs are checked in full, and say in one line what is wrong."""

from enum import StrEnum
from typing import Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from mlip_sse import spec_templates, specs
from mlip_sse.errors import CatalogueError, SpecError
from mlip_sse.spec_templates import spec_template
from mlip_sse.specs import KINDS, EntrySpec, Spec, SpecKind, load_spec, read_yaml, spec_kind


class Thermostat(StrEnum):
    BUSSI = "bussi"
    LANGEVIN = "langevin"


class Bath(Spec):
    thermostat: Thermostat = Field(Thermostat.BUSSI, description="how the temperature is held")
    damping_fs: float = Field(100.0, gt=0, description="relaxation time in fs")


class Heat(EntrySpec):
    """Heat a crystal."""

    step: Literal["heat"] = Field("heat", description="which step")
    temperatures_k: tuple[float, ...] = Field(min_length=1, description="in K", examples=[[500.0, 600.0]])
    n_steps: int = Field(1000, ge=1, le=10**9, description="MD steps at each temperature")
    bath: Bath = Field(Bath(), description="the heat bath")
    stages: tuple[Bath, ...] = Field((), description="further baths, one after the other")
    seed: int | None = Field(None, description="seed of the velocities", examples=[7])


class Cool(EntrySpec):
    """Cool a crystal."""

    step: Literal["cool"] = Field("cool", description="which step")


STEPS = {"heat": Heat, "cool": Cool}
GOOD = {"description": "d", "step": "heat", "temperatures_k": [500]}


@pytest.fixture
def kind(monkeypatch):
    own = SpecKind("analysis", "analysis", "not_a_module:STEPS", "step")
    monkeypatch.setattr(SpecKind, "models", lambda self: STEPS)
    monkeypatch.setattr(specs, "KINDS", {"analysis": own})
    return own


# Checking


def test_good_data_become_a_frozen_spec(kind):
    spec = kind.parse({**GOOD, "n_steps": 1e5, "bath": {"thermostat": "langevin"}})
    assert spec.n_steps == 100_000
    assert spec.bath == Bath(thermostat=Thermostat.LANGEVIN)
    with pytest.raises(ValueError, match="frozen"):
        spec.n_steps = 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": [{}, {"x": 3}]}, r"unknown key 'stages\[1\].x', expected one of thermostat, damping_fs"),
        (
            {"zzz": 3},
            "unknown key 'zzz', expected one of description, step, temperatures_k, n_steps, bath, stages, seed",
        ),
        ({"n_step": 3}, "unknown key 'n_step', .*; did you mean 'n_steps'?"),
        (
            {"bath": {"damping": 3}},
            r"unknown key 'bath.damping', expected one of thermostat, damping_fs; did you mean 'd",
        ),
        (
            {"stages": [{}, {"damp_fs": 3}]},
            r"unknown key 'stages\[1\].damp_fs', expected one of thermostat, damping_fs",
        ),
        ({"n_steps": "many"}, "key 'n_steps': found 'many', expected valid integer, unable to parse"),
        ({"n_steps": 0}, "key 'n_steps': found 0, expected greater than or equal to 1"),
        ({"temperatures_k": [500, "hot"]}, r"key 'temperatures_k\[1\]': found 'hot', expected valid number"),
        ({"temperatures_k": []}, r"key 'temperatures_k': found \[\], .*at least 1 item"),
        ({"temperatures_k": [float("nan")]}, r"key 'temperatures_k\[0\]': found nan, expected finite number"),
        ({"bath": {"thermostat": "busi"}}, "key 'bath.thermostat': found 'busi', expected 'bussi' or 'langevin'"),
        ({"description": ""}, "key 'description': found '', .*at least 1 character"),
        ({"seed": [1] * 100}, r"key 'seed': found \[1, 1, .*\.\.\., expected valid integer"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(kind, change, message):
    with pytest.raises(SpecError, match=rf"^run\.yaml: {message}") as caught:
        kind.parse({**GOOD, **change}, "run.yaml")
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named_and_a_misspelt_one_goes_first(kind):
    with pytest.raises(SpecError, match="missing key 'temperatures_k'"):
        kind.parse({"description": "d", "step": "heat"})
    misspelt = {"description": "d", "step": "heat", "temperature_k": [500]}
    with pytest.raises(SpecError, match=r"^spec: unknown key 'temperature_k', .* mean 'temperatures_k'\?; missing key"):
        kind.parse(misspelt)


def test_many_problems_are_counted(kind):
    data = {"step": "cool", **{f"key_{index}": index for index in range(9)}}
    with pytest.raises(SpecError, match=r"; and 7 more$"):
        kind.parse(data)


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("heats", "found 'heats', expected one of heat, cool; did you mean 'heat'"),
        (3, "found 3"),
        (None, "it is missing"),
    ],
)
def test_the_variant_is_checked_first(kind, variant, message):
    with pytest.raises(SpecError, match=f"key 'step': {message}"):
        kind.parse({"step": variant})


@pytest.mark.parametrize("data", [None, 3, "text", [1, 2]])
def test_what_is_no_mapping_is_refused(kind, data):
    with pytest.raises(SpecError, match="expected a mapping of keys to values"):
        kind.parse(data)
    with pytest.raises(SpecError, match="expected a mapping of keys to values"):
        Heat.parse(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
)
def test_any_data_give_a_spec_or_one_line(data):
    for parse, given_data in ((Heat.parse, data), (Cool.parse, data), (Heat.parse, {**GOOD, "bath": data})):
        message = ""
        try:
            assert isinstance(parse(given_data), Spec)
        except SpecError as error:
            message = str(error)
        assert len(message.splitlines()) <= 1


# Reading


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_plain_yaml_with_scientific_numbers(tmp_path):
    path = write(tmp_path / "a.yaml", "a: 1e-3\nb: 2.5E6\nc: 1.0e-4\nd: [1, x1e3, '1e3', -3e+2]\n")
    assert read_yaml(path) == {"a": 1e-3, "b": 2.5e6, "c": 1e-4, "d": [1, "x1e3", "1e3", -300.0]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "the key 'a' is given twice"),
        ("a: {b: 1, b: 2}\n", "the key 'b' is given twice"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: [1, 2\n", "not YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", "not YAML.*could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", "not YAML"),
        ("a: \x07\n", "not YAML"),
    ],
)
def test_bad_yaml_is_one_line(tmp_path, text, message):
    with pytest.raises(SpecError, match=message) as caught:
        read_yaml(write(tmp_path / "a.yaml", text))
    assert len(str(caught.value).splitlines()) == 1


def test_bytes_that_are_no_text_and_files_that_are_no_spec(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(SpecError, match="not UTF-8"):
        read_yaml(path)
    path.write_bytes(b" " * (5 << 20))
    with pytest.raises(SpecError, match="found 5242880 bytes"):
        read_yaml(path)


def test_deep_nesting_is_refused_not_a_crash(tmp_path):
    with pytest.raises(SpecError, match="nested too deeply"):
        read_yaml(write(tmp_path / "a.yaml", "[" * 5000 + "]" * 5000))


def test_load_spec_by_path_and_by_name(kind, tmp_path, monkeypatch):
    folder = tmp_path / "analysis"
    folder.mkdir()
    path = write(folder / "mine.yaml", yaml.safe_dump(GOOD))
    monkeypatch.setenv("MLIP_SSE_PATH", str(tmp_path))
    assert load_spec("mine", "analysis") == load_spec(path, "analysis") == Heat.parse(GOOD)
    write(path, "step: heat\n")
    with pytest.raises(SpecError, match=f"^{path}: missing key 'description'; missing key 'temperatures_k'$"):
        load_spec("mine", "analysis")
    with pytest.raises(CatalogueError, match="no entry 'yours'"):
        load_spec("yours", "analysis")


def test_a_kind_without_a_catalogue_loads_from_a_path_alone(tmp_path):
    path = write(tmp_path / "labels.yaml", "kind: gpaw\ncutoff_ev: 800\n")
    assert load_spec(path, "reference").cutoff_ev == 800
    with pytest.raises(CatalogueError, match=r"^found no file 'gpaw', expected the path of a reference spec$"):
        load_spec("gpaw", "reference")


# The kinds


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_found_by_both_names_and_its_models_by_their_variant(name):
    kind = spec_kind(name)
    if kind.folder is not None:
        assert spec_kind(kind.folder) is kind
    for variant, model in kind.models().items():
        assert issubclass(model, Spec if kind.folder is None else EntrySpec)
        assert kind.variant_key in model.model_fields
        assert kind.model(variant) is model


def test_an_unknown_kind_lists_the_kinds():
    with pytest.raises(SpecError, match=r"no kind of spec 'potentail', expected one of .*; did you mean 'potential'"):
        spec_kind("potentail")


@pytest.mark.parametrize("name", KINDS)
def test_every_template_loads(name, tmp_path):
    kind = spec_kind(name)
    for variant, model in kind.models().items():
        path = write(tmp_path / "filled_in.yaml", spec_template(name, variant))
        spec = load_spec(path, name)
        assert type(spec) is model
        assert getattr(spec, kind.variant_key) == variant


@pytest.mark.parametrize("name", KINDS)
def test_every_field_is_described(name):
    for variant, model in spec_kind(name).models().items():
        text = spec_template(name, variant)
        for field, info in model.model_fields.items():
            assert info.description, f"{name}/{variant}: {field}"
            assert info.description.split()[0] in text


@pytest.mark.parametrize("name", KINDS)
def test_the_schema_forbids_unknown_keys(name):
    kind = spec_kind(name)
    schema = kind.json_schema()
    objects = [schema, *schema.get("$defs", {}).values()]
    objects = [each for each in objects if each.get("type") == "object"]
    assert len(objects) >= len(kind.models())
    assert all(each["additionalProperties"] is False for each in objects)


def test_a_template_says_all_there_is_to_know(kind, monkeypatch):
    monkeypatch.setattr(spec_templates, "spec_kind", lambda name: kind)
    text = spec_template("analysis")
    assert text == (
        "# analysis: Heat a crystal.\n"
        "# Other templates: mlip-sse template analysis cool\n"
        "\n"
        "# what this entry is for, in one line; length ≥ 1; required\n"
        "description: my own entry\n"
        "# which step; optional\n"
        "step: heat\n"
        "# in K; length ≥ 1; required\n"
        "temperatures_k: [500.0, 600.0]\n"
        "# MD steps at each temperature; ≥ 1, ≤ 1000000000; optional\n"
        "n_steps: 1000\n"
        "# the heat bath; optional\n"
        "bath:\n"
        "  # how the temperature is held; one of bussi, langevin; optional\n"
        "  thermostat: bussi\n"
        "  # relaxation time in fs; > 0; optional\n"
        "  damping_fs: 100.0\n"
        "# further baths, one after the other; optional\n"
        "stages: []\n"
        "# seed of the velocities; optional\n"
        "# seed: 7\n"
    )
    assert kind.parse(yaml.safe_load(text)).temperatures_k == (500.0, 600.0)
    assert "step: cool" in spec_template("analysis", "cool")
    assert kind.json_schema()["discriminator"]["propertyName"] == "step"


def test_a_section_is_shown_with_its_default_or_its_example(kind, monkeypatch):
    class Sections(EntrySpec):
        step: Literal["both"] = "both"
        usual: Bath = Field(Bath(damping_fs=50.0), description="own default")
        needed: Bath = Field(description="no default", examples=[{"damping_fs": 7.0}])

    monkeypatch.setattr(SpecKind, "models", lambda self: {"both": Sections})
    monkeypatch.setattr(spec_templates, "spec_kind", lambda name: kind)
    filled_in = yaml.safe_load(spec_template("analysis"))
    assert filled_in["usual"] == {"thermostat": "bussi", "damping_fs": 50.0}
    assert filled_in["needed"] == {"thermostat": "bussi", "damping_fs": 7.0}
    assert Sections.parse(filled_in).usual == Bath(damping_fs=50.0)


def test_a_field_without_an_example_cannot_be_put_into_a_template(kind, monkeypatch):
    class Bare(EntrySpec):
        step: str
        secret: dict[str, int]

    monkeypatch.setattr(SpecKind, "models", lambda self: {"bare": Bare})
    monkeypatch.setattr(spec_templates, "spec_kind", lambda name: kind)
    with pytest.raises(TypeError, match="field 'secret' needs examples"):
        spec_template("analysis")
