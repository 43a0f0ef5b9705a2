"""What became of a change, object by object and proxy by proxy. Called by `apply` and `delete`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from proa.cli.output import count, is_terminal, print_problems, rejection_line
from proa.cli.surroundings import Failure
from proa.servers.admin.client import AdminClient
from proa.servers.admin.operations import ApplyOutcome, ProxyProgress, WaitStatus

if TYPE_CHECKING:
    from rich.status import Status

WORDS = {
    "created": "created",
    "changed": "configured",
    "unchanged": "unchanged",
    "deleted": "deleted",
    "absent": "not found",
}
"""kubectl's words: fingers and scripts know them."""


_PASSING = "token-keys-awaited"
"""Mostly over when the first fetch is."""


def print_outcome(outcome: ApplyOutcome, *, dry_run: bool = False, waits: bool = False) -> None:
    """Who waits is told at the end what is still missing then."""
    print_problems(outcome.warnings)
    for result in outcome.results:
        click.echo(f"{result.ref} {WORDS[result.action]}{' (dry run)' if dry_run else ''}")
    for note in outcome.notes:
        if waits and note.code == _PASSING:
            continue
        click.echo(click.style(f"note: {note.about}: {note.message} [{note.code}]", fg="yellow"), err=True)


def wait_until_live(client: AdminClient, version: int, timeout_s: float) -> None:
    """Shows progress on stderr. Raises Failure when a proxy rejects the version or is late."""
    started = time.monotonic()
    last = WaitStatus(version=version, done=False)
    with _progress() as show:
        for last in client.wait(version, timeout_s):
            show(_summary(last))
    for remark in last.remarks:
        click.echo(click.style(f"note: {remark}", fg="yellow"), err=True)
    rejected = [each for each in last.proxies if each.state == "rejected"]
    pending = [each for each in last.proxies if each.state == "pending"]
    for proxy in rejected:
        _print_rejections(proxy)
    if rejected:
        names = ", ".join(str(each.id) for each in rejected)
        raise Failure(f"rejected by {count(len(rejected), 'proxy', 'proxies')}: {names}", _LAST_GOOD)
    if not last.done:
        names = ", ".join(str(each.id) for each in pending) or "the control plane"
        raise Failure(
            f"not live everywhere after {timeout_s:g} s; still pending: {names}",
            "the change stays applied; `proa proxy status` shows how far each proxy is",
        )
    if not last.proxies:
        click.echo("no proxy is connected; the change is live for those that connect")
        return
    took = time.monotonic() - started
    click.echo(f"live on {count(len(last.proxies), 'proxy', 'proxies')} after {took:.1f} s")


_LAST_GOOD = "they go on with the last good version; correct the object and apply again"


def _summary(status: WaitStatus) -> str:
    live = sum(each.state == "live" for each in status.proxies)
    pending = [str(each.id) for each in status.proxies if each.state == "pending"]
    waiting = (
        f"; waiting for {', '.join(pending[:3])}{', ...' if len(pending) > 3 else ''}" if pending else ""
    )
    return f"live on {live} of {count(len(status.proxies), 'proxy', 'proxies')}{waiting}"


def _print_rejections(proxy: ProxyProgress) -> None:
    for problem in proxy.problems:
        click.echo(click.style(rejection_line(str(proxy.id), problem), fg="red"), err=True)


class _Show(Protocol):
    def __call__(self, text: str) -> None: ...


@contextmanager
def _progress() -> Iterator[_Show]:
    """One line that changes on a terminal; elsewhere a line for each news."""
    if is_terminal():
        from rich.console import Console

        with Console(stderr=True).status("waiting for the proxies") as status:
            yield _on_terminal(status)
        return
    seen: list[str] = []

    def show(text: str) -> None:
        if not seen or seen[-1] != text:
            seen.append(text)
            click.echo(text, err=True)

    yield show


def _on_terminal(status: "Status") -> _Show:
    def show(text: str) -> None:
        status.update(text)

    return show
