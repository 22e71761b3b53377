"""Submissions to the farm of this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from trtfarm.settings import Settings
from trtfarm_cli import output
from trtfarm_cli.farms.any_farm import Facts
from trtfarm_cli.farms.here.workers import nobody_up
from trtfarm_cli.farms.within import EVERYTHING, Within
from trtfarm_cli.progress import listener, view

if TYPE_CHECKING:
    from trtfarm.farm import Farm
    from trtfarm.models.model import Model
    from trtfarm.submission_request import SubmissionRequest
    from trtfarm.submissions.submission import Sender, Submission
    from trtfarm.targets import BuildTarget
    from trtfarm.workers import Worker
    from trtfarm_worker.anticipation import Anticipation
    from trtfarm_worker.order import Order
    from trtfarm_worker.toolchains.toolchain import Toolchain


#: Hears of targets that jobs are to come for.
Expect = Callable[[Sequence["BuildTarget"]], None]


class SubmissionsHere:
    """Fulfils `Submissions`; what was submitted is worked on by this process where no worker does it.

    A new submission's model is read, and its first builder begun, before the farm is open.
    """

    def __init__(self, settings: Settings, opened: Callable[[], Farm]) -> None:
        self._settings = settings
        self._opened = opened

    @cached_property
    def _farm(self) -> Farm:
        return self._opened()

    def find(self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING) -> list[Facts]:
        from trtfarm.submissions.listing import find_submissions
        from trtfarm_cli.farms.here.filters import window_of

        words: dict[str, Any] = {**filters, "accuracy": within.accuracy}
        with self._farm.database.read() as session:
            found = find_submissions(session, **words, limit=limit, within=window_of(within))
        return [asdict(entry) for entry in found]

    def details(self, text: str) -> Facts:
        from trtfarm.submissions.details import submission_details

        submission_id = self._id_of(text)
        with self._farm.database.read() as session:
            return submission_details(session, self._farm.submissions.get(submission_id))

    def cancel(self, text: str) -> Facts:
        return asdict(self._farm.cancel_submission(self._id_of(text)))

    def _id_of(self, text: str) -> str:
        from trtfarm.catalog.lookup import find_one
        from trtfarm.database.schema import SubmissionRow

        with self._farm.database.read() as session:
            return find_one(session, SubmissionRow, text).id

    def dry_run(self, order: Order) -> list[Facts]:
        from trtfarm.submissions.explain import explain
        from trtfarm.workers import list_workers
        from trtfarm_worker.option_checks import model_of
        from trtfarm_worker.own_place import OwnPlace

        model, toolchains = model_of(order), self._toolchains()
        request = self._request(order, model, toolchains, _ignore)
        here, workers = OwnPlace(self._settings, toolchains).does, list_workers(self._farm.database, left=True)
        with self._farm.database.read() as session:
            found = explain(session, request, self._farm.complete, workers=workers, here=here)
        return [step.as_dict() for step in found]

    def submit(self, order: Order, *, fresh: bool, detach: bool, key: str | None) -> Facts:
        from trtfarm_worker.foresight import foreseen
        from trtfarm_worker.option_checks import model_of

        model, toolchains = model_of(order), self._toolchains()
        # A calibration on the CPU may take long, and a builder that waits for its end holds memory of the GPU.
        later = detach or order.calibrate_with == "reference"
        with _Ahead(self._settings, toolchains) as ahead:
            if not later:
                # Under a key it may have been done already.
                ahead.expect(foreseen(self._settings, order, model, toolchains, fresh=fresh and key is None))
            from trtfarm.submissions.facts import facts_of  # not before: it brings the database

            request = self._request(order, model, toolchains, _ignore if later else self._unless_workers_do(ahead))
            sender = sender_under(key, request, fresh=fresh)
            submission_id, queued = self._farm.submit(request, fresh=fresh, sender=sender)
            submission = self._farm.submissions.get(submission_id)
            if submission.state == "active":
                from trtfarm_worker.inline import announce

                announce(self._farm, queued, wanted=detach)
                if detach:
                    self._say_detached()
                else:
                    submission = self._see_through(submission_id, toolchains, ahead.begun)
        with self._farm.database.read() as session:
            return facts_of(session, submission)

    def _unless_workers_do(self, ahead: _Ahead) -> Expect:
        def expect(targets: Sequence[BuildTarget]) -> None:
            from trtfarm_worker.presence import workers_up

            if any(target.on_gpu for target in targets) and not workers_up(self._farm):
                ahead.expect(targets)

        return expect

    def _toolchains(self) -> list[Toolchain]:
        from trtfarm_worker.toolchains.registry import ToolchainRegistry

        return ToolchainRegistry(self._settings.home).toolchains()

    def _request(
        self, order: Order, model: Model, toolchains: Sequence[Toolchain], expect: Expect
    ) -> SubmissionRequest:
        from trtfarm_worker.orders import take
        from trtfarm_worker.stock import FarmStock

        with view() as shown:
            hear = listener(shown, "reading")
            stock = FarmStock(self._farm)
            request = take(stock, order, model, toolchains, tell=output.say, listener=hear, expect=expect)
        self._check_placed(request, toolchains)
        return request

    def _check_placed(self, request: SubmissionRequest, toolchains: Sequence[Toolchain]) -> None:
        """Raises NoWorkerError where nobody, this process included, could do one of its jobs."""
        from trtfarm.submissions.placement import check_placed
        from trtfarm.workers import list_workers
        from trtfarm_worker.own_place import OwnPlace

        def workers() -> list[Worker]:
            return list_workers(self._farm.database, left=True)

        with self._farm.database.read() as session:
            check_placed(session, request, workers, OwnPlace(self._settings, toolchains).does)

    def _say_detached(self) -> None:
        output.say("left to the workers: trtfarm jobs list, or the same command without --detach, tells how it goes")
        if notice := nobody_up(self._farm):
            output.say(notice)

    def _see_through(
        self, submission_id: str, toolchains: Sequence[Toolchain], ahead: Anticipation | None
    ) -> Submission:
        from trtfarm_cli.following import Following
        from trtfarm_worker.inline import see_through

        with view() as shown:
            following = Following(shown)

            def watch(submission: Submission) -> None:
                following.watch(submission.steps)

            try:
                return see_through(
                    self._farm,
                    submission_id,
                    toolchains,
                    watcher=watch,
                    listener=following.hear,
                    excuser=following.excuse,
                    mover=following.moved,
                    ahead=ahead,
                )
            except KeyboardInterrupt:
                output.say(f"{submission_id}: unfinished work is back in the queue; the same command goes on with it")
                raise


def sender_under(key: str | None, request: SubmissionRequest, *, fresh: bool) -> Sender:
    """Of a submission that is made once under a key, if there is one, whether it is handed in here or over HTTP."""
    from trtfarm.submissions.submission import LOCAL, Sender

    if key is None:
        return LOCAL
    from trtfarm.digests import digest_of_json
    from trtfarm_client.ask import Ask

    asked = digest_of_json(Ask.of_request(request, fresh=fresh).as_dict())
    return Sender(idempotency_key=key, asked=asked)


def _ignore(_targets: Sequence[BuildTarget]) -> None:
    """For those who do not begin with a job on a GPU."""


class _Ahead:
    """What is begun before there is a job; nothing is imported before something is."""

    def __init__(self, settings: Settings, toolchains: Sequence[Toolchain]) -> None:
        self._settings = settings
        self._toolchains = toolchains
        self._stack = ExitStack()
        self.begun: Anticipation | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def expect(self, targets: Sequence[BuildTarget]) -> None:
        if not targets:
            return
        from trtfarm_worker.anticipation import Anticipation

        self.begun = self.begun or self._stack.enter_context(Anticipation(self._settings, self._toolchains))
        self.begun.expect(targets)
