"""What every command knows before it does anything: its home, and how to fail in words that help.

The only module of the command line that reads the environment (besides click, for PROA_HOME).
"""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from proa.home import Home
    from proa.servers.admin.client import AdminClient, Remote


SERVER: Final = "PROA_SERVER"
TOKEN_FILE: Final = "PROA_TOKEN_FILE"
CERTIFICATE_FILE: Final = "PROA_CERTIFICATE_FILE"
KEY_FILE: Final = "PROA_KEY_FILE"
ROOTS_FILE: Final = "PROA_ROOTS_FILE"


class Failure(click.ClickException):
    """The input or the mesh has a problem: printed on stderr, exit code 1. `todo` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, todo: str = "") -> None:
        super().__init__(message)
        self.todo = todo

    def show(self, file: IO[Any] | None = None) -> None:
        if self.message:
            click.echo(click.style("error: ", fg="red") + self.message, err=True)
        if self.todo:
            click.echo(self.todo, err=True)


class Surroundings:
    """Made once from the global flags; commands get it with `@click.pass_obj`."""

    def __init__(self, home: "Home", chosen: Path | None) -> None:
        self.home = home
        self._chosen = chosen

    @classmethod
    def from_flags(cls, chosen: Path | None) -> "Surroundings":
        from proa.home import find_home

        return cls(find_home(chosen, os.environ), chosen)

    def command(self, words: str) -> str:
        """A command the user may paste, into a terminal in any directory: with the home they chose, if they chose
        one by flag or environment."""
        if self._chosen is None or os.environ.get("PROA_HOME") == str(self._chosen):
            return f"proa {words}"
        return f"proa --home {shlex.quote(str(self.home.path))} {words}"

    @property
    def author(self) -> str:
        """Whose change it is, for the history."""
        import getpass

        try:
            return getpass.getuser()
        except (OSError, KeyError):  # a container's user without a name
            return f"uid {os.getuid()}"

    @contextmanager
    def control_plane(self) -> Iterator["AdminClient"]:
        """The admin API of this home. Its failures become ours, with the next step."""
        from proa.servers.admin.client import AdminClient, Unreachable
        from proa.servers.admin.operations import OperationFailed

        try:
            yield AdminClient(self._remote() or self.home.admin_socket)
        except Unreachable as error:
            if os.environ.get(SERVER):
                raise Failure(str(error), f"{SERVER} names it") from None
            raise Failure(
                f"no control plane is running at {self.home.path}", f"start one with `{self.command('up')}`"
            ) from None
        except OperationFailed as error:
            raise Failure(str(error)) from None

    @staticmethod
    def _remote() -> "Remote | None":
        """The control plane on another host that the environment names; None: this home's."""
        from urllib.parse import urlsplit

        from msgspec import structs

        from proa.servers.admin.client import Remote

        server = os.environ.get(SERVER)
        if not server:
            return None
        parts = urlsplit(server)
        token, certificate, key, roots = (
            os.environ.get(name) or "" for name in (TOKEN_FILE, CERTIFICATE_FILE, KEY_FILE, ROOTS_FILE)
        )
        shown = bool(token) != bool(certificate) and bool(certificate) == bool(key)
        if parts.scheme != "https" or not parts.hostname or not parts.port or not shown or not roots:
            raise Failure(
                f"{SERVER} is https://HOST:PORT, with {ROOTS_FILE} (the mesh's roots, PEM) and either {TOKEN_FILE} or "
                f"{CERTIFICATE_FILE} and {KEY_FILE}"
            )
        remote = Remote(host=parts.hostname, port=parts.port, roots=Path(roots))
        for file in filter(None, (token, certificate, key, roots)):
            if not os.access(file, os.R_OK):
                raise Failure(f"{file} cannot be read")
        if token:
            return structs.replace(remote, token=Path(token).read_text().strip())
        _check_end(certificate)
        return structs.replace(remote, certificate=Path(certificate), key=Path(key))

    @contextmanager
    def node_agent(self) -> Iterator[None]:
        """For calls of `proa.node.client`: its failures become ours."""
        from proa.node.client import AgentUnreachable, NoAgent, NoSuchWorkload, NotPlaced

        try:
            yield
        except NoAgent as error:
            todo = f"start a mesh with `{self.command('up')}`, or join one with `{self.command('node')}`"
            raise Failure(str(error), todo) from None
        except AgentUnreachable as error:
            raise Failure(
                str(error), f"the agent's log may tell more: {self.home.logs / 'node.log'}"
            ) from None
        except NotPlaced as error:
            raise Failure(f"the mesh does not take this workload: {error}") from None
        except NoSuchWorkload as error:
            raise Failure(str(error), f"`{self.command('proxy status')}` lists the workloads") from None


def _check_end(file: str) -> None:
    """Said here, because a server that does not take a certificate ends the connection without a word."""
    import time

    from cryptography import x509

    try:
        ends = x509.load_pem_x509_certificate(Path(file).read_bytes()).not_valid_after_utc.timestamp()
    except ValueError as error:
        raise Failure(f"{file} is no certificate: {error}") from None
    if ends <= time.time():
        raise Failure(
            f"the certificate in {file} has ended",
            "whoever administrates the mesh makes another: `proa certificate issue-operator`",
        )


def is_colour_wanted() -> bool:
    """Click itself leaves colours out where there is no terminal; https://no-color.org is on top of that."""
    return not os.environ.get("NO_COLOR")
