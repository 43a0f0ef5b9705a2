"""The Workload API's messages: what is written is read back, and noise is no answer."""

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from proa.core.auth.ca import make_root, private_pem, to_pem
from proa.core.auth.spiffe import workload_id
from proa.core.auth.workload_api import (
    BadAnswer,
    Svid,
    cut,
    read_bundles,
    read_svids,
    write_bundles,
    write_svids,
)
from tests.unit.core.auth.authorities import INTERMEDIATE, LEAF_KEY, NOW, ROOT, leaf

SVID = Svid(
    identity=workload_id("cluster.local", "default", "reviews"),
    chain=to_pem(leaf()) + INTERMEDIATE.pem,
    key=private_pem(LEAF_KEY),
    bundle=ROOT.pem,
)
OTHER = make_root("other.example", ec.generate_private_key(ec.SECP256R1()), 5, NOW)


def test_what_is_written_is_read() -> None:
    assert read_svids(write_svids(SVID, {"other.example": OTHER.pem})) == (SVID,)
    two = SVID.bundle + OTHER.pem
    assert read_bundles(write_bundles({"cluster.local": two, "other.example": OTHER.pem})) == {
        "spiffe://cluster.local": two,
        "spiffe://other.example": OTHER.pem,
    }
    assert read_svids(b"") == ()
    assert SVID.key not in repr(SVID)


def test_equal_values_have_equal_bytes() -> None:
    bundles = {"b": ROOT.pem, "a": OTHER.pem}
    assert write_bundles(bundles) == write_bundles(dict(reversed(bundles.items())))


@given(st.binary(max_size=200))
def test_noise_is_no_answer_and_no_bug(noise: bytes) -> None:
    for read in (read_svids, read_bundles):
        with contextlib.suppress(BadAnswer):
            assert not any(read(noise))


@pytest.mark.parametrize("der", [b"x", b"\x30", b"\x30\x82\xff\xff", b"\x31\x00\x00\x00"])
def test_what_is_no_row_of_certificates(der: bytes) -> None:
    with pytest.raises(ValueError, match="certificate"):
        cut(der)
    assert cut(b"") == ()
