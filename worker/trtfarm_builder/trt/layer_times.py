"""How long each layer of an engine takes, by TensorRT's own profiler."""

from typing import Dict

from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.engine import Engine, Run, set_up
from trtfarm_builder.trt.samples import random_feeds

_WARM_UP = 5
_RUNS = 20


class LayerTimes(trt.IProfiler):  # type: ignore[misc]  # the bindings have no types
    """Milliseconds by layer, added up over runs."""

    def __init__(self) -> None:
        trt.IProfiler.__init__(self)
        self.total: Dict[str, float] = {}

    def report_layer_time(self, layer_name: str, ms: float) -> None:
        self.total[layer_name] = self.total.get(layer_name, 0.0) + ms


def layer_times(engine: Engine, run: Run) -> Dict[str, float]:
    """Mean milliseconds by layer; layers are timed one by one, so together they take longer than a run."""
    for _ in range(_WARM_UP):
        run.launch()
    run.fetch()
    profiler = LayerTimes()
    engine.context.profiler = profiler
    for _ in range(_RUNS):
        run.launch()
        run.fetch()
    return {name: ms / _RUNS for name, ms in profiler.total.items()}


def usual_layer_times(engine: Engine) -> Dict[str, float]:
    """As `layer_times`, with random inputs of the profile's usual shapes."""
    feeds = random_feeds(engine)
    with set_up(engine, {name: array.shape for name, array in feeds.items()}) as run:
        run.load(feeds)
        return layer_times(engine, run)
