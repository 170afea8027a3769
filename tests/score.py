"""Prints the score of the conformance kit when a session ends: `make kit`.

A plugin. A lie counts as caught if no venue got away with it, a wrong adapter if the kit turned
red for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

LIE = re.compile(r"test_lies\.py::test_no_lie_earns_a_flat\[(\w+) (.+)\]$")
WRONG = re.compile(r"test_wrong_adapters\.py::test_the_kit_catches_an_adapter_that\[(\w+) (.+)\]$")
CONFLICT = re.compile(r"test_conflicts\.py::test_a_run_is_flat_whichever_source_is_right\[(.+)\]$")


def told(results: Iterable[tuple[str, bool]]) -> list[str]:
    """Write the score from (node id, passed) of every test."""
    lies: dict[str, list[bool]] = {}
    wrong: list[bool] = []
    conflicts: list[bool] = []
    venues: set[str] = set()
    for node, passed in results:
        if found := LIE.search(node):
            venues.add(found[1])
            lies.setdefault(found[2], []).append(passed)
        elif WRONG.search(node):
            wrong.append(passed)
        elif CONFLICT.search(node):
            conflicts.append(passed)
    runs = sum(len(each) for each in lies.values())
    caught = sum(all(each) for each in lies.values())
    return [
        f"{caught} of {len(lies)} lies caught, told in {runs} runs at {len(venues)} venues",
        f"{sum(wrong)} of {len(wrong)} wrong adapters caught",
        f"{sum(conflicts)} of {len(conflicts)} conflicting sources lived with",
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it below everything else."""
    results = [
        (report.nodeid, outcome == "passed")
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
        if getattr(report, "when", "call") in ("call", "setup")
    ]
    terminalreporter.section("score of the conformance kit")
    for line in told(results):
        terminalreporter.write_line(line)
