"""The modals that people have open.

Owns each person's stack of views, their ids and hashes. What a view may hold is `views`' affair.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from bot.sandbox.slack.records import Json, Modal

STACK_MAX = 3


class Modals:
    """Every open modal of a workspace, by person; the last of a stack is the one on screen."""

    def __init__(self, *, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._stacks: dict[str, list[Modal]] = {}
        self._numbers = itertools.count(1)

    def open(self, user: str, view: Json) -> Modal:
        """Show a view as the only one, in place of any the person had open."""
        self._stacks[user] = []
        return self.push(user, view)

    def push(self, user: str, view: Json) -> Modal:
        """Show a view on top of those already open; the caller has checked `STACK_MAX`."""
        number = next(self._numbers)
        modal = Modal(id=f"V{number:06d}", user=user, hash=f"{number}.1", view=view)
        self._stacks.setdefault(user, []).append(modal)
        self._changed()
        return modal

    def update(self, modal: Modal, view: Json) -> Modal:
        """Replace what an open modal shows, under a new hash."""
        fresh = replace(modal, view=view, hash=f"{next(self._numbers)}.2")
        stack = self._stacks[modal.user]
        self._stacks[modal.user] = [fresh if kept.id == modal.id else kept for kept in stack]
        self._changed()
        return fresh

    def close(self, user: str) -> None:
        """Close the modal on screen; the one under it, if any, shows again."""
        if self._stacks.get(user):
            del self._stacks[user][-1]
        self._changed()

    def clear(self, user: str) -> None:
        """Close all modals of one person."""
        self._stacks[user] = []
        self._changed()

    def stack(self, user: str) -> tuple[Modal, ...]:
        """Return what one person has open, the one on screen last."""
        return tuple(self._stacks.get(user, ()))

    def on_screen(self, user: str) -> Modal | None:
        """Return the modal that one person sees, or nothing."""
        stack = self._stacks.get(user)
        return stack[-1] if stack else None

    def find(self, view_id: str) -> Modal | None:
        """Return an open modal by id, or nothing."""
        for stack in self._stacks.values():
            for modal in stack:
                if modal.id == view_id:
                    return modal
        return None
