"""One safety check, how to take it out, and the test that must then fail."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Removal:
    """One check taken out."""

    check: str
    path: str
    old: str
    new: str
    test: str
    """The node id of a test that must fail without the check."""
