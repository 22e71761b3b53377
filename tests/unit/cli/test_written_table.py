"""What is said of a table that was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion
from trtfarm_cli.written_table import write_table


def test_tensors_without_a_scale_of_their_own_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = CalibrationRule.of(Calibrator.MINMAX, batch_size=1)
    table = CalibrationTable.of({"dead": "3c010204"}, rule, TensorRTVersion.parse("8.5.3"))
    result = {
        "skipped": [{"tensor": "mask", "reason": "a value is infinite"}],
        "assumed": [{"tensor": "dead", "reason": "zero throughout"}],
    }
    write_table(tmp_path / "x.table", table, result, json=False)
    told = capsys.readouterr()
    assert told.err.splitlines() == ["no scale for mask: a value is infinite", "dead is zero throughout"]
    assert told.out == f"{tmp_path}/x.table: TRT-8503-MinMaxCalibration, 1 tensor\n"
