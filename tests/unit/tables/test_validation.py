"""Each defect is found on its line, with the severity that TensorRT's behaviour gives it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from tests.unit.tables.strategies import sound, tables
from trtfarm.calibrators import Calibrator
from trtfarm.errors import TableError
from trtfarm.tables.problems import Problem, Severity
from trtfarm.tables.table import CalibrationTable
from trtfarm.tables.validation import load, validate
from trtfarm.versions import TensorRTVersion

HEADER = "TRT-8503-EntropyCalibration2\n"


def problems_of(text: str | bytes) -> list[Problem]:
    return validate(CalibrationTable.parse(text.encode() if isinstance(text, str) else text))


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize(
    ("digits", "what"),
    [
        ("00000000", "zero"),
        ("80000000", "zero"),
        ("bc010204", "negative"),
        ("ff800000", "negative"),
        ("7f800000", "infinite"),
        ("7fc00000", "not a number"),
        ("ffc00001", "not a number"),
        ("007fffff", "subnormal"),
        ("00000001", "subnormal"),
    ],
)
def test_scales_that_break_an_engine_are_errors(digits: str, what: str) -> None:
    problem = only(problems_of(f"{HEADER}a: 3c010204\nx:0: {digits}\nb: 3c010204\n"))
    assert problem.severity is Severity.ERROR
    assert (problem.line, problem.tensor) == (3, "x:0")
    assert what in problem.what


@pytest.mark.parametrize("digits", ["00800000", "3c010204", "7f7fffff"])
def test_positive_normal_scales_are_sound(digits: str) -> None:
    assert problems_of(f"{HEADER}x: {digits}\n") == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x 3c010204", "a line is a tensor's name"),
        ("x:3c010204", "a line is a tensor's name"),
        (": 3c010204", "a line is a tensor's name"),
        ("x: 3c01", "4 hex digits where 8 belong"),
        ("x: 0", "1 hex digits where 8 belong"),
        ("x: 3c0102040", "is not 8 hex digits"),
        ("x: 0x3c0102", "is not 8 hex digits"),
        ("x: 3c010204 ", "is not 8 hex digits"),
        ("x: 0.0078", "is not 8 hex digits"),
        ("x\x1b[2J: 3c010204", "no tensor is called that"),
        ("x\r: 3c010204", "no tensor is called that"),
    ],
)
def test_lines_that_are_no_entries_are_errors_with_their_number(line: str, why: str) -> None:
    problem = only(problems_of(f"{HEADER}a: 3c010204\n{line}\nb: 3c010204\n"))
    assert problem.severity is Severity.ERROR
    assert problem.line == 3
    assert why in problem.why
    assert "\x1b" not in str(problem)


def test_bytes_that_are_not_utf8_are_an_error() -> None:
    problem = only(problems_of(HEADER.encode() + b"caf\xe9: 3c010204\na: 3c010204\n"))
    assert (problem.severity, problem.line) == (Severity.ERROR, 2)
    assert "not UTF-8" in problem.what


def test_overlong_lines_are_an_error() -> None:
    problem = only(problems_of(f"{HEADER}{'x' * 70_000}: 3c010204\na: 3c010204\n"))
    assert (problem.severity, problem.line) == (Severity.ERROR, 2)
    assert len(str(problem)) < 200


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (HEADER + "x: 3c010204", "no line end"),
        ((HEADER + "x: 3c010204\n").replace("\n", "\r\n"), "CR LF"),
        (HEADER + "x: 3C010204\n", "upper case"),
        (HEADER + "x: 3c010204\n\n", "blank"),
    ],
)
def test_what_reading_mends_is_a_warning(text: str, what: str) -> None:
    problem = only(problems_of(text))
    assert problem.severity is Severity.WARNING
    assert what in problem.what
    assert load(text.encode()).scales == {"x": "3c010204"}


def test_a_tensor_with_two_scales_is_an_error() -> None:
    text = f"{HEADER}x: 3c010204\ny: 3c010204\nx: 3c010205\n"
    assert CalibrationTable.parse(text.encode()).scales == {"x": "3c010204", "y": "3c010204"}
    problem = only(problems_of(text))
    assert (problem.severity, problem.line, problem.tensor) == (Severity.ERROR, 4, "x")


@pytest.mark.parametrize(
    "header",
    [
        "TRT-8503",
        "8503-EntropyCalibration2",
        "\ufeffTRT-8503-MinMaxCalibration",
        "x: 3c010204",
        "1 3ff0000000000000",
        "",
    ],
)
def test_headers_in_no_known_form_are_errors(header: str) -> None:
    problem = only(problems_of(f"{header}\nx: 3c010204\n"))
    assert (problem.severity, problem.line) == (Severity.ERROR, 1)
    assert "INFO" in problem.why


def test_an_unknown_algorithm_is_an_error_that_names_the_known_ones() -> None:
    problem = only(problems_of("TRT-8503-PercentileCalibration\nx: 3c010204\n"))
    assert problem.severity is Severity.ERROR
    assert "EntropyCalibration2" in problem.remedy


@pytest.mark.parametrize("digits", ["10300", "999", "08503", "0", "99999"])
def test_impossible_version_digits_are_an_error_that_restamping_mends(digits: str) -> None:
    text = f"TRT-{digits}-MinMaxCalibration\nx: 3c010204\n"
    table = CalibrationTable.parse(text.encode())
    assert table.render() == text.encode()
    assert "version digits" in only(validate(table)).what
    assert validate(table.restamp(TensorRTVersion.parse("10.3.0"))) == []


@pytest.mark.parametrize("digits", ["5105", "7234", "8503", "9300", "100300", "101303"])
def test_version_digits_that_tensorrt_writes_are_sound(digits: str) -> None:
    assert problems_of(f"TRT-{digits}-MinMaxCalibration\nx: 3c010204\n") == []


@pytest.mark.parametrize("quantile", ["0000000000000000", "7ff8000000000000", "bff0000000000000", "4000000000000000"])
def test_legacy_parameters_must_be_shares(quantile: str) -> None:
    problem = only(problems_of(f"0 3ff0000000000000 {quantile}\nx: 3c010204\n"))
    assert (problem.severity, problem.line) == (Severity.ERROR, 1)
    assert "quantile" in problem.what


def test_a_table_without_scales_is_an_error() -> None:
    assert "no scales" in only(problems_of(HEADER)).what


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(TableError, match="no scales"):
        load(b"")


@pytest.mark.parametrize("expected", [Calibrator.MINMAX, Calibrator.ENTROPY, Calibrator.LEGACY])
def test_another_calibrators_table_is_an_error(golden: Path, expected: Calibrator) -> None:
    table = load((golden / "lenet" / "entropy2-bs50.table").read_bytes())
    problem = only(validate(table, expected=expected))
    assert problem.severity is Severity.ERROR
    assert "calibrate again" in problem.why


def test_a_legacy_table_is_not_taken_for_entropy(golden: Path) -> None:
    table = load((golden / "lenet" / "legacy-bs50.table").read_bytes())
    assert only(validate(table, expected=Calibrator.ENTROPY)).is_error
    assert validate(table, expected=Calibrator.LEGACY) == []


@pytest.mark.parametrize("expected", [Calibrator.ENTROPY2, Calibrator.PERCENTILE, Calibrator.MSE])
def test_our_own_rules_go_as_entropy2(golden: Path, expected: Calibrator) -> None:
    load((golden / "lenet" / "entropy2-bs50.table").read_bytes(), expected=expected)


@pytest.mark.parametrize(
    ("header", "version", "severity"),
    [
        ("TRT-8503-MinMaxCalibration", "8.5.3.1", None),
        ("TRT-8503-MinMaxCalibration", "8.5", None),
        ("TRT-8601-MinMaxCalibration", "8.5.3.1", Severity.WARNING),
        ("TRT-8503-MinMaxCalibration", "10.3.0.26", Severity.ERROR),
        ("TRT-100300-MinMaxCalibration", "10.3.0.26", None),
        ("TRT-100300-MinMaxCalibration", "10.13.3.9", Severity.WARNING),
        ("TRT-100300-MinMaxCalibration", "11.0.0.1", Severity.ERROR),
        ("0 3ff0000000000000 3fefff2e48e8a71e", "10.3.0.26", None),
    ],
)
def test_the_version_that_reads_the_table_is_checked(header: str, version: str, severity: Severity | None) -> None:
    table = CalibrationTable.parse(f"{header}\nx: 3c010204\n".encode())
    problems = validate(table, tensorrt=TensorRTVersion.parse(version))
    assert [problem.severity for problem in problems] == ([severity] if severity else [])


def network_tensors(golden: Path, model: str) -> list[str]:
    layers = json.loads((golden / model / "network.json").read_text())
    inputs = {"lenet": ["data"], "zoo": ["x"]}[model]
    return inputs + [layer["tensor"] for layer in layers if layer["dtype"] == "FLOAT"]


@pytest.mark.parametrize("model", ["lenet", "zoo"])
def test_golden_tables_cover_their_networks(golden: Path, model: str) -> None:
    for path in (golden / model).glob("*bs50.table"):
        problems = validate(load(path.read_bytes()), tensors=network_tensors(golden, model))
        assert not any("not in the model" in problem.what for problem in problems)


def test_a_tensor_without_a_scale_is_a_warning(golden: Path) -> None:
    table = load((golden / "lenet" / "entropy2-bs50.table").read_bytes())
    problem = only(validate(table, tensors=[*table.scales, "/forgotten"]))
    assert problem.severity is Severity.WARNING
    assert "'/forgotten'" in problem.what


def test_names_that_the_model_lacks_are_an_error(golden: Path) -> None:
    table = load((golden / "lenet" / "entropy2-bs50.table").read_bytes())
    some = only(validate(table, tensors=["data", "prob"]))
    assert some.severity is Severity.ERROR
    assert some.what.startswith("8 of 10 named tensors")
    strangers, _ = validate(table, tensors=network_tensors(golden, "zoo")[:1])
    assert strangers.severity is Severity.ERROR
    assert "another model" in strangers.why


@pytest.mark.parametrize("name", ["(Unnamed Layer* 10) [Shuffle]_output", "ONNXTRT_Broadcast_12_output"])
def test_names_that_tensorrt_made_up_belong_to_no_model(name: str) -> None:
    table = load(f"{HEADER}x: 3c010204\n{name}: 3c010204\n".encode())
    assert validate(table, tensors=["x"]) == []


def test_the_product_within_a_gemm_belongs_to_the_model_that_has_the_gemm() -> None:
    table = load(f"{HEADER}x: 3c010204\ny#product: 3c010204\ny: 3c010204\n".encode())
    assert validate(table, tensors=["x", "y"]) == []
    assert only(validate(table, tensors=["x"])).what.startswith("2 of 3 named tensors")


def test_load_tells_every_error_and_each_remedy_once(golden: Path) -> None:
    lines = (golden / "lenet" / "minmax-bs50.table").read_text().splitlines()
    lines[1] = "data: 00000000"
    lines[3] = "/MaxPool_output_0: 7fc00000"
    with pytest.raises(TableError) as raised:
        load("\n".join(lines).encode(), name="mine.table", expected=Calibrator.ENTROPY2)
    message = raised.value.message
    assert message.startswith("mine.table cannot be used: 3 errors\n")
    assert "line 2, tensor 'data': the scale is zero" in message
    assert "line 4, tensor '/MaxPool_output_0': the scale is not a number" in message
    assert "minmax calibrator" in message
    assert "line end" not in message
    assert raised.value.remedy is not None
    assert raised.value.remedy.count("calibrate again with data that reaches this tensor") == 1


def test_load_counts_the_errors_it_does_not_tell() -> None:
    text = HEADER + "".join(f"t{number}: 00000000\n" for number in range(50))
    with pytest.raises(TableError, match="and 30 more"):
        load(text.encode())


def test_problems_are_plain_data_in_the_order_of_lines() -> None:
    problems = problems_of("TRT-1-Nothing\nx: 00000000\nrubbish\nx: 00000001")
    assert [problem.line for problem in problems] == [1, 1, 2, 3, 4, 4, None]
    assert json.loads(json.dumps([problem.as_dict() for problem in problems]))[2]["severity"] == "error"


@given(tables(sound, min_size=1))
def test_tables_of_sound_scales_are_loaded_whole(table: CalibrationTable) -> None:
    assert load(table.render(), expected=table.calibrator, tensors=list(table.scales)) == table


def test_tensors_without_a_range_may_lack_a_scale() -> None:
    table = CalibrationTable.parse(b"TRT-8503-MinMaxCalibration\nx: 3c010204\n")
    (problem,) = validate(table, tensors=("x", "ids", "y"), without_range={"ids"})
    assert problem.what == "1 of 2 of the model's tensors have no scale: 'y'"
