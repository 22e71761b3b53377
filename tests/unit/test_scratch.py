from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trtfarm.errors import StorageError
from trtfarm.scratch import scratch_folder, sweep_scratch, temporary_folder

#: Works in a scratch folder until it is killed.
WORKER = """
import sys
from pathlib import Path
from trtfarm.scratch import scratch_folder

with scratch_folder(Path(sys.argv[1]), "job") as folder:
    (folder / "deep").mkdir()
    (folder / "deep" / "engine.plan").write_bytes(b"half")
    print("works", flush=True)
    sys.stdin.read()
"""


def test_a_folder_lasts_as_long_as_its_block(tmp_path: Path) -> None:
    root = tmp_path / "scratch"
    with scratch_folder(root, "job") as one, scratch_folder(root, "job") as other:
        assert one != other
        assert one.parent == root
        (one / "deep").mkdir()
        assert sorted(root.iterdir()) == sorted([one, other])
    assert list(root.iterdir()) == []


def test_a_folder_goes_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), scratch_folder(tmp_path / "scratch", "job"):
        raise RuntimeError
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_is_in_use_is_not_swept(tmp_path: Path) -> None:
    with scratch_folder(tmp_path, "job") as folder:
        assert sweep_scratch(tmp_path) == 0
        assert folder.is_dir()


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "works\n"
        assert sweep_scratch(tmp_path) == 0
        worker.kill()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("job-")
    assert sweep_scratch(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_sweeps_what_killed_commands_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    others = [tmp_path / name for name in ("somebodys", ".trtfarm-work-being-made", "trtfarm")]
    for folder in (*others, tmp_path / "trtfarm-work-left"):
        folder.mkdir()
    (tmp_path / "trtfarm-work-linked").symlink_to(others[0])
    (others[0] / "file").touch()
    with temporary_folder() as one, temporary_folder() as other:
        assert one.parent == tmp_path
        assert one.is_dir()
        assert other.is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {*(path.name for path in others), "trtfarm-work-linked"}
    assert (others[0] / "file").exists()


def test_sweeping_where_nothing_was_made_does_nothing(tmp_path: Path) -> None:
    assert sweep_scratch(tmp_path / "none") == 0


def test_a_place_that_cannot_hold_folders_is_told(tmp_path: Path) -> None:
    (tmp_path / "scratch").write_text("a file")
    with pytest.raises(StorageError, match="scratch"), scratch_folder(tmp_path / "scratch", "job"):
        pass
