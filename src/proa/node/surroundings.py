"""What all workloads of one agent share. Made by `node.run`, read by everybody else."""

import asyncio
from collections import Counter

import msgspec

from proa.home import Home
from proa.node.credentials import Credential
from proa.node.denials import Denials
from proa.node.options import NodeOptions
from proa.node.port_book import PortBook
from proa.node.session import Session
from proa.node.trust import NodeTrust
from proa.node.uplink import Uplink
from proa.runtime.cell import Cell


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """`node_credential` holds the trust domain, `trust` its roots; `binary` is the Envoy's path.
    `replacements` is held by who replaces an Envoy, `denials` counts who is turned away at workloads' sockets,
    `renewals` how asking for certificates ended."""

    home: Home
    options: NodeOptions
    binary: str
    node: str
    node_credential: Cell[Credential]
    trust: NodeTrust
    uplink: Uplink
    session: Session
    book: PortBook
    replacements: asyncio.Semaphore
    denials: Denials
    renewals: Counter[str]
