"""Model files: nothing in them is executed, and what is not ours is refused in one line."""

import json
import pickle

import numpy as np
import pytest

from mlip_sse.errors import FormatError
from mlip_sse.properties.contract import regressor
from mlip_sse.properties.storage import ARRAYS_FILE, MODEL_FILE, read_model, write_model
from mlip_sse.provenance import sha256_of_file


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    fitted = regressor("linear", n_folds=3).fit(rng.normal(size=(12, 2)), rng.normal(size=12))
    write_model(tmp_path / "model", fitted, {"unit": "GPa"})
    return tmp_path / "model"


def changed(folder, **keys):
    document = json.loads((folder / MODEL_FILE).read_text())
    document.update(keys)
    (folder / MODEL_FILE).write_text(json.dumps(document))


def test_another_version_is_refused(folder):
    changed(folder, format_version=1)
    with pytest.raises(FormatError, match=r"found format version 1, expected \d: fit the model again"):
        read_model(folder)


def test_a_class_that_is_not_ours_is_not_built(folder):
    for name in ("os:system", "builtins:eval", "contract:Prediction", "models.linear:Nothing"):
        changed(folder, fitted={"class": name, "fields": {}})
        with pytest.raises(FormatError, match=r"found the class .* in a model"):
            read_model(folder)


def test_a_pickle_is_never_opened(folder):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was executed",))

    (folder / MODEL_FILE).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(FormatError, match="a pickle is never opened"):
        read_model(folder)


def test_arrays_of_objects_are_never_opened(folder):
    np.savez(folder / ARRAYS_FILE, a0=np.array([{"an": "object"}], dtype=object))
    changed(folder, arrays_sha256=sha256_of_file(folder / ARRAYS_FILE))
    with pytest.raises(FormatError, match="a pickle is never opened"):
        read_model(folder)


def test_other_arrays_than_those_written_are_refused(folder):
    np.savez(folder / ARRAYS_FILE, a0=np.zeros(2))
    with pytest.raises(FormatError, match=r"not the arrays that model\.json was written with"):
        read_model(folder)


def test_no_model_is_one_line(tmp_path):
    with pytest.raises(FormatError, match=r"found no model\.json"):
        read_model(tmp_path)
