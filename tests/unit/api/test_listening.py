"""The socket that the server answers on."""

from __future__ import annotations

import socket

import pytest

from trtfarm.errors import UsageError
from trtfarm_api.server import listen


def test_the_second_packet_of_an_answer_does_not_wait_for_the_client() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_is_taken_is_told() -> None:
    with listen("127.0.0.1", 0) as listening, pytest.raises(UsageError, match="cannot be listened on"):
        listen(*listening.getsockname())
