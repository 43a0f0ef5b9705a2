"""One thing that is wrong between objects, before its line is known. The checks make them."""

import msgspec

from proa.core.config.analyze.code import Level
from proa.core.config.analyze.codes import CODES
from proa.core.config.path import Path
from proa.core.model.names import ObjectRef


class Message(msgspec.Struct, frozen=True):
    """`about` is the object that can be changed to mend it, `path` the place in it."""

    about: ObjectRef
    path: Path
    code: str
    text: str

    @property
    def level(self) -> Level:
        return CODES[self.code].level

    @property
    def istio(self) -> tuple[str, ...]:
        """Istio's codes for the same thing."""
        return tuple(CODES[self.code].istio.split(", ")) if CODES[self.code].istio else ()
