"""Runs the job scripts of this folder for real and compares their table with that of a single run, byte for byte.

    python check.py slurm ALNM        # slurmctld and slurmd (Debian: slurm-wlm), as root
    python check.py snakemake ALNM    # snakemake

ALNM is the program. Slurm is started with four nodes on this machine, in a folder of its own; while the array runs, one
node with all its processes is killed. Of Snakemake one part is killed; it is run again by `--retries`.
"""

import array
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CASES = 192
NODES = 4
PARAMETERS = """\
setting: {binWidth: 10}
imageType: {Original: {}, Wavelet: {}, LoG: {sigma: [1.0, 2.0]}}
"""
SLURM = """\
ClusterName=check
SlurmctldHost={host}
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
SlurmdTimeout=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SchedulerType=sched/builtin
JobRequeue=1
{nodes}
PartitionName=all Nodes=ALL Default=YES State=UP
"""


def write_nrrd(path, kind, size, values):
    header = f"NRRD0004\ntype: {kind}\ndimension: 3\nsizes: {' '.join(map(str, size))}\nencoding: raw\nendian: little\n"
    header += "space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,2)\nspace origin: (0,0,0)\n\n"
    path.write_bytes(header.encode() + values.tobytes())


def make_cases(folder):
    """Lesions of different sizes in noise, a list of them, and parameters."""
    size = (48, 48, 24)
    voxels = [(x, y, z) for z in range(size[2]) for y in range(size[1]) for x in range(size[0])]
    noise = random.Random(1)
    texture = [noise.gauss(0, 20) for _ in voxels]
    lines = ["Patient,Image,Mask"]
    for number in range(CASES):
        radius = 8 + number % 7
        inside = [math.dist((x, y, 2 * z), (24, 24, 24)) < radius for x, y, z in voxels]
        shift = 97 * number
        image = array.array(
            "f", (100 + 60 * is_in + texture[(place + shift) % len(texture)] for place, is_in in enumerate(inside))
        )
        write_nrrd(folder / f"image{number}.nrrd", "float", size, image)
        write_nrrd(folder / f"mask{number}.nrrd", "uint8", size, array.array("B", inside))
        lines.append(f"P{number:03},image{number}.nrrd,mask{number}.nrrd")
    (folder / "cohort.csv").write_text("\n".join(lines) + "\n")
    (folder / "params.yaml").write_text(PARAMETERS)


def processes():
    """The parent and the command line of each process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        found[int(folder.name)] = (parent, line)
    return found


def family(roots, running):
    """Processes and all that descend from them."""
    found = set(roots)
    while True:
        more = found | {pid for pid, (parent, _) in running.items() if parent in found}
        if more == found:
            return found
        found = more


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environment(program, folder):
    tools = folder / "bin"
    tools.mkdir()
    (tools / "alnm").symlink_to(Path(program).resolve())
    return {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}


def wait_for(what, limit, condition):
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    sys.exit(f"{what}: not within {limit} s")


def by_slurm(program, folder, work):
    host = socket.gethostname()
    port, *node_ports = free_ports(NODES + 1)
    nodes = "\n".join(
        f"NodeName=n{number} NodeHostname={host} NodeAddr=127.0.0.1 Port={node_port} CPUs=1 RealMemory=2000"
        for number, node_port in enumerate(node_ports, 1)
    )
    (folder / "state").mkdir()
    configuration = folder / "slurm.conf"
    configuration.write_text(SLURM.format(host=f"{host}(127.0.0.1)", port=port, folder=folder, nodes=nodes))
    env = {**environment(program, folder), "SLURM_CONF": str(configuration)}

    def run(*command):
        return subprocess.run(command, env=env, cwd=work, check=True, capture_output=True, text=True).stdout

    daemons = [subprocess.Popen(["slurmctld", "-D", "-f", configuration], env=env, stderr=subprocess.DEVNULL)]
    try:
        for number in range(1, NODES + 1):
            (folder / f"spool-n{number}").mkdir()
            daemons.append(
                subprocess.Popen(
                    ["slurmd", "-D", "-N", f"n{number}", "-f", configuration], env=env, stderr=subprocess.DEVNULL
                )
            )
        idle = lambda: run("sinfo", "-h", "-N", "-t", "idle").count("\n") == NODES  # noqa: E731
        wait_for("the nodes", 60, lambda: daemons[0].poll() is None and (folder / "slurmctld.log").exists() and idle())
        print(run("sbatch", "--version").strip(), f"with {NODES} nodes")
        job = run("sbatch", "--parsable", str(HERE / "extract.sbatch")).strip()
        merge = run("sbatch", "--parsable", f"--dependency=afterok:{job}", str(HERE / "merge.sbatch")).strip()
        wait_for("the first parts", 60, lambda: len(list((work / "parts").glob("features_*.csv"))) >= CASES // 8)
        part, victim = run("squeue", "-h", "-t", "R", "-j", job, "-o", "%i %N").split()[:2]
        running = processes()
        # The parent of a job's script is the daemon of the step.
        steps = [parent for parent, line in running.values() if f"spool-{victim}/job" in line]
        doomed = family([daemons[int(victim[1:])].pid, *steps], running)
        done = len(list((work / "parts").glob("features_*.csv")))
        kill(doomed)
        print(
            f"node {victim}: {len(doomed)} processes killed while it ran part {part}; {done} of {CASES} cases were done"
        )
        wait_for("the requeued part", 60, lambda: "Restarts=1" in run("scontrol", "show", "job", part))
        print(f"part {part} was put back into the queue")
        wait_for("the table", 600, lambda: "JobState=COMPLETED" in run("scontrol", "show", "job", merge))
    finally:
        for daemon in daemons:
            daemon.terminate()
        for daemon in daemons:
            daemon.wait()


def by_snakemake(program, folder, work):
    env = environment(program, folder)
    command = ["snakemake", "--snakefile", HERE / "Snakefile", "--cores", "2", "--retries", "1", "--quiet", "all"]
    runner = subprocess.Popen(command, env=env, cwd=work, stderr=subprocess.DEVNULL)
    try:
        wait_for("the first parts", 120, lambda: len(list((work / "parts").glob("features_*.csv"))) >= CASES // 8)
        shards = {pid: line for pid, (_, line) in processes().items() if line.startswith("alnm ") and "--shard" in line}
        victim, line = next(iter(shards.items()))
        kill([victim])
        print(f"killed: {line.strip()}")
        if runner.wait(timeout=600):
            sys.exit(f"snakemake ended with {runner.returncode}")
    finally:
        runner.kill()


def main():
    ways = {"slurm": by_slurm, "snakemake": by_snakemake}
    if len(sys.argv) != 3 or sys.argv[1] not in ways:
        sys.exit(__doc__)
    way, program = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work = folder / "work"
        work.mkdir()
        make_cases(work)
        alone = subprocess.run(
            [Path(program).resolve(), "extract", "cohort.csv", "-p", "params.yaml", "-f", "csv"],
            cwd=work, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ).stdout  # fmt: skip
        ways[way](program, folder, work)
        table = (work / "features.csv").read_bytes()
        rows = table.count(b"\n") - 1
        if table != alone or rows != CASES:
            shutil.copytree(work, f"differing-{way}")
            sys.exit(f"the tables differ; both parts are in differing-{way}")
        print(f"{rows} rows, {len(table)} bytes: the table of {way} is that of a single run, byte for byte")


if __name__ == "__main__":
    main()
