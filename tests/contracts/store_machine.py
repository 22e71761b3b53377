"""Random writers against clean-up: what somebody holds or a row names is always there, and in the end nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete

from tests.contracts.rows import model_row, table_row
from trtfarm.blobs.garbage import find_garbage, remove_garbage
from trtfarm.blobs.objects import Objects
from trtfarm.blobs.records import hold, put_bytes_held, record
from trtfarm.blobs.store import Blob, BlobStore, StoredBlob
from trtfarm.blobs.uploads import Upload, Uploads, holder_of
from trtfarm.database.schema import TableRow
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_bytes, digest_of_json
from trtfarm.errors import ConflictError, NotFoundError

_numbers = count()
_SENDER = "ann"


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

    def take(self, path: Path, blob: Blob) -> None:
        super().take(path, blob)
        if self.after_put:
            self.after_put.pop()()

    def has(self, blob: Blob) -> bool:
        if self.before_has:
            self.before_has.pop()()
        return super().has(blob)


class _Machine(RuleBasedStateMachine):
    """`run_writers` sets the database, the store, and where uploads arrive."""

    database: Database
    store: _Store
    arrivals: Uploads

    held = Bundle("held")
    rows = Bundle("rows")
    uploads: Bundle[Upload] = Bundle("uploads")

    def __init__(self) -> None:
        super().__init__()
        self._run = next(_numbers)
        #: Holder -> the blob it relies on; row -> the blob it names; what clean-up has found and not yet removed.
        self._held: dict[str, Blob] = {}
        self._named: dict[str, Blob] = {}
        self._found: Sequence[StoredBlob] = ()
        #: Those that came whole over the network: held for whoever sent them, who has yet to name them.
        self._sent: set[Blob] = set()

    @rule(target=held, content=st.sampled_from("abc"), when=st.sampled_from(["before", "stored", "held", "never"]))
    def write(self, content: str, when: str) -> str:
        """Stores a blob; clean-up, which may have looked long ago, strikes at some moment of that."""
        holder = f"job_{next(_numbers)}"
        if when == "before":
            self.strike()
        elif when == "stored":
            self.store.after_put.append(self.strike)
        elif when == "held":
            # Storing asks once whether the blob is there; what comes after that asks when it is held.
            self.store.after_put.append(lambda: self.store.before_has.append(self.strike))
        self._held[holder] = put_bytes_held(self.database, self.store, self._content(content), holder)
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

    @rule(target=uploads, content=st.sampled_from("abc"))
    def announce(self, content: str) -> Upload:
        """Somebody begins an upload."""
        return self._announced(content)

    def _announced(self, content: str) -> Upload:
        data = self._content(content)
        return self.arrivals.begin(_SENDER, digest_of_bytes(data), len(data))

    @rule(upload=uploads, whole=st.booleans())
    def send(self, upload: Upload, whole: bool) -> None:  # noqa: FBT001 - drawn by name
        """A byte of it comes, or all the rest; what has ended takes none."""
        known = self._arriving(upload)
        if known is None or known.offset == known.size:
            return
        data = next(data for data in map(self._content, "abc") if digest_of_bytes(data) == known.digest)
        stop = known.size if whole else known.offset + 1
        piece = self.arrivals.open_piece(_SENDER, known.id, first=known.offset, stop=stop)
        piece.write(data[known.offset : stop])
        piece.close()
        assert self.arrivals.get(_SENDER, known.id).offset == stop

    @rule(upload=uploads, when=st.sampled_from(["stored", "held", "never"]))
    def complete(self, upload: Upload, when: str) -> None:
        """It is stored if it is whole; clean-up strikes at some moment of that."""
        known = self._arriving(upload)
        if known is None:
            return
        if known.offset < known.size:
            with pytest.raises(ConflictError):
                self.arrivals.finish(_SENDER, known.id)
            return
        if when == "held":  # first, and then it is asked whether it is there already
            self.store.before_has.append(self.strike)
        elif when == "stored":
            self.store.after_put.append(self.strike)
        self._sent.add(self.arrivals.finish(_SENDER, known.id))
        assert self._arriving(upload) is None

    @rule(target=uploads, content=st.sampled_from("abc"), when=st.sampled_from(["stored", "held", "never"]))
    def receive(self, content: str, when: str) -> Upload:
        """A likely story in one step: an upload comes whole, and clean-up after it."""
        upload = self._announced(content)
        self.send(upload, whole=True)
        self.complete(upload, when)
        self._clean()
        return upload

    @rule(upload=consumes(uploads))
    def abandon(self, upload: Upload) -> None:
        """Somebody takes it back, or its time has run out when the sweep comes."""
        if self._arriving(upload) is not None:
            self.arrivals.cancel(_SENDER, upload.id)
        self.arrivals.sweep()
        assert self._arriving(upload) is None

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
        needed = {*self._held.values(), *self._named.values(), *self._sent}
        assert self.store.missing(needed) == []

    def teardown(self) -> None:
        """With the holders gone, clean-up leaves what rows name, and then nothing."""
        # One sender for all lives, who may have so many unfinished uploads and no more.
        for upload in self.arrivals.of(_SENDER):
            self.arrivals.cancel(_SENDER, upload.id)
        for holder in list(self._held):
            self.die(holder)
        hold(self.database, holder_of(_SENDER), [blob.digest for blob in self._sent], seconds=-1)
        self._clean()
        assert {stored.blob for stored in self.store.blobs()} == set(self._named.values())
        self._forget(list(self._named))
        self._clean()
        assert list(self.store.blobs()) == []

    def _content(self, word: str) -> bytes:
        return f"{self._run} {word}".encode()

    def _arriving(self, upload: Upload) -> Upload | None:
        """The upload as it is now; None once it has ended."""
        with suppress(NotFoundError):
            return self.arrivals.get(_SENDER, upload.id)
        return None

    def _clean(self) -> None:
        self.look()
        self.strike()

    def _forget(self, rows: list[str]) -> None:
        with self.database.write() as session:
            session.execute(delete(TableRow).where(TableRow.id.in_(rows)))
        for row in rows:
            del self._named[row]


def run_writers(database: Database, objects: Objects, folder: Path, examples: int) -> None:
    """Plays so many random lives on a database and a store, both empty; uploads arrive in the folder."""
    with database.write() as session:
        session.add(model_row())
    store = _Store(objects)
    parts = {"database": database, "store": store, "arrivals": Uploads(database, store, folder)}
    machine = type("Machine", (_Machine,), parts)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
