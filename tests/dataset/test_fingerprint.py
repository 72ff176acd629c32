"""Two fingerprints agree when no element's label would change between them."""

import pytest

from mlip_sse.dataset import Fingerprint
from mlip_sse.errors import InputError, SpecError

SULFIDE = Fingerprint(
    method="dft", code="vasp", code_version="6.4.3", functional="PBE", cutoff_ev=520,
    pseudopotentials={"Li": "Li_sv", "S": "S"},
)  # fmt: skip
CHLORIDE = SULFIDE.model_copy(update={"pseudopotentials": {"Li": "Li_sv", "Cl": "Cl"}})


def test_pseudopotentials_of_other_elements_do_not_part_two_fingerprints():
    both = SULFIDE.merged(CHLORIDE)
    assert both.pseudopotentials == {"Cl": "Cl", "Li": "Li_sv", "S": "S"}
    assert both.restricted_to(["Li", "S"]).digest == SULFIDE.digest
    assert both.restricted_to(["Li"]).digest == SULFIDE.restricted_to(["Li"]).digest


@pytest.mark.parametrize(
    "change",
    [
        {"cutoff_ev": 400.0},
        {"functional": "PBE+U"},
        {"code_version": "5.4.4"},
        {"k_spacing_inv_a": 0.3},
        {"settings": {"ISPIN": 2}},
        {"pseudopotentials": {"Li": "Li", "S": "S"}},
    ],
)
def test_whatever_changes_a_label_parts_them(change):
    other = SULFIDE.model_copy(update=change)
    assert other.digest != SULFIDE.digest
    assert next(iter(change)) in SULFIDE.difference(other)
    with pytest.raises(InputError, match="made in two ways"):
        SULFIDE.merged(other)


def test_the_digest_is_pinned():
    assert SULFIDE.digest == "a7f6fb04f941"


def test_a_surrogate_is_called_one():
    found = Fingerprint(method="surrogate", code="chgnet", code_version="0.4.2", model="0.3.0")
    assert found.describe() == "surrogate chgnet 0.4.2, 0.3.0"


def test_bad_fingerprints():
    with pytest.raises(InputError, match="empty fingerprint"):
        Fingerprint.declared("  ")
    with pytest.raises(SpecError, match="method"):
        Fingerprint.parse({"method": "magic", "code": "x"})
