"""The two clients: one waits for each answer, the methods of the other are awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Self

from trtfarm_client import calls
from trtfarm_client.administration import Administration, AsyncAdministration
from trtfarm_client.async_transport import AsyncTransport
from trtfarm_client.bundles import AsyncBundles, Bundles
from trtfarm_client.link import Link
from trtfarm_client.method import Awaiting, Waiting
from trtfarm_client.sse import ServerEvent
from trtfarm_client.stock import Stock
from trtfarm_client.transport import Transport
from trtfarm_client.work import Work


class Client(Waiting, Stock, Work):
    """One farm over HTTP; threads may share it. Every method raises the error that the farm raised.

    A server that is gone or busy is waited for, for `link.patience` seconds, and then it is an UnreachableError or a
    BusyError. Rows are named by an id, a digest, or the start of one.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(Transport(link))
        self.link = link
        self.administration = Administration(self._transport)
        self.bundles = Bundles(self._transport)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submission_events(self, submission: str) -> Iterator[ServerEvent]:
        """What happens to a submission: `submission` (as it is now), `job` (an event of a job), and last `end`."""
        return self._transport.events(calls.submission_events(submission))

    def job_stream(self, job: str, *, after: int = 0) -> Iterator[ServerEvent]:
        """The history of a job as it happens; the last event is `end`, with the job."""
        return self._transport.events(calls.job_stream(job, after=after))


class AsyncClient(Awaiting, Stock, Work):
    """One farm over HTTP, for one event loop, with the methods of `Client` to be awaited."""

    def __init__(self, link: Link) -> None:
        super().__init__(AsyncTransport(link))
        self.link = link
        self.administration = AsyncAdministration(self._transport)
        self.bundles = AsyncBundles(self._transport)

    async def close(self) -> None:
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def submission_events(self, submission: str) -> AsyncIterator[ServerEvent]:
        """What happens to a submission: `submission` (as it is now), `job` (an event of a job), and last `end`."""
        return self._transport.events(calls.submission_events(submission))

    def job_stream(self, job: str, *, after: int = 0) -> AsyncIterator[ServerEvent]:
        """The history of a job as it happens; the last event is `end`, with the job."""
        return self._transport.events(calls.job_stream(job, after=after))
