"""What the package offers, and what a worker process is spared."""

import subprocess
import sys

import pytest

from mlip_sse import engine


def test_every_name_is_there():
    assert engine.__all__ == sorted(engine.__all__, key=lambda name: (name != name.upper(), name[0].islower(), name))
    for name in engine.__all__:
        assert getattr(engine, name) is not None
        assert name in dir(engine)
    with pytest.raises(AttributeError, match="it offers ENGINES, LANES"):
        engine.Motor  # noqa: B018


def test_a_worker_imports_neither_parsl_nor_pydantic_nor_numpy():
    code = "import sys, mlip_sse.engine.worker; import mlip_sse.engine.work; import mlip_sse.engine.task_folder; "
    code += "print([name for name in ('parsl', 'pydantic', 'numpy', 'yaml') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_labels_do_not_import_parsl():
    code = "import sys, mlip_sse.references; print('parsl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
