"""What a call's failure is for its client."""

import pytest

from proa.core.auth.spiffe import parse_spiffe_id
from proa.core.grpc_wire.status import Code, Status
from proa.ports.failures import StoreTemporary
from proa.servers.grpc_edge.calls import NotNow, PeerRefused, node_name, outcome, refusal_in


def test_a_refusal_in_a_task_is_the_handlers() -> None:
    refusal = PeerRefused("no")
    assert refusal_in(ExceptionGroup("tasks", [ExceptionGroup("inner", [refusal])])) is refusal


def test_a_bug_beside_a_refusal_stays_a_bug() -> None:
    assert refusal_in(ExceptionGroup("tasks", [PeerRefused("no"), KeyError("bug")])) is None
    assert refusal_in(ExceptionGroup("tasks", [KeyError("bug")])) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PeerRefused("why"), Code.PERMISSION_DENIED),
        (NotNow("why"), Code.UNAVAILABLE),
        (StoreTemporary("why"), Code.UNAVAILABLE),
        (ExceptionGroup("tasks", [PeerRefused("why")]), Code.PERMISSION_DENIED),
    ],
)
def test_a_call_that_fails_says_why_and_whether_to_come_again(error: Exception, code: Code) -> None:
    assert outcome(error) == Status(code, "why")


@pytest.mark.parametrize("error", [KeyError("bug"), ExceptionGroup("tasks", [KeyError("bug")])])
def test_a_bug_has_no_words_for_clients(error: Exception) -> None:
    assert outcome(error) is None


def test_only_nodes_of_the_trust_domain_have_a_node_name() -> None:
    node = parse_spiffe_id("spiffe://cluster.local/proa/node/here")
    assert node_name(node, "cluster.local") == "here"
    with pytest.raises(PeerRefused):
        node_name(node, "elsewhere")
    with pytest.raises(PeerRefused):
        node_name(parse_spiffe_id("spiffe://cluster.local/ns/default/sa/app"), "cluster.local")
