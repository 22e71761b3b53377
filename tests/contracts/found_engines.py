"""Which engines a search finds of any that there could be: the same ones, whichever way it takes to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.contracts.rows import dataset_row, engine_row, model_row, quantization_row, verification_row
from trtfarm.accuracy import AccuracyFilter
from trtfarm.catalog import measured, visibility
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.search import find_engines
from trtfarm.database.schema import GrantRow, StepRow, SubmissionRow
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.jobs.state import StepState, SubmissionState

#: The fixture's database is empty again after each example, and several classes run the same contract.
EXPECTED = (HealthCheck.function_scoped_fixture, HealthCheck.differing_executors)
PROJECTS = ("mine", "others")
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
#: How many a project's engines, and verifications that are as good, may be for each way to be taken.
FEW = (0, 100)
GOOD = ((0, 0, 0), (0, 0, 100), (100, 100, 100))


@dataclass(frozen=True, kw_only=True)
class Engine:
    """`asked` and `brought`: the projects that it was built for, and that a bundle brought it to."""

    number: int
    plan: int
    model: int | None
    asked: frozenset[str]
    brought: frozenset[str]

    def seen_by(self, project: str | None) -> bool:
        return project is None or project in self.asked | self.brought


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Of an engine, or of a rewritten model; `lost` is None where nothing was measured that could be compared.

    `asked` and `brought` as an engine's.
    """

    number: int
    engine: int | None
    model: int | None
    lost: float | None
    asked: frozenset[str]
    brought: frozenset[str]

    def seen_by(self, project: str | None) -> bool:
        return project is None or project in self.asked | self.brought


World = tuple[list[Engine], list[Verification]]
some_projects = st.frozensets(st.sampled_from(PROJECTS))
maybe_model = st.none() | st.integers(0, 1)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    made = st.tuples(st.integers(0, 3), maybe_model, some_projects, some_projects)
    engines = [
        Engine(number=number, plan=plan, model=model, asked=asked, brought=brought)
        for number, (plan, model, asked, brought) in enumerate(draw(st.lists(made, min_size=1, max_size=5)))
    ]
    lost = st.sampled_from([None, 0.001, 0.02, 0.3])
    of = st.tuples(st.integers(0, len(engines) - 1), st.none()) | st.tuples(st.none(), st.integers(0, 1))
    verified = draw(st.lists(st.tuples(of, lost, some_projects, some_projects), max_size=6))
    return engines, [
        Verification(number=number, engine=engine, model=model, lost=share, asked=asked, brought=brought)
        for number, ((engine, model), share, asked, brought) in enumerate(verified)
    ]


class FoundEnginesContract:
    """Run with a fixture `database`."""

    @settings(suppress_health_check=EXPECTED)
    @given(
        world=worlds(),
        project=st.sampled_from([None, *PROJECTS, "new"]),
        most=st.sampled_from([None, 0.01, 0.1]),
        tensorrt=st.sampled_from([None, "10"]),
    )
    def test_every_way_finds_those_that_are_seen_and_as_good(
        self, database: Database, world: World, project: str | None, most: float | None, *, tensorrt: str | None
    ) -> None:
        engines, verifications = world
        seen = [each for each in verifications if each.seen_by(project)]
        expected = [
            engine.number
            for engine in reversed(engines)
            if engine.seen_by(project) and (most is None or _lost(engine, engines, seen) <= most)
        ]
        wanted = Filter(accuracy=AccuracyFilter(max_drop=most), tensorrt=tensorrt)
        ways = product(FEW if project else FEW[:1], GOOD if most else GOOD[:1])
        with database.write() as session:
            _write(session, engines, verifications)
            found = {way: _found(session, wanted, project, *way) for way in ways}
            session.rollback()
        assert found == dict.fromkeys(found, expected)


def _lost(engine: Engine, engines: Sequence[Engine], verifications: Sequence[Verification]) -> float:
    """What the newest measurement of its bytes says, or else of its model; all, where none does."""
    equal = {other.number for other in engines if other.plan == engine.plan}
    own = [each for each in verifications if each.engine in equal]
    of_model = [each for each in verifications if engine.model is not None and each.model == engine.model]
    shown = (own or of_model)[-1:]
    return next((each.lost for each in shown if each.lost is not None), 1.0)


def _found(session: Session, wanted: Filter, project: str | None, few: int, good: tuple[int, int, int]) -> list[int]:
    of_all, of_others, some = good
    limits = {"_FEW_OF_ALL": of_all, "_FEW_OF_OTHERS": of_others, "_SOME": some}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(visibility, "_FEW", few)
        for name, limit in limits.items():
            patch.setattr(measured, name, limit)
        return [int(entry.id.removeprefix("eng_")) for entry in find_engines(session, wanted, project=project)]


def _write(session: Session, engines: Sequence[Engine], verifications: Sequence[Verification]) -> None:
    session.add_all([model_row(), dataset_row()])
    session.add_all(
        SubmissionRow(id=_sub(name), request={}, state=SubmissionState.DONE, project=name) for name in PROJECTS
    )
    session.flush()
    session.add_all(
        quantization_row(id=f"qdq_{model}", table_id=None, key=digest_of_json(model), blob=digest_of_json([model]))
        for model in (0, 1)
    )
    session.flush()
    for engine in engines:
        session.add(
            engine_row(
                id=f"eng_{engine.number}",
                blob=digest_of_json(engine.plan),
                quantization_id=_named("qdq", engine.model),
                created=BEGINNING + timedelta(days=engine.number),
            )
        )
    session.flush()
    for engine in engines:
        _show(session, engine, f"eng_{engine.number}")
    # What is granted besides, and says nothing of engines.
    session.add_all(GrantRow(project=PROJECTS[0], item=item) for item in ("mod_1", digest_of_json(0)))
    for each in verifications:
        metrics: dict[str, Any] = {"outputs": {} if each.lost is None else {"y": {"cosine_mean": 1 - each.lost}}}
        session.add(
            verification_row(
                id=f"ver_{each.number}",
                key=_key(f"ver_{each.number}"),
                quantization_id=_named("qdq", each.model),
                engine_id=_named("eng", each.engine),
                metrics=metrics,
                created=BEGINNING + timedelta(days=each.number),
            )
        )
        _show(session, each, f"ver_{each.number}")
    session.flush()


def _show(session: Session, each: Engine | Verification, row_id: str) -> None:
    """To the projects that asked for it, and those that a bundle brought it to."""
    facts = {"kind": "any", "position": each.number, "needs": [], "state": StepState.DONE}
    session.add_all(StepRow(submission_id=_sub(name), name=row_id, key=_key(row_id), **facts) for name in each.asked)
    session.add_all(GrantRow(project=name, item=row_id) for name in each.brought)


def _key(row_id: str) -> str:
    """As `engine_row` has it."""
    return digest_of_json([row_id, "key"])


def _sub(project: str) -> str:
    return f"sub_{project}"


def _named(prefix: str, number: int | None) -> str | None:
    return None if number is None else f"{prefix}_{number}"
