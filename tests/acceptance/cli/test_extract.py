"""Q/DQ nodes back to a table, through the program."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.cli.program import Program
from trtfarm.tables.table import CalibrationTable


def test_what_was_quantised_from_a_table_gives_its_scales_back(program: Program, golden: Path, tmp_path: Path) -> None:
    table, quantized, back = golden / "lenet" / "minmax-bs50.table", tmp_path / "q.onnx", tmp_path / "back.table"
    program.ok("quantize", golden / "lenet" / "model.onnx", "--table", table, "-o", quantized)
    program.ok("tables", "extract", quantized, "-o", back)
    scales = CalibrationTable.parse(back.read_bytes()).scales
    original = CalibrationTable.parse(table.read_bytes()).scales
    assert scales
    assert scales == {tensor: original[tensor] for tensor in scales}


def test_a_model_without_q_dq_nodes_has_no_table(program: Program, golden: Path, tmp_path: Path) -> None:
    ended = program.run("tables", "extract", golden / "lenet" / "model.onnx", "-o", tmp_path / "no.table")
    assert ended.code == 3
    assert not (tmp_path / "no.table").exists()
