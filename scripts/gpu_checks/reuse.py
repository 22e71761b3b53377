"""Tables used again: elsewhere, from elsewhere, from another version, and with holes."""

from __future__ import annotations

from functools import partial
from typing import Any

from scripts.gpu_checks.builds import (
    ENTROPY2,
    MINMAX,
    build_args,
    built,
    expect_accurate,
    facts_of,
    lenet_accuracy,
    native_table,
    refusal,
)
from scripts.gpu_checks.calibration import native
from scripts.gpu_checks.check import Numbers, check, expect
from scripts.gpu_checks.host import Host
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.builder.request import BuilderAnswer


def dtypes(answer: BuilderAnswer) -> list[str | None]:
    """What each busy layer computes in."""
    return [layer["dtype"] for layer in answer.result["layers"] if not layer["idle"]]


@check("A native table builds again without data; nothing of it is missing or unused", seconds=10)
def own_table_reused(host: Host) -> Numbers:
    answer = built(host, "lenet", "int8", table=native_table(host, "lenet", ENTROPY2))
    coverage = answer.result["coverage"]
    numbers: Numbers = {**facts_of(answer), "coverage": coverage}
    expect(not coverage["harmful"] and not coverage["unused"], "the table does not cover its own network", numbers)
    expect(coverage["restamped_from"] is None, "its own header was not taken as it is", numbers)
    return numbers


@check("A table from the CPU, made for no GPU, builds an INT8 engine as accurate as the native one", seconds=20)
def reference_table_builds(host: Host) -> Numbers:
    numbers: Numbers = {}
    for model, rule in (("lenet", MINMAX), ("lenet", ENTROPY2)):
        name = f"{model} {rule['calibrator']}"
        args = {"model": host.model(model), "inputs": host.calibration_data(model), "rule": rule}
        scales = host.reference_step("calibrate", args).result["scales"]
        made = CalibrationTable.of(
            scales,
            CalibrationRule.of(Calibrator(rule["calibrator"]), batch_size=rule["batch_size"]),
            TensorRTVersion.parse(host.toolchain.version),
        )
        path = host.write(f"reference-{model}-{rule['calibrator']}.table", made.render())
        engine = built(host, model, "int8", table=path)
        own = built(host, model, "int8", table=native_table(host, model, rule))
        numbers[name] = {
            **facts_of(engine),
            **lenet_accuracy(host, engine),
            "coverage": engine.result["coverage"],
            "native_int8_layers": own.result["int8_layers"],
            "dtypes": dtypes(engine),
            "native_dtypes": dtypes(own),
            "completed_agree": _completed_agree(engine, native(host, model, rule).result["scales"]),
        }
        expect_accurate(name, numbers[name], numbers)
        expect(_only_products(engine.result["coverage"]["harmful"]), f"{name}: holes", numbers)
    # For a network this small FP32 is about as fast, and one table has given engines with and without INT8.
    expect(any(row["int8_layers"] for row in numbers.values()), "no engine computes in INT8", numbers)
    return numbers


def _only_products(rows: list[dict[str, str]]) -> bool:
    """Whether a table lacks nothing but the products within Gemm, which no table from the ONNX file can have."""
    return all("[Matrix Multiply]" in row["tensor"] for row in rows)


def _completed_agree(answer: BuilderAnswer, native_scales: Any) -> Numbers:
    """Completed entries against TensorRT's own of the same name."""
    given = CalibrationTable.parse((answer.scratch / "calibration.table").read_bytes()).scales
    names = [row["tensor"] for row in answer.result["coverage"]["completed"]]
    known = [name for name in names if name in native_scales]
    return {
        "completed": len(names),
        "equal": sum(given[name] == native_scales[name] for name in known),
        "different": {name: [given[name], native_scales[name]] for name in known if given[name] != native_scales[name]},
        "not_in_native": [name for name in names if name not in native_scales],
    }


@check("The CNN/attention mix from a CPU table: coverage of a network with attention", seconds=60)
def zoo_reference_table_builds(host: Host) -> Numbers:
    args = {"model": host.model("zoo"), "inputs": host.calibration_data("zoo"), "rule": MINMAX}
    scales = host.reference_step("calibrate", args).result["scales"]
    engine = host.step("trt-build", build_args(host, "zoo", "int8", scales=scales, calibrator="minmax"))
    own = built(host, "zoo", "int8", table=native_table(host, "zoo", MINMAX))
    numbers: Numbers = {
        **facts_of(engine),
        "native": facts_of(own),
        "coverage": engine.result["coverage"],
        "completed_agree": _completed_agree(engine, native(host, "zoo", MINMAX).result["scales"]),
    }
    expect(engine.result["int8_layers"] > 0, "no layer computes in INT8", numbers)
    return numbers


@check("Tables headed 8.5.1.7 and 8.5.2.2 build under this version's header", seconds=10)
def restamped_table(host: Host) -> Numbers:
    numbers: Numbers = {}
    golden = CalibrationTable.parse((host.golden / "lenet" / "minmax-bs50.table").read_bytes())
    for version in ("8.5.1.7", "8.5.2.2"):
        path = host.write(f"from-{version}.table", golden.restamp(TensorRTVersion.parse(version)).render())
        answer = host.step("trt-build", build_args(host, "lenet", "int8", table=path))
        numbers[version] = {**facts_of(answer), "restamped_from": answer.result["coverage"]["restamped_from"]}
        expect(bool(numbers[version]["restamped_from"]), f"{version}: not re-stamped", numbers)
    return numbers


@check("Missing tensors are told apart: completed, harmless, or harmful with the reason", seconds=25)
def missing_tensors(host: Host) -> Numbers:
    whole = CalibrationTable.parse((host.golden / "lenet" / "minmax-bs50.table").read_bytes()).scales
    own = built(host, "lenet", "int8", table=native_table(host, "lenet", MINMAX))
    numbers: Numbers = {"whole": {**facts_of(own), "dtypes": dtypes(own)}}
    for name, left_out in (
        ("matrix products", lambda tensor: "[Matrix Multiply]" in tensor),
        ("convolution", lambda tensor: tensor == "/c2/Conv_output_0"),
        ("unnamed", lambda tensor: tensor.startswith("(Unnamed")),
    ):
        scales = {tensor: scale for tensor, scale in whole.items() if not left_out(tensor)}
        answer = host.step("trt-build", build_args(host, "lenet", "int8", scales=scales, calibrator="minmax"))
        numbers[name] = {**facts_of(answer), "dtypes": dtypes(answer), "coverage": answer.result["coverage"]}
    products = [tensor for tensor in whole if "[Matrix Multiply]" in tensor]
    for name, expected in (
        ("matrix products", products),
        ("unnamed", products),
        ("convolution", ["/c2/Conv_output_0"]),
    ):
        harmful = [row["tensor"] for row in numbers[name]["coverage"]["harmful"]]
        expect(harmful == expected, f"{name}: {harmful} are called harmful", numbers)
    return numbers


@check("A table of another model is refused", seconds=5)
def foreign_table(host: Host) -> Numbers:
    path = host.write("foreign.table", b"TRT-8503-MinMaxCalibration\nno/such/tensor: 3c010204\n")
    told = refusal(partial(host.step, "trt-build", build_args(host, "lenet", "int8", table=path)))
    expect(told.startswith("bad_table"), "it was refused for another reason", {"refused": told})
    return {"refused": told}
