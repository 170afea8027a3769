"""A pull: a run that one person began alone, on a console, by break glass.

Owns `Pull`. It stays red until somebody else, who may answer such a request, has closed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """Who broke the glass, and who has looked at it since."""

    request_id: str
    by: str
    """The puller's name on the host, as the kernel knows them."""
    host: str
    closed_by: str | None = None
    """Name of whoever closed it; None: it is red."""
    closed_at: datetime | None = None
