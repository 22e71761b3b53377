"""Tables used again: elsewhere, from elsewhere, from another version, and with holes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from scripts.gpu_checks.builds import (
    ENTROPY2,
    MINMAX,
    build_args,
    built,
    cold,
    expect_accurate,
    facts,
    facts_of,
    layer_types,
    lenet_accuracy,
    native_table,
    refusal,
    timed,
)
from scripts.gpu_checks.calibration import native
from scripts.gpu_checks.check import Numbers, check, expect
from scripts.gpu_checks.host import Arguments, Host
from scripts.gpu_checks.tables import differences
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.builder.request import BuilderAnswer


def dtypes(answer: BuilderAnswer) -> list[str | None]:
    """What each busy layer computes in."""
    return [layer["dtype"] for layer in answer.result["layers"] if not layer["idle"]]


@check("A native table builds again without data; nothing of it is missing or unused", seconds=10)
def own_table_reused(host: Host) -> Numbers:
    answer = built(host, "lenet", "int8", table=native_table(host, "lenet", ENTROPY2), **timed(host, "lenet"))
    coverage = answer.result["coverage"]
    numbers: Numbers = {**facts_of(answer), "coverage": coverage}
    expect(not coverage["harmful"] and not coverage["unused"], "the table does not cover its own network", numbers)
    expect(coverage["restamped_from"] is None, "its own header was not taken as it is", numbers)
    return numbers


@check("A table from the CPU, made for no GPU, builds the INT8 engine that the native one does", seconds=60)
def reference_table_builds(host: Host) -> Numbers:
    numbers: Numbers = {}
    for rule in (MINMAX, ENTROPY2):
        path = _reference_table(host, "lenet", rule)
        engine = built(host, "lenet", "int8", table=path, **timed(host, "lenet"))
        own = built(host, "lenet", "int8", table=native_table(host, "lenet", rule), **timed(host, "lenet"))
        name = rule["calibrator"]
        numbers[name] = {
            **facts_of(engine),
            **lenet_accuracy(host, engine),
            "coverage": engine.result["coverage"],
            "completed_agree": _completed_agree(engine, native(host, "lenet", rule).result["scales"]),
            "layer_types": layer_types(engine.result),
            "native_layer_types": layer_types(own.result),
            "native_int8_layers": own.result["int8_layers"],
        }
        expect_accurate(name, numbers[name], numbers)
        expect(not engine.result["coverage"]["harmful"], f"{name}: holes", numbers)
        expect(numbers[name]["completed_agree"]["largest_relative"] <= 1e-5, f"{name}: completed otherwise", numbers)
        expect(dtypes(engine) == dtypes(own), f"{name}: layers compute in other types than with native scales", numbers)
        expect(engine.result["int8_layers"] > 0, f"{name}: no layer computes in INT8", numbers)
    return numbers


def _reference_table(host: Host, model: str, rule: Arguments) -> str:
    args = {"model": host.model(model), "inputs": host.calibration_data(model), "rule": rule}
    scales = host.reference_step("calibrate", args).result["scales"]
    made = CalibrationTable.of(
        scales,
        CalibrationRule.of(Calibrator(rule["calibrator"]), batch_size=rule["batch_size"]),
        TensorRTVersion.parse(host.toolchain.version),
    )
    return host.write(f"reference-{model}-{rule['calibrator']}.table", made.render())


def _completed_agree(answer: BuilderAnswer, native_scales: Mapping[str, str]) -> Numbers:
    """Completed entries against TensorRT's own of the same name."""
    given = CalibrationTable.parse((answer.scratch / "calibration.table").read_bytes()).scales
    names = [row["tensor"] for row in answer.result["coverage"]["completed"]]
    found = differences({name: given[name] for name in names}, native_scales)
    del found["only_theirs"]
    return {"completed": len(names), **found}


@check("The CNN/attention mix from a CPU table: coverage of a network with attention", seconds=25)
def zoo_reference_table_builds(host: Host) -> Numbers:
    path = _reference_table(host, "zoo", ENTROPY2)
    engine = built(host, "zoo", "int8", table=path, **timed(host, "zoo"))
    own = cold(host, "zoo")
    numbers: Numbers = {
        **facts_of(engine),
        "native": facts(own.result["build"]),
        "coverage": engine.result["coverage"],
        "completed_agree": _completed_agree(engine, own.result["scales"]),
        "layer_types": layer_types(engine.result),
    }
    expect(not engine.result["coverage"]["harmful"], "there are holes", numbers)
    expect(engine.result["int8_layers"] == own.result["build"]["int8_layers"], "other layers are in INT8", numbers)
    return numbers


@check("Tables headed 8.5.1.7 and 8.5.2.2 build under this version's header", seconds=10)
def restamped_table(host: Host) -> Numbers:
    numbers: Numbers = {}
    golden = CalibrationTable.parse((host.golden / "lenet" / "minmax-bs50.table").read_bytes())
    for version in ("8.5.1.7", "8.5.2.2"):
        path = host.write(f"from-{version}.table", golden.restamp(TensorRTVersion.parse(version)).render())
        answer = host.step("trt-build", build_args(host, "lenet", "int8", table=path, **timed(host, "lenet")))
        numbers[version] = {**facts_of(answer), "restamped_from": answer.result["coverage"]["restamped_from"]}
        expect(bool(numbers[version]["restamped_from"]), f"{version}: not re-stamped", numbers)
    return numbers


@check("Missing tensors are told apart: completed, harmless, or harmful with the reason", seconds=35)
def missing_tensors(host: Host) -> Numbers:
    whole = CalibrationTable.parse((host.golden / "lenet" / "minmax-bs50.table").read_bytes()).scales
    products = [tensor for tensor in whole if "[Matrix Multiply]" in tensor]
    unnamed = [tensor for tensor in whole if tensor.startswith("(Unnamed")]
    named = {f"/f{number}/Gemm_output_0#product": whole[name] for number, name in enumerate(products, start=1)}
    cases: dict[str, tuple[list[str], dict[str, str], list[str]]] = {
        "nothing": ([], {}, []),
        "matrix products": (products, {}, products),
        "a convolution": (["/c2/Conv_output_0"], {}, ["/c2/Conv_output_0"]),
        "all that has no name": (unnamed, {}, products),
        "the same, products by our names": (unnamed, named, []),
    }
    numbers: Numbers = {}
    for name, (left_out, added, harmful) in cases.items():
        scales = {tensor: scale for tensor, scale in whole.items() if tensor not in left_out} | added
        args = build_args(host, "lenet", "int8", scales=scales, calibrator="minmax", **timed(host, "lenet"))
        answer = host.step("trt-build", args)
        coverage = answer.result["coverage"]
        numbers[name] = {**facts_of(answer), "dtypes": dtypes(answer), "coverage": coverage}
        told = [row["tensor"] for row in coverage["harmful"]]
        expect(told == harmful, f"without {name}: {told} are called harmful", numbers)
    least, most = (numbers[name]["int8_layers"] for name in ("matrix products", "nothing"))
    expect(least < most, "matrix products cost no INT8 after all", numbers)
    last = numbers["the same, products by our names"]
    expect(last["dtypes"] == numbers["nothing"]["dtypes"], "completed otherwise than TensorRT's own", numbers)
    return numbers


@check("A table of another model is refused", seconds=5)
def foreign_table(host: Host) -> Numbers:
    path = host.write("foreign.table", b"TRT-8503-MinMaxCalibration\nno/such/tensor: 3c010204\n")
    told = refusal(partial(host.step, "trt-build", build_args(host, "lenet", "int8", table=path)))
    expect(told.startswith("bad_table"), "it was refused for another reason", {"refused": told})
    return {"refused": told}
