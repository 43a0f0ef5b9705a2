from proa.core.config import Json
from tests.unit.core.config.judged import judge_rule


def test_the_host_is_set_in_requests_only() -> None:
    assert judge_rule(headers={"request": {"set": {"Host": "a.example"}}}) == []
    assert judge_rule(headers={"request": {"add": {"Host": "a"}}}) == ["headers.request.add.Host bad-value"]
    assert judge_rule(headers={"response": {"set": {"host": "a"}}}) == ["headers.response.set.host bad-value"]
    assert judge_rule(headers={"request": {"remove": ["host"]}}) == ["headers.request.remove[0] bad-value"]


def test_a_host_is_no_operator() -> None:
    told = judge_rule(headers={"request": {"set": {":authority": "%REQ(x-a)%"}}})
    assert told == ["headers.request.set[:authority] bad-value"]


def test_at_a_destination() -> None:
    route: Json = [{"destination": {"host": "a"}, "headers": {"response": {"set": {"x": "%NO%"}}}}]
    assert judge_rule(route=route) == ["route[0].headers.response.set.x bad-value"]
