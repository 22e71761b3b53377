"""Work of seconds to minutes, such as reading a model of a GiB: only so much at once, so that lists go on beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Request

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

#: Each holds a processor, and the memory of a model that is being read.
AT_ONCE = 4


def limiter() -> anyio.CapacityLimiter:
    """Made where the app's event loop runs."""
    return anyio.CapacityLimiter(AT_ONCE)


async def heavily(
    request: Request,
    function: Callable[Arguments, Result],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Result:
    """Calls a function in a thread of its own, as soon as there is room."""
    call: Callable[..., Any] = partial(function, *arguments, **named)
    found: Result = await anyio.to_thread.run_sync(call, limiter=request.app.state.heavy)
    return found
