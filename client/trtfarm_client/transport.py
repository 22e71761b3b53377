"""Does what flows ask for, over one pool of connections, and waits for it."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

import httpx2

from trtfarm.errors import TrtfarmError
from trtfarm_client.call import Call, Fetch, Listen, Pause, Span, Step, Work
from trtfarm_client.flows import Flow
from trtfarm_client.link import SENT_BYTES, Link
from trtfarm_client.patience import Patience
from trtfarm_client.sse import LAST, EventReader, ServerEvent

Result = TypeVar("Result")


class Transport:
    """Speaks to one farm; `AsyncTransport` is this with `await` wherever something is waited for."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._http = httpx2.Client(**link.client_options())
        #: Whether anybody has answered yet: an address that never did is more likely wrong than a server gone.
        self._reached = False

    def close(self) -> None:
        self._http.close()

    def patience(self) -> Patience:
        return self.link.patience_of(reached=self._reached)

    def run(self, flow: Flow[Result]) -> Result:
        """Does what a flow asks for; one that is left, by whatever comes in between, ends then and there."""
        with closing(flow):
            try:
                step = next(flow)
                while True:
                    try:
                        answer = self._do(step)
                    except TrtfarmError as error:
                        step = flow.throw(error)
                    else:
                        step = flow.send(answer)
            except StopIteration as end:
                result: Result = end.value
                return result

    def _do(self, step: Step) -> Any:
        match step:
            case Pause():
                return time.sleep(step.seconds)
            case Work():
                return step.function()
            case Fetch():
                return self._fetch(step)
            case Listen():
                return self._listen(step)
            case Call():
                return self._send(step)

    def _send(self, call: Call[Result]) -> Result:
        content = None if call.span is None else _pieces(call.span)
        with self.link.transport_errors():
            response = self._http.request(call.method, call.path, **self.link.asked(call), content=content)
        self._reached = True
        return self.link.read(call, response.status_code, response.headers, response.content)

    def _fetch(self, fetch: Fetch) -> None:
        headers = {**fetch.headers, "Accept-Encoding": "identity"}
        with self._answer("GET", fetch.path, headers=headers) as response:
            fetch.begin(response.status_code, response.headers)
            for piece in response.iter_raw():
                fetch.take(piece)

    def _listen(self, listen: Listen) -> None:
        with closing(self._connected(listen.call, EventReader())) as events:
            for event in events:
                listen.hear(event)
                if event.kind == LAST:
                    return

    def events(self, call: Call[None]) -> Iterator[ServerEvent]:
        """Events up to `end`; after a break, those after the last one."""
        reader, patience = EventReader(), self.patience()
        while True:
            try:
                for event in self._connected(call, reader):
                    patience.renew()
                    yield event
                    if event.kind == LAST:
                        return
            except TrtfarmError as error:
                reader.cut()
                time.sleep(patience.pause_after(error))

    def _connected(self, call: Call[Any], reader: EventReader) -> Generator[ServerEvent]:
        """Events of one connection."""
        with self._answer(call.method, call.path, **self.link.asked(call, reader.headers())) as response:
            for line in response.iter_lines():
                if event := reader.feed(line):
                    yield event
        raise self.link.broken_off()

    @contextmanager
    def _answer(self, method: str, path: str, **asked: Any) -> Iterator[httpx2.Response]:
        """An answer that is read as it comes."""
        with self.link.transport_errors(), self._http.stream(method, path, **asked) as response:
            if not response.is_success:
                self.link.check(response.status_code, response.headers, response.read())
            yield response


def _pieces(span: Span) -> Iterator[bytes]:
    with span.path.open("rb") as file:
        file.seek(span.start)
        place = span.start
        while place < span.stop and (piece := file.read(min(SENT_BYTES, span.stop - place))):
            yield piece
            place += len(piece)
            span.sent(place)
