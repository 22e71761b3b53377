"""What can be asked of a farm: each function makes the call for one route of its API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from trtfarm.catalog.entries import DataSetEntry, EngineEntry, ModelEntry, TableEntry
from trtfarm.catalog.labels import checked_label
from trtfarm.errors import ServerError
from trtfarm.jobs.job import Event, Job
from trtfarm.projects import Project
from trtfarm.submissions.submission import check_key
from trtfarm_client.ask import Ask
from trtfarm_client.call import Call, named
from trtfarm_client.link import compact
from trtfarm_client.pages import Page, items_of, page_of
from trtfarm_client.records import (
    CancelledSubmission,
    DataSetRecord,
    Health,
    JobRecord,
    KeyRecord,
    ModelRecord,
    Retried,
    SubmissionRecord,
    Who,
)
from trtfarm_client.values import value_of

Item = TypeVar("Item")
Facts = dict[str, Any]

#: Rows in a page, the most that the API gives.
PAGE = 500


def health() -> Call[Health]:
    return get("/v1/health", Health)


def whoami() -> Call[Who]:
    return get("/v1/whoami", Who)


def engines(filters: Mapping[str, Any], *, limit: int, cursor: str | None) -> Call[Page[EngineEntry]]:
    return in_pages("/v1/engines", EngineEntry, filters, limit, cursor)


def engine(text: str) -> Call[Facts]:
    return Call(method="GET", path=named("engines", "engine", text), parse=facts)


def engine_signature(text: str) -> Call[bytes]:
    return Call(method="GET", path=named("engines", "engine", text) + "/signature", parse=bytes, raw=True)


def remove_engine(text: str) -> Call[None]:
    return Call(method="DELETE", path=named("engines", "engine", text), parse=lambda _: None, repeatable=False)


def verify_engine(text: str, dataset: str | None, *, profile: int | None, fresh: bool) -> Call[Facts]:
    # An older server knows of no profile, and need not hear of one that nobody named.
    body = compact({"dataset": dataset, "fresh": fresh, "profile": profile})
    return post(named("engines", "engine", text) + "/verification", body, facts)


def remove_engines(texts: Sequence[str]) -> Call[list[str]]:
    return post("/v1/engines/removals", {"engines": list(texts)}, listed("removed"), repeatable=False)


def pin_engine(text: str, *, pinned: bool) -> Call[None]:
    path = named("engines", "engine", text) + "/pin"
    return Call(method="PUT" if pinned else "DELETE", path=path, parse=lambda _: None)


def label_engine(text: str, label: str, *, given: bool) -> Call[None]:
    # One with a slash, or of dots alone, would make the path another one.
    path = f"{named('engines', 'engine', text)}/labels/{checked_label(label)}"
    return Call(method="PUT" if given else "DELETE", path=path, parse=lambda _: None, repeatable=given)


def tables(filters: Mapping[str, Any], *, limit: int, cursor: str | None) -> Call[Page[TableEntry]]:
    return in_pages("/v1/tables", TableEntry, filters, limit, cursor)


def table(text: str) -> Call[Facts]:
    return Call(method="GET", path=named("tables", "table", text), parse=facts)


def add_table(model: str, blob: str) -> Call[Facts]:
    return post("/v1/tables", {"model": model, "blob": blob}, facts)


def models(filters: Mapping[str, Any], *, limit: int, cursor: str | None) -> Call[Page[ModelEntry]]:
    return in_pages("/v1/models", ModelEntry, filters, limit, cursor)


def model(text: str) -> Call[ModelRecord]:
    return get(named("models", "model", text), ModelRecord)


def add_model(name: str, blob: str, weights: Mapping[str, str]) -> Call[ModelEntry]:
    body = {"name": name, "blob": blob, "weights": dict(weights)}
    return post("/v1/models", body, partial(value_of, ModelEntry))


def datasets(filters: Mapping[str, Any], *, limit: int, cursor: str | None) -> Call[Page[DataSetEntry]]:
    return in_pages("/v1/datasets", DataSetEntry, filters, limit, cursor)


def dataset(text: str) -> Call[DataSetRecord]:
    return get(named("datasets", "data set", text), DataSetRecord)


def add_dataset(
    source: str, inputs: Mapping[str, str], labels: str | None, preprocessing: Mapping[str, Mapping[str, Any]]
) -> Call[DataSetEntry]:
    steps = {name: dict(of_input) for name, of_input in preprocessing.items()}
    body = {"source": source, "inputs": dict(inputs), "labels": labels, "preprocessing": steps}
    return post("/v1/datasets", body, partial(value_of, DataSetEntry))


def submissions(filters: Mapping[str, Any], *, limit: int, cursor: str | None) -> Call[Page[Facts]]:
    return Call(method="GET", path="/v1/submissions", parse=page_of(facts), params=_window(filters, limit, cursor))


def submission(text: str) -> Call[SubmissionRecord]:
    return get(named("submissions", "submission", text), SubmissionRecord)


def submission_facts(text: str) -> Call[Facts]:
    return Call(method="GET", path=named("submissions", "submission", text) + "/facts", parse=facts)


def submission_details(text: str) -> Call[Facts]:
    return Call(method="GET", path=named("submissions", "submission", text) + "/details", parse=facts)


def submission_events(text: str) -> Call[None]:
    """Is answered by events."""
    return Call(method="GET", path=named("submissions", "submission", text) + "/events", parse=lambda _: None)


def cancel_submission(text: str) -> Call[CancelledSubmission]:
    path = named("submissions", "submission", text) + "/cancel"
    return post(path, None, partial(value_of, CancelledSubmission))


def submit(ask: Ask, *, key: str) -> Call[SubmissionRecord]:
    """`key` stands for this wish: sent again under it, the submission is made once. Raises UsageError for no key."""
    check_key(key)
    return Call(
        method="POST",
        path="/v1/submissions",
        parse=partial(value_of, SubmissionRecord),
        headers={"Idempotency-Key": key},
        body=ask.as_dict(),
    )


def dry_run(ask: Ask) -> Call[list[Facts]]:
    def read(data: Any) -> list[Facts]:
        return [facts(step) for step in facts(data).get("steps", [])]

    return post("/v1/submissions/plan", ask.as_dict(), read)


def jobs(filters: Mapping[str, Any], *, limit: int, cursor: str | None) -> Call[Page[Job]]:
    return in_pages("/v1/jobs", Job, filters, limit, cursor)


def job(text: str) -> Call[JobRecord]:
    return get(named("jobs", "job", text), JobRecord)


def job_events(text: str, *, after: int) -> Call[list[Event]]:
    path = named("jobs", "job", text) + "/events"
    return Call(method="GET", path=path, parse=items_of(partial(value_of, Event)), params={"after": after})


def job_stream(text: str, *, after: int) -> Call[None]:
    """Is answered by events."""
    path = named("jobs", "job", text) + "/events"
    return Call(method="GET", path=path, parse=lambda _: None, params={"after": after})


def cancel_job(text: str) -> Call[JobRecord]:
    return post(named("jobs", "job", text) + "/cancel", None, partial(value_of, JobRecord))


def retry_job(text: str) -> Call[Retried]:
    path = named("jobs", "job", text) + "/retry"
    return Call(method="POST", path=path, parse=partial(value_of, Retried), repeatable=False)


def explain_job(text: str) -> Call[Facts]:
    return Call(method="GET", path=named("jobs", "job", text) + "/explanation", parse=facts)


def projects() -> Call[list[Project]]:
    return Call(method="GET", path="/v1/projects", parse=items_of(partial(value_of, Project)))


def workers(*, left: bool) -> Call[list[Facts]]:
    return Call(method="GET", path="/v1/workers", parse=items_of(facts), params={"left": left})


def worker(text: str) -> Call[Facts]:
    return Call(method="GET", path=named("workers", "worker", text), parse=facts)


def toolchains() -> Call[list[Facts]]:
    return Call(method="GET", path="/v1/toolchains", parse=items_of(facts))


def signing_keys() -> Call[list[KeyRecord]]:
    return Call(method="GET", path="/v1/keys", parse=items_of(partial(value_of, KeyRecord)))


def facts(data: Any) -> Facts:
    """A JSON object as it is."""
    if not isinstance(data, dict):
        raise ServerError("the server's answer is no JSON object", remedy="see that the URL is that of a farm's API")
    return data


def get(path: str, kind: type[Item]) -> Call[Item]:
    return Call(method="GET", path=path, parse=partial(value_of, kind))


def post(path: str, body: Any, parse: Any, *, repeatable: bool = True) -> Call[Any]:
    return Call(method="POST", path=path, parse=parse, body=body, repeatable=repeatable)


def listed(name: str) -> Callable[[Any], list[str]]:
    """Reads the texts that an object has under a name."""

    def read(data: Any) -> list[str]:
        return [str(text) for text in facts(data).get(name, [])]

    return read


def in_pages(
    path: str, kind: type[Item], filters: Mapping[str, Any], limit: int, cursor: str | None
) -> Call[Page[Item]]:
    parse = page_of(partial(value_of, kind))
    return Call(method="GET", path=path, parse=parse, params=_window(filters, limit, cursor))


def _window(filters: Mapping[str, Any], limit: int, cursor: str | None) -> dict[str, Any]:
    return compact({**filters, "limit": limit, "cursor": cursor})
