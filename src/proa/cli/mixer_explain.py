"""`proa mixer explain`: where each rule runs, why there, and what to change. Files alone need no mesh."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from proa.cli.output import Format, output_option, print_value
from proa.cli.parameters import files_options, namespace_option
from proa.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from proa.core.mixer.pushdown.explaining import (
        ExplainedRule,
        ExplainedRules,
        Site,
        Stay,
    )

_PLACES = {
    "proxy": ("in the proxy", "green"),
    "mixer": ("asks Mixer", "yellow"),
    "log": ("told to Mixer afterwards", "blue"),
    "never": ("nowhere", "red"),
}
_MOST_SITES = 6


@click.command("explain", short_help="Tell where rules run, why, and what to change.")
@click.argument("rule", required=False, default="")
@files_options(required=False)
@namespace_option("Namespace of objects that name none.")
@output_option
@click.pass_context
def command(
    context: click.Context,
    rule: str,
    named: tuple[str, ...],
    more: tuple[str, ...],
    namespace: str,
    output: Format,
) -> None:
    """Say of every action of a rule, or of all rules, where it runs: in the proxy, which asks nobody; by a call to the
    control plane before the request goes on; by what the proxy tells when it is over; or nowhere, because its match
    holds for no server. Says why, and what to write to get it into the proxy.

    With files only they are looked at: servers and callers are their WorkloadEntries with sidecars, and where there
    are none, servers that are what the rules demand. The page docs/mixer-pushdown.md has the whole story.

    \b
    Examples:
      proa mixer explain
      proa mixer explain shop/deny-v3
      proa mixer explain -f policies/ -o json
    """
    from proa.servers.admin.mixer import RulesQuestion

    question = RulesQuestion(rule=rule)
    if named or more:
        from proa.cli.paper import paper_mesh

        with paper_mesh((named, more), namespace, only_in_force=False) as mesh:
            found = mesh.explain_rules(question)
    else:
        with context.ensure_object(Surroundings).control_plane() as client:
            found = client.explain_rules(question)
    if output == "table":
        _print(found)
    else:
        print_value(found, output)


def _print(found: "ExplainedRules") -> None:
    for number, rule in enumerate(found.rules):
        if number:
            click.echo()
        _print_rule(rule)
    for remark in found.remarks:
        click.echo(("\n" if found.rules else "") + remark)


def _print_rule(rule: "ExplainedRule") -> None:
    click.echo(click.style(f"{rule.rule.namespace}/{rule.rule.name}", bold=True))
    _rows([("match", rule.match or "always")])
    if rule.policy is not None:
        _rows([("fails", rule.policy)])
    for action in rule.actions:
        _rows([(action.variety, f"{action.instance} for {action.handler}")])
        for stay in action.stays:
            _print_stay(stay)
    _rows(("warning", text) for text in rule.warnings)


def _print_stay(stay: "Stay") -> None:
    words, colour = _PLACES[stay.where]
    click.echo(f"    {click.style(words, fg=colour)}{f': {stay.by}' if stay.by else ''}")
    rows = [("at", _sites(stay.sites)), ("why", stay.reason), ("change", stay.change)]
    _rows(((name, text) for name, text in rows if text), indent=6)


def _rows(rows: Iterable[tuple[str, str]], indent: int = 2) -> None:
    for name, text in rows:
        click.echo(f"{' ' * indent}{name:<{11 - indent + 2}} {text}")


def _sites(sites: "tuple[Site, ...]") -> str:
    if any(each.supposed for each in sites):
        return "servers like " + ", ".join(dict.fromkeys(str(each.workload) for each in sites))
    told = ", ".join(map(str, _told(sites)))
    rest = len(sites) - _MOST_SITES
    return f"{told} and {rest} more" if rest > 0 else told


def _told(sites: "tuple[Site, ...]") -> "Iterator[Site]":
    yield from sites[:_MOST_SITES]
