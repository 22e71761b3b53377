from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.trt.conftest import Recorded
from trtfarm_builder.failures import BadRequestError, ToolchainUnfitError

_BUILDER = SimpleNamespace(num_DLA_cores=0)
#: Releases in which each option is refused because TensorRT lacks it; elsewhere it is taken.
_LACKING: dict[str, tuple[Any, set[str]]] = {
    "builder_optimization_level": (3, {"8.5.3.1"}),
    "avg_timing_iterations": (2, set()),
    "min_timing_iterations": (2, {"10.13.3.9", "11.4.0.106"}),
    "max_aux_streams": (1, {"8.5.3.1"}),
    "max_num_tactics": (8, {"8.5.3.1", "8.6.1"}),
    "refit": (True, set()),
    "strip_plan": (True, {"8.5.3.1", "8.6.1"}),
    "sparse_weights": (True, set()),
    "version_compatible": (True, {"8.5.3.1"}),
    "gpu_fallback": (True, set()),
    "hardware_compatibility": ("AMPERE_PLUS", {"8.5.3.1"}),
    "workspace_bytes": (1 << 20, set()),
    "precision_constraints": ("obey", {"11.4.0.106"}),
    "flags": (["DEBUG"], set()),
    "clear_flags": (["TF32"], set()),
    "dla_core": (0, {"8.5.3.1", "8.6.1", "10.13.3.9", "11.4.0.106"}),
}


def test_the_list_knows_every_option(recorded: Recorded) -> None:
    assert set(_LACKING) == recorded.child("options").NAMES


@pytest.mark.parametrize("option", _LACKING)
def test_an_option_is_taken_or_its_release_named(recorded: Recorded, option: str) -> None:
    value, lacking = _LACKING[option]
    options = recorded.child("options")
    if recorded.version not in lacking:
        options.apply_options(_BUILDER, recorded.config(), {option: value})
        return
    with pytest.raises(ToolchainUnfitError) as caught:
        options.apply_options(_BUILDER, recorded.config(), {option: value})
    assert caught.value.cause
    assert caught.value.remedy


def test_flags_are_set_by_name(recorded: Recorded) -> None:
    config = recorded.config()
    options = {"refit": True, "sparse_weights": False, "flags": ["DEBUG"], "clear_flags": ["TF32"]}
    recorded.child("options").apply_options(_BUILDER, config, options)
    assert (config.flags_set, config.flags_cleared) == (["REFIT", "DEBUG"], ["TF32"])


def test_a_dla_core_that_is_there_becomes_the_device(recorded: Recorded) -> None:
    config: Any = recorded.config()
    board = SimpleNamespace(num_DLA_cores=2)
    recorded.child("options").apply_options(board, config, {"dla_core": 1, "gpu_fallback": True})
    assert (config.default_device_type.name, config.DLA_core, config.flags_set) == ("DLA", 1, ["GPU_FALLBACK"])
    with pytest.raises(ToolchainUnfitError, match="no DLA core 2") as caught:
        recorded.child("options").apply_options(board, config, {"dla_core": 2})
    assert caught.value.cause == "it has 2 of them"


def test_a_workspace_is_a_limit_in_bytes(recorded: Recorded) -> None:
    config = recorded.config()
    recorded.child("options").apply_options(_BUILDER, config, {"workspace_bytes": 1 << 20})
    assert config.pools == {"WORKSPACE": 1 << 20}


@pytest.mark.parametrize(
    "options",
    [
        {"no_such_option": 1},
        {"flags": ["NO_SUCH_FLAG"]},
        {"clear_flags": ["NO_SUCH_FLAG"]},
        {"precision_constraints": "maybe"},
    ],
)
def test_what_no_release_has_is_refused(recorded: Recorded, options: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError) as caught:
        recorded.child("options").apply_options(_BUILDER, recorded.config(), options)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("precision", "flags"),
    [("fp32", []), ("fp16", ["FP16"]), ("int8", ["INT8"]), ("int8+fp16", ["INT8", "FP16"])],
)
def test_precisions_are_flags_until_11(recorded: Recorded, precision: str, flags: list[str]) -> None:
    config = recorded.config()
    options = recorded.child("options")
    if recorded.version.startswith("11.") and flags:
        with pytest.raises(ToolchainUnfitError, match=f"no precision {precision.split('+', maxsplit=1)[0]}") as caught:
            options.allow_precisions(config, precision)
        assert "11.0 removed it" in str(caught.value.cause)
        return
    options.allow_precisions(config, precision)
    assert config.flags_set == flags


@pytest.mark.parametrize("precision", ["", "int9", "int8+int8", "int8+", "INT8"])
def test_words_that_are_no_precision(recorded: Recorded, precision: str) -> None:
    with pytest.raises(BadRequestError, match="is no precision"):
        recorded.child("options").words_of(precision)


def test_layers_are_named_and_typed(recorded: Recorded) -> None:
    options = recorded.child("options")
    layer = SimpleNamespace(**{**dict.fromkeys(recorded.names["ILayer"]), "name": "conv"})
    network = SimpleNamespace(num_layers=1, get_layer=lambda _: layer)
    with pytest.raises(BadRequestError, match="no layer 'other'"):
        options.set_layer_precisions(network, {"other": "fp32"})
    if recorded.version.startswith("11."):
        with pytest.raises(ToolchainUnfitError, match="layer precisions"):
            options.set_layer_precisions(network, {"conv": "fp32"})
        return
    options.set_layer_precisions(network, {"conv": "fp16"})
    assert layer.precision.name == "HALF"
    with pytest.raises(BadRequestError, match="no type 'int9'"):
        options.set_layer_precisions(network, {"conv": "int9"})


def test_inputs_and_outputs_take_types_and_formats(recorded: Recorded) -> None:
    options = recorded.child("options")
    tensor = SimpleNamespace(name="x", dtype=None, allowed_formats=0)
    network = SimpleNamespace(num_inputs=1, num_outputs=0, get_input=lambda _: tensor)
    options.set_io_formats(network, {"x": {"dtype": "int8", "formats": ["LINEAR", "CHW32"]}})
    formats = recorded.module.TensorFormat
    assert tensor.dtype.name == "INT8"
    assert tensor.allowed_formats == 1 << int(formats.LINEAR) | 1 << int(formats.CHW32)
    wrong: list[dict[str, dict[str, Any]]] = [{"y": {}}, {"x": {"formats": ["NO_SUCH"]}}, {"x": {"dtype": "int9"}}]
    for wanted in wrong:
        with pytest.raises(BadRequestError):
            options.set_io_formats(network, wanted)


def test_cudnn_is_left_out_where_there_is_none(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    tactics = recorded.child("tactics")
    every = sorted(recorded.names["TacticSource"])
    monkeypatch.setattr(tactics, "has_cudnn", lambda: False)
    config = recorded.config()
    assert tactics.set_tactic_sources(config, None) == [name for name in every if name != "CUDNN"]
    if "CUDNN" in every:
        assert not config.sources & 1 << int(recorded.module.TacticSource.CUDNN)
        with pytest.raises(BadRequestError, match="no whole cuDNN"):
            tactics.set_tactic_sources(config, ["CUDNN"])
        monkeypatch.setattr(tactics, "has_cudnn", lambda: True)
        assert tactics.set_tactic_sources(config, ["CUDNN"]) == ["CUDNN"]
    with pytest.raises(BadRequestError, match="no tactic source NO_SUCH"):
        tactics.set_tactic_sources(config, ["NO_SUCH"])


def test_calibrators_are_there_until_11(recorded: Recorded) -> None:
    calibrators = recorded.child("interfaces")
    if recorded.version.startswith("11."):
        with pytest.raises(ToolchainUnfitError, match="no calibrator 'minmax'"):
            calibrators.interface_of("minmax")
        return
    for word, name in calibrators.INTERFACES.items():
        assert calibrators.interface_of(word).__name__ == name
    with pytest.raises(ToolchainUnfitError, match="no calibrator 'mse'"):
        calibrators.interface_of("mse")


def test_the_digits_of_a_header(recorded: Recorded) -> None:
    digits = {"8.5.3.1": "8503", "8.6.1": "8601", "10.13.3.9": "101303", "11.4.0.106": "110400"}
    assert recorded.child("binding").header_digits(recorded.version) == digits[recorded.version]
