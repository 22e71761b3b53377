"""The calibration table as a value: header and ordered scales, read from text and rendered to the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.digests import digest_of_bytes, digest_of_json
from trtfarm.errors import TableError
from trtfarm.tables.headers import Header, VersionHeader, header_for
from trtfarm.tables.problems import Problem, refuse_errors, shown
from trtfarm.tables.reading import Entry, read
from trtfarm.tables.scales import amax_from_hex
from trtfarm.versions import TensorRTVersion


@dataclass(frozen=True, kw_only=True)
class CalibrationTable:
    """A table as TensorRT writes it: `TRT-8503-EntropyCalibration2`, then one `<tensor>: <scale>` line per tensor.

    A table that was parsed may hold anything (zero scales, duplicates, a strange header): `validation.load` is for
    tables that will be used. `damage` is what the text held besides.
    """

    header: Header
    entries: tuple[Entry, ...]
    damage: tuple[Problem, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, data: bytes) -> CalibrationTable:
        """The table in a file, damaged or not. Without damage, `render` gives the same bytes again.

        Raises TableError for files too large to be a table.
        """
        contents = read(data)
        return cls(header=contents.header, entries=contents.entries, damage=contents.damage)

    @classmethod
    def of(cls, scales: Mapping[str, str], rule: CalibrationRule, version: TensorRTVersion) -> CalibrationTable:
        """A table of scales (tensor -> 8 hex digits of the big-endian float32 amax / 127) in the order given.

        Raises TableError for names and digits that no line can hold, UsageError for a version without patch number.
        """
        return cls(header=header_for(rule, version), entries=entries_of(scales))

    def render(self) -> bytes:
        """The text for TensorRT."""
        lines = [str(self.header), *map(str, self.entries)]
        return "".join(f"{line}\n" for line in lines).encode()

    @cached_property
    def scales(self) -> Mapping[str, str]:
        """Tensor -> scale in hex, in the table's order; of a tensor's several lines the first."""
        scales: dict[str, str] = {}
        for entry in self.entries:
            scales.setdefault(entry.tensor, entry.scale)
        return scales

    @property
    def calibrator(self) -> Calibrator | None:
        """The TensorRT interface that takes this table, if any."""
        return self.header.calibrator

    @property
    def version(self) -> TensorRTVersion | None:
        """The TensorRT in the header; None where it names none."""
        return self.header.version if isinstance(self.header, VersionHeader) else None

    @property
    def digest(self) -> str:
        """Digest of the text."""
        return digest_of_bytes(self.render())

    @property
    def scales_digest(self) -> str:
        """Digest of the scales alone: neither header nor order change what a model is quantised to."""
        return digest_of_json(self.scales)

    def amax(self, tensor: str) -> float:
        """The tensor's dynamic range, scale * 127 in float32. Raises KeyError for a tensor the table lacks."""
        return amax_from_hex(self.scales[tensor])

    def restamp(self, version: TensorRTVersion) -> CalibrationTable:
        """The same scales with another TensorRT's digits: 4 up to 9.x, 6 from 10 on. Whether to is the caller's policy.

        Raises TableError for a table whose header carries no version, UsageError for one without patch number.
        """
        if not isinstance(self.header, VersionHeader):
            raise TableError(
                f"a table that begins with {shown(str(self.header))} cannot be re-stamped",
                cause="its header carries no TensorRT version; Legacy tables never do",
                remedy="use a Legacy table as it is, with any version; calibrate again where the header is damaged",
            )
        return replace(self, header=VersionHeader.of(version, self.header.word))


def entries_of(scales: Mapping[str, str]) -> tuple[Entry, ...]:
    """The lines of a table with these scales; raises TableError if they would read back otherwise."""
    entries = tuple(
        Entry(tensor=tensor, scale=scale, line=line) for line, (tensor, scale) in enumerate(scales.items(), start=2)
    )
    text = "\n".join(["", *map(str, entries), ""]).encode(errors="surrogatepass")
    contents = read(text)
    refuse_errors(contents.damage)
    if contents.entries != entries:
        raise TableError(
            "the scales cannot be written as a calibration table",
            cause="a name is blank, or a scale is not 8 lower-case hex digits",
            remedy="report this: it is a mistake in trtfarm",
        )
    return entries
