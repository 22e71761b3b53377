"""The data that arguments name: a folder, a specification, a file, or `input=file` for each input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trtfarm.datasets.content import array_file, names_in
from trtfarm.datasets.feeds import is_feeds_folder
from trtfarm.datasets.files import DataFile, looking_for_data
from trtfarm.datasets.folder import LABELS_NAMES, found_in, is_image_folder, is_known, npy_in
from trtfarm.datasets.kinds import SourceKind, begins_as_feeds
from trtfarm.datasets.sources import InputSource, Source, missing_inputs
from trtfarm.datasets.spec import SPEC_FILES, read_spec
from trtfarm.datasets.specified import as_specified
from trtfarm.errors import DataError, InputError, UsageError
from trtfarm.models.summary import TensorType

#: Files of a folder that an error lists.
_LISTED = 5


def named(
    arguments: Sequence[str],
    inputs: Sequence[TensorType],
    *,
    option: str = "--data",
    working_folder: Path = Path(),
    like: Mapping[str, InputSource] | None = None,
) -> Source:
    """The data that arguments of `option` name, at least one of them.

    Inputs that come without a specification are preprocessed as in `like`, if both are images or both arrays. Raises
    DataError, and UsageError for what names no input of the model, or names it twice. Labels beside the data are found
    along with it.
    """
    finder = _Finder(inputs, like or {}, option)
    with looking_for_data():
        # Nothing, as of a variable that is not set, is a path too: that of the current folder.
        for argument in arguments:
            if not argument or (argument.endswith("=") and not (working_folder / argument).exists()):
                raise UsageError(f"{option} {argument!r} names no data", remedy="name a file or a folder")
        if len(arguments) == 1 and (working_folder / arguments[0]).exists():
            return finder.at(working_folder / arguments[0])
        return finder.named(arguments, working_folder)


def in_folder(folder: Path, inputs: Sequence[TensorType], like: Mapping[str, InputSource]) -> Source:
    """The data in a folder: what its specification says, or `<input>.npy` files; raises DataError."""
    return _Finder(inputs, like).folder(folder)


@dataclass(frozen=True)
class _Finder:
    inputs: Sequence[TensorType]
    like: Mapping[str, InputSource]
    #: What the user wrote before the data, for messages.
    option: str = "--data"

    def at(self, path: Path) -> Source:
        """The data at a path that exists."""
        if path.suffix in (".toml", ".json") and not (path.suffix == ".json" and begins_as_feeds(DataFile(path=path))):
            return as_specified(read_spec(path), path.parent, self.inputs)
        if path.is_dir() and not is_image_folder(path) and not is_feeds_folder(path):
            return self.folder(path)
        source = array_file(path)
        if (members := names_in(source)) is not None:
            return self._archive(source, members)
        if len(self.inputs) > 1:
            names = " ".join(f"{self.option} {tensor.name}=…" for tensor in self.inputs)
            raise UsageError(
                f"{path} is data for one input, and the model has {len(self.inputs)}", remedy=f"write {names}"
            )
        return self._source(path.parent, {self.inputs[0].name: source})

    def named(self, arguments: Sequence[str], working_folder: Path) -> Source:
        """The data of `input=file` arguments."""
        names = [tensor.name for tensor in self.inputs]
        sources: dict[str, InputSource] = {}
        for argument in arguments:
            # Names may have "=" in them, and so may paths: the model's inputs tell which one separates.
            name = next((name for name in names if argument.startswith(f"{name}=")), None)
            if name is None:
                raise self._unnamed(argument, exists=(working_folder / argument).exists())
            if name in sources:
                raise UsageError(f"{self.option} is given twice for {name}", remedy="give it once")
            source = array_file(working_folder / argument[len(name) + 1 :])
            # An archive's arrays are usually named like the inputs; one with a single array needs no name.
            if name in (names_in(source) or ()):
                source = replace(source, member=name)
            sources[name] = source
        if len(sources) < len(names):
            raise missing_inputs(self.inputs, sources, self.option)
        return self._source(sources[names[0]].file.path.parent, {name: sources[name] for name in names})

    def _unnamed(self, argument: str, *, exists: bool) -> InputError:
        """For what does not begin with an input's name."""
        if not exists and "=" not in argument:
            return DataError(
                f"{self.option} {argument}: no such file or folder", remedy="check its name, and the current folder"
            )
        name = argument.partition("=")[0]
        what = "it does not say which input it is for" if exists else f"no such file, and {name!r} is no input"
        return UsageError(
            f"{self.option} {argument}: {what}",
            remedy=f"write {self.option} <input>=<file>; the inputs are "
            + ", ".join(tensor.name for tensor in self.inputs),
        )

    def folder(self, folder: Path) -> Source:
        for name in SPEC_FILES:
            if (folder / name).is_file():
                return self.at(folder / name)
        sources = found_in(folder, self.inputs)
        if len(sources) < len(self.inputs):
            error = missing_inputs(self.inputs, sources, str(folder))
            present = sorted(path.name for path in folder.iterdir())[:_LISTED]
            raise DataError(
                error.message, cause=f"{error.cause}; in it: {', '.join(present) or 'nothing'}", remedy=error.remedy
            )
        extra = sorted(path.name for path in folder.glob("*.npy") if not is_known(path.name, self.inputs))
        notices = tuple(f"{folder / name} is no input of the model and was left out" for name in extra)
        return self._source(folder, sources, labels=npy_in(folder, "labels"), notices=notices)

    def _archive(self, source: InputSource, members: Sequence[str]) -> Source:
        labels = next((name for name in LABELS_NAMES if name in members), None)
        others = [name for name in members if name != labels]
        taken = {tensor.name: tensor.name for tensor in self.inputs if tensor.name in members}
        if len(self.inputs) == 1 and len(others) == 1:
            taken = {self.inputs[0].name: others[0]}
        sources = {name: replace(source, member=member) for name, member in taken.items()}
        if len(sources) < len(self.inputs):
            error = missing_inputs(self.inputs, sources, str(source.file))
            raise DataError(
                error.message,
                cause=f"its arrays are {', '.join(members[:20]) or 'none'}",
                remedy="name its arrays like the model's inputs: numpy.savez(path, **{'<input>': array})",
            )
        extra = tuple(
            f"{name} in {source.file} is no input of the model and was left out"
            for name in others
            if name not in taken.values()
        )
        labels_source = replace(source, member=labels) if labels else None
        return self._source(source.file.path.parent, sources, labels=labels_source, notices=extra)

    def _source(
        self,
        folder: Path,
        sources: Mapping[str, InputSource],
        *,
        labels: InputSource | None = None,
        notices: tuple[str, ...] = (),
    ) -> Source:
        return Source(
            folder=folder,
            inputs={name: self._with_preprocessing(name, source) for name, source in sources.items()},
            labels=labels,
            notices=notices,
        )

    def _with_preprocessing(self, name: str, source: InputSource) -> InputSource:
        other = self.like.get(name)
        if other is None or (other.kind is SourceKind.IMAGES) != (source.kind is SourceKind.IMAGES):
            return source
        return replace(source, preprocessing=other.preprocessing)
