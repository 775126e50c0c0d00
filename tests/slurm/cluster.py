"""A Slurm of two nodes on this machine, for tests: munged, slurmctld and two slurmd, as root."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sinfo", "sbatch")

CONFIG = """
ClusterName=i2ibench
SlurmctldHost={host}
SlurmctldPort=17000
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=bf_interval=1,sched_interval=1
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port=17001 CPUs=2 RealMemory=8000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port=17002 CPUs=2 RealMemory=8000
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """The programs of Slurm that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Run the cluster; gives the environment in which its commands find it."""
    for name in ("state", "spool-n1", "spool-n2"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    config = folder / "slurm.conf"
    config.write_text(CONFIG.format(host=socket.gethostname(), folder=folder))
    environment = {**os.environ, "SLURM_CONF": str(config), "PATH": _path()}
    munged = ["munged", "-F", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
              f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log",
              f"--seed-file={folder}/munge.seed"]  # fmt: skip
    commands = [munged, ["slurmctld", "-D"], ["slurmd", "-D", "-N", "n1"],
                ["slurmd", "-D", "-N", "n2"]]  # fmt: skip
    running = []
    try:
        for command in commands:
            running.append(
                subprocess.Popen(
                    command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )  # fmt: skip
            )
            time.sleep(1)
        _wait_for_nodes(environment)
        yield environment
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait(timeout=30)


def _wait_for_nodes(environment: dict[str, str]) -> None:
    for _ in range(60):
        answer = subprocess.run(["sinfo", "-h", "-N", "-o", "%T"], env=environment, text=True,
                                capture_output=True, check=False)  # fmt: skip
        if answer.stdout.split() == ["idle", "idle"]:
            return
        time.sleep(1)
    raise RuntimeError(f"the nodes do not come up: {answer.stdout} {answer.stderr}")


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"
