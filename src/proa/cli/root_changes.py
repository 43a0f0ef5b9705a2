"""How a change of the mesh's root goes on, told step by step. Called by `proa certificate rotate` and `plug`."""

import time
from typing import TYPE_CHECKING

import click

from proa.cli.surroundings import Failure

if TYPE_CHECKING:
    from proa.servers.admin.authority import AuthorityStatus
    from proa.servers.admin.client import AdminClient

DIGEST = 16
"""Characters of a root's digest that people compare."""
LOOK_S = 0.5


def tell_change(client: "AdminClient", status: "AuthorityStatus", timeout_s: float | None) -> None:
    """`status` is the answer to the command, and its newest root the one to come. No time-out: what has begun is said,
    and nothing waited for. Raises Failure when the old root is still trusted at the end of the time."""
    new = status.roots[-1]
    click.echo(f"root {new.digest[:DIGEST]} is {new.phase}")
    if timeout_s is None:
        click.echo("the rest follows by itself; `proa certificate list` shows how far it is")
        return
    ends = time.monotonic() + timeout_s
    told: tuple[str, tuple[str, ...]] = (new.phase, ())
    while len(status.roots) > 1 and time.monotonic() < ends:
        time.sleep(LOOK_S)
        status = client.authority()
        told = _tell_progress(status, new.digest, told)
    if len(status.roots) > 1:
        raise Failure(
            f"the rotation is not over after {timeout_s:g} s: " + ("; ".join(status.waiting) or "it goes on"),
            "it goes on by itself; `proa certificate list` shows how far it is",
        )
    click.echo(f"root {new.digest[:DIGEST]} is the only one now")


def _tell_progress(
    status: "AuthorityStatus", digest: str, told: tuple[str, tuple[str, ...]]
) -> tuple[str, tuple[str, ...]]:
    """What is new since it was `told`: the new root's phase, and who holds the next step back."""
    phase = next((each.phase for each in status.roots if each.digest == digest), "prepared")
    if phase != told[0]:
        click.echo(f"root {digest[:DIGEST]} is {phase}")
    # Without the ends of certificates, which move with each renewal: that is no news.
    holders = tuple(reason.partition(" (")[0] for reason in status.waiting if "least time" not in reason)
    if holders and holders != told[1]:
        click.echo(f"waiting: {'; '.join(holders)}", err=True)
    return phase, holders
