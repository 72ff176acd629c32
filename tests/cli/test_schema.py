"""``mlip-sse schema``."""

import json

import pytest

from mlip_sse.specs import KINDS, spec_kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_describes_every_key_of_every_variant(program, kind):
    outcome = program("schema", kind)
    assert outcome.code == 0
    schema = json.loads(outcome.out)
    described = {key for each in [schema, *schema.get("$defs", {}).values()] for key in each.get("properties", {})}
    for model in spec_kind(kind).models().values():
        assert set(model.model_fields) <= described


def test_an_unknown_kind_is_said(program):
    outcome = program("schema", "protocol")
    assert outcome.code == 2
    listed = "expected one of analysis, md_protocol, campaign, potential, reference, engine, properties"
    assert outcome.err == f"error: no kind of spec 'protocol', {listed}; did you mean 'md_protocol'?\n"
