"""Q/DQ with one scale per channel exists from opset 13 on: older models are converted, as far as onnx can."""

import onnx
from onnx import version_converter

from trtfarm_builder.failures import BadModelError
from trtfarm_builder.onnx_files import external_files
from trtfarm_builder.quantization.operators import STANDARD_DOMAINS

#: The first opset in which QuantizeLinear has an axis.
PER_CHANNEL_OPSET = 13
#: The IR version that came with it.
_IR_VERSION = 7
_REMEDY = "export the model with opset 13 or newer and calibrate that one"


def opset_of(model: onnx.ModelProto) -> int:
    """Version of the standard operators. Raises BadModelError where the model imports none."""
    versions = [item.version for item in model.opset_import if item.domain in STANDARD_DOMAINS]
    if not versions:
        raise BadModelError("the model does not say which opset its operators are from", remedy=_REMEDY)
    return int(max(versions))


def with_per_channel_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model itself, or a converted copy. Most tensors keep their names; some operators become other ones.

    Raises BadModelError where the converter cannot do it.
    """
    opset = opset_of(model)
    if opset >= PER_CHANNEL_OPSET:
        return model
    if external_files(model):
        raise BadModelError(
            "INT8 needs opset {}, and a model of opset {} with external data cannot be converted".format(
                PER_CHANNEL_OPSET, opset
            ),
            remedy=_REMEDY,
        )
    try:
        converted = version_converter.convert_version(model, PER_CHANNEL_OPSET)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise BadModelError(
            "INT8 needs opset {}, and the model of opset {} cannot be converted".format(PER_CHANNEL_OPSET, opset),
            cause=str(error),
            remedy=_REMEDY,
        ) from error
    converted.ir_version = max(converted.ir_version, _IR_VERSION)
    return converted
