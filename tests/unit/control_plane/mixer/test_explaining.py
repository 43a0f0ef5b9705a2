import pytest

from proa.control_plane.mixer.explaining import UnknownRule, explain_rules_of
from proa.core.mixer.pushdown.explaining import ExplainedRules
from proa.core.model.snapshot import Change
from proa.servers.admin.mixer import RulesQuestion
from proa.testing.builders import Mesh, simple
from proa.testing.mixer import all_run, mixer_config, rule

RULES = (
    mixer_config("denier", "no", {}),
    mixer_config("checknothing", "any", {}),
    rule(
        "deny",
        "no.denier",
        "any.checknothing",
        match='destination.labels["app"] == "web" && source.labels["version"] == "v2"',
    ),
)


def mesh() -> Mesh:
    found = Mesh(simple("web", "v1"), simple("api", "v2"), catalogue=all_run())
    found.world.fold_in([Change(configs=RULES)])
    return found


def ask(word: str = "", *, on_paper: bool = False, known: Mesh | None = None) -> ExplainedRules:
    return explain_rules_of((known or mesh()).world, RulesQuestion(rule=word), on_paper=on_paper)


def test_it_is_asked_of_all_that_requests_come_to() -> None:
    for word in ("", "deny", "default/deny"):
        (found,) = ask(word).rules
        assert [(stay.where, [str(each) for each in stay.sites]) for stay in found.actions[0].stays] == [
            ("proxy", ["default/web-v1:9080"]),
            ("mixer", ["default/web-v1:9080 (raw connections)"]),
        ]


def test_who_is_not_there_is_told_with_who_is_near() -> None:
    with pytest.raises(UnknownRule, match="deny"):
        ask("denny")


def test_on_paper_rules_stand_for_servers_that_nobody_describes() -> None:
    empty = Mesh(catalogue=all_run())
    assert ask(known=empty).remarks == ("no rules are in force",)
    empty.world.fold_in([Change(configs=RULES)])
    assert ask(known=empty).rules[0].actions[0].stays[0].where == "never"
    told = ask(known=empty, on_paper=True)
    (stay,) = told.rules[0].actions[0].stays
    assert (stay.where, [str(each.workload) for each in stay.sites]) == ("proxy", ["default/web"])
    assert len(told.remarks) == 1
