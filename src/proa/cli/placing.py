"""What `run` and `gateway` share: labels, and what the node agent says of a workload, told to a person."""

from collections.abc import Sequence

import click
from immutables import Map

from proa.core.sidecar.local import (
    Drained,
    GatewayPortClosed,
    GatewayPortServed,
    HealthChanged,
    OwnerEvent,
    Placed,
    Progress,
    Warned,
    WorkloadSpec,
)


def pairs(texts: Sequence[str], **defaults: str) -> Map[str, str]:
    """`KEY=VALUE` texts. Raises click.BadParameter."""
    found = dict(defaults)
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{text!r} is no label; write KEY=VALUE", param_hint="--label")
        found[key] = value
    return Map(found)


class Teller:
    """Prints events on stderr, so that the program's own output stays as it is."""

    def __init__(self, spec: WorkloadSpec, *, quiet: bool) -> None:
        self._id = spec.id
        self._quiet = quiet
        self._health = ""

    def __call__(self, event: OwnerEvent) -> None:
        match event:
            case Warned(text=text, code=code):
                click.echo(click.style(f"proa: warning: {text} [{code}]", fg="yellow"), err=True)
            case Progress(text=text):
                self._say(text)
            case Placed():
                for line in self._placed(event):
                    self._say(line)
            case HealthChanged(state=state, why=why):
                if state != self._health:
                    self._health = state
                    self._say(f"{self._id} is {state.lower()}{f': {why}' if why else ''}")
            case GatewayPortServed(server_port=port, bound_port=bound, address=address):
                also = "" if port == bound else f" (server port {port} is taken or not ours to take)"
                self._say(f"gateway port {port}: http://{address}:{bound}{also}")
            case GatewayPortClosed(server_port=port):
                self._say(f"gateway port {port} is closed: no Gateway asks for it")
            case Drained(open_requests=number) if number:
                self._say(f"{number} requests were still open at the end")
            case _:
                pass

    def _say(self, text: str) -> None:
        if not self._quiet:
            click.echo(f"proa: {text}", err=True)

    def _placed(self, placed: Placed) -> list[str]:
        lines = [f"{placed.id} is in the mesh"]
        for port in placed.ports:
            lines.append(f"  {port.service}:{port.service_port} leads to 127.0.0.1:{port.app_port}")
        for upstream in placed.upstreams:
            lines.append(f"  127.0.0.1:{upstream.local_port} leads to {upstream.host}:{upstream.port}")
        return lines
