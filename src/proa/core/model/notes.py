"""Warnings and conflicts leave pure code as values, never as log calls."""

import msgspec

from proa.core.model.names import ObjectRef


class Note(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """`code` is stable and greppable; `about` is the object that can be changed to make the note go away."""

    code: str
    about: ObjectRef
    message: str
