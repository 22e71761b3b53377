from __future__ import annotations

import gc
import os
import select

import pytest

from trtfarm_worker.builder.cancellation import CancelToken


def test_a_token_stays_readable_once_it_is_cancelled() -> None:
    token = CancelToken()
    assert (token.cancelled, select.select([token], [], [], 0)[0]) == (False, [])
    token.cancel()
    token.cancel()
    for _ in range(2):
        assert (token.cancelled, select.select([token], [], [], 0)[0]) == (True, [token])


def test_a_token_takes_its_descriptor_with_it() -> None:
    token = CancelToken()
    descriptor = token.fileno()
    del token
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
