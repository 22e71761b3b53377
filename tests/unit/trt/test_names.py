"""Every name that the child takes from TensorRT's objects is there, in each recorded release."""

from __future__ import annotations

import pytest

from tests.unit.trt.conftest import VERSIONS, Recorded

_USED = {
    "Builder": "create_network create_builder_config create_optimization_profile build_serialized_network "
    "num_DLA_cores",
    "EngineInspector": "get_engine_information",
    "IBuilderConfig": "set_flag clear_flag set_memory_pool_limit get_tactic_sources set_tactic_sources "
    "create_timing_cache set_timing_cache get_timing_cache add_optimization_profile set_calibration_profile "
    "profiling_verbosity int8_calibrator set_quantization_flag default_device_type DLA_core avg_timing_iterations",
    "IConstantLayer": "weights",
    "ICudaEngine": "create_execution_context create_engine_inspector num_io_tensors get_tensor_name get_tensor_mode "
    "get_tensor_dtype get_tensor_shape get_tensor_format get_tensor_profile_shape is_shape_inference_io "
    "num_optimization_profiles",
    "IExecutionContext": "set_input_shape get_tensor_shape set_tensor_address execute_async_v3 profiler "
    "set_optimization_profile_async",
    "IHostMemory": "nbytes",
    "ILayer": "name type num_inputs get_input num_outputs get_output precision precision_is_set",
    "INetworkDefinition": "num_inputs get_input num_outputs get_output num_layers get_layer",
    "IOptimizationProfile": "set_shape",
    "ITensor": "name shape dtype is_shape_tensor allowed_formats",
    "ITimingCache": "combine serialize",
    "OnnxParser": "parse_from_file num_errors get_error",
    "ParserError": "node desc node_name node_operator",
    "Runtime": "deserialize_cuda_engine",
}
#: What a release has no more, or not yet; the child looks before it takes these.
_LACKING = {
    "8.5.3.1": {"node_name", "node_operator"},
    "8.6.1": {"node_name", "node_operator"},
    "10.13.3.9": set[str](),
    "11.4.0.106": {
        "set_calibration_profile",
        "int8_calibrator",
        "set_quantization_flag",
        "precision",
        "precision_is_set",
    },
}


@pytest.mark.parametrize("version", VERSIONS)
def test_names_that_the_child_uses_are_there(version: str) -> None:
    names = Recorded(version).names
    lacking = {name for kind, used in _USED.items() for name in used.split() if name not in names[kind]}
    assert lacking == _LACKING[version]
