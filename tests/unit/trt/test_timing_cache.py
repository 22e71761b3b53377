"""Which timing caches are taken: by what TensorRT says of them, because what it answers does not tell.

The stand-in says and answers what TensorRT 8.5.3.1 did on an H200; no TensorRT gives a cache without a GPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trtfarm_builder.build_log import BuildLog
from trtfarm_builder.channel import Channel
from trtfarm_builder.trt.timing_cache import combined, set_in, set_timing_cache

MYELIN = (
    "1: [myelinCache.h::deserializeFromBuffer::52] Error Code 1: Myelin (Myelin error from unknown graph)",
    "4: The timing cache will not be used!",
)
GARBAGE = (
    "1: [stdArchiveReader.cpp::StdArchiveReader::32] Error Code 1: Serialization (Magic tag does not match)",
    "4: The timing cache will not be used!",
)
ERROR = SimpleNamespace(name="ERROR")


class Cache:
    def __init__(self, log: BuildLog, data: bytes) -> None:
        self.log, self.data = log, data
        for line in () if data == b"" else MYELIN if data.startswith(b"cache ") else GARBAGE:
            log.log(ERROR, line)

    def combine(self, other: Cache, *, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        if other.data.endswith(b"of another GPU"):
            self.log.log(ERROR, "3: the caches' devices do not match")
            return False
        self.data += b" and " + other.data
        for line in MYELIN:
            self.log.log(ERROR, line)
        return False


class Config:
    def __init__(self, log: BuildLog) -> None:
        self.log = log
        self.cache = b"none"

    def create_timing_cache(self, data: bytes) -> Cache:
        return Cache(self.log, data)

    def set_timing_cache(self, cache: Cache, *, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        self.cache = cache.data
        return not cache.data.endswith(b"of another GPU")


class Host:
    """A log, what the supervisor hears, and a configuration."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self.channel = Channel(descriptor)
        self.log = BuildLog(folder / "build.log", self.channel)
        self.config: Any = Config(self.log)

    def heard(self) -> str:
        return (self.folder / "events").read_text()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    descriptor = os.open(tmp_path / "events", os.O_WRONLY | os.O_CREAT)
    host = Host(tmp_path, descriptor)
    yield host
    host.log._file.close()  # a builder leaves that to the end of its process
    os.close(descriptor)


def test_a_cache_of_this_tensorrt_is_taken_and_what_it_says_of_it_troubles_nobody(host: Host, tmp_path: Path) -> None:
    (tmp_path / "known").write_bytes(b"cache one")
    assert set_timing_cache(host.config, str(tmp_path / "known"), host.log, host.channel)
    assert host.config.cache == b"cache one"
    assert host.heard() == ""
    assert host.log.last_errors() is None
    host.log.check()
    assert MYELIN[0] in (tmp_path / "build.log").read_text()


@pytest.mark.parametrize(
    ("data", "reason"), [(b"garbage", "Magic tag"), (b"cache of another GPU", "another TensorRT or GPU")]
)
def test_any_other_is_left_aside_with_the_reason(host: Host, tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "strange").write_bytes(data)
    assert not set_timing_cache(host.config, str(tmp_path / "strange"), host.log, host.channel)
    assert host.config.cache == b""
    assert reason in host.heard()
    assert reason in (set_in(host.config, data, host.log) or "")


def test_without_one_a_build_begins_an_empty_one(host: Host) -> None:
    assert not set_timing_cache(host.config, None, host.log, host.channel)
    assert host.config.cache == b""
    assert host.heard() == ""


def test_combining_is_believed_where_only_myelins_part_is_not_read(host: Host) -> None:
    whole, reasons = combined(host.config, [b"cache one", b"cache two", b"cache three"], host.log)
    assert whole.data == b"cache one and cache two and cache three"
    assert reasons == [None, None, None]


def test_each_that_is_not_in_the_combined_one_has_its_reason(host: Host) -> None:
    caches = [b"cache one", b"garbage", b"cache of another GPU", b"cache two"]
    whole, reasons = combined(host.config, caches, host.log)
    assert whole.data == b"cache one and cache two"
    assert [reason is None for reason in reasons] == [True, False, False, True]
    assert "Magic tag" in str(reasons[1])
    assert "do not match" in str(reasons[2])
