"""How long each layer of an engine takes, by TensorRT's own profiler."""

from typing import Dict

from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.engine import Engine, Run

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
    run.launch()
    run.fetch()
    profiler = LayerTimes()
    engine.context.profiler = profiler
    for _ in range(_RUNS):
        run.launch()
        run.fetch()
    return {name: ms / _RUNS for name, ms in profiler.total.items()}
