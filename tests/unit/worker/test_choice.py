from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import ToolchainError
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.toolchains.choice import choose, stands_in
from trtfarm_worker.toolchains.registry import reference_toolchain
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind

_REFERENCE = reference_toolchain()
_SM_75 = ComputeCapability(7, 5)
_NO_PRODUCT = "FP32 GEMM is not supported"
_SM_86, _SM_90 = ComputeCapability(8, 6), ComputeCapability(9, 0)


def _rtx(version: str, *precisions: str, **lacking: str) -> Toolchain:
    return Toolchain(
        name=f"tensorrt-rtx-{version}",
        kind=ToolchainKind.TENSORRT_RTX,
        python=Path("/python"),
        version=version,
        capabilities=Capabilities(compute_capabilities=(_SM_86,), precisions=precisions, lacking=lacking),
    )


_OLD, _NEW = _rtx("1.6.1.120", "fp32", int8="an internal error"), _rtx("1.7.1.116", "fp32", "int8")
_NEWEST = _rtx("1.10.0.1", "fp32", "int8")


def test_the_newest_that_fits_is_chosen() -> None:
    toolchains = [_REFERENCE, _NEWEST, _OLD, _NEW]
    assert choose(toolchains, target=_SM_86, precision="int8") == _NEWEST
    assert choose(toolchains, target=_SM_86, precision="int8", version=TensorRTVersion(1, 7)) == _NEW
    assert choose([_OLD, _NEW, replace(_NEWEST, broken="it is")], target=_SM_86, precision="fp32") == _NEW


@pytest.mark.parametrize(
    ("toolchains", "version", "reason", "remedy"),
    [
        ([_REFERENCE], None, "no toolchain is installed", "trtfarm toolchain install tensorrt-rtx"),
        ([_OLD], None, "tensorrt-rtx-1.6.1.120: has no int8: an internal error", "install tensorrt-rtx"),
        ([_NEW], TensorRTVersion(1, 8), "has version 1.7.1.116", "trtfarm toolchain install tensorrt-rtx==1.8"),
        ([replace(_NEW, broken="gone", version="")], None, "is broken: gone", "install tensorrt-rtx"),
    ],
)
def test_why_none_fits_and_what_to_do(
    toolchains: list[Toolchain], version: TensorRTVersion | None, reason: str, remedy: str
) -> None:
    with pytest.raises(ToolchainError, match="no toolchain here builds int8 engines for sm_86") as caught:
        choose(toolchains, target=_SM_86, precision="int8", version=version)
    assert reason in str(caught.value.cause)
    assert remedy in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("precision", "version", "wanted"),
    [
        ("int8", TensorRTVersion(8, 5), "8.5"),
        ("int8", TensorRTVersion(10, 13), "10.13"),
        ("int8", TensorRTVersion(8), "8"),
        ("bf16", None, "10.13"),
    ],
)
def test_what_only_a_tensorrt_has_is_not_looked_for_in_another_kind(
    precision: str, version: TensorRTVersion | None, wanted: str
) -> None:
    with pytest.raises(ToolchainError) as caught:
        choose([_REFERENCE, _NEW], target=_SM_86, precision=precision, version=version)
    assert str(caught.value.remedy).endswith(f"trtfarm toolchain install tensorrt=={wanted}")


def test_a_precision_that_there_is_none_of_is_one_that_no_toolchain_has() -> None:
    with pytest.raises(ToolchainError) as caught:
        choose([_REFERENCE, _NEW], target=_SM_86, precision="int3")
    assert caught.value.cause == "tensorrt-rtx-1.7.1.116: has no int3: it has fp32, int8"


def test_a_target_that_none_can_build_names_those_that_can_be() -> None:
    with pytest.raises(ToolchainError) as caught:
        choose([_REFERENCE, _NEW], target=_SM_90, precision="int8")
    assert caught.value.cause == "tensorrt-rtx-1.7.1.116: builds for sm_86"
    assert caught.value.remedy == "choose among the targets that can be built here: sm_86"


def test_a_precision_that_one_target_lacks_names_those_that_it_has() -> None:
    can = Capabilities(
        compute_capabilities=(_SM_75, _SM_86),
        precisions=("fp32", "fp16", "int8", "int8+fp16"),
        exceptions={"int8": {"sm_75": _NO_PRODUCT}},
        without_products={"fp32": {"sm_75": _NO_PRODUCT}},
    )
    toolchain = replace(_NEW, capabilities=can)
    assert choose([toolchain], target=_SM_86, precision="fp32") == toolchain
    assert choose([toolchain], target=_SM_75, precision="fp16") == toolchain
    assert choose([toolchain], target=_SM_75, precision="fp32", products=False) == toolchain
    with pytest.raises(ToolchainError, match="no toolchain here builds fp32 engines for sm_75") as caught:
        choose([_REFERENCE, toolchain], target=_SM_75, precision="fp32")
    assert caught.value.cause == f"tensorrt-rtx-1.7.1.116: has no fp32 for sm_75 with matrix products: {_NO_PRODUCT}"
    assert caught.value.remedy == "for sm_75 ask for --precision fp16"


@pytest.mark.parametrize(("precisions", "instead"), [(("int8", "int8+fp16"), True), (("int8", "fp16"), False)])
def test_float16_stands_in_beside_int8_where_it_can(precisions: tuple[str, ...], instead: bool) -> None:  # noqa: FBT001
    can = Capabilities(
        compute_capabilities=(_SM_75, _SM_86), precisions=precisions, exceptions={"int8": {"sm_75": _NO_PRODUCT}}
    )
    toolchain = replace(_NEW, capabilities=can)
    assert stands_in(toolchain, _SM_86, "int8") is None
    assert stands_in(toolchain, _SM_75, "int8") == (_NO_PRODUCT if instead else None)
    if instead:
        assert choose([toolchain], target=_SM_75, precision="int8") == toolchain
        return
    with pytest.raises(ToolchainError) as caught:
        choose([toolchain], target=_SM_75, precision="int8")
    assert caught.value.cause == f"tensorrt-rtx-1.7.1.116: has no int8 for sm_75: {_NO_PRODUCT}"


def test_a_tensorrt_without_a_gpu_says_so() -> None:
    lacking = Capabilities(lacking={"gpu": "no NVIDIA driver here"})
    toolchain = replace(_NEW, name="t", kind=ToolchainKind.TENSORRT, capabilities=lacking)
    with pytest.raises(ToolchainError, match="with tensorrt") as caught:
        choose([_NEW, toolchain], target=_SM_86, precision="int8", kind=ToolchainKind.TENSORRT)
    assert caught.value.cause == "tensorrt-rtx-1.7.1.116: is tensorrt-rtx\nt: no NVIDIA driver here"
