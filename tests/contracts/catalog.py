"""What a search finds, on any database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contracts.rows import dataset_row, engine_row, model_row, quantization_row, table_row, verification_row
from trtfarm.accuracy import AccuracyFilter
from trtfarm.catalog import measured
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.lookup import find_one
from trtfarm.catalog.search import engine_entry, find_engines, find_tables
from trtfarm.database.schema import (
    Base,
    EngineRow,
    ModelNameRow,
    ModelRow,
    StepRow,
    SubmissionRow,
    TableRow,
    VerificationRow,
)
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.errors import NotFoundError, UsageError
from trtfarm.jobs.state import StepState, SubmissionState
from trtfarm.origins import TableOrigin
from trtfarm.submissions.listing import find_submissions
from trtfarm_worker.steps.rows import write_all
from trtfarm_worker.steps.step import Outcome, ResultRow

ENGINES: dict[str, dict[str, Any]] = {
    "eng_a1": {"tensorrt": "10.13.3.9", "gpu": "NVIDIA H200"},
    "eng_a2": {"tensorrt": "10.1.0.27", "compute_capability": "sm_86"},
    "eng_b1": {"tensorrt": "10.13.0.35", "precision": "fp32", "calibrator": None},
    "eng_b2": {"tensorrt": "8.5.3.1", "calibrator": "minmax", "model_id": "mod_2", "gpu": "NVIDIA H100 NVL_2"},
}


class CatalogContract:
    """Run with a fixture `database`."""

    @pytest.fixture
    def filled(self, database: Database) -> Database:
        with database.write() as session:
            session.add_all([model_row(), model_row(id="mod_2", name="100%_mine"), dataset_row()])
            session.flush()
            session.add_all(ModelNameRow(model_id="mod_2", name=name) for name in ("yours", "n" * 200))
            session.add(table_row())
            session.flush()
            session.add(table_row(id="tab_2", parent_id="tab_1", tensorrt="10.13.3", origin=TableOrigin.RESTAMPED))
            session.add(
                table_row(id="tab_3", model_id="mod_2", calibrator="legacy", portable=False, device="sm_90", key=None)
            )
            session.add(quantization_row())
            session.flush()
            for day, (engine_id, values) in enumerate(ENGINES.items(), start=1):
                created = datetime(2026, 1, day, tzinfo=UTC)
                session.add(engine_row(**{"id": engine_id, "table_id": "tab_1", "created": created, **values}))
            session.flush()
            session.get_one(EngineRow, "eng_a1").quantization_id = "qnt_1"
            for day, cosine in ((1, 0.8), (3, 0.99), (2, 0.9)):
                created = datetime(2026, 1, day, tzinfo=UTC)
                session.add(verification_row(id=f"ver_{day}", metrics={"cosine_mean": cosine}, created=created))
        return database

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({}, ["eng_b2", "eng_b1", "eng_a2", "eng_a1"]),
            ({"tensorrt": "10.13"}, ["eng_b1", "eng_a1"]),
            ({"tensorrt": "10.1"}, ["eng_a2"]),
            ({"tensorrt": "10.13.3.9"}, ["eng_a1"]),
            ({"compute_capability": "8.6"}, ["eng_a2"]),
            ({"compute_capability": "sm_89", "precision": "int8"}, ["eng_b2", "eng_a1"]),
            ({"calibrator": "minmax"}, ["eng_b2"]),
            ({"model": "lenet"}, ["eng_b1", "eng_a2", "eng_a1"]),
            ({"model": "len"}, []),
            ({"model": "100%_mine"}, ["eng_b2"]),
            ({"model": "yours"}, ["eng_b2"]),
            ({"model": "n" * 250}, ["eng_b2"]),
            ({"model": "n" * 199}, []),
            ({"model": "%"}, []),
            ({"model": digest_of_json(["100%_mine", "digest"])[:15]}, ["eng_b2"]),
            ({"model": digest_of_json(["100%_mine", "digest"])[7:15]}, ["eng_b2"]),
            ({"model": "mod_2"}, ["eng_b2"]),
            ({"gpu": "nvidia h"}, ["eng_b2", "eng_a1"]),
            ({"gpu": "H200", "precision": "int8"}, ["eng_a1"]),
            ({"gpu": "h_00"}, []),
            ({"gpu": "l_2"}, ["eng_b2"]),
        ],
    )
    def test_engines_are_found_newest_first(self, filled: Database, wanted: dict[str, Any], found: list[str]) -> None:
        with filled.read() as session:
            assert [engine.id for engine in find_engines(session, Filter(**wanted))] == found
            assert [engine.id for engine in find_engines(session, Filter(**wanted), limit=1)] == found[:1]

    def test_an_engine_tells_where_it_is_from_and_how_good_it_is(self, filled: Database) -> None:
        with filled.read() as session:
            [engine] = find_engines(session, Filter(tensorrt="10.13.3.9"))
            [other] = find_engines(session, Filter(tensorrt="8.5"))
        assert (engine.model, engine.table, engine.size) == ("lenet", "tab_1", 5000)
        assert engine.metrics == {"cosine_mean": 0.99}
        assert other.metrics is None
        plain = json.loads(json.dumps(engine.as_dict()))
        assert plain["created"] == "2026-01-01T00:00:00+00:00"
        assert set(plain) > {"model_digest", "precision", "calibrator", "tensorrt", "toolchain", "digest"}

    def test_what_is_measured_once_more_is_the_newest(self, filled: Database) -> None:
        """And an engine that is built once more keeps its place in the list."""
        anew = _of_row(verification_row(id="ver_1", metrics={"cosine_mean": 0.7}))
        with filled.write() as session:
            again = ResultRow(kind=VerificationRow, values=anew)
            built = ResultRow(kind=EngineRow, values=_of_row(engine_row(id="eng_a1", quantization_id="qnt_1")))
            write_all(session, [Outcome(rows=[built, again], id_name="engine_id")])
        with filled.read() as session:
            engines = find_engines(session, Filter())
            assert [engine.id for engine in engines] == ["eng_b2", "eng_b1", "eng_a2", "eng_a1"]
            assert engines[-1].metrics == {"cosine_mean": 0.7}

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({}, {"tab_1", "tab_2", "tab_3"}),
            ({"tensorrt": "8.5.3"}, {"tab_1", "tab_3"}),
            ({"tensorrt": "10"}, {"tab_2"}),
            ({"calibrator": "legacy"}, {"tab_3"}),
            ({"model": "lenet"}, {"tab_1", "tab_2"}),
            ({"model": "yours"}, {"tab_3"}),
            ({"compute_capability": "sm_89"}, {"tab_1", "tab_2"}),
            ({"compute_capability": "sm_90"}, {"tab_1", "tab_2", "tab_3"}),
        ],
    )
    def test_tables_are_found(self, filled: Database, wanted: dict[str, Any], found: set[str]) -> None:
        with filled.read() as session:
            tables = find_tables(session, Filter(**wanted))
        assert {table.id for table in tables} == found
        assert all(json.dumps(table.as_dict()) for table in tables)

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"max_drop": 0.02}, ["eng_b2", "eng_b1", "tab_1"]),
            ({"max_drop": 0.05}, ["eng_b2", "eng_b1", "eng_a1", "tab_1"]),
            ({"max_drop": 0.05, "min_cosine": 0.97}, ["eng_b2", "eng_b1", "tab_1"]),
            ({"min_top1": 0.9}, ["eng_a1", "tab_1"]),
            ({"min_top1": 0.99}, []),
            ({"max_drop": 0.0}, ["tab_1"]),
        ],
    )
    @pytest.mark.parametrize("few", [0, 100])
    def test_accuracy_is_what_the_newest_measurement_says(
        self, filled: Database, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, float], *, found: list[str], few: int
    ) -> None:
        """Of an engine. A table is found by anything that was measured of what it made."""
        monkeypatch.setattr(measured, "_FEW_OF_ALL", few)
        classes = {"reference": {"top1": 0.95}, "candidate": {"top1": 0.91}}
        labelled = {"classification": classes, "outputs": {"y": {"cosine_mean": 0.96}}}
        plain = [{"outputs": {"y": {"cosine_mean": cosine}}} for cosine in (1.0, 0.99)]
        with filled.write() as session:
            own = {"quantization_id": None, "simulated": False}
            for day, engine, metrics in ((1, "eng_a1", plain[0]), (2, "eng_a1", labelled), (2, "eng_b2", plain[1])):
                at = {"created": datetime(2026, 2, day, tzinfo=UTC), "metrics": metrics}
                session.add(verification_row(id=f"ver_{engine}_{day}", engine_id=engine, **own, **at))
            session.get_one(EngineRow, "eng_b1").blob = session.get_one(EngineRow, "eng_b2").blob
        accuracy = AccuracyFilter(**wanted)
        with filled.read() as session:
            lists = (find_engines(session, Filter(accuracy=accuracy)), find_tables(session, Filter(accuracy=accuracy)))
            assert [entry.id for entries in lists for entry in entries] == found
            by_model = find_engines(session, Filter(accuracy=accuracy, model="lenet", precision="int8"))
        assert [engine.id for engine in by_model] == [name for name in found if name == "eng_a1"]

    def test_submissions_are_found_by_model_and_by_what_they_measured(self, filled: Database) -> None:
        target = {"compute_capability": "sm_89", "toolchain": "tensorrt-rtx", "tensorrt": "1.7.1.116"}
        request = {"model_id": "mod_1", "precision": "int8", "targets": [target]}
        step = {"name": "verify", "kind": "verify", "position": 0, "needs": [], "state": StepState.DONE}
        metrics = {"outputs": {"y": {"cosine_mean": 0.97}}}
        with filled.write() as session:
            for name, model in (("sub_1", "mod_1"), ("sub_2", "mod_2")):
                done = {"state": SubmissionState.DONE, "request": {**request, "model_id": model}}
                session.add(SubmissionRow(id=name, **done))
            session.add(verification_row(id="ver_of_sub", metrics=metrics))
            session.flush()
            session.add(StepRow(submission_id="sub_1", result={"verification_id": "ver_of_sub"}, **step))
        good, better = AccuracyFilter(max_drop=0.05), AccuracyFilter(max_drop=0.01)
        asked: list[dict[str, Any]] = [{"accuracy": good}, {"accuracy": better}, {"model": "lenet"}, {"model": "yours"}]
        with filled.read() as session:
            found = [[entry.id for entry in find_submissions(session, **words, limit=9)] for words in asked]
        assert found == [["sub_1"], [], ["sub_1"], ["sub_2"]]

    @pytest.mark.parametrize("wanted", [{"min_top1": 2.0}, {"max_drop": float("nan")}])
    def test_an_accuracy_that_cannot_be_is_refused(self, wanted: dict[str, float]) -> None:
        with pytest.raises(UsageError):
            AccuracyFilter(**wanted)

    @pytest.mark.parametrize("wanted", [{"tensorrt": "ten"}, {"compute_capability": "ampere"}])
    def test_conditions_that_mean_nothing_are_refused(self, wanted: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            Filter(**wanted)

    def test_what_was_measured_of_an_engine_itself_counts_before_what_was_simulated(self, filled: Database) -> None:
        with filled.write() as session:
            for engine, cosine in (("eng_a1", 0.5), ("eng_b2", 0.97)):
                own = {"quantization_id": None, "engine_id": engine, "simulated": False}
                session.add(verification_row(id=f"ver_{engine}", metrics={"cosine_mean": cosine}, **own))
            # Equal bytes are measured once.
            session.get_one(EngineRow, "eng_b1").blob = session.get_one(EngineRow, "eng_b2").blob
        with filled.read() as session:
            found = {engine.id: engine.metrics for engine in find_engines(session, Filter())}
            shown = {name: engine_entry(session, session.get_one(EngineRow, name)).metrics for name in found}
        measured = {"eng_a1": {"cosine_mean": 0.5}, **{name: {"cosine_mean": 0.97} for name in ("eng_b1", "eng_b2")}}
        assert found == shown == {"eng_a2": None, **measured}

    def test_one_row_is_found_by_as_much_of_its_id_as_is_needed(self, filled: Database) -> None:
        with filled.read() as session:
            assert find_one(session, EngineRow, "eng_a1").id == "eng_a1"
            assert find_one(session, ModelRow, "mod_2").name == "100%_mine"
            digest = digest_of_json(["eng_b1", "blob"])
            assert find_one(session, EngineRow, digest).id == "eng_b1"
            assert find_one(session, EngineRow, digest[:14]).id == "eng_b1"
            with pytest.raises(UsageError, match="eng_a2"):
                find_one(session, EngineRow, "eng_a")
            with pytest.raises(NotFoundError, match=r"did you mean .*eng_b2"):
                find_one(session, EngineRow, "eng_b3")
            for nothing in ("", "%", "eng_a_"):
                with pytest.raises(NotFoundError):
                    find_one(session, EngineRow, nothing)

    def test_an_empty_farm_says_so(self, database: Database) -> None:
        with database.read() as session, pytest.raises(NotFoundError, match="there is none yet"):
            find_one(session, TableRow, "tab_1")


def _of_row(row: Base) -> dict[str, Any]:
    """What was given when it was made."""
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}
