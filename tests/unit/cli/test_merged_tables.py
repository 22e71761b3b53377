"""`trtfarm tables merge`, on files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtfarm.errors import TableError, UsageError
from trtfarm_cli import exits
from trtfarm_cli.commands.tables import merge

HEADER = "TRT-8503-MinMaxCalibration\n"


@pytest.fixture
def tables(tmp_path: Path) -> list[str]:
    """Two that agree, and one that agrees with neither."""
    texts = {"a": "x: 3c010204\n", "b": "x: 3c010204\ny: 3c010205\n", "c": "x: 3d010204\ny: 3d010204\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(HEADER + text)
    return [str(tmp_path / name) for name in texts]


def test_one_table_is_written_of_several(tables: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    merge(tables[:2], destination=tmp_path / "whole", json=True)
    assert (tmp_path / "whole").read_text() == f"{HEADER}x: 3c010204\ny: 3c010205\n"
    told = json.loads(capsys.readouterr().out)
    assert told == {"path": str(tmp_path / "whole"), "header": HEADER.strip(), "tensors": 2}


def test_nothing_is_written_of_tables_that_contradict_each_other(tables: list[str], tmp_path: Path) -> None:
    with pytest.raises(TableError, match="'x'") as refused:
        merge(tables, destination=tmp_path / "whole")
    assert exits.code_of(refused.value) == 5
    with pytest.raises(UsageError, match="it is what is read"):
        merge(tables[:2], destination=Path(tables[1]))
    with pytest.raises(UsageError, match="no merging"):
        merge(tables[:1], destination=tmp_path / "whole")
    assert not (tmp_path / "whole").exists()
