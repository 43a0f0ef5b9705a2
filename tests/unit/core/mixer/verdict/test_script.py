"""What the script does is tried in an Envoy: tests/mesh/test_verdicts.py."""

from proa.core.mixer.verdict.script import NAMESPACE, TOLD_BY, Told, script
from proa.core.mixer.verdict.shapes import Shape


def test_the_script_reads_what_answers_tell() -> None:
    told = Told(
        shape=Shape(("a", "h:b")), key="-,1:x", ttl_ms=5, uses=-1, code=403, grpc=7, body="50 % €", rule="r"
    )
    (metadata,) = told.metadata("open", "digest").values()
    assert metadata["rules"] == "digest"
    assert metadata["shape"] == "a\nh:b"
    assert metadata["message"] == "50 %25 %E2%82%AC", "as gRPC writes what is not plain"
    source = script(("open",), "digest", entries=7)
    assert 'policies = {"open"}' in source
    assert 'told["rules"] == "digest"' in source
    assert all(f'told["{name}"]' in source for name in metadata)
    assert "count >= 7" in source
    assert "@" not in source


def test_the_script_names_the_metadata_that_others_look_at() -> None:
    assert f'"{NAMESPACE}", "hit", true' in script()
    assert f':get("{TOLD_BY}")' in script()


def test_where_no_peer_is_believed_no_certificate_is_read() -> None:
    assert "true and info:downstreamSslConnection()" in script()
    assert "false and info:downstreamSslConnection()" in script(has_peer=False)
