"""What routes see of a request; each of these was asked of a real Envoy (tests/mesh/agreement.py)."""

from typing import get_args

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from google.protobuf.wrappers_pb2 import BoolValue

from proa.core.model.settings import Handling, PathNormalization
from proa.core.pilot.simulate import Request
from proa.core.pilot.simulate.reception import canonical, path_in_mode, received
from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters.chain import Direction, http_chain

SIDECAR = HttpConnectionManager(normalize_path=BoolValue(value=True), strip_trailing_host_dot=True)
EDGE = HttpConnectionManager(use_remote_address=BoolValue(value=True))


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("/", "/"),
        ("/a/../api/v1?b=../c", "/api/v1?b=../c"),
        ("/a/./b/.", "/a/b/"),
        ("/a/b/..", "/a/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("//api//v1", "//api//v1"),
        ("/%61pi/%7Euser", "/api/~user"),
        ("/%2e%2E/api", "/api"),
        ("/a%2Fb%20c", "/a%2Fb%20c"),
        ("/a\\..\\b", "/b"),
        ("/{x}", "/%7Bx%7D"),
        ("*", "/*"),
        ("/%2%65%2%65/a", "/%252e%252e/a"),
        ("/%%32e", "/%252e"),
        ("/%%61%2", "/%a%2"),
        ("/%25%36%31", "/%2561"),
        ("/%.%2E%41", "/%..A"),
    ],
)
def test_paths(written: str, seen: str) -> None:
    assert canonical(written) == seen
    assert canonical(seen) == seen


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("/h/..;/c", "/c"),
        ("/h/..;a=b;c/c", "/c"),
        ("/h/.;x/c", "/h/c"),
        ("/h/..;", "/"),
        ("/h/..;x?q", "/?q"),
        ("/h/%2e%2e;/c", "/h/..;/c"),
        ("/h/.%2e;z/c", "/h/..;z/c"),
        ("/h/..%3b/c", "/h/..%3b/c"),
        ("/h/..x;/c", "/h/..x;/c"),
        ("/h/x;y/c;z", "/h/x;y/c;z"),
        ("/h/;x/../c", "/h/c"),
        ("/h\\..;x/c", "/h/..;x/c"),
    ],
)
def test_dots_with_parameters(written: str, seen: str) -> None:
    """One that is escaped as well changes once more at the next proxy."""
    assert canonical(written) == seen


def test_of_slashes_alone_two_are_left() -> None:
    assert [path_in_mode(path, "MERGE_SLASHES") for path in ("/", "//?a//b", "///", "//a//")] == [
        "/", "//?a//b", "//", "/a/",
    ]  # fmt: skip


def test_a_name_may_end_in_a_dot() -> None:
    for written, seen in (
        ("a.b.", "a.b"),
        ("a.b.:80", "a.b:80"),
        ("a.b:80", "a.b:80"),
        ("[::1]:80", "[::1]:80"),
    ):
        assert received(SIDECAR, Request(authority=written)).authority == seen
        assert received(EDGE, Request(authority=written)).authority == written


def test_whose_word_on_the_scheme_counts() -> None:
    request = Request(authority="a", headers=(("X-Forwarded-Proto", "https"),))
    assert received(SIDECAR, request).scheme == "https"
    assert received(SIDECAR, request, is_absolute=True).scheme == "http"
    assert received(EDGE, request).scheme == "http"


@pytest.mark.parametrize("mode", get_args(PathNormalization))
@pytest.mark.parametrize("path", ["/a", "//a/./b", "/a%2F..%5cb//c", "/x/../a;y?z=/../%2f", "/A"])
def test_a_mode_means_to_rules_what_it_means_to_listeners(mode: PathNormalization, path: str) -> None:
    chain = http_chain(Direction.INBOUND, "routes", [], handling=Handling(paths=mode))
    manager = unpack(chain.typed_config, HttpConnectionManager)
    assert manager is not None
    assert path_in_mode(path, mode) == received(manager, Request(authority="a", path=path)).path
