"""``mlip-sse template`` and ``mlip-sse schema``: what they print can be used as it is."""

import json

import pytest

from mlip_sse.specs import KINDS, load_spec, spec_kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_printed_template_loads(program, tmp_path, kind):
    for variant in spec_kind(kind).models():
        outcome = program("template", kind, variant)
        assert outcome.code == 0
        path = tmp_path / "spec.yaml"
        path.write_text(outcome.out)
        assert getattr(load_spec(path, kind), spec_kind(kind).variant_key) == variant
        assert json.loads(program("template", kind, variant, "--json").out) == {"kind": kind, "template": outcome.out}


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_variant_is_the_default(program, kind):
    first = next(iter(spec_kind(kind).models()))
    assert program("template", kind).out == program("template", kind, first).out


def test_an_unknown_kind_or_variant_is_said(program):
    assert program("template", "protocols").err.startswith("error: no kind of spec 'protocols', expected one of ")
    outcome = program("template", "potential", "nothing-of-the-kind")
    assert outcome.code == 2
    assert "key 'family': found 'nothing-of-the-kind', expected one of " in outcome.err
