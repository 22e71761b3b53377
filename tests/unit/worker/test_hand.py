from __future__ import annotations

from pathlib import Path

from tests.contracts.submission_bench import Bench
from trtfarm.database.session import Database
from trtfarm.jobs.job import Claim
from trtfarm_worker.hand import Hand


def test_a_job_that_lasts_is_left_alone_in_the_hand(database: Database, tmp_path: Path) -> None:
    bench = Bench(database, tmp_path)
    first, second, third = (_claim(bench) for _ in range(3))
    hand = Hand([first, second, third])
    assert hand.begin() is first
    work = bench.work(first)
    hand.end(work)
    assert hand.begin() is second
    rest = hand.take_out()
    assert (rest.waiting, rest.running, rest.done) == ((third,), second, (work,))
    rest = hand.take_out()
    assert (rest.waiting, rest.running, rest.done) == ((), None, ())
    hand.end(None)
    assert hand.begin() is None


def _claim(bench: Bench) -> Claim:
    bench.submit(bench.request())
    claim = bench.farm.jobs.claim_next("worker", "cpu")
    assert claim is not None
    return claim
