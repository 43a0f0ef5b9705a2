"""`proa history`: who changed what when, and how it read before and after."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from proa.cli.output import Format, as_json, moment, output_option, print_columns, print_diff, to_text
from proa.cli.parameters import KindWord, complete_objects, namespace_option
from proa.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from proa.ports.config_store import HistoryEntry
    from proa.servers.admin.history import History


@click.command("history", short_help="Show who changed what, when and how.")
@click.argument("kind", type=KindWord(), required=False)
@click.argument("name", required=False, shell_complete=complete_objects)
@namespace_option("Namespace of the object.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="So many versions at most."
)
@click.option("--diff", "with_diff", is_flag=True, help="Show each change as a diff of normal YAML.")
@output_option
@click.pass_obj
def command(
    surroundings: Surroundings,
    kind: str | None,
    name: str | None,
    namespace: str,
    limit: int,
    with_diff: bool,
    output: Format,
) -> None:
    """Show the changes of the configuration, the newest first: all, or those of one object. Each transaction
    is a version; `proa rollback` goes back to one.

    -o json and -o yaml have each change with the whole object before and after it.

    \b
    Examples:
      proa history
      proa history vs reviews --diff
    """
    from proa.core.model.names import ObjectRef
    from proa.servers.admin.history import HistoryQuery

    word, slash, behind = (kind or "").partition("/")
    name = behind if slash else name
    if bool(word) != bool(name):
        raise click.UsageError("give KIND and NAME of one object, or nothing for all of them")
    ref = ObjectRef(word, namespace, name) if name else None
    with surroundings.control_plane() as client:
        found = client.history(HistoryQuery(ref=ref, limit=limit))
    if output != "table":
        click.echo(to_text(_plain(found), output), nl=False)
    elif not found.entries:
        click.echo(f"{ref} has no history" if ref else "nothing was ever applied", err=True)
    elif with_diff:
        _print_diffs(found.entries)
    else:
        _print_table(found.entries)


def _print_table(entries: "Sequence[HistoryEntry]") -> None:
    rows = [
        (
            str(each.version),
            moment(each.time),
            each.author,
            f"{each.ref} {each.action}",
            each.note,
            f"{each.file}:{each.line}" if each.file else "",
        )
        for each in entries
    ]
    print_columns(("VERSION", "WHEN", "BY", "WHAT", "WHY", "FROM"), rows)


def _print_diffs(entries: "Sequence[HistoryEntry]") -> None:
    from proa.core.config import diff

    version = None
    for each in entries:
        if each.version != version:
            why = f" ({each.note})" if each.note else ""
            head = f"version {each.version}, {moment(each.time)}, by {each.author}{why}"
            click.echo(("" if version is None else "\n") + click.style(head, bold=True))
        version = each.version
        before, after = (as_json(text) if text else None for text in (each.before, each.manifest))
        print_diff(diff(before, after, str(each.ref)) or f"{each.ref} {each.action}: the text is the same")


def _plain(found: "History") -> dict[str, object]:
    entries = [
        {
            "version": each.version,
            "time": each.time,
            "author": each.author,
            "note": each.note,
            "ref": str(each.ref),
            "action": each.action,
            "file": each.file,
            "line": each.line,
            "before": as_json(each.before) if each.before else None,
            "after": as_json(each.manifest) if each.manifest else None,
        }
        for each in found.entries
    ]
    return {"version": found.version, "entries": entries}
