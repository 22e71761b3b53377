"""A calibration whose build ends badly: what is kept of it, and that nothing is calibrated a second time."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.acceptance.cli.gpu_farm import ON_H200, GpuFarm

UNTOUCHED, KILLED = 0, int(signal.SIGKILL)


@pytest.fixture
def farm(gpu_farm: GpuFarm) -> GpuFarm:
    return gpu_farm


def ends(farm: GpuFarm, number: int) -> Path:
    told = farm.folder / "ends-in-mid-build"
    told.write_text(str(number))
    return told


def counts(farm: GpuFarm) -> tuple[int, int]:
    """How often TensorRT was asked to calibrate, and to build alone."""
    return len(farm.asked("trt-calibrate")), len(farm.asked("trt-build"))


def test_a_build_that_crashes_is_a_job_of_its_own_then(farm: GpuFarm) -> None:
    ends(farm, KILLED)
    ended = farm.program.ok("submit", farm.model, *ON_H200, "--json")
    facts = json.loads(ended.out)
    assert (facts["table"]["origin"], facts["engines"][0]["table_reuse"]) == ("native", "exact")
    assert counts(farm) == (1, 1)
    steps = {step["name"].split()[0]: step for step in facts["steps"]}
    assert (steps["calibrate"]["state"], steps["build"]["state"]) == ("done", "done")
    assert "engine_id" not in steps["calibrate"]["result"]
    history = farm.program.ok("jobs", "logs", steps["calibrate"]["job"]).out
    assert "what was handed over is kept; then: the builder was killed by SIGKILL" in history
    assert farm.submit()["hit"]


def test_a_build_that_fails_says_so_itself(farm: GpuFarm) -> None:
    ends(farm, KILLED)
    farm.fails("trt-build", code="bad_model", message="no implementation of node 3")
    error = farm.refused(3)
    assert error["message"].startswith("build sm_90 tensorrt-8.5.3.1: no implementation of node 3")
    (farm.folder / "fails-trt-build").unlink()
    assert farm.submit()["state"] == "done"
    assert counts(farm)[0] == 1


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_who_stops_in_mid_build_goes_on_with_the_table(farm: GpuFarm, stop: signal.Signals) -> None:
    told = ends(farm, UNTOUCHED)
    with farm.program.started("submit", farm.model, *ON_H200) as running:
        running.until("building")
        running.end(stop)
    told.unlink()
    facts = farm.submit()
    assert facts["state"] == "done"
    assert counts(farm) == (1, 1)
    assert farm.program.damaged() == []


def test_who_cancels_keeps_the_table(farm: GpuFarm) -> None:
    told = ends(farm, UNTOUCHED)
    with farm.program.started("submit", farm.model, *ON_H200, "--json") as running:
        running.until("building")
        (job,) = farm.program.json("jobs", "list", "--kind", "calibrate")
        farm.program.ok("jobs", "cancel", job["id"])
        assert running.end().code != 0
    told.unlink()
    assert farm.program.json("jobs", "show", job["id"])["state"] == "cancelled"
    steps = {step["name"].split()[0]: step["state"] for step in farm.submit()["steps"]}
    assert (steps["calibrate"], steps["build"]) == ("hit", "done")
    assert counts(farm) == (1, 1)
