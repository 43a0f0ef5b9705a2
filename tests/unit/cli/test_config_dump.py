from typing import TYPE_CHECKING

from proa.cli.config_dump import choose, redact

if TYPE_CHECKING:
    from proa.core.config import Json

CLUSTERS: "dict[str, Json]" = {
    "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
    "version_info": "7",
    "dynamic_active_clusters": [
        {"version_info": "1", "cluster": {"name": "outbound|9080||reviews"}},
        {"version_info": "1", "cluster": {"name": "outbound|9080||ratings"}},
    ],
}
SECRETS: "dict[str, Json]" = {
    "@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump",
    "dynamic_active_secrets": [
        {
            "name": "default",
            "secret": {
                "tls_certificate": {
                    "certificate_chain": {"inline_string": "CHAIN"},
                    "private_key": {"inline_string": "KEY"},
                },
                "session_ticket_keys": {"keys": ["KEY"]},
            },
        }
    ],
}
DUMP: "Json" = {"configs": [CLUSTERS, SECRETS]}


def test_private_fields_are_hidden_and_public_ones_kept() -> None:
    shown = str(redact(DUMP))

    assert "KEY" not in shown
    assert "CHAIN" in shown
    assert "outbound|9080||reviews" in shown


def test_sections_by_type() -> None:
    assert choose(DUMP, "secret", "") == {"configs": [SECRETS]}
    assert choose(DUMP, None, "") == DUMP


def test_entries_by_name() -> None:
    active = [{"version_info": "1", "cluster": {"name": "outbound|9080||reviews"}}]

    assert choose(DUMP, "cluster", "reviews") == {"configs": [CLUSTERS | {"dynamic_active_clusters": active}]}


def test_what_is_no_dump_is_left_alone() -> None:
    assert choose(["what"], "cluster", "") == ["what"]
