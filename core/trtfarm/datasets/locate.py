"""Finding a model's data: what `--data` names, or what lies where data is usually put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trtfarm.datasets.archives import member_names
from trtfarm.datasets.feeds import feeds_of, is_feeds_folder
from trtfarm.datasets.filenames import file_name_of, file_names_of
from trtfarm.datasets.files import DataFile, looking_for_data
from trtfarm.datasets.images import IMAGE_SUFFIXES
from trtfarm.datasets.kinds import SourceKind, begins_as_feeds, kind_of
from trtfarm.datasets.sources import InputSource, Source, missing_inputs
from trtfarm.datasets.spec import SPEC_FILES, DataSpec, InputSpec, read_spec
from trtfarm.errors import DataError, UsageError
from trtfarm.models.model import Model
from trtfarm.models.summary import TensorType

#: The folder that is looked in when nothing is named: in it, first the one with the model's name.
CALIBRATION_FOLDER = "calib_data"
LABELS_NAMES = ("labels", "label")
_LISTED = 5


def locate(
    arguments: Sequence[str],
    model: Model,
    *,
    working_folder: Path = Path(),
    like: Mapping[str, InputSource] | None = None,
) -> Source:
    """The data that `--data` names: a folder, a specification, a file, or `input=file` for each input.

    Without any, the first of `calib_data/<model's name>`, `calib_data` (there, a specification will do) and the model's
    folder that has data for all inputs. Inputs that come without a specification are preprocessed as in `like`, if both
    are images or both arrays. Raises UsageError and DataError. Labels beside the data are found along with it.
    """
    if arguments:
        return named(arguments, model.summary.inputs, working_folder=working_folder, like=like)
    with looking_for_data():
        return _search(model.summary.inputs, model, working_folder)


def named(
    arguments: Sequence[str],
    inputs: Sequence[TensorType],
    *,
    option: str = "--data",
    working_folder: Path = Path(),
    like: Mapping[str, InputSource] | None = None,
) -> Source:
    """The data that arguments of `option` name, at least one of them; as `locate`."""
    finder = _Finder(inputs, like or {}, option)
    with looking_for_data():
        if len(arguments) == 1 and (working_folder / arguments[0]).exists():
            return finder.at(working_folder / arguments[0])
        return finder.named(arguments, working_folder)


def in_folder(folder: Path, inputs: Sequence[TensorType], like: Mapping[str, InputSource]) -> Source:
    """The data in a folder: what its specification says, or `<input>.npy` files; raises DataError."""
    return _Finder(inputs, like).folder(folder)


def as_specified(spec: DataSpec, folder: Path, inputs: Sequence[TensorType]) -> Source:
    """The data that a specification names, relative to a folder; raises DataError."""
    names = [tensor.name for tensor in inputs]
    if unknown := sorted(set(spec.inputs) - set(names)):
        raise DataError(
            f"the data specification has an entry for {unknown[0]!r}, which is no input of the model",
            remedy="its inputs are " + ", ".join(names),
        )
    sources = {name: _specified(entry, folder, file_name_of(name)) for name, entry in spec.inputs.items()}
    for name in names:
        if name not in sources and (found := _npy_in(folder, name)):
            sources[name] = found
    if len(sources) < len(names):
        raise missing_inputs(inputs, sources, f"the data specification in {folder}")
    labels = _specified(spec.labels, folder, "labels.npy") if spec.labels else _npy_in(folder, "labels")
    return Source(
        folder=folder,
        inputs={name: replace(sources[name], samples=spec.samples) for name in names},
        labels=replace(labels, samples=spec.samples) if labels else None,
        spec=spec,
    )


def array_file(path: Path) -> InputSource:
    """A file as a source by its content; raises DataError."""
    file = DataFile(path=path)
    return InputSource(kind=_kind_at(file), file=file)


def _kind_at(file: DataFile) -> SourceKind:
    """What a file or folder is."""
    if not file.path.is_dir():
        return kind_of(file)
    return SourceKind.POLYGRAPHY if is_feeds_folder(file.path) else SourceKind.IMAGES


def _names_in(source: InputSource) -> tuple[str, ...] | None:
    """The names of the arrays in a file that may have several; None for one that has a single one without a name."""
    if source.kind is SourceKind.NPZ:
        return member_names(source.file)
    return tuple(feeds_of(source.file)) if source.kind is SourceKind.POLYGRAPHY else None


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
        if path.is_dir() and not _image_folder(path) and not is_feeds_folder(path):
            return self.folder(path)
        source = array_file(path)
        if (members := _names_in(source)) is not None:
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
            if name in (_names_in(source) or ()):
                source = replace(source, member=name)
            sources[name] = source
        if len(sources) < len(names):
            raise missing_inputs(self.inputs, sources, self.option)
        return self._source(sources[names[0]].file.path.parent, {name: sources[name] for name in names})

    def _unnamed(self, argument: str, *, exists: bool) -> UsageError:
        """For what does not begin with an input's name."""
        if exists:
            what = "it does not say which input it is for"
        elif "=" in argument:
            what = f"no such file, and {argument.partition('=')[0]!r} is no input of the model"
        else:
            what = "no such file or folder"
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
        extra = sorted(path.name for path in folder.glob("*.npy") if not _is_known(path.name, self.inputs))
        notices = tuple(f"{folder / name} is no input of the model and was left out" for name in extra)
        return self._source(folder, sources, labels=_npy_in(folder, "labels"), notices=notices)

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


def _search(inputs: Sequence[TensorType], model: Model, working_folder: Path) -> Source:
    base = working_folder / CALIBRATION_FOLDER
    partly: tuple[Path, dict[str, InputSource]] | None = None
    folders = (base / model.name, base, model.path.parent)
    for folder in folders:
        sources = found_in(folder, inputs)
        # Beside a model, data.json is anybody's file.
        if len(sources) == len(inputs) or (folder != model.path.parent and has_spec(folder)):
            return in_folder(folder, inputs, {})
        if sources and partly is None:
            partly = folder, sources
    if partly is not None:
        raise missing_inputs(inputs, partly[1], str(partly[0]))
    raise DataError(
        "no data to calibrate with",
        cause="looked in " + ", ".join(f"{folder}/" for folder in folders),
        remedy=f"put {', '.join(file_name_of(tensor.name) for tensor in inputs)} into {folders[0]}/ (samples first: "
        f"{', '.join(str(tensor) for tensor in inputs)}), or name the data with --data",
    )


def has_spec(folder: Path) -> bool:
    return any((folder / name).is_file() for name in SPEC_FILES)


def found_in(folder: Path, inputs: Sequence[TensorType]) -> dict[str, InputSource]:
    """The `<input>.npy` files of a folder, by input."""
    found = {tensor.name: _npy_in(folder, tensor.name) for tensor in inputs}
    return {name: source for name, source in found.items() if source is not None}


def _npy_in(folder: Path, name: str) -> InputSource | None:
    for file_name in file_names_of(name):
        if (folder / file_name).exists():
            return InputSource(kind=SourceKind.NPY, file=DataFile(path=folder / file_name))
    return None


def _is_known(file_name: str, inputs: Sequence[TensorType]) -> bool:
    known = {name for tensor in inputs for name in file_names_of(tensor.name)}
    return file_name in known or file_name.removesuffix(".npy") in LABELS_NAMES


def _image_folder(folder: Path) -> bool:
    """Whether a folder has images and nothing that tells more."""
    names = [path.name for path in folder.iterdir()]
    return any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names) and not any(
        name in SPEC_FILES or name.endswith(".npy") for name in names
    )


def _specified(entry: InputSpec, folder: Path, default: str) -> InputSource:
    path = folder / (entry.path or default)
    file = DataFile(path=path, root=folder)
    kind = entry.kind or _kind_at(file)
    return InputSource(kind=kind, file=file, member=entry.member, preprocessing=entry.preprocessing)
