"""Which quantiles and cutoffs are measured: the telling ones first, those that may make TensorRT fail last."""

Setting = tuple[float, float]
_QUANTILES = (0.999, 0.5, 0.9999, 0.9, 1.0, 0.99, 0.3)
_CUTOFFS = (0.5, 0.9, 1.0, 0.75, 0.25, 0.99, 0.1, 0.95)


def settings() -> list[Setting]:
    """(quantile, cutoff): the axes first, then the rest of the grid, then what is out of the ordinary."""
    axes = [(0.999, cutoff) for cutoff in _CUTOFFS] + [(quantile, 0.5) for quantile in _QUANTILES]
    grid = [(quantile, cutoff) for cutoff in _CUTOFFS for quantile in _QUANTILES]
    odd = [(0.999, cutoff) for cutoff in (0.999, 0.9999, 0.6, 0.4, 0.3, 0.01, 0.001)]
    edge = [(0.0, 0.5), (0.0, 1.0), (0.999, 0.0), (1.0, 0.0), (0.999, 1.5)]
    return list(dict.fromkeys(axes + grid + odd + edge))


def few() -> list[Setting]:
    """A part of the grid for costlier networks."""
    return [(quantile, cutoff) for cutoff in (0.5, 0.9, 1.0, 0.75, 0.25, 0.99) for quantile in (0.999, 1.0, 0.9, 0.5)]


def cutoffs() -> list[Setting]:
    """One quantile, each cutoff: where a regression gives the range, the quantile does not matter (measured)."""
    return [(0.999, cutoff) for cutoff in (*_CUTOFFS, 0.6, 0.4, 0.3, 0.01, 0.85, 0.001)]
