"""An engine's optimization profiles, as far as they are known before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trtfarm.build_options import MORE_PROFILES
from trtfarm.datasets.dataset import DataSet
from trtfarm.datasets.fit import check_profile
from trtfarm.errors import DataError, UsageError
from trtfarm.models.shapes import OptimizationProfile, ShapeRange

Plain = Mapping[str, Mapping[str, Sequence[int]]]


@dataclass(frozen=True, kw_only=True)
class EngineProfiles:
    """`wanted` is the number of the one to be used, from 0 on; None for the first that fits.

    What is signed of an engine tells the first one, and its farm tells all. Where only that one is known, `complete` is
    False, and it is the engine itself that says in the end what it takes.
    """

    known: tuple[OptimizationProfile, ...]
    complete: bool
    wanted: int | None = None

    @classmethod
    def of(cls, first: Plain, more: Sequence[Plain] | None, wanted: int | None = None) -> EngineProfiles:
        """`more` are those after the first, None where nobody says; inputs that one leaves out are as in the first.

        Raises UsageError where there is none of the wanted number.
        """
        told = tuple(_profile({**first, **each}) for each in (first, *(more or ())))
        if wanted is not None and not (0 <= wanted < len(told) or more is None):
            remedy = f"it has {len(told)}, counted from 0"
            raise UsageError(f"the engine has no optimization profile {wanted}", remedy=remedy)
        return cls(known=told, complete=more is not None, wanted=wanted)

    def check(self, data: DataSet) -> None:
        """Raises DataError when no profile that may be used takes samples of such sizes."""
        refusals = [refusal for profile in self._candidates if (refusal := _refusal(data, profile))]
        if refusals and len(refusals) == len(self._candidates) and self._decided:
            first, *others = refusals
            raise DataError(
                first.message, cause="; ".join(other.message for other in others) or None, remedy=first.remedy
            )

    def batch_sizes(self, sizes: Sequence[int] = ()) -> list[int]:
        """The sizes that are wanted, else the least, best-tuned and largest of the first input, each once.

        Raises UsageError for one that no profile that may be used takes.
        """
        ranges = [next(iter(profile.inputs.values())) for profile in self._candidates]
        taken = [(shapes.minimum[0], shapes.maximum[0]) for shapes in ranges]
        unfit = next((size for size in sizes if not any(low <= size <= high for low, high in taken)), None)
        if unfit is not None and self._decided:
            told = " or ".join(f"from {low} to {high}" for low, high in taken)
            remedy = f"use sizes {told}, or build it for more"
            raise UsageError(f"the engine takes no batch of {unfit}", remedy=remedy)
        # Where nothing is known of the wanted profile, the engine takes its usual size.
        usual = sorted({ranges[0].minimum[0], ranges[0].optimum[0], ranges[0].maximum[0]}) if ranges else []
        return list(sizes) or usual

    @property
    def _candidates(self) -> tuple[OptimizationProfile, ...]:
        return self.known if self.wanted is None else self.known[self.wanted : self.wanted + 1]

    @property
    def _decided(self) -> bool:
        """Whether no profile that is not known could take what these do not."""
        return self.complete or self.wanted == 0


def _profile(plain: Plain) -> OptimizationProfile:
    return OptimizationProfile(
        inputs={
            name: ShapeRange(minimum=tuple(shapes["min"]), optimum=tuple(shapes["opt"]), maximum=tuple(shapes["max"]))
            for name, shapes in plain.items()
        }
    )


def _refusal(data: DataSet, profile: OptimizationProfile) -> DataError | None:
    try:
        check_profile(data, profile)
    except DataError as error:
        return error
    return None


def more_profiles(options: Mapping[str, Any]) -> Sequence[Plain]:
    """Those after the first, by the options that an engine was built with."""
    found: Sequence[Plain] = options.get(MORE_PROFILES, ())
    return found
