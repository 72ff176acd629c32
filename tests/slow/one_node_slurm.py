"""A real SLURM of one node on loopback: munged, slurmctld and slurmd in a folder of their own, ended by their ids.

As a script, ``python tests/slow/one_node_slurm.py COMMAND...`` runs a command with it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "runuser")
PACKAGES = ("slurm-wlm", "munge")
READY_WITHIN_S = 60.0

CONFIGURATION = """
ClusterName=onenode
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=3
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class SlurmUnavailableError(Exception):
    """Why there can be no SLURM here."""


def require_programs():
    """Install SLURM from Debian's packages where it is missing.

    Raises
    ------
    SlurmUnavailableError
        When that cannot be.
    """
    if os.geteuid() != 0:
        raise SlurmUnavailableError("slurmd needs root")
    if all(map(shutil.which, PROGRAMS)):
        return
    if shutil.which("apt-get") is None:
        raise SlurmUnavailableError("there is neither SLURM nor apt-get")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
        try:
            done = subprocess.run(["apt-get", *arguments], env=quiet, capture_output=True, text=True, timeout=400)
        except subprocess.TimeoutExpired as error:
            raise SlurmUnavailableError("apt-get takes too long") from error
        if done.returncode != 0:
            raise SlurmUnavailableError(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-200:]}")
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise SlurmUnavailableError(f"Debian's packages brought no {', '.join(missing)}")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextmanager
def one_node_slurm(cores=2):
    """Start it, and give the environment that its commands need; nothing of it is left at the end."""
    require_programs()
    folder = Path(tempfile.mkdtemp(prefix="one-node-slurm-"))
    folder.chmod(0o755)  # munged runs as a user of its own
    try:
        environment = {**os.environ, "SLURM_CONF": str(write_configuration(folder, cores))}
        start_munged(folder)
        subprocess.run(["slurmctld", "-c"], env=environment, check=True)
        subprocess.run(["slurmd", "-c"], env=environment, check=True)
        wait_until_idle(folder, environment)
        yield environment
    finally:
        end_by_id(folder)
        shutil.rmtree(folder, ignore_errors=True)


def write_configuration(folder, cores):
    for name in ("state", "spool"):
        (folder / name).mkdir()
    controller_port, node_port = free_ports(2)
    host = socket.gethostname().partition(".")[0]
    text = CONFIGURATION.format(
        folder=folder, host=host, controller_port=controller_port, node_port=node_port, cores=cores
    )
    path = folder / "slurm.conf"
    path.write_text(text)
    return path


def start_munged(folder):
    own = folder / "munge"
    own.mkdir(mode=0o711)
    key = own / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    for path in (own, key):
        shutil.chown(path, "munge", "munge")
    files = {"key-file": key, "socket": own / "socket", "pid-file": own / "munged.pid", "log-file": own / "log",
             "seed-file": own / "seed"}  # fmt: skip
    options = [f"--{name}={path}" for name, path in files.items()]
    subprocess.run(["runuser", "-u", "munge", "--", "munged", *options], check=True)


def wait_until_idle(folder, environment):
    deadline = time.monotonic() + READY_WITHIN_S
    said = ""
    while time.monotonic() < deadline:
        done = subprocess.run(["sinfo", "-h", "-o", "%t"], env=environment, capture_output=True, text=True)
        said = (done.stdout + done.stderr).strip()
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.3)
    log = folder / "slurmctld.log"
    raise RuntimeError(f"SLURM was not ready within {READY_WITHIN_S} s: {said}; {log.read_text()[-500:]}")


def end_by_id(folder):
    """End the daemons by the ids in their own files: slurmd first, so that its jobs end with it."""
    with suppress(OSError):
        environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        subprocess.run(["scancel", "--full", "--signal=KILL", "--state=RUNNING"], env=environment, timeout=20)
    for path in (folder / "slurmd.pid", folder / "slurmctld.pid", folder / "munge" / "munged.pid"):
        with suppress(OSError, ValueError):
            end(int(path.read_text()))


def end(pid):
    for sign, patience_s in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.05)


if __name__ == "__main__":
    with one_node_slurm() as with_slurm:
        sys.exit(subprocess.run(sys.argv[1:], env=with_slurm).returncode)
