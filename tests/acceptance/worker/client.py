"""A client in a process of its own: submits the request on stdin, sees it through, and tells what happened.

Lines on stdout: `submitted <id>`, `<kind of job> <stage>` at each job's first sign of life here or elsewhere, at the
end the submission's state.
"""

from __future__ import annotations

import json
import sys

from tests.acceptance.worker.words import say
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm.settings import Settings
from trtfarm.submission_request import SubmissionRequest
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.inline import see_through
from trtfarm_worker.toolchains.registry import ToolchainRegistry


def main() -> None:
    request = SubmissionRequest.from_dict(json.load(sys.stdin))
    settings = Settings.from_environment()
    heard = set[str]()

    def tell(job: Job, event: Progress | LogLine) -> None:
        if isinstance(event, Progress) and job.id not in heard:
            heard.add(job.id)
            say(f"{job.kind} {event.stage}")

    with Farm.open(settings) as farm:
        submission_id, _ = farm.submit(request)
        say(f"submitted {submission_id}")
        toolchains = ToolchainRegistry(settings.home).toolchains()
        ended = see_through(farm, submission_id, toolchains, watcher=lambda _: None, listener=tell)
        say(ended.state)


if __name__ == "__main__":
    main()
