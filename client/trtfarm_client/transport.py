"""Does what flows ask for, over one pool of connections, and waits for it."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Any, TypeVar

import httpx2

from trtfarm.errors import TrtfarmError
from trtfarm_client.call import Call, Fetch, Listen, Pause, Span, Step, Work
from trtfarm_client.flows import Flow
from trtfarm_client.link import Link
from trtfarm_client.patience import Patience
from trtfarm_client.sse import LAST, EventReader, ServerEvent

Result = TypeVar("Result")

#: Bytes of a file that are read, and sent, at once.
SENT_BYTES = 1 << 20


class Transport:
    """Speaks to one farm."""

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
        """Does what a flow asks for."""
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
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        if isinstance(step, Work):
            return step.function()
        if isinstance(step, Fetch):
            return self._fetch(step)
        if isinstance(step, Listen):
            return self._listen(step)
        with self.link.transport_errors():
            response = self._http.request(
                step.method,
                step.path,
                params=dict(step.params),
                headers=dict(step.headers),
                json=step.body,
                content=None if step.span is None else _pieces(step.span),
            )
        self._reached = True
        return self.link.read(step, response.status_code, response.headers, response.content)

    def _fetch(self, fetch: Fetch) -> None:
        headers = {**fetch.headers, "Accept-Encoding": "identity"}
        with self.link.transport_errors(), self._http.stream("GET", fetch.path, headers=headers) as response:
            if not response.is_success:
                self.link.check(response.status_code, response.headers, response.read())
            fetch.begin(response.status_code, response.headers)
            for piece in response.iter_raw():
                fetch.take(piece)

    def _listen(self, listen: Listen) -> None:
        with closing(self._connected(listen.call, EventReader())) as events:
            for event in events:
                listen.hear(event)
                if event.kind == LAST:
                    return

    def events(self, path: str, params: Mapping[str, Any]) -> Iterator[ServerEvent]:
        """Events up to `end`; after a break, those after the last one."""
        reader, patience = EventReader(), self.patience()
        call = asking_for_events(path, params)
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
        asked = {"params": dict(call.params), "headers": reader.headers(), "json": call.body}
        with self.link.transport_errors(), self._http.stream(call.method, call.path, **asked) as response:
            if not response.is_success:
                self.link.check(response.status_code, response.headers, response.read())
            for line in response.iter_lines():
                if event := reader.feed(line):
                    yield event
        raise self.link.broken_off()


def asking_for_events(path: str, params: Mapping[str, Any]) -> Call[None]:
    return Call(method="GET", path=path, params=params, parse=lambda _: None)


def _pieces(span: Span) -> Iterator[bytes]:
    with span.path.open("rb") as file:
        file.seek(span.start)
        place = span.start
        while place < span.stop and (piece := file.read(min(SENT_BYTES, span.stop - place))):
            yield piece
            place += len(piece)
            span.sent(place)
