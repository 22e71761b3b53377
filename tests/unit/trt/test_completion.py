"""Completion is held to TensorRT's own tables: what is left out of one has to come back as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.reference.runs import GOLDEN_PRODUCTS
from tests.unit.trt.golden_networks import GoldenNetwork
from trtfarm_builder.failures import BadTableError
from trtfarm_builder.trt.cache_text import CacheText, parse_cache
from trtfarm_builder.trt.completion import Coverage, cover

_TABLES = [
    "lenet/minmax-bs50",
    "lenet/minmax-bs10",
    "lenet/entropy2-bs50",
    "lenet/entropy2-bs1",
    "lenet/entropy-bs50",
    "lenet/legacy-bs50",
    "lenet/legacy-bs50-q0.99",
    "zoo/minmax-bs50",
    "zoo/entropy2-bs50",
]


def _table(golden: Path, name: str) -> CacheText:
    return parse_cache((golden / f"{name}.table").read_bytes())


def _without(table: CacheText, *prefixes: str) -> CacheText:
    return replace(table, scales={t: s for t, s in table.scales.items() if not t.startswith(prefixes)})


def _cover(golden: Path, name: str, table: CacheText) -> Coverage:
    network = GoldenNetwork(golden / name.split("/", maxsplit=1)[0])
    return cover(network.view, table, network.constants)


@pytest.mark.parametrize("name", _TABLES)
def test_tensorrts_own_table_has_no_harmful_holes(golden: Path, name: str) -> None:
    coverage = _cover(golden, name, _table(golden, name))
    assert coverage.harmful == []
    assert coverage.unused == []


@pytest.mark.parametrize("name", _TABLES)
def test_what_only_the_parser_names_comes_back_as_it_was(golden: Path, name: str) -> None:
    whole = _table(golden, name)
    made_up = [tensor for tensor in whole.scales if "[Constant]" in tensor or "[Shuffle]" in tensor]
    coverage = _cover(golden, name, _without(whole, *made_up))
    assert len(made_up) > 5
    assert coverage.scales == whole.scales
    assert [row["tensor"] for row in coverage.completed] == made_up


def test_pooling_carries_the_scale_of_what_it_pools(golden: Path) -> None:
    whole = _table(golden, "lenet/entropy2-bs50")
    coverage = _cover(golden, "lenet", _without(whole, "/MaxPool_output_0", "/MaxPool_1_output_0"))
    assert coverage.scales == whole.scales
    assert [row["reason"] for row in coverage.completed] == [
        "is pooled from '/c1/Conv_output_0'",
        "is pooled from '/c2/Conv_output_0'",
    ]


def test_a_softmax_takes_the_scale_of_its_reshaped_output(golden: Path) -> None:
    """The ONNX file knows `/Softmax_output_0` where TensorRT's table has the unnamed tensor before it."""
    whole = _table(golden, "zoo/minmax-bs50")
    unnamed = "(Unnamed Layer* 35) [Softmax]_output"
    table = _without(whole, unnamed)
    table.scales["/Softmax_output_0"] = whole.scales[unnamed]
    assert _cover(golden, "zoo", table).scales[unnamed] == whole.scales[unnamed]


@pytest.mark.parametrize("tensor", ["/c2/Conv_output_0", "data", "prob", "/Relu_output_0"])
def test_an_activation_that_is_missing_is_harmful(golden: Path, tensor: str) -> None:
    table = _without(_table(golden, "lenet/minmax-bs50"), tensor)
    assert tensor in [row["tensor"] for row in _cover(golden, "lenet", table).harmful]


def test_a_product_before_its_bias_is_harmful_and_says_so(golden: Path) -> None:
    """An engine without it has computed the second product in FP32, one with it in INT8."""
    product = "(Unnamed Layer* 11) [Matrix Multiply]_output"
    coverage = _cover(golden, "lenet", _without(_table(golden, "lenet/minmax-bs50"), product))
    assert coverage.harmful == [
        {
            "tensor": product,
            "reason": "is between a matrix product and its bias: TensorRT may keep the product out of INT8",
        }
    ]
    assert coverage.harmless == [
        {
            "tensor": "(Unnamed Layer* 21) [Softmax]_output",
            "reason": "is only reshaped to an output, which has one",
        }
    ]


@pytest.mark.parametrize("name", _TABLES)
def test_a_table_of_the_reference_calibrator_has_no_harmful_holes(golden: Path, name: str) -> None:
    """It names what the ONNX file does, and products by the outputs of their sums."""
    whole = _table(golden, name)
    products = {ours: whole.scales[theirs] for theirs, ours in GOLDEN_PRODUCTS[name.split("/", maxsplit=1)[0]].items()}
    made_up = [tensor for tensor in whole.scales if tensor.startswith("(Unnamed") and "[Softmax]" not in tensor]
    table = _without(whole, *made_up)
    table.scales.update(products)
    coverage = _cover(golden, name, table)
    assert coverage.harmful == []
    assert coverage.unused == []
    assert {tensor: coverage.scales[tensor] for tensor in whole.scales} == whole.scales
    assert {row["tensor"] for row in coverage.completed} == set(made_up)


@pytest.mark.parametrize("name", _TABLES)
def test_only_products_are_harmful_holes_of_a_table_that_names_what_the_onnx_file_does(golden: Path, name: str) -> None:
    whole = _table(golden, name)
    made_up = [tensor for tensor in whole.scales if tensor.startswith("(Unnamed") and "[Softmax]" not in tensor]
    harmful = [row["tensor"] for row in _cover(golden, name, _without(whole, *made_up)).harmful]
    assert harmful == [tensor for tensor in made_up if "[Matrix Multiply]" in tensor]


def test_entries_for_nothing_are_told_and_kept(golden: Path) -> None:
    table = _table(golden, "lenet/minmax-bs50")
    table.scales["no/such/tensor"] = "3c010204"
    coverage = _cover(golden, "lenet", table)
    assert coverage.unused == ["no/such/tensor"]
    assert coverage.scales == table.scales


def test_a_table_of_another_model_is_refused(golden: Path) -> None:
    table = replace(_table(golden, "lenet/minmax-bs50"), scales={"x": "3c010204", "feat": "3c010204"})
    with pytest.raises(BadTableError, match="names no tensor of this model"):
        _cover(golden, "lenet", table)
