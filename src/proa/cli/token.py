"""`proa token`: admits hosts."""

import click

from proa.cli.output import Format, moment, output_option, print_value
from proa.cli.parameters import Duration
from proa.cli.surroundings import Surroundings


@click.group("token", short_help="Admit another host.")
def command() -> None:
    """Join tokens: what another host needs, once, to become part of this mesh."""


@command.command("create")
@click.option("--node", required=True, metavar="NAME", help="Name of the host in the mesh.")
@click.option("--ttl", type=Duration(), default="1h", show_default=True, help="How long it may be used.")
@click.option(
    "--allow",
    multiple=True,
    default=("default/*/*",),
    show_default=True,
    metavar="NS/SERVICE/ACCOUNT",
    help="What the host may place; each part is a name or *. May be repeated.",
)
@output_option
@click.pass_obj
def create(surroundings: Surroundings, node: str, ttl: float, allow: tuple[str, ...], output: Format) -> None:
    """Print a join token. It is a secret, works once, and says what the host may place in the mesh.

    \b
    Example:
      proa token create --node db-1 --allow shop/redis/redis > token
      scp token db-1: && ssh db-1 proa node --token-file token --address DB-1
    """
    from proa.core.auth.grants import parse_placement
    from proa.servers.admin.operations import TokenRequest

    try:
        placements = tuple(parse_placement(each) for each in allow)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--allow") from None
    with surroundings.control_plane() as client:
        minted = client.mint_token(TokenRequest(node=node, ttl_s=int(ttl), placements=placements))
    if output != "table":
        print_value(minted, output)
        return
    click.echo(minted.token)
    allowed = ", ".join(str(each) for each in minted.placements)
    click.echo(f"for node {minted.node}, once, until {moment(minted.expires)}; may place {allowed}", err=True)
