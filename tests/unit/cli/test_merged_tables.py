"""`trtfarm tables merge` and `restamp`, on files."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from trtfarm.errors import NotFoundError, TableError, UsageError
from trtfarm.farm import Farm
from trtfarm_cli import exits, named_tables
from trtfarm_cli.commands.tables import merge, restamp
from trtfarm_cli.farms.here.farm import FarmHere

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


def test_a_name_that_is_neither_a_file_nor_an_id_is_told_as_both(
    farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named_tables, "open_any", lambda: nullcontext(FarmHere(farm.settings, lambda: farm)))
    with pytest.raises(NotFoundError, match="no file lenet, and no table of this id") as refused:
        restamp("lenet", tensorrt="8.6.1", destination=tmp_path / "new")
    assert exits.code_of(refused.value) == 8


def test_a_version_that_no_header_can_hold_is_told_once(tables: list[str], tmp_path: Path) -> None:
    for version in ("10", "10.13"):
        with pytest.raises(UsageError, match=f"TensorRT {version} is too short"):
            restamp(tables[0], tensorrt=version, destination=tmp_path / "new")
