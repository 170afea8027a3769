"""How lies are made: of faults, of edited answers, of a venue that is another one for a while.

Owns what `lies` and `special` are put together from. Every function returns what installs a lie on
a bench.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Callable
from typing import Any

from bot.sandbox.venues.faults import Wrong
from tests.adapters.conformance.bench import Bench

Install = Callable[[Bench], None]
Edit = Callable[[Any], Any]
"""Gets what was parsed, and returns what to send: JSON, or bytes as they are."""


def together(*installs: Install) -> Install:
    """Do several things wrong at once."""

    def install(bench: Bench) -> None:
        for each in installs:
            each(bench)

    return install


def of_cancels(wrong: Wrong, **more: Any) -> Install:
    """Let something go wrong with the cancels."""

    def install(bench: Bench) -> None:
        bench.fail_each(wrong, bench.subject.cancels, **more)

    return install


def of_readings(wrong: Wrong, **more: Any) -> Install:
    """Let something go wrong with the readings."""

    def install(bench: Bench) -> None:
        bench.fail_each(wrong, bench.subject.reads, **more)

    return install


def at(wrong: Wrong, *paths: str, **more: Any) -> Install:
    """Let something go wrong on these paths."""

    def install(bench: Bench) -> None:
        bench.fail_each(wrong, paths, **more)

    return install


def otherwise(*, for_s: float | None = None, **conflicts: object) -> Install:
    """Let another source be right about these conflicts, for good or for a while."""

    def install(bench: Bench) -> None:
        simulated: Any = bench.simulated
        usual = simulated.conflicts
        simulated.conflicts = dataclasses.replace(usual, **conflicts)
        if for_s is not None:
            later(for_s, setattr, simulated, "conflicts", usual)

    return install


def later(seconds: float, act: Callable[..., object], *args: object) -> None:
    """Do something during the run."""
    asyncio.get_running_loop().call_later(seconds, act, *args)


def spoilt(
    edit: Edit, *paths: str, times: int | None = None, for_s: float | None = None
) -> Install:
    """Edit the answers on these paths, so often or so long."""

    def install(bench: Bench) -> None:
        until = math.inf if for_s is None else bench.now + for_s

        def while_it_lasts(found: Any) -> Any:
            return edit(found) if bench.now < until else found

        for path in paths:
            bench.doctor(path, while_it_lasts, times=times)

    return install


def edited(edit: Edit, *, times: int | None = 3) -> Install:
    """Edit the answers to readings."""

    def install(bench: Bench) -> None:
        spoilt(edit, *bench.subject.reads, times=times)(bench)

    return install


def edited_cancels(edit: Edit, *, times: int | None = 3) -> Install:
    """Edit the answers to cancels."""

    def install(bench: Bench) -> None:
        spoilt(edit, *bench.subject.cancels, times=times)(bench)

    return install


ROWS = ("list", "result", "data", "response", "orders", "strategies")
"""What venues call the list of rows; a new venue's word goes here."""


def rows_of(answer: Any) -> list[Any] | None:
    """Find the rows of an answer, wherever a venue puts them."""
    if isinstance(answer, list):
        return answer
    if not isinstance(answer, dict):
        return None
    for name in ROWS:
        if name in answer and (found := rows_of(answer[name])) is not None:
            return found
    return None


def each_row(change: Callable[[dict[str, Any]], None]) -> Edit:
    """Change every row of an answer."""

    def edit(answer: Any) -> Any:
        for row in rows_of(answer) or ():
            change(row)
        return answer

    return edit


def without_ids(row: dict[str, Any]) -> None:
    for name in [name for name in row if name.lower().endswith("id") or name == "order"]:
        del row[name]


def with_riddles(row: dict[str, Any]) -> None:
    row |= {"novelty": {"a": [1, None, "x"]}, "flags": 7, "": ""}


def with_odd_types(row: dict[str, Any]) -> None:
    for name in list(row):
        row[name] = {"what": "is this"}


def emptied_rows(answer: Any) -> Any:
    if (rows := rows_of(answer)) is not None:
        rows[:] = [None for _ in rows]
    return answer


def doubled_rows(answer: Any) -> Any:
    if (rows := rows_of(answer)) is not None:
        rows.extend(list(rows))
    return answer


def replaced_rows(made: Any) -> Edit:
    """Put something else in the place of the list of rows."""

    def edit(answer: Any) -> Any:
        if isinstance(answer, list):
            return made
        if isinstance(answer, dict):
            for name in ROWS:
                if isinstance(answer.get(name), list):
                    return answer | {name: made}
                if isinstance(answer.get(name), dict):
                    return answer | {name: edit(answer[name])}
        return answer

    return edit


def constant(body: bytes) -> Edit:
    return lambda _: body
