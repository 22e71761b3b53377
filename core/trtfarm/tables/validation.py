"""Checks of a table before TensorRT sees it: what it would misread, it misreads without a word.

What TensorRT does with each defect was measured with 8.5.3.1; what is only known from reports says so.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from trtfarm.calibrators import HEADER_WORDS, Calibrator
from trtfarm.tables.headers import NO_CALIBRATORS_FROM, LegacyHeader, UnknownHeader, VersionHeader
from trtfarm.tables.problems import Problem, Severity, refuse_errors, shown, shown_names
from trtfarm.tables.reading import Entry
from trtfarm.tables.scales import SMALLEST, float32_from_hex
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion

#: From this major number on, TensorRT is reported to refuse 4 version digits.
_WIDE_DIGITS_FROM = 10
#: How names begin that TensorRT's parser makes up for layers of its own; no ONNX model has them. The second is what
#: its newer releases are reported to write.
_UNNAMED = "(Unnamed Layer*"
_MADE_UP = (_UNNAMED, "ONNXTRT_")
# The reference calibrator's name for the product within a Gemm, behind that of the Gemm's output.
_PRODUCT = "#product"
_RECALIBRATES = "TensorRT would drop the table and calibrate again, and tell so at INFO only"
_CALIBRATE_AGAIN = "calibrate again with data that reaches this tensor"


def load(
    data: bytes,
    *,
    name: str = "the calibration table",
    expected: Calibrator | None = None,
    tensorrt: TensorRTVersion | None = None,
    tensors: Collection[str] | None = None,
) -> CalibrationTable:
    """The table in a file that is going to be used; raises TableError that tells every error `validate` finds."""
    table = CalibrationTable.parse(data)
    refuse_errors(validate(table, expected=expected, tensorrt=tensorrt, tensors=tensors), name)
    return table


def validate(
    table: CalibrationTable,
    *,
    expected: Calibrator | None = None,
    tensorrt: TensorRTVersion | None = None,
    tensors: Collection[str] | None = None,
    without_range: Collection[str] = (),
) -> list[Problem]:
    """All that is wrong with a table, in the order of its lines; what concerns the whole table comes last.

    `expected` is the calibrator it will be used with, `tensorrt` the TensorRT that will read its text, `tensors` the
    names of the model's float tensors; each is checked only if told. Those of the tensors `without_range` may lack a
    scale.
    """
    problems = [*table.damage, *_header_problems(table), *_scale_problems(table), *_duplicates(table)]
    problems.sort(key=lambda problem: math.inf if problem.line is None else problem.line)
    if not table.entries:
        why = "TensorRT would calibrate again, or build without INT8"
        problems.append(_error("it has no scales", why, "hand in a table with at least one tensor"))
    if expected is not None:
        problems.extend(_calibrator_problems(table, expected))
    if tensorrt is not None:
        problems.extend(_version_problems(table, tensorrt))
    if tensors is not None and table.entries:
        problems.extend(_coverage_problems(table, tensors, without_range))
    return problems


def _error(what: str, why: str, remedy: str, *, line: int | None = None, tensor: str | None = None) -> Problem:
    return Problem(severity=Severity.ERROR, what=what, why=why, remedy=remedy, line=line, tensor=tensor)


def _warning(what: str, why: str, remedy: str, *, line: int | None = None) -> Problem:
    return Problem(severity=Severity.WARNING, what=what, why=why, remedy=remedy, line=line)


def _header_problems(table: CalibrationTable) -> Iterator[Problem]:
    header = table.header
    if isinstance(header, UnknownHeader):
        yield _error(
            f"the header is {shown(header.text)}",
            _RECALIBRATES,
            "begin the file with the line TensorRT wrote, such as TRT-8503-EntropyCalibration2",
            line=1,
        )
    elif isinstance(header, LegacyHeader):
        for parameter, value in header.parameters.items():
            if not 0 < value <= 1:
                what = f"the Legacy calibrator's {parameter} is {value}"
                yield _error(what, "it is a share, above 0 and up to 1", "calibrate again", line=1)
    else:
        if header.calibrator is None:
            known = ", ".join(dict.fromkeys(HEADER_WORDS.values()))
            what = f"TensorRT knows no algorithm {shown(header.word)}"
            yield _error(what, _RECALIBRATES, f"use a table with one of: {known}", line=1)
        if header.version is None:
            what = f"no TensorRT has the version digits {header.digits}"
            why = "8.5.3 is 8503, 10.3.0 is 100300; the header was written by something else"
            yield _error(what, why, "re-stamp the table if you trust it", line=1)


def _scale_problems(table: CalibrationTable) -> Iterator[Problem]:
    for entry in table.entries:
        if found := _scale_problem(entry):
            what, why = found
            yield _error(what, why, _CALIBRATE_AGAIN, line=entry.line, tensor=entry.tensor)


def _scale_problem(entry: Entry) -> tuple[str, str] | None:
    scale = float32_from_hex(entry.scale)
    if math.isnan(scale):
        return "the scale is not a number", "every value of the tensor would become NaN"
    if scale == 0:
        return "the scale is zero", "TensorRT builds no engine and raises nothing (Assertion getter(i) != 0 failed)"
    if scale < 0:
        return f"the scale is negative ({scale:g})", "a scale is amax / 127, and amax is a magnitude"
    if math.isinf(scale):
        return "the scale is infinite", "every value of the tensor would become zero"
    if scale < SMALLEST:
        return f"the scale is subnormal ({scale:g})", "GPUs flush it to zero, and a zero scale fails the build"
    return None


def _duplicates(table: CalibrationTable) -> Iterator[Problem]:
    first: dict[str, Entry] = {}
    for entry in table.entries:
        before = first.setdefault(entry.tensor, entry)
        if before is entry:
            continue
        same = before.scale == entry.scale
        yield Problem(
            severity=Severity.ERROR,
            line=entry.line,
            tensor=entry.tensor,
            what=f"the tensor is on line {before.line} too",
            why="with the same scale: nothing that writes tables does so, and another edit may part the two"
            if same
            else f"there with scale {before.scale}, here with {entry.scale}",
            remedy="take one of them out" if same else "keep the line that is right, or calibrate again",
        )


def _calibrator_problems(table: CalibrationTable, expected: Calibrator) -> Iterator[Problem]:
    # A header without a calibrator was told already.
    if table.calibrator is None:
        return
    if expected is Calibrator.LEGACY:
        fits = table.calibrator is Calibrator.LEGACY
    else:
        fits = isinstance(table.header, VersionHeader) and table.header.word == HEADER_WORDS[expected]
    if not fits:
        what = f"it is a table of the {table.calibrator} calibrator, and {expected} is asked for"
        remedy = f"build with {table.calibrator}, or calibrate with {expected}"
        yield _error(what, _RECALIBRATES, remedy, line=1)


def _version_problems(table: CalibrationTable, tensorrt: TensorRTVersion) -> Iterator[Problem]:
    made_by = table.version
    if tensorrt.major >= NO_CALIBRATORS_FROM:
        why = f"TensorRT {NO_CALIBRATORS_FROM} removed calibrators, and INT8 is Q/DQ nodes in the ONNX"
        remedy = "let trtfarm quantise the model with this table and build the Q/DQ model"
        yield _error(f"TensorRT {tensorrt} reads no calibration tables", why, remedy)
    elif made_by is None or made_by.matches(TensorRTVersion(tensorrt.major, tensorrt.minor, tensorrt.patch)):
        return
    elif made_by.major < _WIDE_DIGITS_FROM <= tensorrt.major:
        what = f"it was made by TensorRT {made_by}, and {tensorrt} is to read it"
        why = f"TensorRT {_WIDE_DIGITS_FROM} is reported to refuse 4 version digits and calibrate again"
        yield _error(what, why, f"re-stamp it for {tensorrt}", line=1)
    else:
        what = f"it was made by TensorRT {made_by}, and {tensorrt} is to read it"
        why = f"the digits are not checked, but names such as {_UNNAMED} 10) change between versions"
        yield _warning(what, why, "re-stamp it, and look for tensors without a scale in the build's log", line=1)


def lacking(table: CalibrationTable, tensors: Collection[str], without_range: Collection[str] = ()) -> str | None:
    """Which of a model's tensors have no scale, in words; None where all have one but those `without_range`."""
    missing = [tensor for tensor in tensors if tensor not in table.scales and tensor not in without_range]
    if not missing:
        return None
    count = len(set(tensors).difference(without_range))
    return f"{len(missing)} of {count} of the model's tensors have no scale: {shown_names(missing)}"


def _coverage_problems(
    table: CalibrationTable, tensors: Collection[str], without_range: Collection[str]
) -> Iterator[Problem]:
    model = set(tensors)
    named = [tensor for tensor in table.scales if not tensor.startswith(_MADE_UP)]
    strangers = [tensor for tensor in named if tensor.removesuffix(_PRODUCT) not in model]
    if strangers:
        what = f"{len(strangers)} of {len(named)} named tensors are not in the model: {shown_names(strangers)}"
        # TensorRT passes over them, and runs the tensors that they were meant for in FP32.
        why = "the table belongs to another model, or to another export of this one"
        remedy = "calibrate this very model; if the table is its own, take those lines out"
        yield _error(what, why, remedy)
    if missing := lacking(table, tensors, without_range):
        why = "TensorRT runs them in FP32 and says so in one warning: a slower, larger engine"
        yield _warning(missing, why, "calibrate before fusion, or accept it for tensors that fusion removes")
