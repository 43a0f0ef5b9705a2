"""`proa compat`: what of Istio's API Proa does, field by field; pure."""

import click

from proa.cli.output import Format, print_columns, to_text


@click.command("compat", short_help="Show which kinds and fields of Istio's API Proa serves.")
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml", "markdown"]),
    default="table",
    show_default=True,
    help="How to print the answer.",
)
@click.pass_context
def command(context: click.Context, kinds: tuple[str, ...], output: str) -> None:
    """Show what becomes of Istio's kinds: all of them with counts, or the fields of those that are named.

    `supported` takes effect; `in part` and `accepted` have a note; `read only` is checked and cannot be applied;
    `not yet` is refused.

    \b
    Examples:
      proa compat
      proa compat VirtualService Telemetry
      proa compat -o json
    """
    import msgspec

    from proa.core.config import find_kind
    from proa.core.config.compat.page import page
    from proa.core.config.compat.support import support_of_everything

    found = support_of_everything()
    if kinds:
        rows = {row.kind for word in kinds if (row := find_kind(word)) is not None}
        wanted = {word.lower() for word in (*kinds, *rows)}
        known = {each.kind.lower() for each in found}
        unknown = [word for word in kinds if find_kind(word) is None and word.lower() not in known]
        if unknown:
            raise click.UsageError(f"there is no kind {unknown[0]!r}; `proa compat` lists them", context)
        found = tuple(each for each in found if each.kind.lower() in wanted)
    if output == "markdown":
        click.echo(page(found), nl=False)
    elif output in ("json", "yaml"):
        form: Format = "json" if output == "json" else "yaml"
        click.echo(to_text({"kinds": msgspec.to_builtins(found)}, form), nl=False)
    elif kinds:
        print_columns(
            ("KIND", "FIELD", "SUPPORT", "NOTE"),
            [(kind.kind, each.field, each.support, each.note) for kind in found for each in kind.fields],
        )
    else:
        head = ("GROUP", "KIND", "VERSIONS", "SUPPORT", "FIELDS", "IN EFFECT", "READ ONLY", "NOT YET")
        print_columns(
            head,
            [
                (
                    each.group,
                    each.kind,
                    ",".join(each.versions),
                    each.support,
                    str(len(each.fields)),
                    str(each.count("supported", "in part", "accepted")),
                    str(each.count("read only")),
                    str(each.count("not yet")),
                )
                for each in found
            ],
        )
