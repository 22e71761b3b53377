"""The checks of scripts/gpu_check.py as tests, for a host with a GPU and an unpacked kit: TRTFARM_GPU_KIT names it.

TRTFARM_MINILM may name the ONNX model of MiniLM. CI has no GPU, so there they are skipped.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

from scripts.gpu_checks import MODULES
from scripts.gpu_checks.check import CHECKS, Check, perform
from scripts.gpu_checks.host import Host, kit_toolchain

for module in MODULES:
    importlib.import_module(f"scripts.gpu_checks.{module}")

_REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def host(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Host:
    kit = os.environ.get("TRTFARM_GPU_KIT")
    if not kit:
        pytest.skip("no GPU: set TRTFARM_GPU_KIT to the folder of an unpacked kit")
    minilm = os.environ.get("TRTFARM_MINILM")
    return Host(
        toolchain=kit_toolchain(Path(kit).absolute()),
        golden=golden,
        scratch=tmp_path_factory.mktemp("gpu"),
        minilm=Path(minilm).absolute() if minilm else None,
        minilm_data=_REPOSITORY / "calib_data" / "minilm",
    )


@pytest.mark.gpu
@pytest.mark.parametrize("item", CHECKS, ids=lambda item: item.name)
def test_on_the_gpu(item: Check, host: Host) -> None:
    outcome = perform(item, host)
    if outcome.status == "skip":
        pytest.skip(outcome.text)
    assert outcome.status == "pass", f"{outcome.text}\n{outcome.numbers}"
