"""Does what flows ask for, over one pool of connections, for one event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import httpx2

from trtfarm.errors import TrtfarmError
from trtfarm_client.call import Call, Fetch, Listen, Pause, Span, Step, Work
from trtfarm_client.flows import Flow
from trtfarm_client.link import Link
from trtfarm_client.patience import Patience
from trtfarm_client.sse import LAST, EventReader, ServerEvent
from trtfarm_client.transport import SENT_BYTES, asking_for_events

Result = TypeVar("Result")


class AsyncTransport:
    """Speaks to one farm."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._http = httpx2.AsyncClient(**link.client_options())
        #: Whether anybody has answered yet: an address that never did is more likely wrong than a server gone.
        self._reached = False

    async def close(self) -> None:
        await self._http.aclose()

    def patience(self) -> Patience:
        return self.link.patience_of(reached=self._reached)

    async def run(self, flow: Flow[Result]) -> Result:
        """Does what a flow asks for."""
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._do(step)
                except TrtfarmError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _do(self, step: Step) -> Any:
        if isinstance(step, Pause):
            await anyio.sleep(step.seconds)
            return None
        if isinstance(step, Work):
            return await anyio.to_thread.run_sync(step.function)
        if isinstance(step, Fetch):
            return await self._fetch(step)
        if isinstance(step, Listen):
            return await self._listen(step)
        with self.link.transport_errors():
            response = await self._http.request(
                step.method,
                step.path,
                params=dict(step.params),
                headers=dict(step.headers),
                json=step.body,
                content=None if step.span is None else _pieces(step.span),
            )
        self._reached = True
        return self.link.read(step, response.status_code, response.headers, response.content)

    async def _fetch(self, fetch: Fetch) -> None:
        headers = {**fetch.headers, "Accept-Encoding": "identity"}
        with self.link.transport_errors():
            async with self._http.stream("GET", fetch.path, headers=headers) as response:
                if not response.is_success:
                    self.link.check(response.status_code, response.headers, await response.aread())
                fetch.begin(response.status_code, response.headers)
                async for piece in response.aiter_raw():
                    await anyio.to_thread.run_sync(fetch.take, piece)

    async def _listen(self, listen: Listen) -> None:
        async with aclosing(self._connected(listen.call, EventReader())) as events:
            async for event in events:
                listen.hear(event)
                if event.kind == LAST:
                    return

    async def events(self, path: str, params: Mapping[str, Any]) -> AsyncIterator[ServerEvent]:
        """Events up to `end`; after a break, those after the last one."""
        reader, patience = EventReader(), self.patience()
        call = asking_for_events(path, params)
        while True:
            try:
                async for event in self._connected(call, reader):
                    patience.renew()
                    yield event
                    if event.kind == LAST:
                        return
            except TrtfarmError as error:
                reader.cut()
                await anyio.sleep(patience.pause_after(error))

    async def _connected(self, call: Call[Any], reader: EventReader) -> AsyncGenerator[ServerEvent]:
        """Events of one connection."""
        asked = {"params": dict(call.params), "headers": reader.headers(), "json": call.body}
        with self.link.transport_errors():
            async with self._http.stream(call.method, call.path, **asked) as response:
                if not response.is_success:
                    self.link.check(response.status_code, response.headers, await response.aread())
                async for line in response.aiter_lines():
                    if event := reader.feed(line):
                        yield event
        raise self.link.broken_off()


async def _pieces(span: Span) -> AsyncIterator[bytes]:
    async with await anyio.open_file(span.path, "rb") as file:
        await file.seek(span.start)
        place = span.start
        while place < span.stop and (piece := await file.read(min(SENT_BYTES, span.stop - place))):
            yield piece
            place += len(piece)
            span.sent(place)
