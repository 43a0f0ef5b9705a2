"""An operator's identity: read back as it was written, and no other identity is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.auth.operators import Operator, Role, operator_id, operator_of
from proa.core.auth.spiffe import (
    SpiffeId,
    account_of,
    control_plane_id,
    node_id,
    node_of,
    parse_spiffe_id,
    workload_id,
)

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
ROLES = st.sampled_from(("admin", "viewer"))


@given(NAMES, ROLES)
def test_what_was_written_is_read_and_is_nobody_else(name: str, role: Role) -> None:
    identity = parse_spiffe_id(str(operator_id("a.example", Operator(name, role))))
    assert operator_of(identity) == Operator(name, role)
    assert (account_of(identity), node_of(identity)) == (None, None)


@pytest.mark.parametrize(
    "identity",
    [
        workload_id("td", "proa", "operator"),
        node_id("td", "operator"),
        control_plane_id("td"),
        SpiffeId("td"),
        SpiffeId("td", "/proa/operator/admin"),
        SpiffeId("td", "/proa/operator/king/ann"),
        SpiffeId("td", "/proa/operator/admin/ann/x"),
        SpiffeId("td", "/proa/operator/admin/_ann"),
        SpiffeId("td", "/x/proa/operator/admin/ann"),
    ],
)
def test_others_are_none(identity: SpiffeId) -> None:
    assert operator_of(identity) is None


@pytest.mark.parametrize("name", ["", "-a", ".", "a/b", "a b", "x" * 65, "ä", "a\n"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be an operator's name"):
        Operator(name, "admin")
