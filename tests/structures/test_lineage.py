"""The lineage: steps in order, sources untouched, and back from a file."""

import json

from ase import Atoms
from ase.io import read, write

from mlip_sse.structures.lineage import lineage, provenance_of, with_step


def test_steps_add_up_and_the_source_stays_as_it_was():
    bare = Atoms("Li2", positions=[[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    first = with_step(bare, "read", file="a.cif")
    second = with_step(first, "rattle", seed=3)
    assert lineage(bare) == []
    assert [step["operation"] for step in lineage(first)] == ["read"]
    assert lineage(second) == [{"operation": "read", "file": "a.cif"}, {"operation": "rattle", "seed": 3}]
    assert provenance_of(second).operations == ("read", "rattle")


def test_awkward_text_comes_back_from_extxyz(tmp_path):
    made = with_step(
        Atoms("Li", cell=[4, 4, 4], pbc=True), "read", file='Å "höhe" \\ x', nested={"a": [1, 2.5, None, "ß"]}
    )
    write(tmp_path / "made.extxyz", made)
    assert lineage(read(tmp_path / "made.extxyz")) == lineage(made) == json.loads(json.dumps(lineage(made)))
