"""Many cases: one after the other, in processes, and on a cluster of which a worker is killed."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from alnm import imaging
from alnm.radiomics.cases import CaseExtractor, extract_cases


@pytest.fixture
def cases(case, tmp_path):
    image, mask = case
    imaging.write_mask(tmp_path / "mask.nrrd", mask)
    made = []
    for number in range(12):
        path = tmp_path / f"image{number}.nrrd"
        imaging.write(path, image.with_array(image.array + image.array % (number + 2)))
        made.append({"Patient": f"P{number}", "Image": str(path), "Mask": str(tmp_path / "mask.nrrd"), "Label": 1})
    made[5]["Label"] = 9
    return made


PARAMETERS = {"imageType": {"Original": {}, "Wavelet": {}}}


def test_rows_hold_the_case_and_its_features(cases, case):
    rows = extract_cases([*cases, {"Image": case[0], "Mask": case[1]}], PARAMETERS)
    assert [row["Patient"] for row in rows[:-1]] == [f"P{number}" for number in range(12)]
    assert rows[5]["Error"] == "label 9 is not in the mask; it holds [1, 2]" and len(rows[5]) == 5
    assert isinstance(rows[0]["original_firstorder_Mean"], float) and "Image" not in rows[-1]
    assert rows[-1]["original_firstorder_Mean"] != rows[3]["original_firstorder_Mean"]


def test_a_case_that_lacks_something_ends_no_other(cases):
    rows = extract_cases([{"Patient": "P0"}, {**cases[0], "Label": 10**30}, cases[1]])
    assert rows[0]["Error"] == "the case has no Image; a case has an Image and a Mask"
    assert "Error" in rows[1] and "original_firstorder_Mean" in rows[2]


def test_processes_give_the_same_rows(cases):
    expected = extract_cases(cases, PARAMETERS)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(CaseExtractor(PARAMETERS), cases) == expected


def test_a_cluster_gives_the_same_rows_though_a_worker_is_killed(cases):
    distributed = pytest.importorskip("distributed")
    from alnm.dask import extract_cases as on_cluster

    cases = [case for _ in range(17) for case in cases][:200]
    expected = extract_cases(cases, PARAMETERS)
    with (
        distributed.LocalCluster(n_workers=4, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = client.run(os.getpid)
        killed = threading.Timer(0.3, os.kill, (next(iter(pids.values())), signal.SIGKILL))
        killed.start()
        assert on_cluster(client, cases, PARAMETERS) == expected
        killed.join()
        deadline = time.monotonic() + 30
        while set(client.run(os.getpid).values()) == set(pids.values()) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert set(client.run(os.getpid).values()) != set(pids.values())


def ray_workers():
    """The processes in which Ray runs cases at the moment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::Map" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="workers are found by /proc")
def test_ray_gives_the_same_rows_though_a_worker_is_killed(cases):
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    from alnm.ray import extract_cases as by_ray

    cases = [{**case, "Patient": f"{number}-{case['Patient']}"} for number in range(17) for case in cases][:200]
    expected = extract_cases(cases, PARAMETERS)
    ray.init(num_cpus=4, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        killed = []

        def kill_one():
            deadline = time.monotonic() + 60
            while not killed and time.monotonic() < deadline:
                for worker in ray_workers()[:1]:
                    time.sleep(0.3)
                    os.kill(worker, signal.SIGKILL)
                    killed.append(worker)
                time.sleep(0.01)

        killer = threading.Thread(target=kill_one)
        killer.start()
        assert by_ray(cases, PARAMETERS) == expected
        killer.join()
        assert killed and by_ray([], PARAMETERS) == []
    finally:
        ray.shutdown()
