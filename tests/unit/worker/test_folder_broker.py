"""Messages in a folder: whoever looks sees each of them whole, or not yet."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu.exceptions import ChannelError

from tests.acceptance.worker.programs import PATIENCE
from trtfarm.settings import Settings
from trtfarm_worker.app import make_app

#: With Kombu's own way of writing, one in twenty was taken unfinished.
MESSAGES = 500
QUEUE = "trtfarm.cpu"


def settings_of(home: Path) -> Settings:
    return Settings.from_environment({"TRTFARM_HOME": str(home)})


def send(home: Path) -> None:
    with make_app(settings_of(home)).connection_for_write() as connection:
        channel = connection.default_channel
        for number in range(MESSAGES):
            channel._put(QUEUE, {"number": number})


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Any]:
    with make_app(settings_of(tmp_path)).connection_for_write() as connection:
        yield connection.default_channel


def test_a_reader_that_never_waits_takes_no_message_unfinished(channel: Any, tmp_path: Path) -> None:
    sender = get_context("spawn").Process(target=send, args=(tmp_path,))
    sender.start()
    taken = list[int]()
    while len(taken) < MESSAGES:
        try:
            taken.append(channel._get(QUEUE)["number"])
        except Empty:
            assert sender.is_alive() or any((tmp_path / "broker" / "messages").iterdir())
    sender.join(PATIENCE)
    assert sorted(taken) == list(range(MESSAGES))
    assert sender.exitcode == 0


def test_a_message_that_cannot_be_stored_leaves_nothing(channel: Any, tmp_path: Path) -> None:
    (tmp_path / "broker" / "messages").rmdir()
    with pytest.raises(ChannelError, match="cannot add"):
        channel._put(QUEUE, {"number": 1})
    assert list((tmp_path / "broker" / "processed").iterdir()) == []
