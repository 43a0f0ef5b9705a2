"""From the words of a rule to what its routes do."""

from immutables import Map

from proa.core.config.kinds.virtual_service.schema import (
    Abort,
    Cors,
    Destination,
    DirectResponse,
    Fault,
    HeaderOperations,
    Headers,
    HttpBody,
    HttpRoute,
    Mirror,
    Percent,
    Redirect,
    Rewrite,
    StringMatch,
)
from proa.core.pilot.translate.routes import intents
from proa.core.pilot.translate.routes.intents import HeaderEdits, TextMatch
from proa.core.pilot.translate.rule_actions import (
    authority_of,
    cors_of,
    direct_response_of,
    edits_of,
    fault_of,
    mirrors_of,
    redirect_of,
    rewrite_of,
    text_match,
)

A = Destination(host="a")


def test_headers_are_told_apart_from_the_host() -> None:
    edits = HeaderOperations(set=Map({"Host": "b", "X-A": "1"}), add=Map({"y": "2"}), remove=("Z",))
    assert edits_of(edits) == HeaderEdits(set=(("x-a", "1"),), add=(("y", "2"),), remove=("z",))
    assert authority_of(edits) == "b"
    assert edits_of(None) == HeaderEdits()
    assert authority_of(None) == ""


def test_a_rewrite_wins_over_a_host_among_the_headers() -> None:
    headers = Headers(request=HeaderOperations(set=Map({":authority": "told"})))
    assert rewrite_of(HttpRoute(headers=headers)) == intents.Rewrite(authority="told")
    both = HttpRoute(headers=headers, rewrite=Rewrite(authority="rewritten"))
    assert rewrite_of(both) == intents.Rewrite(authority="rewritten")
    assert rewrite_of(HttpRoute()) is None


def test_mirrors_old_and_new() -> None:
    assert list(mirrors_of(HttpRoute(mirror=A))) == [(A, 100.0)]
    assert list(mirrors_of(HttpRoute(mirror=A, mirror_percent=0))) == [(A, 0.0)]
    told = HttpRoute(mirror=A, mirror_percent=5, mirror_percentage=Percent(value=12.5))
    assert list(mirrors_of(told)) == [(A, 12.5)]
    new = HttpRoute(mirrors=(Mirror(destination=A), Mirror(destination=A, percentage=Percent())))
    assert list(mirrors_of(new)) == [(A, 100.0), (A, 0.0)]


def test_origins_old_and_new() -> None:
    old = cors_of(Cors(allow_origin=("*", "https://a")))
    assert old.origins == (TextMatch(kind="regex", value=".*"), TextMatch(kind="exact", value="https://a"))
    new = cors_of(
        Cors(allow_origins=(StringMatch(prefix="http"),), max_age=1500, unmatched_preflights="IGNORE")
    )
    assert new.origins == (text_match(StringMatch(prefix="http")),)
    assert (new.max_age_s, new.forward_unmatched) == (2, False)


def test_redirects_to_the_port_that_was_called() -> None:
    assert redirect_of(HttpRoute(), 80) is None
    told = redirect_of(HttpRoute(redirect=Redirect(derive_port="FROM_REQUEST_PORT")), 8080)
    default = redirect_of(HttpRoute(redirect=Redirect(derive_port="FROM_PROTOCOL_DEFAULT", uri="/")), 8080)
    assert (told, default) == (intents.Redirect(port=8080), intents.Redirect(path="/"))


def test_bodies() -> None:
    def body(body: HttpBody | None) -> intents.DirectResponse | None:
        return direct_response_of(HttpRoute(direct_response=DirectResponse(status=200, body=body)))

    assert body(None) == intents.DirectResponse(status=200)
    assert body(HttpBody(string="a")) == intents.DirectResponse(status=200, body="a")
    assert body(HttpBody(bytes="/w==")) == intents.DirectResponse(status=200, content=b"\xff")


def test_faults() -> None:
    assert fault_of(HttpRoute(fault=Fault())) is None
    abort = Abort(grpc_status="UNAVAILABLE", percentage=Percent(value=1))
    assert fault_of(HttpRoute(fault=Fault(abort=abort))) == intents.Fault(abort_grpc=14, abort_percent=1)
