import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.auth.grants import Placement
from proa.core.auth.tokens import (
    UNKNOWN,
    InvalidToken,
    JoinToken,
    TokenRecord,
    TokenRefused,
    decode_token,
    encode_token,
    hash_secret,
    redeemed,
)

TOKEN = JoinToken(
    id="0a1b", secret="5ec2e7", node="laptop", root_sha256="ab" * 32, join="10.0.0.1:15013", servers=("s:1",)
)
RECORD = TokenRecord(
    id="0a1b",
    secret_sha256=hash_secret("5ec2e7"),
    node="laptop",
    placements=(Placement(namespace="default"),),
    created=100.0,
    expires=200.0,
)


@given(
    st.builds(
        JoinToken,
        id=st.text(max_size=20),
        secret=st.text(max_size=70),
        node=st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True),
        root_sha256=st.text(max_size=64),
        join=st.text(max_size=30),
        servers=st.lists(st.text(max_size=30), max_size=3).map(tuple),
    )
)
def test_tokens_read_back(token: JoinToken) -> None:
    text = encode_token(token)
    assert decode_token(text) == token
    assert decode_token(f" {text}\n") == token
    assert text.replace(".", "").replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=100))
def test_no_text_breaks_the_reader(text: str) -> None:
    for each in (text, "proa1." + text):
        try:
            decode_token(each)
        except InvalidToken:
            continue


@pytest.mark.parametrize(
    "text",
    [
        "",
        "proa2.abc",
        "proa1.",
        encode_token(TOKEN)[:-7],
        "proa1." + "a" * 9000,
        encode_token(msgspec.structs.replace(TOKEN, node="../x")),
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        decode_token(text)


def test_a_token_printed_by_accident_keeps_its_secret() -> None:
    assert "5ec2e7" not in repr(TOKEN)
    with pytest.raises(InvalidToken) as caught:
        decode_token("proa1.5ec2e7")
    assert "5ec2e7" not in str(caught.value)


def test_a_use_is_taken_off_and_gives_the_grant() -> None:
    result = redeemed(RECORD, hash_secret("5ec2e7"), "laptop", 150.0)
    assert isinstance(result, TokenRecord)
    assert result.uses == 0
    assert result.grant.node == "laptop"
    assert result.grant.placements == RECORD.placements


def test_why_a_token_is_refused() -> None:
    secret = hash_secret("5ec2e7")
    assert redeemed(None, secret, "laptop", 150.0) is UNKNOWN
    assert redeemed(RECORD, hash_secret("guess"), "laptop", 150.0) is UNKNOWN
    assert redeemed(RECORD, secret, "server", 150.0) is UNKNOWN
    late = redeemed(RECORD, secret, "laptop", 200.0)
    assert late == TokenRefused(reason="join token 0a1b for node laptop has expired", code="token expired")
    used = redeemed(msgspec.structs.replace(RECORD, uses=0), secret, "laptop", 150.0)
    assert used == TokenRefused(reason="join token 0a1b for node laptop has been used", code="token used")


def test_a_wrong_secret_learns_nothing_of_the_token() -> None:
    spent = msgspec.structs.replace(RECORD, uses=0)
    assert redeemed(spent, hash_secret("guess"), "laptop", 500.0) is UNKNOWN
