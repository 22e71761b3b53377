"""What clean-up by a policy keeps and takes, labels, and the check of all that is stored, on any database."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tests.contracts.rows import table_row
from tests.contracts.submission_bench import Bench, OnBench
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.labels import label_engine, unlabel_engine
from trtfarm.catalog.pinning import pin_engine
from trtfarm.catalog.removal import remove_engines
from trtfarm.catalog.search import find_engines
from trtfarm.database.base import Base
from trtfarm.database.clock import from_now, now
from trtfarm.database.schema import (
    BlobRow,
    DatasetRow,
    EngineRow,
    QuantizationRow,
    SubmissionRow,
    TableRow,
    VerificationRow,
)
from trtfarm.errors import ModelError, NotFoundError, TrtfarmError, UsageError
from trtfarm.retention.checkup import Damage, Finding, check_up
from trtfarm.retention.cleaning import Cleaned, clean
from trtfarm.retention.policy import Kind, Policy, Stored, doomed
from trtfarm.submissions.manager import SubmissionManager
from trtfarm.submissions.submission import Draft, Submission

MONTH = Policy(unused_for=timedelta(days=30))
NOTHING = Policy(total_bytes=0)
ALL_OF_IT = Policy(
    unused_for=timedelta(days=30), tables_unused_for=timedelta(days=30), data_unused_for=timedelta(days=30)
)

#: For clean-up to be through, where nothing keeps it waiting.
_LONG_ENOUGH_SECONDS = 1.0


class RetentionContract(OnBench):
    """Run with a fixture `database`."""

    def test_engines_that_nobody_asked_for_in_a_while_go_with_their_files(
        self, bench: Bench, built: Submission
    ) -> None:
        assert clean(bench.farm, MONTH).gone == []
        _age(bench)
        before = {stored.blob.digest for stored in bench.farm.blobs.blobs()}
        planned = clean(bench.farm, MONTH, dry_run=True)
        assert {engine.id for engine in planned.gone} == set(built.result_ids("engine_id"))
        assert {stored.blob.digest for stored in bench.farm.blobs.blobs()} == before
        assert clean(bench.farm, MONTH) == planned
        assert _engines(bench) == []
        assert len(before) - len(list(bench.farm.blobs.blobs())) == 4

    def test_an_engine_that_was_found_again_counts_as_used(self, bench: Bench, built: Submission) -> None:
        _age(bench)
        found, old = built.result_ids("engine_id")
        assert bench.submit(bench.request(built.request.model_id, "sm_86", test_dataset_id=None)).hit
        assert [engine.id for engine in clean(bench.farm, MONTH).gone] == [old]
        assert _engines(bench) == [found]

    def test_the_longest_unused_go_first_until_the_rest_fits(self, bench: Bench, built: Submission) -> None:
        first, second = built.result_ids("engine_id")
        with bench.farm.database.write() as session:
            session.execute(update(EngineRow).values(size=100))
        _age(bench)
        assert bench.submit(bench.request(built.request.model_id, "sm_86", test_dataset_id=None)).hit
        assert clean(bench.farm, Policy(total_bytes=200)).gone == []
        assert [engine.id for engine in clean(bench.farm, Policy(total_bytes=199)).gone] == [second]
        assert _engines(bench) == [first]

    def test_pinned_and_labelled_engines_stay(self, bench: Bench, built: Submission) -> None:
        pinned, labelled = built.result_ids("engine_id")
        pin_engine(bench.farm.database, pinned, pinned=True)
        label_engine(bench.farm.database, labelled, "prod")
        _age(bench)
        assert clean(bench.farm, NOTHING).gone == []
        for kept in (pinned, labelled):
            with pytest.raises(UsageError, match=kept):
                remove_engines(bench.farm.database, bench.farm.blobs, [kept])
        pin_engine(bench.farm.database, pinned, pinned=False)
        unlabel_engine(bench.farm.database, labelled, "prod")
        assert len(clean(bench.farm, NOTHING).gone) == 2

    @pytest.mark.parametrize(
        "keep",
        [
            lambda bench, engine: pin_engine(bench.farm.database, engine, pinned=True),
            lambda bench, engine: label_engine(bench.farm.database, engine, "prod"),
        ],
        ids=["pin", "label"],
    )
    def test_who_keeps_an_engine_that_goes_just_then_is_told(
        self, bench: Bench, built: Submission, monkeypatch: pytest.MonkeyPatch, keep: Callable[[Bench, str], str]
    ) -> None:
        """Nobody hears that an engine is kept which is gone a moment later."""
        engine, other = built.result_ids("engine_id")
        looks, answers = itertools.count(), list[str | TrtfarmError]()

        def keep_it() -> None:
            try:
                answers.append(keep(bench, engine))
            except TrtfarmError as error:
                answers.append(error)

        beside = threading.Thread(target=keep_it)

        def decide(*facts: Any) -> list[Stored]:
            gone = doomed(*facts)
            if next(looks) == 1:  # the first look decides nothing
                beside.start()
                beside.join(_LONG_ENOUGH_SECONDS)
            return gone

        monkeypatch.setattr("trtfarm.retention.cleaning.doomed", decide)
        clean(bench.farm, NOTHING)
        beside.join()
        assert [type(answer) for answer in answers] == [NotFoundError]
        assert {engine, other}.isdisjoint(_engines(bench))

    def test_what_a_submission_that_goes_on_has_found_stays(self, bench: Bench, built: Submission) -> None:
        model = built.request.model_id
        going_on = bench.submit(bench.request(model, "sm_86", "sm_120", test_dataset_id=None))
        found, other = built.result_ids("engine_id")
        assert [engine.id for engine in clean(bench.farm, NOTHING).gone] == [other]
        assert _engines(bench) == [found]
        bench.do_all()
        assert bench.get(going_on).state == "done"
        assert set(bench.get(going_on).result_ids("engine_id")) == set(_engines(bench))

    def test_what_a_submission_finds_while_it_is_made_stays(self, bench: Bench, built: Submission) -> None:
        """Clean-up comes when the submission has seen the engines, and nobody can see the submission yet."""
        cleaned: list[Cleaned] = []
        beside = threading.Thread(target=lambda: cleaned.append(clean(bench.farm, NOTHING)))

        def complete(session: Session, digests: Sequence[str]) -> bool:
            if beside.ident is None:
                beside.start()
                beside.join(_LONG_ENOUGH_SECONDS)
            return bench.farm.complete(session, digests)

        hasty = SubmissionManager(bench.farm.database, bench.farm.jobs, complete)
        again = bench.request(built.request.model_id, "sm_86", "sm_89", "sm_120", test_dataset_id=None)
        with bench.farm.database.write() as session:
            [(submission, _)] = hasty.create(session, [Draft(request=again)])
        beside.join()
        assert [one.gone for one in cleaned] == [[]]
        assert set(bench.get(submission).result_ids("engine_id")) == set(_engines(bench))

    def test_tables_and_data_go_when_no_engine_came_of_them(self, bench: Bench, built: Submission) -> None:
        kept, _ = built.result_ids("engine_id")
        [table] = built.result_ids("table_id")
        pin_engine(bench.farm.database, kept, pinned=True)
        _age(bench)
        first = clean(bench.farm, ALL_OF_IT, dry_run=True)
        assert (len(first.of(Kind.ENGINE)), first.of(Kind.TABLE)) == (1, [])
        # Nothing was ever measured on the other data, nor made from it.
        assert [one.id for one in first.of(Kind.DATASET)] == ["dat_test"]
        assert clean(bench.farm, ALL_OF_IT) == first
        pin_engine(bench.farm.database, kept, pinned=False)
        assert clean(bench.farm, MONTH, dry_run=True).of(Kind.TABLE) == []
        then = clean(bench.farm, ALL_OF_IT)
        assert [(one.kind, one.id) for one in then.gone] == [
            (Kind.ENGINE, kept),
            (Kind.TABLE, table),
            (Kind.DATASET, "dat_cal"),
        ]
        assert _count(bench, TableRow, DatasetRow, QuantizationRow, VerificationRow) == 0
        assert [finding for finding in check_up(bench.farm, repair=False).findings if finding.damage != "missing"] == []

    def test_data_stay_while_the_accuracy_of_an_engine_was_measured_on_them(self, bench: Bench) -> None:
        submission = bench.submit(bench.request(None, "sm_86"))
        bench.do_all()
        [engine] = bench.get(submission).result_ids("engine_id")
        label_engine(bench.farm.database, engine, "prod")
        _age(bench)
        assert clean(bench.farm, ALL_OF_IT).gone == []
        unlabel_engine(bench.farm.database, engine, "prod")
        assert {one.kind for one in clean(bench.farm, ALL_OF_IT).gone} == set(Kind)
        assert _count(bench, TableRow, DatasetRow, QuantizationRow, VerificationRow) == 0

    def test_what_a_submission_asked_for_again_stays(self, bench: Bench, built: Submission) -> None:
        [table] = built.result_ids("table_id")
        _age(bench)
        again = {"rule": None, "dataset_id": None, "table_id": table, "test_dataset_id": "dat_test"}
        bench.submit(bench.request(built.request.model_id, "sm_120", **again))
        gone = clean(bench.farm, ALL_OF_IT)
        assert [one.kind for one in gone.gone] == [Kind.ENGINE, Kind.ENGINE]
        bench.do_all()
        _age(bench, SubmissionRow)  # it is over, but its engine is young
        assert clean(bench.farm, ALL_OF_IT).gone == []

    def test_what_was_rewritten_with_another_table_of_equal_scales_stays(self, bench: Bench, built: Submission) -> None:
        [table] = built.result_ids("table_id")
        _age(bench)
        with bench.farm.database.write() as session:
            equal = session.get_one(TableRow, table)
            facts = {"model_id": equal.model_id, "scales_digest": equal.scales_digest}
            session.add(table_row(id="tab_equal", **facts))
        again = {"rule": None, "dataset_id": None, "table_id": "tab_equal", "test_dataset_id": None}
        going_on = bench.submit(bench.request(built.request.model_id, "sm_120", **again))
        assert bench.states(going_on)["quantize"] == "hit"
        assert [one.id for one in clean(bench.farm, ALL_OF_IT).of(Kind.TABLE)] == []
        bench.do_all()
        assert bench.get(going_on).state == "done"

    def test_a_job_whose_table_is_gone_is_not_tried_again_and_the_same_submission_makes_it_anew(
        self, bench: Bench
    ) -> None:
        request = bench.request(None, "sm_86", test_dataset_id=None)
        failed = bench.submit(request)
        for kind in ("calibrate", "quantize"):
            bench.do(bench.queued_of(kind))
        job = bench.queued_of("build")
        bench.fail(job, ModelError("no such operator"))
        [table] = bench.get(failed).result_ids("table_id")
        _age(bench)
        assert table in [one.id for one in clean(bench.farm, Policy(tables_unused_for=timedelta(days=30))).gone]
        with pytest.raises(UsageError, match=f"{job.id} cannot be done again: {table}") as caught:
            bench.farm.retry(job.id)
        assert "trtfarm submit" in str(caught.value.remedy)
        assert (bench.get(failed).state, bench.farm.jobs.get(job.id).state) == ("failed", "failed")
        anew = bench.submit(request)
        assert [done.kind for done in bench.do_all()] == ["calibrate", "quantize", "build"]
        assert bench.get(anew).state == "done"

    def test_a_table_stays_for_one_that_was_re_stamped_from_it(self, bench: Bench, built: Submission) -> None:
        [table] = built.result_ids("table_id")
        with bench.farm.database.write() as session:
            parent = session.get_one(TableRow, table)
            session.add(table_row(id="tab_child", model_id=parent.model_id, parent_id=table))
        _age(bench)
        with bench.farm.database.write() as session:
            session.execute(update(TableRow).where(TableRow.id == "tab_child").values(created=now()))
        gone = clean(bench.farm, ALL_OF_IT)
        assert [one.id for one in gone.gone if one.kind is not Kind.ENGINE] == ["dat_test"]
        _age(bench, TableRow)
        with bench.farm.database.write() as session:
            session.execute(update(TableRow).where(TableRow.id == table).values(created=from_now(-50 * 86400.0)))
        assert [one.id for one in clean(bench.farm, ALL_OF_IT).of(Kind.TABLE)] == ["tab_child", table]

    def test_garbage_goes_when_it_is_old_enough(self, bench: Bench, built: Submission) -> None:
        garbage = bench.farm.blobs.put_bytes(b"garbage")
        assert clean(bench.farm, Policy()).garbage == []
        planned = clean(bench.farm, Policy(), grace_seconds=-1, dry_run=True)
        assert [stored.blob for stored in planned.garbage] == [garbage]
        assert bench.farm.blobs.has(garbage)
        clean(bench.farm, Policy(), grace_seconds=-1)
        assert not bench.farm.blobs.has(garbage)
        assert len(_engines(bench)) == 2

    def test_engines_are_found_by_their_labels(self, bench: Bench, built: Submission) -> None:
        one, other = built.result_ids("engine_id")
        for engine, label in ((one, "prod"), (one, "2026.1"), (other, "prod"), (one, "prod")):
            label_engine(bench.farm.database, engine, label)
        assert _labels(bench, "prod") == {one: ["2026.1", "prod"], other: ["prod"]}
        unlabel_engine(bench.farm.database, one, "prod")
        assert _labels(bench, "prod") == {other: ["prod"]}
        assert _labels(bench, "2026.1") == {one: ["2026.1"]}
        with pytest.raises(NotFoundError, match="no label 'prod'"):
            unlabel_engine(bench.farm.database, one, "prod")

    @pytest.mark.parametrize("label", ["", "two words", "../up", "x" * 65, ".hidden"])
    def test_what_cannot_be_a_label_is_refused(self, bench: Bench, built: Submission, label: str) -> None:
        with pytest.raises(UsageError, match="cannot be a label"):
            label_engine(bench.farm.database, built.result_ids("engine_id")[0], label)

    def test_a_check_up_finds_what_is_damaged_and_removes_it_if_it_shall(self, bench: Bench, built: Submission) -> None:
        corrupt, missing, unrecorded = (
            bench.blob_of(built, step) for step in ("build sm_86", "build sm_89", "quantize")
        )
        assert _findings(bench, built, repair=False) == []
        _spoil(bench, corrupt)
        bench.farm.blobs.delete(missing)
        with bench.farm.database.write() as session:
            session.execute(delete(BlobRow).where(BlobRow.digest == unrecorded))
        wanted = {(corrupt, Damage.CORRUPT), (missing, Damage.MISSING), (unrecorded, Damage.UNRECORDED)}
        for repair in (False, False, True):
            found = _findings(bench, built, repair=repair)
            assert {(finding.digest, finding.damage) for finding in found} == wanted
            repaired = {finding.digest for finding in found if finding.repaired}
            assert repaired == ({corrupt, unrecorded} if repair else set())
        left = _findings(bench, built, repair=False)
        assert {(finding.digest, finding.damage) for finding in left} == {
            (digest, "missing") for digest in (corrupt, missing)
        }

    def test_what_a_check_up_removed_is_made_anew(self, bench: Bench, built: Submission) -> None:
        _spoil(bench, bench.blob_of(built, "build sm_86"))
        assert bench.submit(built.request).hit  # its size is still right, and nobody read it
        assert [finding.repaired for finding in _findings(bench, built, repair=True)] == [True]
        again = bench.submit(built.request)
        assert bench.states(again)["build sm_86"] == "active"
        bench.do_all()
        assert bench.get(again).state == "done"
        assert _findings(bench, built, repair=False) == []


def _age(bench: Bench, *rows: type[Base]) -> None:
    """Lets forty days go by, for all rows or those of some tables."""
    with bench.farm.database.write() as session:
        for aged in rows or (EngineRow, SubmissionRow, TableRow, DatasetRow, VerificationRow):
            session.execute(update(aged).values(created=from_now(-40 * 86400.0)))


def _count(bench: Bench, *rows: type[Base]) -> int:
    with bench.farm.database.read() as session:
        return sum(session.query(each).count() for each in rows)


def _engines(bench: Bench) -> list[str]:
    with bench.farm.database.read() as session:
        return list(session.scalars(select(EngineRow.id)))


def _labels(bench: Bench, label: str) -> dict[str, list[str]]:
    with bench.farm.database.read() as session:
        return {engine.id: engine.labels for engine in find_engines(session, Filter(label=label))}


def _findings(bench: Bench, built: Submission, *, repair: bool) -> Sequence[Finding]:
    """Of the submission's results; the bench stores neither models nor data."""
    found = check_up(bench.farm, repair=repair).findings
    return [finding for finding in found if not finding.named_by[0].startswith(("models", "datasets"))]


def _spoil(bench: Bench, digest: str) -> None:
    digits = digest.removeprefix("sha256:")
    path = bench.folder / "blobs" / "sha256" / digits[:2] / digits[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[::-1])
