"""Work for the tests of the engine: it counts its starts, and does on a bad day what codes do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def start(settings):
    """Return a function that does what its inputs say; ``settings["started"]`` gets a line for each attempt."""
    if settings.get("refuse"):
        raise ValueError("no licence\nfor this code")
    loaded = os.getpid()

    def run(inputs, folder):
        if "started" in settings:
            with open(settings["started"], "a") as stream:
                stream.write(f"{inputs.get('number', '')} {os.getpid()}\n")
        print("at work on", inputs)
        return {"worker": loaded, **DEEDS[inputs.get("deed", "square")](inputs, Path(folder))}

    return run


def square(inputs, folder):
    time.sleep(inputs.get("seconds", 0))
    return {"square": inputs["number"] ** 2, "threads": os.environ["OMP_NUM_THREADS"]}


def fail(inputs, folder):
    raise RuntimeError("the electrons\ndid not converge")


def refuse(inputs, folder):
    from mlip_sse.errors import InputError

    raise InputError("found an element that nobody knows")


def crash(inputs, folder):
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(inputs, folder):
    os._exit(3)


def hang(inputs, folder):
    """Hang with a child in a session of its own, as mpirun starts them."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (folder / "child.pid").write_text(str(child.pid))
    (folder / "worker.pid").write_text(str(os.getpid()))
    time.sleep(600)


def hang_in_c(inputs, folder):
    """Hang without letting go of the interpreter, so that no thread of this process can do anything."""
    import ctypes

    (folder / "worker.pid").write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(600)


def nonsense(inputs, folder):
    return {"forces": [[0.0, float("nan")]]}


def fill_disk(inputs, folder):
    raise OSError(28, "No space left on device")


def fail_once(inputs, folder):
    """Fail at the first attempt."""
    mark = folder / "tried"
    if not mark.exists():
        mark.touch()
        raise RuntimeError("the licence server is busy")
    return {"tried": 2}


def not_plain(inputs, folder):
    return {"object": object()}


def long(inputs, folder):
    """Return more than a small disk holds."""
    return {"numbers": list(range(50000))}


def long_at_first(inputs, folder):
    """Take ten minutes at the first attempt."""
    mark = folder / "tried"
    if not mark.exists():
        mark.touch()
        time.sleep(600)
    return {"attempt": 2}


DEEDS = {
    deed.__name__: deed
    for deed in (
        square, fail, refuse, crash, leave, hang, hang_in_c, nonsense, fill_disk, fail_once, not_plain, long,
        long_at_first,
    )
}  # fmt: skip
