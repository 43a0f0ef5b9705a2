"""`proa convert`: 2018's configuration in today's language; pure, as `proa validate`."""

import click

from proa.cli.output import Format, print_problems, to_text
from proa.cli.parameters import files_options, namespace_option


@click.command("convert", short_help="Write configuration of 2018 in today's language; no mesh needed.")
@files_options(required=True)
@namespace_option("Namespace of objects that name none.")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.pass_context
def command(
    context: click.Context, named: tuple[str, ...], more: tuple[str, ...], namespace: str, output: Format
) -> None:
    """Print what configuration of 2017 and 2018 (RouteRule, DestinationPolicy, EgressRule, IngressRule, Policy) and
    Kubernetes Ingress becomes today: VirtualService, DestinationRule, ServiceEntry and Gateway. Give all files
    of a mesh together: the rules of one host become one object. Objects of today are printed as they are.

    Problems are on standard error, with file and line of the old object; with an error among them nothing is
    printed and the exit code is 1. `proa apply` takes old files as they are, too.

    \b
    Examples:
      proa convert -f route-rules.yaml
      proa convert -f old/ | proa apply -f -
    """
    from proa.adapters.policy_catalog import installed
    from proa.cli.documents import read_files
    from proa.core.config import Json, convert, read_batch, to_manifest, to_yaml
    from proa.core.config.legacy.today import is_old

    files = read_files(named, more)
    named_texts = [(file.name, file.text) for file in files]
    catalogue = installed().catalogue
    batch = read_batch(named_texts, namespace, only_in_force=False, catalogue=catalogue)
    print_problems(batch.problems)
    if not batch.is_valid:
        context.exit(1)
    configs = [written.config for written in batch.objects]
    converted = convert([config for config in configs if is_old(config)])
    manifests: list[dict[str, Json]] = [derived.manifest for derived in converted.derived]
    manifests += [to_manifest(config) for config in configs if not is_old(config)]
    if output == "yaml":
        click.echo(to_yaml(*manifests), nl=False)
    else:
        items: list[Json] = [*manifests]
        click.echo(to_text({"apiVersion": "v1", "kind": "List", "items": items}, output), nl=False)
