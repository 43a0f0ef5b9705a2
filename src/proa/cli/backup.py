"""`proa backup`: a copy of the control plane's store, while it runs."""

import os
from pathlib import Path

import click

from proa.cli.surroundings import Surroundings


@click.command("backup", short_help="Copy the control plane's store while it runs.")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def command(surroundings: Surroundings, file: Path) -> None:
    """Copy the control plane's store to FILE on its host: configuration with its history, join tokens, grants and
    the audit of certificates, all of one moment. Nobody waits meanwhile. An older backup at FILE is replaced when
    the new one is whole. The certificate authority's keys are not in the store; copy the home's ca/ as well.

    To restore, while no control plane runs: put FILE in the place of store.db in the home, and remove
    store.db-wal and store.db-shm. A damaged store is refused with the command that does this.

    \b
    Example:
      proa backup /var/backups/proa-$(date +%F).db
    """
    from proa.servers.admin.history import BackupRequest

    with surroundings.control_plane() as client:
        made = client.backup(BackupRequest(file=os.path.abspath(file)))
    click.echo(f"version {made.version} is in {made.file} ({made.size} bytes)")
