"""`trtfarm clean` and `trtfarm fsck`: what may go, and whether the rest is there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm_cli import exits, output
from trtfarm_cli.opening import open_farm
from trtfarm_cli.options import Json
from trtfarm_cli.quantities import bytes_of, seconds_of

if TYPE_CHECKING:
    from trtfarm.retention.checkup import Checkup
    from trtfarm.retention.cleaning import Cleaned


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
    garbage_after: Annotated[
        str, typer.Option(metavar="TIME", help="Age from which files that no row names are garbage.")
    ] = "24h",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json: Json = False,
) -> None:
    """Removes engines by age and size, and files that nothing names.

    Engines stay that are pinned, have a label, or belong to a submission that goes on; without --unused-for or --keep
    all do. Safe while the farm works.
    """
    from trtfarm.retention.cleaning import clean
    from trtfarm.retention.policy import Policy

    policy = Policy(
        unused_for=None if unused_for is None else timedelta(seconds=seconds_of(unused_for)),
        total_bytes=None if keep is None else bytes_of(keep),
    )
    grace = seconds_of(garbage_after)
    with open_farm() as farm:
        cleaned = clean(farm, policy, grace_seconds=grace, dry_run=dry_run)
    if json:
        output.emit_json(_facts_of_cleaning(cleaned, dry_run=dry_run))
        return
    verb = "would go" if dry_run else "removed"
    for engine in cleaned.engines:
        output.emit(f"{engine.id} {verb} ({output.size(engine.size)}, last used {output.moment(engine.used)})")
    size = sum(stored.blob.size for stored in cleaned.garbage)
    output.emit(f"{len(cleaned.engines)} engines and {len(cleaned.garbage)} other files {verb} ({output.size(size)})")


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
    from trtfarm.retention.checkup import check_up

    with open_farm() as farm:
        found = check_up(farm, repair=repair)
    if json:
        output.emit_json(_facts_of_checkup(found))
    else:
        for finding in found.findings:
            names = ", ".join(finding.named_by)
            output.emit(f"{finding.damage}{' (repaired)' if finding.repaired else ''}: {finding.digest} of {names}")
        orphans = f"; {found.orphans} that nothing names ({output.size(found.orphan_bytes)}): trtfarm clean"
        damaged = f"{found.checked} files read, {len(found.findings)} damaged"
        output.emit(damaged + (orphans if found.orphans else ""))
    if any(not finding.repaired for finding in found.findings):
        raise typer.Exit(exits.FAILED)


def _facts_of_cleaning(cleaned: Cleaned, *, dry_run: bool) -> dict[str, object]:
    engines = [{"id": engine.id, "size": engine.size, "used": engine.used.isoformat()} for engine in cleaned.engines]
    garbage = [{"digest": stored.blob.digest, "size": stored.blob.size} for stored in cleaned.garbage]
    return {"dry_run": dry_run, "engines": engines, "garbage": garbage}


def _facts_of_checkup(found: Checkup) -> dict[str, object]:
    findings = [finding.as_dict() for finding in found.findings]
    orphans = {"orphans": found.orphans, "orphan_bytes": found.orphan_bytes}
    return {"checked": found.checked, "findings": findings, **orphans}
