"""How long a search for engines takes among a million, on SQLite and on a real PostgreSQL.

Searches are those of `trtfarm engines list`: each filter alone, several at once, times, and pages after a cursor. What
is searched for is drawn from the engines that are there, as often as it is there, and for several filters also
independently of each other, so that there may be none. The limits at the 95th percentile are the project's own.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks import many_engines
from benchmarks.servers import postgresql
from benchmarks.sizes import size
from trtfarm.accuracy import AccuracyFilter
from trtfarm.catalog.entries import EngineEntry
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.search import find_engines
from trtfarm.catalog.window import EVERYTHING, Position, Window
from trtfarm.database.migrate import prepare
from trtfarm.database.session import Database, open_database, sqlite_url

_LIMITS_MS = {"SQLite": 50.0, "PostgreSQL": 20.0}
_TWENTIETHS = 20
_MONTH = timedelta(days=30)

Words = dict[str, Any]
#: Draws the words of one search, and what it is limited to in time.
Draw = Callable[[], tuple[Words, Window]]
#: Kinds of searches that are also made by a project, which sees only its own engines.
_OF_PROJECT = ("no filter", "precision", "version and GPU", "model, version, GPU, precision")


def run() -> None:
    count = size("ENGINES", 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        _measure("SQLite", sqlite_url(Path(folder) / "farm.db"), count)
    with postgresql("engines") as url:
        _measure("PostgreSQL", url, count)


def _measure(name: str, url: str, count: int) -> None:
    database = open_database(url)
    prepare(database)
    begun = time.perf_counter()
    many_engines.fill(database, count)
    print(f"{name}: {count:,} engines written in {time.perf_counter() - begun:.0f} s", flush=True)
    times: dict[str, list[float]] = {}
    kinds: list[tuple[str, Draw, str | None]] = [(kind, draw, None) for kind, draw in _kinds(count).items()]
    kinds += [(f"a project: {kind}", draw, many_engines.PROJECT) for kind, draw, _ in kinds if kind in _OF_PROJECT]
    for kind, draw, project in kinds:
        times[kind] = list(_times(database, draw, project, size("SEARCHES", 50)))
        print(f"{name}, {kind:28} median {_median_ms(times[kind]):7.2f} ms, p95 {_p95_ms(times[kind]):7.2f} ms")
    database.close()
    p95, limit = _p95_ms([seconds for found in times.values() for seconds in found]), _LIMITS_MS[name]
    print(f"{name}: p95 of all {p95:.2f} ms, limit {limit:.0f} ms, {p95 / limit:.2f} of it", flush=True)


def _times(database: Database, draw: Draw, project: str | None, searches: int) -> Iterator[float]:
    """Seconds of so many searches, each of a first page and of one after a cursor.

    Not of the very first, for which the statement is compiled: a server does so once.
    """
    words, within = draw()
    _search(database, words, within, project)
    for _ in range(searches):
        words, within = draw()
        seconds, found = _search(database, words, within, project)
        yield seconds
        if found:
            after = Position(created=found[-1].created, id=found[-1].id)
            yield _search(database, words, Window(after=after, since=within.since, until=within.until), project)[0]


def _search(database: Database, words: Words, within: Window, project: str | None) -> tuple[float, list[EngineEntry]]:
    """How many seconds it takes, and what it finds."""
    begun = time.perf_counter()
    with database.read() as session:
        found = find_engines(session, Filter(**words), within=within, project=project)
    return time.perf_counter() - begun, found


def _kinds(count: int) -> dict[str, Draw]:
    chance = random.Random(7)  # noqa: S311 - test data
    draws = {name: _drawing(chance, weights) for name, weights in _WEIGHTS.items()}

    def by(*names: str) -> Draw:
        return lambda: ({name: draws[name]() for name in names}, EVERYTHING)

    def of_number(words: Callable[[int], Words]) -> Draw:
        return lambda: (words(chance.randrange(count)), EVERYTHING)

    def month() -> Window:
        until = many_engines.created(chance.randrange(count), count)
        return Window(since=until - _MONTH, until=until)

    def deep() -> Window:
        number = chance.randrange(count)
        return Window(after=Position(created=many_engines.created(number, count), id=f"eng_{number:08}"))

    def as_good(*names: str) -> Draw:
        words = by(*names)
        return lambda: (words()[0] | {"accuracy": AccuracyFilter(max_drop=chance.choice(_DROPS))}, EVERYTHING)

    everything = ("model", "tensorrt", "compute_capability", "precision")
    return {
        "no filter": by(),
        **{name: by(name) for name in draws},
        "a model by its digest": lambda: (
            {"model": many_engines.model_digest(_number(draws["model"]()))[:20]},
            EVERYTHING,
        ),
        "digest": of_number(lambda number: {"digest": many_engines.plan_digest(number)[:20]}),
        "a label of one": of_number(lambda number: {"label": f"release-{number - number % many_engines.RELEASED}"}),
        "version and GPU": by("tensorrt", "compute_capability"),
        "version, GPU, precision": by("tensorrt", "compute_capability", "precision"),
        "model and GPU": by("model", "compute_capability"),
        "model, version, GPU, precision": by(*everything),
        "everything": by(*everything, "calibrator"),
        "calibrator and precision": by("calibrator", "precision"),
        "label, GPU": by("label", "compute_capability"),
        "label, model": by("label", "model"),
        "accuracy": as_good(),
        "accuracy, version, GPU": as_good("tensorrt", "compute_capability"),
        "a month": lambda: ({}, month()),
        "a month, version, GPU": lambda: (by("tensorrt", "compute_capability")()[0], month()),
        "from somewhere on": lambda: ({}, deep()),
        "from somewhere on, precision": lambda: (by("precision")()[0], deep()),
        "from somewhere on, three": lambda: (by("model", "tensorrt", "precision")()[0], deep()),
    }


def _number(name: str) -> int:
    return int(name.partition("-")[2].partition(".")[0])


#: What is lost at most: by most engines, by half of them, by a few, and by none.
_DROPS = (0.03, 0.005, 0.0005, 1e-6, 1e-9)
#: Filter -> how often each of its words is searched for; the short ones stand for several values.
_WEIGHTS: dict[str, dict[str, int]] = {
    "model": {many_engines.model_name(number): 1_000_000 // (number + 1) for number in range(many_engines.MODELS)},
    "tensorrt": {**many_engines.VERSIONS, "10": 30, "10.13": 30, "8": 20},
    "compute_capability": many_engines.CAPABILITIES,
    "precision": many_engines.PRECISIONS,
    "calibrator": many_engines.CALIBRATORS,
    "label": {"prod": 3, "nightly": 1},
}


def _drawing(chance: random.Random, weights: dict[str, int]) -> Callable[[], str]:
    return lambda: chance.choices(list(weights), list(weights.values()))[0]


def _p95_ms(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=_TWENTIETHS)[-1] * 1e3


def _median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1e3
