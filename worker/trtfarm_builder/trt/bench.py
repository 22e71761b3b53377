"""The step `trt-bench`: how long an engine takes, by batch size, on the GPU's own clock."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.channel import Channel
from trtfarm_builder.trt import gpu
from trtfarm_builder.trt.device import device_for
from trtfarm_builder.trt.engine import Arrays, Engine, Run, open_engine, set_up
from trtfarm_builder.trt.engine_layers import int8_time_share
from trtfarm_builder.trt.inspection import layers_of
from trtfarm_builder.trt.layer_times import layer_times
from trtfarm_builder.trt.profile_choice import candidates, profile_for_batch
from trtfarm_builder.trt.samples import EngineSamples, random_feeds

_WARM_UP = 50
_ITERATIONS = 200
_MS = 1e3


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: engine (path), batch_sizes (default: the profile's usual one), iterations (200), warm_up (50),
    cuda_graph (False), inputs {name: array spec} (else random numbers), layers (False), profile (default: for each
    batch size the first that takes it), and compute_capability where the GPU must be of one.

    Returns results [{batch_size, profile, iterations, median_ms, p95_ms, mean_ms, min_ms, throughput}], with throughput
    in samples per second of back-to-back runs, cuda_graph, device; with `layers` also layers [{name, dtype, ms}] of the
    first batch size and int8_time_share. Copies from and to the host are not counted.
    """
    device = device_for(args.get("compute_capability"))
    engine = open_engine(Path(args["engine"]), channel)
    samples = EngineSamples(engine, args["inputs"]) if args.get("inputs") else None
    profiles, wanted = engine.profiles, args.get("profile")
    shapes = samples.shapes if samples is not None else None
    sizes = args.get("batch_sizes") or [engine.in_profile(candidates(profiles, wanted)[0]).inputs[0].usual[0]]
    chosen = {size: profile_for_batch(profiles, size, samples=shapes, wanted=wanted) for size in sizes}
    results: List[Dict[str, Any]] = []
    for done, size in enumerate(sizes, start=1):
        engine = engine.in_profile(chosen[size])
        results.append({"profile": engine.profile, **_timed(engine, _feeds(engine, samples, size), args, size)})
        channel.progress("bench", done, len(sizes), "batch sizes")
    answer = {"results": results, "cuda_graph": bool(args.get("cuda_graph")), "device": device}
    if args.get("layers"):
        engine = engine.in_profile(chosen[sizes[0]])
        answer.update(_by_layer(engine, _feeds(engine, samples, sizes[0])))
    return answer


def _feeds(engine: Engine, samples: Optional[EngineSamples], size: int) -> Arrays:
    if samples is not None:
        whole = samples.read(0, min(size, samples.count))
        return {name: np.resize(array, (size, *array.shape[1:])) for name, array in whole.items()}
    return random_feeds(engine, size)


def _timed(engine: Engine, feeds: Arrays, args: Dict[str, Any], size: int) -> Dict[str, Any]:
    count, warm_up = int(args.get("iterations", _ITERATIONS)), int(args.get("warm_up", _WARM_UP))
    with ExitStack() as stack:
        stream = stack.enter_context(gpu.stream())
        once = Run(engine, {name: array.shape for name, array in feeds.items()}, int(stream), stack)
        once.load(feeds)
        once.launch()
        gpu.synchronize(stream)
        launch = _graph_of(once, stream, stack) if args.get("cuda_graph") else once.launch
        for _ in range(warm_up):
            launch()
        events = [stack.enter_context(gpu.event()) for _ in range(count + 1)]
        gpu.call("cudaEventRecord", events[0], stream)
        for event in events[1:]:
            launch()
            gpu.call("cudaEventRecord", event, stream)
        gpu.synchronize(stream)
        pairs = zip(events, events[1:])  # noqa: RUF007 - itertools.pairwise came with CPython 3.10
        times = np.array([gpu.call("cudaEventElapsedTime", a, b) for a, b in pairs])
        total = gpu.call("cudaEventElapsedTime", events[0], events[-1])
    return _summary(times, total, size)


def _summary(times: NDArray[Any], total: float, size: int) -> Dict[str, Any]:
    """Statistics of run times in milliseconds."""
    return {
        "batch_size": size,
        "iterations": len(times),
        "median_ms": float(np.median(times)),
        "p95_ms": float(np.percentile(times, 95)),
        "mean_ms": float(times.mean()),
        "min_ms": float(times.min()),
        "throughput": size * len(times) / total * _MS,
    }


def _graph_of(once: Run, stream: Any, stack: ExitStack) -> Callable[[], None]:
    """The run recorded as a CUDA graph, whose launch costs the host next to nothing."""
    mode = gpu.runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    gpu.call("cudaStreamBeginCapture", stream, mode)
    try:
        once.launch()
    finally:
        graph = gpu.call("cudaStreamEndCapture", stream)
    executable = stack.enter_context(gpu.launchable(graph))
    return lambda: gpu.call("cudaGraphLaunch", executable, stream)


def _by_layer(engine: Engine, feeds: Arrays) -> Dict[str, Any]:
    with set_up(engine, {name: array.shape for name, array in feeds.items()}) as once:
        once.load(feeds)
        times = layer_times(engine, once)
    layers = layers_of(engine.native)
    dtypes = {layer["name"]: layer["dtype"] for layer in layers}
    rows = [{"name": name, "dtype": dtypes.get(name), "ms": ms} for name, ms in times.items()]
    return {"layers": rows, "int8_time_share": int8_time_share(layers, times) or 0.0}
