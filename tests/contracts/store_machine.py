"""Random writers against clean-up: what somebody holds or a row names is always there, and in the end nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete

from tests.contracts.rows import model_row, table_row
from trtfarm.blobs.garbage import find_garbage, remove_garbage
from trtfarm.blobs.objects import Objects
from trtfarm.blobs.records import hold, put_bytes_held, record
from trtfarm.blobs.store import Blob, BlobStore, StoredBlob
from trtfarm.database.schema import TableRow
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json

_numbers = count()


class _Store(BlobStore):
    """One in which something else happens at a moment of a writer's: after it has stored, or before it looks again."""

    def __init__(self, objects: Objects) -> None:
        super().__init__(objects)
        self.after_put: list[Callable[[], None]] = []
        self.before_has: list[Callable[[], None]] = []

    def put_bytes(self, data: bytes) -> Blob:
        blob = super().put_bytes(data)
        if self.after_put:
            self.after_put.pop()()
        return blob

    def has(self, blob: Blob) -> bool:
        if self.before_has:
            self.before_has.pop()()
        return super().has(blob)


class _Machine(RuleBasedStateMachine):
    """`run_writers` sets the database and the store."""

    database: Database
    store: _Store

    held = Bundle("held")
    rows = Bundle("rows")

    def __init__(self) -> None:
        super().__init__()
        self._run = next(_numbers)
        #: Holder -> the blob it relies on; row -> the blob it names; what clean-up has found and not yet removed.
        self._held: dict[str, Blob] = {}
        self._named: dict[str, Blob] = {}
        self._found: Sequence[StoredBlob] = ()

    @rule(target=held, content=st.sampled_from("abc"), when=st.sampled_from(["before", "stored", "held", "never"]))
    def write(self, content: str, when: str) -> str:
        """Stores a blob; clean-up, which may have looked long ago, strikes at some moment of that."""
        holder, store = f"job_{next(_numbers)}", self.store
        if when == "before":
            self.strike()
        elif when == "stored":
            store.after_put.append(self.strike)
        elif when == "held":
            # Storing asks once whether the blob is there; what comes after that asks when it is held.
            store.after_put.append(lambda: store.before_has.append(self.strike))
        self._held[holder] = put_bytes_held(self.database, store, f"{self._run} {content}".encode(), holder)
        return holder

    @rule(target=rows, holder=consumes(held))
    def name(self, holder: str) -> str:
        """Commits a row that names a held blob."""
        blob, row_id = self._held.pop(holder), f"tab_{next(_numbers)}"
        with self.database.write() as session:
            record(session, [blob], holder=holder)
            session.add(table_row(id=row_id, blob=blob.digest, key=digest_of_json(row_id)))
        self._named[row_id] = blob
        return row_id

    @rule(holder=consumes(held))
    def die(self, holder: str) -> None:
        """The holder comes to nothing, and its time runs out."""
        hold(self.database, holder, [self._held.pop(holder).digest], seconds=-1)

    @rule(row=consumes(rows))
    def forget(self, row: str) -> None:
        """Deletes a row."""
        self._forget([row])

    @rule()
    def look(self) -> None:
        """Clean-up looks for garbage."""
        self._found = find_garbage(self.database, self.store, grace_seconds=-1)

    @rule()
    def strike(self) -> None:
        """Clean-up removes what it found when it looked last."""
        remove_garbage(self.database, self.store, self._found)

    @invariant()
    def what_is_needed_is_there(self) -> None:
        needed = {*self._held.values(), *self._named.values()}
        assert self.store.missing(needed) == []

    def teardown(self) -> None:
        """With the holders gone, clean-up leaves what rows name, and then nothing."""
        for holder in list(self._held):
            self.die(holder)
        self._clean()
        assert {stored.blob for stored in self.store.blobs()} == set(self._named.values())
        self._forget(list(self._named))
        self._clean()
        assert list(self.store.blobs()) == []

    def _clean(self) -> None:
        self.look()
        self.strike()

    def _forget(self, rows: list[str]) -> None:
        with self.database.write() as session:
            session.execute(delete(TableRow).where(TableRow.id.in_(rows)))
        for row in rows:
            del self._named[row]


def run_writers(database: Database, objects: Objects, examples: int) -> None:
    """Plays so many random lives on a database and a store, both empty."""
    with database.write() as session:
        session.add(model_row())
    machine = type("Machine", (_Machine,), {"database": database, "store": _Store(objects)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
