from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtfarm.calibrators import Calibrator
from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import ToolchainError, UsageError
from trtfarm_worker.toolchains.registry import ToolchainRegistry, reference_toolchain
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind

_TOOLCHAIN = Toolchain(
    name="tensorrt-8.5.3.1",
    kind=ToolchainKind.TENSORRT,
    python=Path("/kit/bin/python3.10"),
    library_path=(Path("/kit/cublas"), Path("/kit/stub")),
    python_path=(Path("/kit/site"),),
    version="8.5.3.1",
    capabilities=Capabilities(
        compute_capabilities=(ComputeCapability(9, 0),),
        precisions=("fp32", "int8"),
        calibrators=(Calibrator.ENTROPY2,),
        lacking={"fp8": "too old"},
        exceptions={"int8": {"sm_75": "no FP32 GEMM"}},
        without_products={"fp32": {"sm_75": "no FP32 GEMM"}},
    ),
    broken="it was",
)


def test_a_toolchain_survives_being_written_as_json() -> None:
    assert Toolchain.from_dict(json.loads(json.dumps(_TOOLCHAIN.as_dict()))) == _TOOLCHAIN


def test_the_registry_keeps_toolchains_by_name(tmp_path: Path) -> None:
    registry = ToolchainRegistry(tmp_path)
    assert registry.toolchains() == [reference_toolchain()]
    registry.put(_TOOLCHAIN)
    assert ToolchainRegistry(tmp_path).get("tensorrt-8.5.3.1") == _TOOLCHAIN
    assert registry.toolchains() == [reference_toolchain(), _TOOLCHAIN]
    assert [path.name for path in registry.folder.iterdir()] == ["tensorrt-8.5.3.1.json"]


def test_the_reference_toolchain_calibrates_and_builds_nothing() -> None:
    reference = reference_toolchain()
    assert reference.capabilities.calibrators == tuple(Calibrator)
    assert reference.capabilities.precisions == ()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".hidden", "x" * 65, "reference"])
def test_names_that_are_no_names(tmp_path: Path, name: str) -> None:
    registry = ToolchainRegistry(tmp_path)
    with pytest.raises(UsageError):
        registry.remove(name)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "\xff", json.dumps({"schema": 2, **_TOOLCHAIN.as_dict()})]
    + [json.dumps({"schema": 1, **_TOOLCHAIN.as_dict(), **change}) for change in ({"kind": "x"}, {"name": "other"})],
)
def test_a_file_that_is_no_toolchain_is_named(tmp_path: Path, content: str) -> None:
    registry = ToolchainRegistry(tmp_path)
    registry.folder.mkdir()
    path = registry.folder / "tensorrt-8.5.3.1.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(ToolchainError, match=str(path)):
        registry.toolchains()
