"""A farm of many engines, written into a database past the farm: the rows alone, as years of builds would leave them.

Models, TensorRT versions, GPUs and precisions are as unevenly used as in real life; the numbers are drawn from a seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg
from sqlalchemy import text

from trtfarm.database.session import Database
from trtfarm.digests import digest_of_bytes

VERSIONS = {
    "10.13.3.9": 30,
    "10.13.0.35": 12,
    "10.9.0.34": 10,
    "10.3.0.26": 8,
    "10.1.0.27": 5,
    "8.6.1.6": 12,
    "8.5.3.1": 8,
    "8.5.2.2": 2,
    "11.0.0.114": 5,
    "1.7.1.116": 6,
    "1.6.0.90": 1,
    "1.5.0.3": 1,
}
CAPABILITIES = {"sm_75": 12, "sm_80": 14, "sm_86": 18, "sm_87": 8, "sm_89": 20, "sm_90": 18, "sm_100": 4, "sm_120": 6}
PRECISIONS = {"int8": 45, "int8+fp16": 15, "fp16": 20, "fp32": 12, "bf16": 4, "fp8": 4}
CALIBRATORS = {"entropy2": 55, "minmax": 30, "entropy": 6, "percentile": 6, "legacy": 3}
MODELS = 1_000
#: Of so many engines one has a label of its own, `release-<number>`; `nightly` has every twentieth, `prod` a few.
RELEASED, _NIGHTLY, _IN_PRODUCTION = 100, 20, 5_000
#: Engines that were built from one rewritten model, and of which one was measured on its GPU.
_OF_ONE_REWRITTEN, _MEASURED = 20, 25
#: A project that asked for every tenth engine, so many in a submission.
PROJECT, _OF_PROJECT, _BUILDS = "detectors", 10, 6
#: As much accuracy is lost at most; one in ten thousand verifications found next to nothing.
LOSSES = [*[0.05] * 5_000, *[0.01] * 4_999, 1e-6]
_BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
_YEARS = timedelta(days=3 * 365)
_BATCH = 10_000
#: For SQLite while it is filled: every index that does not fit is written again and again.
_CACHE_KIB = 1 << 20

Row = dict[str, Any]


def model_name(number: int) -> str:
    return f"detector-{number:04}.onnx"


def model_digest(number: int) -> str:
    return _digest("model", number)


def plan_digest(number: int) -> str:
    """The digest of the plan of the engine with this number."""
    return _digest("plan", number)


def engine_key(number: int) -> str:
    """The key that the engine with this number was built under."""
    return _digest("key", number)


def fill(database: Database, count: int) -> None:
    """Writes `count` engines with what belongs to them."""
    write = _copy if not database.is_sqlite else _insert
    write(database, "models", _models())
    write(database, "datasets", iter([_dataset()]))
    write(database, "quantizations", _quantizations(count))
    write(database, "engines", _engines(count))
    write(database, "engine_labels", _labels(count))
    write(database, "verifications", _verifications(count))
    write(database, "submissions", _submissions(count))
    write(database, "steps", _steps(count))
    if not database.is_sqlite:
        # A server that runs for years does so by itself; the farm's SQLite never looks at what it holds.
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def created(number: int, count: int) -> datetime:
    """When the engine of this number was made: in the order of the numbers, some in the same second."""
    return (_BEGINNING + _YEARS * (number / count)).replace(microsecond=number % 1000)


def _digest(what: str, number: int) -> str:
    return digest_of_bytes(f"{what} {number}".encode())


def _models() -> Iterator[Row]:
    for number in range(MODELS):
        yield {
            "id": f"mod_{number:08}",
            "name": model_name(number),
            "digest": model_digest(number),
            **dict.fromkeys(("graph_digest", "weights_digest", "blob"), model_digest(number)),
            "inputs": "[]",
            "outputs": "[]",
            "nodes": 120,
            "size": 40_000_000,
            "created": _BEGINNING,
        }


def _dataset() -> Row:
    return {
        "id": "dat_00000000",
        "name": "held-out",
        "digest": _digest("held-out", 0),
        "samples": 1_000,
        "inputs": "{}",
        "created": _BEGINNING,
    }


def _quantizations(count: int) -> Iterator[Row]:
    for number in range(count // _OF_ONE_REWRITTEN):
        yield {
            "id": f"qdq_{number:08}",
            "key": _digest("quantization", number),
            "model_id": f"mod_{number % MODELS:08}",
            "options": "{}",
            "blob": _digest("rewritten", number),
            "facts": "{}",
            "created": _BEGINNING,
        }


def _engines(count: int) -> Iterator[Row]:
    chance = random.Random(20)  # noqa: S311 - test data
    draw = {name: _drawing(chance, weights) for name, weights in _COLUMNS.items()}
    facts = json.dumps({"toolchain": "tensorrt", "int8_layers": 57, "seconds": 88.5, "layers": [], "io": []})
    for number in range(count):
        drawn = {name: one() for name, one in draw.items()}
        quantized = drawn["precision"].startswith("int8") and number // _OF_ONE_REWRITTEN < count // _OF_ONE_REWRITTEN
        yield {
            "id": f"eng_{number:08}",
            "key": engine_key(number),
            "model_id": f"mod_{drawn['model']:08}",
            "quantization_id": f"qdq_{number // _OF_ONE_REWRITTEN:08}" if quantized else None,
            "precision": drawn["precision"],
            "calibrator": drawn["calibrator"] if quantized else None,
            "tensorrt": drawn["tensorrt"],
            "toolchain": f"tensorrt-{drawn['tensorrt']}",
            "compute_capability": drawn["compute_capability"],
            "gpu": f"NVIDIA {drawn['compute_capability']}",
            "profiles": "{}",
            "options": "{}",
            "blob": plan_digest(number),
            "log_blob": None,
            "size": 30_000_000,
            "facts": facts,
            "created": created(number, count),
            "pinned": False,
        }


def _submissions(count: int) -> Iterator[Row]:
    """Those of one project, of which each asked for a few builds."""
    for number in range(0, count, _OF_PROJECT * _BUILDS):
        yield {
            "id": f"sub_{number:08}",
            "request": "{}",
            "state": "done",
            "created": created(number, count),
            "project": PROJECT,
        }


def _steps(count: int) -> Iterator[Row]:
    for number in range(0, count, _OF_PROJECT):
        yield {
            "submission_id": f"sub_{number - number % (_OF_PROJECT * _BUILDS):08}",
            "name": f"build {number}",
            "kind": "build",
            "position": number // _OF_PROJECT % _BUILDS,
            "needs": "[]",
            "state": "done",
            "key": engine_key(number),
        }


def _labels(count: int) -> Iterator[Row]:
    for number in range(count):
        words = {"nightly": _NIGHTLY, f"release-{number}": RELEASED, "prod": _IN_PRODUCTION}
        for label, every in words.items():
            if number % every == 0:
                engine = {"engine_id": f"eng_{number:08}", "project": "default"}
                yield {**engine, "label": label, "created": created(number, count)}


def _verifications(count: int) -> Iterator[Row]:
    chance = random.Random(5)  # noqa: S311 - test data
    of_models = ((f"qdq_{number:08}", None, number) for number in range(count // _OF_ONE_REWRITTEN))
    of_engines = ((None, f"eng_{number:08}", count + number) for number in range(0, count, _MEASURED))
    for quantization, engine, number in (*of_models, *of_engines):
        lost = LOSSES[chance.randrange(len(LOSSES))] * chance.random()
        metrics = {"samples": 992, "simulated": True, "outputs": {"y": {"cosine_mean": 1 - lost}}}
        yield {
            "id": f"ver_{number:08}",
            "key": _digest("verification", number),
            "model_id": "mod_00000000",
            "quantization_id": quantization,
            "engine_id": engine,
            "dataset_id": "dat_00000000",
            "simulated": engine is None,
            "metrics": json.dumps(metrics),
            "cosine": 1 - lost,
            "lost": lost,
            "created": _BEGINNING,
        }


#: A column of an engine -> how often each value is drawn; models by Zipf's law.
_COLUMNS: dict[str, dict[Any, int]] = {
    "model": {number: 1_000_000 // (number + 1) for number in range(MODELS)},
    "tensorrt": VERSIONS,
    "compute_capability": CAPABILITIES,
    "precision": PRECISIONS,
    "calibrator": CALIBRATORS,
}


def _drawing(chance: random.Random, weights: dict[Any, int]) -> Callable[[], Any]:
    """Values drawn by their weights, many at a time: one by one that takes longer than writing them."""
    values, shares = list(weights), list(weights.values())

    def endless() -> Iterator[Any]:
        while True:
            yield from chance.choices(values, shares, k=_BATCH)

    return endless().__next__


def _copy(database: Database, table: str, rows: Iterator[Row]) -> None:
    """By PostgreSQL's COPY."""
    first = next(rows)
    statement = f"COPY {table} ({', '.join(first)}) FROM STDIN"
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection, connection.cursor().copy(statement) as copy:
        copy.write_row(list(first.values()))
        for row in rows:
            copy.write_row(list(row.values()))


def _insert(database: Database, table: str, rows: Iterator[Row]) -> None:
    """By SQLite's own driver, many at a time."""
    first = next(rows)
    statement = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({', '.join('?' * len(first))})"  # noqa: S608 - ours
    with database.write() as session:
        driver: Any = session.connection().connection.driver_connection
        driver.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        driver.execute(statement, _plain(first.values()))
        for batch in _batches(rows):
            driver.executemany(statement, [_plain(row.values()) for row in batch])


def _batches(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _plain(values: Iterable[Any]) -> list[Any]:
    """As SQLAlchemy writes them: times as text, in UTC and without saying so."""
    return [f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value for value in values]
