"""A place that is taken again."""

from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from proa.core.sidecar.local import Placed, WorkloadSpec, parse_port, parse_upstream
from proa.home import Home
from proa.node.options import NodeOptions
from proa.node.places import find_place, fits, retake_place
from proa.node.port_book import PortBook
from proa.runtime.held_ports import PortTaken

SPEC = WorkloadSpec(
    name="shop", ports=(parse_port("80:auto", "shop"),), upstreams=(parse_upstream("redis:6379"),)
)


@pytest.fixture
def options(tmp_path: Path) -> NodeOptions:
    return NodeOptions(home=Home(tmp_path))


def placed_once(options: NodeOptions, book: PortBook) -> Placed:
    with ExitStack() as stack:
        return find_place(SPEC, "here", options, book, stack).placed(options.home, "")


def test_the_same_ports_are_held_again(options: NodeOptions) -> None:
    book = PortBook((22600, 22699), "here")
    before = placed_once(options, book)
    assert fits(SPEC, before)
    with ExitStack() as stack, ExitStack() as other:
        place = retake_place(SPEC, "here", options, book, stack, before, beside=False)
        assert place.placed(options.home, "") == before
        with pytest.raises(PortTaken):
            retake_place(SPEC, "here", options, book, other, before, beside=False)


def test_a_place_of_something_else_does_not_fit(options: NodeOptions) -> None:
    before = placed_once(options, PortBook((22600, 22699), "here"))
    for spec in (
        msgspec.structs.replace(SPEC, ports=(parse_port("81:auto", "shop"),)),
        msgspec.structs.replace(SPEC, upstreams=()),
        WorkloadSpec(name="shop", kind="gateway"),
    ):
        assert not fits(spec, before)
