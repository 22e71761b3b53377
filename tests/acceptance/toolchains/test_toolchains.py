"""Installing, adding, testing and removing toolchains, with real interpreters and packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trtfarm.errors import NotFoundError, ToolchainError, UsageError
from trtfarm_worker.toolchains.install import add_toolchain, install_toolchain
from trtfarm_worker.toolchains.install import test_toolchain as probe_again
from trtfarm_worker.toolchains.probe import probed
from trtfarm_worker.toolchains.registry import REFERENCE_NAME, ToolchainRegistry, reference_toolchain
from trtfarm_worker.toolchains.spec import ToolchainSpec
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind


@pytest.fixture
def registry(tmp_path: Path) -> ToolchainRegistry:
    return ToolchainRegistry(tmp_path / "home")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_installed_toolchain_knows_what_it_can_do(rtx_toolchain: Toolchain) -> None:
    assert rtx_toolchain.version == "1.7.1.116"
    assert rtx_toolchain.broken is None
    assert [str(c) for c in rtx_toolchain.capabilities.compute_capabilities] == [
        "sm_75",
        "sm_80",
        "sm_86",
        "sm_89",
        "sm_120",
        "sm_121",
    ]
    assert rtx_toolchain.capabilities.precisions == ("fp32", "fp16", "int8", "int8+fp16")
    # Probed anew, for the tests' cache may have been filled by an older release.
    can = probed(rtx_toolchain).capabilities
    assert {word: list(reasons) for word, reasons in can.exceptions.items()} == {"int8": ["sm_75"]}
    assert {word: list(reasons) for word, reasons in can.without_products.items()} == {"fp32": ["sm_75"]}
    assert "FP32 GEMM is not supported" in can.exceptions["int8"]["sm_75"]
    assert "FP32 GEMM is not supported" in can.without_products["fp32"]["sm_75"]
    assert rtx_toolchain.environment == rtx_toolchain.python.parents[1]


def test_a_version_that_fails_on_int8_is_kept_with_the_reason(old_rtx_toolchain: Toolchain) -> None:
    assert old_rtx_toolchain.broken is None
    assert old_rtx_toolchain.capabilities.precisions == ("fp32", "fp16")
    lacking = old_rtx_toolchain.capabilities.lacking
    assert set(lacking) == {"int8", "int8+fp16"}
    assert "Myelin" in lacking["int8"]


def test_an_installation_that_fails_leaves_nothing(
    registry: ToolchainRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network and with an empty cache; what a killed installer left goes as well."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    leftover = registry.folder / ".installing-killed"
    leftover.mkdir(parents=True)
    told: list[str] = []
    with pytest.raises(ToolchainError, match="uv pip install failed") as caught:
        install_toolchain(ToolchainSpec.parse("tensorrt-rtx"), registry=registry, tell=told.append)
    assert "tensorrt-rtx-cu12" in str(caught.value.cause)
    assert told
    assert _names(registry.folder) == [".lock"]


def test_an_installation_that_is_interrupted_leaves_nothing(registry: ToolchainRegistry) -> None:
    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install_toolchain(ToolchainSpec.parse("tensorrt-rtx==1.7.1.116"), registry=registry, tell=interrupt)
    assert _names(registry.folder) == [".lock"]


def test_an_interpreter_that_is_there_can_be_added_and_removed_and_is_marked_when_it_broke(
    registry: ToolchainRegistry, rtx_toolchain: Toolchain, tmp_path: Path
) -> None:
    link = tmp_path / "python"
    link.write_text(f'#!/bin/sh\nexec {rtx_toolchain.python} "$@"\n')
    link.chmod(0o755)
    added = add_toolchain(link, registry=registry)
    assert (added.name, added.kind) == ("tensorrt-rtx-1.7.1.116", ToolchainKind.TENSORRT_RTX)
    assert registry.toolchains() == [reference_toolchain(), added]
    with pytest.raises(UsageError, match="already"):
        add_toolchain(link, registry=registry)
    link.write_text("#!/bin/sh\nexit 9\n")
    broken = probe_again(added.name, registry=registry)
    assert "exit code 9" in str(broken.broken)
    assert broken.capabilities.precisions == ()
    assert registry.get(added.name) == broken
    assert broken.version == added.version
    registry.remove(added.name)
    assert registry.toolchains() == [reference_toolchain()]
    assert link.exists()


def test_packages_elsewhere_are_found_by_the_given_path(registry: ToolchainRegistry, rtx_toolchain: Toolchain) -> None:
    """An interpreter without TensorRT, with the packages of another: how a packed toolchain is used."""
    packages = next(rtx_toolchain.python.parents[1].glob("lib/python*/site-packages"))
    added = add_toolchain(Path(sys.executable), registry=registry, name="packed", python_path=[packages])
    assert registry.get("packed") == added
    assert added.version == "1.7.1.116"


def test_an_interpreter_without_tensorrt_is_not_added(registry: ToolchainRegistry) -> None:
    with pytest.raises(ToolchainError, match="no toolchain that works") as caught:
        add_toolchain(Path(sys.executable), registry=registry)
    assert "No module named 'tensorrt'" in str(caught.value.cause)
    assert registry.toolchains() == [reference_toolchain()]


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false"])
def test_a_program_that_is_no_python_is_not_added(registry: ToolchainRegistry, program: str) -> None:
    with pytest.raises(ToolchainError, match="no toolchain that works"):
        add_toolchain(Path(program), registry=registry)


@pytest.mark.parametrize("path", ["/nowhere/bin/python", "/etc"])
def test_what_is_no_program_is_not_added(registry: ToolchainRegistry, path: str) -> None:
    with pytest.raises(UsageError, match="is no program"):
        add_toolchain(Path(path), registry=registry)


def test_the_reference_toolchain_is_always_there(registry: ToolchainRegistry) -> None:
    probed = probe_again(REFERENCE_NAME, registry=registry)
    assert probed == reference_toolchain()
    with pytest.raises(UsageError, match="built in"):
        registry.remove(REFERENCE_NAME)


def test_a_toolchain_that_is_not_there_is_named_with_those_that_are(registry: ToolchainRegistry) -> None:
    with pytest.raises(NotFoundError, match="no toolchain gone") as caught:
        registry.get("gone")
    assert "reference" in str(caught.value.remedy)


def test_removing_deletes_what_the_farm_installed(registry: ToolchainRegistry) -> None:
    environment = registry.folder / "mine"
    environment.mkdir(parents=True)
    registry.put(
        Toolchain(name="mine", kind=ToolchainKind.TENSORRT, python=environment / "python", environment=environment)
    )
    registry.remove("mine")
    assert _names(registry.folder) == []
