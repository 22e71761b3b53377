"""Runs the model over the samples and observes its tensors."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, Collection, Deque, Dict, Iterable, Iterator, Mapping, Optional, Protocol, Tuple

import onnxruntime
from numpy.typing import NDArray

from trtfarm_builder.failures import BadDataError
from trtfarm_builder.reference.network import Network
from trtfarm_builder.reference.plan import Plan
from trtfarm_builder.reference.samples import Samples
from trtfarm_builder.sessions import open_session, run_session, usable_cores

Arrays = Dict[str, NDArray[Any]]
Bounds = Tuple[int, int]


class Statistic(Protocol):
    """What is kept of one tensor's values; `base` is 0 as long as all of them were."""

    fault: str
    base: float

    @property
    def settled(self) -> bool:
        """Between batches: whether no further one would change anything."""

    def add(self, values: NDArray[Any]) -> None:
        """Adds a piece of the current batch."""

    def recount(self) -> bool:
        """At the end of a batch: whether its pieces have to be added again, now that their range is known."""

    def end_batch(self) -> None:
        """Tells that the next piece belongs to another batch."""


def observe_batches(
    *,
    network: Network,
    samples: Samples,
    plan: Plan,
    starts: range,
    statistics: Mapping[str, Statistic],
    on_batch: Callable[[int, int], None],
) -> None:
    """Adds the batches that begin at `starts` to the statistics, until these are settled.

    `on_batch` hears the batches done and their number.
    """
    total = len(starts) * len(plan.groups)
    for index, group in enumerate(plan.groups):
        chosen = {name: statistics[name] for name in group}
        run = partial(_run, _session(network, samples, group), samples)
        with ThreadPoolExecutor(max_workers=1) as pool:
            for done in _observe_group(partial(_ahead, pool, run), plan, starts, chosen):
                _check_inputs(samples, chosen, starts[done - 1], plan.batch_size)
                on_batch(index * len(starts) + done, total)


def _observe_group(
    run_all: Callable[[Collection[str], Iterable[Bounds]], Iterator[Arrays]],
    plan: Plan,
    starts: range,
    statistics: Mapping[str, Statistic],
) -> Iterator[int]:
    """Counts of batches done."""
    runs = run_all(statistics.keys(), (piece for start in starts for piece in plan.pieces(start)))
    for done, start in enumerate(starts, start=1):
        pieces = plan.pieces(start)
        arrays: Arrays = {}
        for _ in pieces:
            arrays = next(runs)
            _add(arrays, statistics, keep=len(pieces) == 1)
        again = {name: statistic for name, statistic in statistics.items() if statistic.recount()}
        if again:
            # A batch that was run whole is still at hand.
            for values in [arrays] if len(pieces) == 1 else run_all(again.keys(), pieces):
                _add(values, again, keep=False)
        arrays.clear()
        for statistic in statistics.values():
            statistic.end_batch()
        yield done
        if all(statistic.settled for statistic in statistics.values()):
            return


def _add(arrays: Arrays, statistics: Mapping[str, Statistic], *, keep: bool) -> None:
    """Adds the arrays, each let go of when it is done, unless they are to be kept."""
    for name, statistic in statistics.items():
        statistic.add(arrays[name] if keep else arrays.pop(name))


def _session(network: Network, samples: Samples, names: Collection[str]) -> Optional[onnxruntime.InferenceSession]:
    """A session for those of the tensors that are not inputs; none where all are."""
    computed = [name for name in names if name not in samples.arrays]
    if not computed:
        return None
    # The core that is left counts what the others compute; waiting for each other would cost more than it brings.
    return open_session(network.cut(computed), network.folder, threads=max(1, usable_cores() - 1))


def _run(
    session: Optional[onnxruntime.InferenceSession], samples: Samples, names: Collection[str], piece: Bounds
) -> Arrays:
    feeds = samples.read(*piece)
    computed = run_session(session, [name for name in names if name not in feeds], feeds) if session else {}
    return {name: feeds[name] if name in feeds else computed[name] for name in names}


def _ahead(
    pool: ThreadPoolExecutor,
    run: Callable[[Collection[str], Bounds], Arrays],
    names: Collection[str],
    pieces: Iterable[Bounds],
) -> Iterator[Arrays]:
    """The pieces' arrays in order, the next piece being computed while the caller counts one.

    One pool of one thread serves all of a session's runs: two at a time would need twice the memory.
    """
    running: Deque["Future[Arrays]"] = deque()
    for piece in pieces:
        running.append(pool.submit(run, names, piece))
        if len(running) > 1:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


def _check_inputs(samples: Samples, statistics: Mapping[str, Statistic], start: int, count: int) -> None:
    for name in samples.arrays:
        if name in statistics and statistics[name].fault:
            raise BadDataError(
                "input {!r} holds a value that is {} among samples {} to {}".format(
                    name, statistics[name].fault, start, start + count - 1
                ),
                remedy="leave such samples out, or prepare the data again",
            )
