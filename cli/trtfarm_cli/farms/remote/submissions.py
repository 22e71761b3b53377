"""Submissions to a farm behind HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trtfarm.settings import Settings
from trtfarm_cli import output
from trtfarm_cli.farms.any_farm import Facts
from trtfarm_cli.farms.within import EVERYTHING, Within
from trtfarm_cli.progress import listener, view
from trtfarm_client import Ask, Client

if TYPE_CHECKING:
    from trtfarm.submission_request import SubmissionRequest
    from trtfarm_worker.order import Order


class RemoteSubmissions:
    """Fulfils `Submissions`; `settings` are those of this host, where models and data are read."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def find(self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING) -> list[Facts]:
        words: dict[str, Any] = {**filters, **vars(within)}
        return [{**facts, **_times(facts)} for facts in self._client.submissions(**words, limit=limit)]

    def details(self, text: str) -> Facts:
        return self._client.submission_details(text)

    def cancel(self, text: str) -> Facts:
        gone = self._client.cancel_submission(text)
        jobs = {"withdrawn": gone.withdrawn, "stopping": gone.stopping, "left": gone.left}
        return {"submission": gone.submission.id, "state": gone.submission.state, **jobs}

    def dry_run(self, order: Order) -> list[Facts]:
        return self._client.dry_run(Ask.of_request(self._request(order)))

    def submit(self, order: Order, *, fresh: bool, detach: bool, key: str | None) -> Facts:
        # Without a key, the client makes one for as often as it has to send this.
        submission = self._client.submit(Ask.of_request(self._request(order), fresh=fresh), idempotency_key=key)
        if submission.state == "active":
            if detach:
                output.say("left to the farm's workers: trtfarm jobs list, or the same command, tells how it goes")
            else:
                self._follow(submission.id)
        return self._client.submission_facts(submission.id)

    def _request(self, order: Order) -> SubmissionRequest:
        from trtfarm_cli.farms.remote.stock import RemoteStock
        from trtfarm_worker.option_checks import model_of
        from trtfarm_worker.orders import take

        model = model_of(order)
        with view() as shown:
            stock = RemoteStock(self._client, self._settings, shown)
            # What this host could build is nothing to the farm.
            return take(stock, order, model, [], tell=output.say, listener=listener(shown, "reading"))

    def _follow(self, submission: str) -> None:
        from trtfarm_cli.farms.remote.following import follow

        with view() as shown:
            try:
                follow(self._client, submission, shown)
            except KeyboardInterrupt:
                output.say(f"{submission}: goes on at {self._client.link.url}; the same command follows it again")
                raise


def _times(facts: Mapping[str, Any]) -> dict[str, datetime | None]:
    """When something was made and when it ended, which JSON has as texts."""
    told = {name: facts[name] for name in ("created", "finished")}
    return {name: datetime.fromisoformat(text) if text else None for name, text in told.items()}
