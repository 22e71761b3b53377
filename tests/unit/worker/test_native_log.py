from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trtfarm_worker.builder.native_log import NativeLog

_NOTE = re.compile(rb"\n\[(\d+) bytes left out\]\n")


def test_a_short_log_is_kept_whole(tmp_path: Path) -> None:
    with NativeLog(tmp_path / "log") as log:
        log.write(b"one\n")
        log.write(b"two\n")
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"
    assert log.tail(1) == "two"


def test_a_log_of_nothing_has_no_tail(tmp_path: Path) -> None:
    with NativeLog(tmp_path / "log") as log:
        log.write(b"")
    assert log.tail(5) == ""


@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"[", b"(")), max_size=20))
def test_head_and_tail_stay_and_the_middle_is_counted(chunks: list[bytes]) -> None:
    everything = b"".join(chunks)
    with tempfile.TemporaryDirectory() as folder:
        with NativeLog(Path(folder, "log"), head_bytes=50, tail_bytes=20) as log:
            for chunk in chunks:
                log.write(chunk)
        kept = log.path.read_bytes()
    if len(everything) <= 50:
        assert kept == everything
    else:
        head, dropped, tail = _NOTE.split(kept)
        assert head == everything[:50]
        assert everything.endswith(tail)
        assert len(tail) == min(20, len(everything) - 50)
        assert int(dropped) == len(everything) - len(head) - len(tail)


def test_a_tail_is_fit_for_a_message(tmp_path: Path) -> None:
    with NativeLog(tmp_path / "log") as log:
        log.write(b"\x1b[31mred\xff\n" * 10_000)
    assert len(log.tail(3).splitlines()) == 3
    assert "\x1b" not in log.tail(3)
