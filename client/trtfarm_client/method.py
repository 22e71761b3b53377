"""Methods that are written once, as flows: one kind of client waits for what they give, the other awaits it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import cache, wraps
from inspect import signature
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from trtfarm_client.async_transport import AsyncTransport
from trtfarm_client.call import Call
from trtfarm_client.flows import Flow, listing, page_call, sending
from trtfarm_client.pages import Page
from trtfarm_client.patience import Patience
from trtfarm_client.transport import Transport

Given = ParamSpec("Given")
Item = TypeVar("Item")
Result = TypeVar("Result")


class method(Generic[Given, Result]):  # noqa: N801 - a decorator, as `property` is
    """A method that gives what the decorated flow ends with: at once, or awaited, as the class has it."""

    def __init__(self, flow: Callable[Concatenate[Any, Given], Flow[Result]]) -> None:
        self._flow = flow

    @overload
    def __get__(self, farm: Waiting, kind: type[Any]) -> Callable[Given, Result]: ...

    @overload
    def __get__(self, farm: Awaiting, kind: type[Any]) -> Callable[Given, Coroutine[Any, Any, Result]]: ...

    @overload
    def __get__(self, farm: None, kind: type[Any]) -> Callable[..., Any]: ...

    def __get__(self, farm: Any, kind: type[Any]) -> Any:
        return kind.method_of(self._flow).__get__(farm, kind)


class Waiting:
    """Has methods that wait for their answers; threads may share it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._patience = transport.patience

    @staticmethod
    @cache
    def method_of(flow: Callable[..., Flow[Any]]) -> Callable[..., Any]:
        @wraps(flow)
        def waiting(self: Waiting, *given: Any, **named: Any) -> Any:
            return self._transport.run(flow(self, *given, **named))

        return _told(waiting, flow)


class Awaiting:
    """Has methods to be awaited, in one event loop."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._patience = transport.patience

    @staticmethod
    @cache
    def method_of(flow: Callable[..., Flow[Any]]) -> Callable[..., Any]:
        @wraps(flow)
        async def awaited(self: Awaiting, *given: Any, **named: Any) -> Any:
            return await self._transport.run(flow(self, *given, **named))

        return _told(awaited, flow)


class Flows:
    """Where methods are written; comes after `Waiting` or `Awaiting` among the bases of a class."""

    _patience: Callable[[], Patience]

    def _send(self, call: Call[Result]) -> Flow[Result]:
        return sending(call, self._patience())

    def _listed(
        self, make: Callable[..., Call[Page[Item]]], filters: Mapping[str, Any], limit: int | None
    ) -> Flow[list[Item]]:
        return listing(page_call(make, filters), limit, self._patience())


def _told(method: Callable[..., Any], flow: Callable[..., Any]) -> Callable[..., Any]:
    """With the signature that `help` shows: it returns what the flow ends with."""
    shape = signature(flow)
    ended_with = str(shape.return_annotation).removeprefix("Flow[").removesuffix("]")
    vars(method)["__signature__"] = shape.replace(return_annotation=ended_with)
    return method
