"""Which of an engine's optimization profiles takes inputs of given shapes: the first that does, unless one is named."""

from typing import List, Mapping, Optional, Sequence, Tuple

from trtfarm_builder.failures import BadDataError, BadRequestError

Shape = Tuple[int, ...]
#: Of each input the least, usual and largest shape.
Ranges = Mapping[str, Tuple[Shape, Shape, Shape]]


def profile_for_samples(
    profiles: Sequence[Ranges],
    samples: Mapping[str, Shape],
    *,
    wanted: Optional[int] = None,
    size: Optional[int] = None,
) -> int:
    """The number of a profile that takes samples of these shapes, which have no axis that counts them.

    One that takes batches of `size` goes before those that take others. Raises BadDataError where none fits,
    BadRequestError where there is none of the wanted number.
    """
    fit = [number for number in candidates(profiles, wanted) if _takes(profiles[number], samples)]
    if not fit:
        raise BadDataError(
            "no optimization profile of the engine takes samples of {}".format(_told(samples))
            if wanted is None
            else "profile {} of the engine does not take samples of {}".format(wanted, _told(samples)),
            cause="; ".join(_ranges_told(number, profiles[number]) for number in candidates(profiles, wanted)),
            remedy="hand in data of such shapes, or build the engine for these: trtfarm submit --shape",
        )
    return next((number for number in fit if size is not None and _takes_batch(profiles[number], size)), fit[0])


def profile_for_batch(
    profiles: Sequence[Ranges],
    size: int,
    *,
    samples: Optional[Mapping[str, Shape]] = None,
    wanted: Optional[int] = None,
) -> int:
    """The number of a profile that takes batches of `size`, of such samples. Raises BadDataError, BadRequestError."""
    fit = [
        number
        for number in candidates(profiles, wanted)
        if _takes_batch(profiles[number], size) and (samples is None or _takes(profiles[number], samples))
    ]
    if fit:
        return fit[0]
    if samples is not None:
        profile_for_samples(profiles, samples, wanted=wanted)
    raise BadRequestError(
        "the engine takes no batch of {}".format(size),
        cause="; ".join(_ranges_told(number, profiles[number]) for number in candidates(profiles, wanted)),
        remedy="use a size within, or build the engine for more",
    )


def candidates(profiles: Sequence[Ranges], wanted: Optional[int]) -> List[int]:
    """The numbers of those to choose from. Raises BadRequestError where there is none of the wanted number."""
    if wanted is None:
        return list(range(len(profiles)))
    if not 0 <= wanted < len(profiles):
        raise BadRequestError(
            "the engine has no optimization profile {}".format(wanted),
            remedy="it has {}, counted from 0".format(len(profiles)),
        )
    return [wanted]


def _takes(ranges: Ranges, samples: Mapping[str, Shape]) -> bool:
    return all(
        len(shape) == len(low[1:]) and all(a <= b <= c for a, b, c in zip(low[1:], shape, high[1:]))
        for shape, (low, _, high) in ((samples[name], found) for name, found in ranges.items())
    )


def _takes_batch(ranges: Ranges, size: int) -> bool:
    return all(low[0] <= size <= high[0] for low, _, high in ranges.values() if low)


def _told(samples: Mapping[str, Shape]) -> str:
    return ", ".join("{} {}".format(name, _text(shape)) for name, shape in samples.items())


def _ranges_told(number: int, ranges: Ranges) -> str:
    told = ("{} from {} to {}".format(name, _text(low), _text(high)) for name, (low, _, high) in ranges.items())
    return "profile {} takes {}".format(number, ", ".join(told))


def _text(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "scalar"
