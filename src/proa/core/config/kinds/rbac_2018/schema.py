"""What ServiceRole, ServiceRoleBinding and RbacConfig say, as users wrote them. Read by their validators."""

from typing import Annotated, Literal

from immutables import Map

from proa.core.config.record import Filled, NotEmpty, Record

EnforcementMode = Literal["ENFORCED", "PERMISSIVE"]
RbacMode = Literal["OFF", "ON", "ON_WITH_INCLUSION", "ON_WITH_EXCLUSION"]


class Record2018(Record, frozen=True, kw_only=True):
    SNAKE_TOO = True


class Constraint(Record2018, frozen=True, kw_only=True):
    key: Filled
    values: Annotated[tuple[Filled, ...], NotEmpty()]


class AccessRule(Record2018, frozen=True, kw_only=True):
    """Every list that is written must hold, any of its values. Values may begin or end with `*`."""

    services: Annotated[tuple[Filled, ...], NotEmpty()]
    paths: tuple[Filled, ...] = ()
    methods: tuple[Filled, ...] = ()
    constraints: tuple[Constraint, ...] = ()


class ServiceRole(Record2018, frozen=True, kw_only=True):
    rules: Annotated[tuple[AccessRule, ...], NotEmpty()]


class Subject(Record2018, frozen=True, kw_only=True):
    """Who gets the role: all that is written must hold."""

    user: str = ""
    group: str = ""
    properties: Map[str, str] = Map()


class RoleRef(Record2018, frozen=True, kw_only=True):
    kind: str
    name: Filled


class ServiceRoleBinding(Record2018, frozen=True, kw_only=True):
    """PERMISSIVE only tells what would be allowed."""

    subjects: Annotated[tuple[Subject, ...], NotEmpty()]
    role_ref: RoleRef
    mode: EnforcementMode = "ENFORCED"


class RbacTarget(Record2018, frozen=True, kw_only=True):
    services: tuple[Filled, ...] = ()
    namespaces: tuple[Filled, ...] = ()


class RbacConfig(Record2018, frozen=True, kw_only=True):
    """Where roles are asked for at all."""

    mode: RbacMode = "OFF"
    inclusion: RbacTarget | None = None
    exclusion: RbacTarget | None = None
    enforcement_mode: EnforcementMode = "ENFORCED"
