"""`trtfarm clean` and `trtfarm fsck`: what may go, and whether the rest is there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm_cli import exits, output
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json
from trtfarm_cli.progress import View, view
from trtfarm_cli.quantities import bytes_of, seconds_of

if TYPE_CHECKING:
    from trtfarm_cli.farms.administration import Tell

_GONE = {"engines": "engine", "tables": "table", "datasets": "data set"}


def register(app: typer.Typer) -> None:
    app.command()(clean)
    app.command()(fsck)


def clean(
    *,
    unused_for: Annotated[
        str | None, typer.Option(metavar="TIME", help="Remove engines that nobody asked for in so long, such as 30d.")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Remove the longest unused engines until all take this, such as 50GiB."),
    ] = None,
    tables_unused_for: Annotated[
        str | None, typer.Option(metavar="TIME", help="Remove tables that no engine came of, by the same rule.")
    ] = None,
    data_unused_for: Annotated[
        str | None, typer.Option(metavar="TIME", help="Remove data that no table or accuracy rests on, likewise.")
    ] = None,
    garbage_after: Annotated[
        str, typer.Option(metavar="TIME", help="Age from which files that no row names are garbage.")
    ] = "24h",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json: Json = False,
) -> None:
    """Removes engines, tables and data by age and size.

    Engines stay that are pinned, have a label, or belong to a submission that goes on, and so does what they were made
    from; without a time or a size all do. Files that nothing names go, too. Safe while the farm works.
    """
    from trtfarm.retention.policy import Policy

    policy = Policy(
        unused_for=_time(unused_for),
        total_bytes=None if keep is None else bytes_of(keep),
        tables_unused_for=_time(tables_unused_for),
        data_unused_for=_time(data_unused_for),
    )
    grace = seconds_of(garbage_after)
    with open_any() as farm, view() as shown:
        tell = _counted(shown, "clean", "looked at")
        cleaned = farm.administration.clean(policy, grace_seconds=grace, dry_run=dry_run, tell=tell)
    if json:
        output.emit_json({"dry_run": dry_run, **cleaned})
        return
    verb = "would go" if dry_run else "removed"
    for one in (one for word in _GONE for one in cleaned[word]):
        used = output.moment(datetime.fromisoformat(one["used"]))
        output.emit(f"{one['id']} {verb} ({output.size(one['size'])}, last used {used})")
    counts = [
        output.counted(len(cleaned[word]), one) for word, one in _GONE.items() if cleaned[word] or word == "engines"
    ]
    files = output.counted(len(cleaned["garbage"]), "other file")
    size = output.size(sum(one["size"] for word in (*_GONE, "garbage") for one in cleaned[word]))
    output.emit(f"{', '.join(counts)} and {files} {verb} ({size})")


def fsck(
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what is corrupt, so that the next submission makes it anew.")
    ] = False,
    json: Json = False,
) -> None:
    """Compares every file that the farm names with its digest.

    Exit code 1 when something is damaged and was not repaired. A model or data set that is gone is mended by handing
    it in again; everything else by the next submission that needs it.
    """
    with open_any() as farm, view() as shown:
        found = farm.administration.check_up(repair=repair, tell=_counted(shown, "fsck", "read"))
    if json:
        output.emit_json(found)
    else:
        _show(found)
    if any(not finding["repaired"] for finding in found["findings"]):
        raise typer.Exit(exits.FAILED)


def _show(found: Mapping[str, Any]) -> None:
    for finding in found["findings"]:
        repaired = " (repaired)" if finding["repaired"] else ""
        output.emit(f"{finding['damage']}{repaired}: {finding['digest']} of {', '.join(finding['named_by'])}")
    orphans = f"; {found['orphans']} that nothing names ({output.size(found['orphan_bytes'])}): trtfarm clean"
    damaged = f"{found['checked']} files read, {len(found['findings'])} damaged"
    output.emit(damaged + (orphans if found["orphans"] else ""))


def _time(text: str | None) -> timedelta | None:
    return None if text is None else timedelta(seconds=seconds_of(text))


def _counted(shown: View, name: str, stage: str) -> Tell:
    def tell(done: int, total: int) -> None:
        shown.progress(name, stage, done, total, "files")

    return tell
