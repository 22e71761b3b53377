"""Names of tensors that TensorRT has and the ONNX file does not."""

#: No exporter ends a name so, and TensorRT passes over table entries for names that it does not know.
_PRODUCT = "#product"


def product_name(output: str) -> str:
    """The farm's name for the matrix product within the Gemm that gives `output`, before its bias is added.

    TensorRT calls it `(Unnamed Layer* N) [Matrix Multiply]_output`, where N depends on its release.
    """
    return output + _PRODUCT


def gemm_output(name: str) -> str:
    """The output of the Gemm that the product `name` is within; empty for the name of anything else."""
    return name[: -len(_PRODUCT)] if name.endswith(_PRODUCT) else ""
