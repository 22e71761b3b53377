"""Does what flows ask for, over one pool of connections, for one event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import httpx2

from trtfarm.errors import TrtfarmError
from trtfarm_client.call import Call, Fetch, Listen, Pause, Span, Step, Work
from trtfarm_client.flows import Flow
from trtfarm_client.link import SENT_BYTES, Link
from trtfarm_client.patience import Patience
from trtfarm_client.sse import LAST, EventReader, ServerEvent

Result = TypeVar("Result")


class AsyncTransport:
    """Speaks to one farm; what is long to be done here is done in a thread."""

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
        """Does what a flow asks for; one that is left, by whatever comes in between, ends then and there."""
        with closing(flow):
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
        match step:
            case Pause():
                return await anyio.sleep(step.seconds)
            case Work():
                return await anyio.to_thread.run_sync(step.function)
            case Fetch():
                return await self._fetch(step)
            case Listen():
                return await self._listen(step)
            case Call():
                return await self._send(step)

    async def _send(self, call: Call[Result]) -> Result:
        content = None if call.span is None else _pieces(call.span)
        with self.link.transport_errors():
            response = await self._http.request(call.method, call.path, **self.link.asked(call), content=content)
        self._reached = True
        return self.link.read(call, response.status_code, response.headers, response.content)

    async def _fetch(self, fetch: Fetch) -> None:
        headers = {**fetch.headers, "Accept-Encoding": "identity"}
        async with self._answer("GET", fetch.path, headers=headers) as response:
            fetch.begin(response.status_code, response.headers)
            async for piece in response.aiter_raw():
                await anyio.to_thread.run_sync(fetch.take, piece)

    async def _listen(self, listen: Listen) -> None:
        async with aclosing(self._connected(listen.call, EventReader())) as events:
            async for event in events:
                listen.hear(event)
                if event.kind == LAST:
                    return

    async def events(self, call: Call[None]) -> AsyncIterator[ServerEvent]:
        """Events up to `end`; after a break, those after the last one."""
        reader, patience = EventReader(), self.patience()
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
        async with self._answer(call.method, call.path, **self.link.asked(call, reader.headers())) as response:
            async for line in response.aiter_lines():
                if event := reader.feed(line):
                    yield event
        raise self.link.broken_off()

    @asynccontextmanager
    async def _answer(self, method: str, path: str, **asked: Any) -> AsyncIterator[httpx2.Response]:
        """An answer that is read as it comes."""
        with self.link.transport_errors():
            async with self._http.stream(method, path, **asked) as response:
                if not response.is_success:
                    self.link.check(response.status_code, response.headers, await response.aread())
                yield response


async def _pieces(span: Span) -> AsyncIterator[bytes]:
    async with await anyio.open_file(span.path, "rb") as file:
        await file.seek(span.start)
        place = span.start
        while place < span.stop and (piece := await file.read(min(SENT_BYTES, span.stop - place))):
            yield piece
            place += len(piece)
            span.sent(place)
