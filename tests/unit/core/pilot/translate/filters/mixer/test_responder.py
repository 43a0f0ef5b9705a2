from proa.core.expression.cel import TRUE, path
from proa.core.mixer.pushdown.values import Denial
from proa.core.model.names import ObjectRef
from proa.core.pilot.translate.filters.mixer.responder import lua_text, responder

DENIAL = Denial(
    rule=ObjectRef("rule", "shop", "deny"),
    handler="no.denier.shop",
    instance="any.checknothing.shop",
    whose=None,
    condition=TRUE,
    code=7,
    text='say "no"',
)


def test_texts_of_users_cannot_leave_their_quotes() -> None:
    assert lua_text('a "b" \\ \n é') == '"a \\034b\\034 \\092 \\010 \\195\\169"'


def test_a_row_for_each_denial() -> None:
    named = Denial(
        rule=DENIAL.rule,
        handler="list.listchecker.shop",
        instance="who.listentry.shop",
        whose=None,
        condition=TRUE,
        code=5,
        value=path("connection.uri_san_peer_certificate"),
        prefix="spiffe://",
        after=" is not whitelisted",
    )
    rows = [line for line in responder((DENIAL, named), "key").splitlines() if line.startswith("  {rule")]
    assert rows == [
        '  {rule = "shop/deny", call = "no.denier.shop any.checknothing.shop", kind = "PERMISSION_DENIED:",'
        ' text = "no.denier.shop:say \\034no\\034", after = "", code = 403, grpc = 7, skip = 0, named = false},',
        '  {rule = "shop/deny", call = "list.listchecker.shop who.listentry.shop", kind = "NOT_FOUND:",'
        ' text = "list.listchecker.shop:", after = " is not whitelisted", code = 404, grpc = 5, skip = 9,'
        " named = true},",
    ]
