"""The digest of a folder."""

import pytest

from mlip_sse.errors import InputError
from mlip_sse.potentials.whole_folder import folder_digest


def test_the_digest_is_that_of_names_and_contents(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name / "inside").mkdir(parents=True)
        (tmp_path / name / "inside" / "b.txt").write_text("b")
        (tmp_path / name / "a.txt").write_text("a")
    first = folder_digest(tmp_path / "one")
    # Pinned: who changes the rule orphans all tasks of exploration that users have.
    assert first == "5513616c9f718664573ab0b634d1fd10f20f0d0d8ecabd2ec6bc0f6b3a777e5f"
    assert folder_digest(str(tmp_path / "other")) == first
    (tmp_path / "other" / "a.txt").write_text("c")
    assert folder_digest(tmp_path / "other") != first
    (tmp_path / "other" / "a.txt").rename(tmp_path / "one" / "c.txt")
    assert folder_digest(tmp_path / "one") != first


def test_nothing_has_no_digest(tmp_path):
    with pytest.raises(InputError, match="found no files"):
        folder_digest(tmp_path / "nowhere")
