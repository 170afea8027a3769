"""Coverage gates: `make test` loads this with `-p tests.gates`.

A missed gate reports like a failed test, so it fails the run, shows what was not run and is
counted in pytest's closing line; that all held is one line above it. Never judges a run in which
another test failed: such a run leaves lines uncovered that are not its fault.
"""

from __future__ import annotations

import io
from collections.abc import Generator
from dataclasses import dataclass

import coverage
import pytest

from tests import house


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One floor: the percentage of lines and branches that the suite must run."""

    name: str
    floor: float
    include: str
    omit: str | None = None


GATES = (
    Gate(name="policies", floor=100, include="policies/*"),
    Gate(name="bot.domain", floor=100, include="bot/domain/*"),
    Gate(name="bot", floor=95, include="bot/*", omit="bot/domain/*"),
    Gate(name="adapters", floor=95, include="adapters/*"),
)

HELD = pytest.StashKey[list[str]]()


def verdict(gate: Gate, measured: coverage.Coverage) -> tuple[bool, str]:
    """Say whether the gate holds, and in words how far: with the missing lines if it does not."""
    table = io.StringIO()
    try:
        percent = measured.report(include=gate.include, omit=gate.omit, file=table)
    except coverage.exceptions.NoDataError:
        return False, f"{gate.name}: nothing was measured"
    if percent >= gate.floor:
        return True, f"{gate.name} {percent:.1f} %"
    return (
        False,
        f"{gate.name}: {percent:.2f} % covered, {gate.floor:g} % needed\n{table.getvalue()}",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Judge the gates once pytest-cov, inside this wrapper, has combined and saved its data."""
    result = yield
    if hasattr(session.config, "workerinput") or session.testsfailed:
        return result
    measured = coverage.Coverage()
    measured.load()
    session.config.stash[HELD] = []
    for gate in GATES:
        holds, words = verdict(gate, measured)
        if holds:
            session.config.stash[HELD].append(words)
        else:
            session.config.hook.pytest_runtest_logreport(report=_failure(gate, words))
    return result


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the gates that hold and the modules that grow too long, above the closing line."""
    long = house.module_too_long(config.rootpath, lines_max=house.LINES_WISHED)
    if long and not hasattr(config, "workerinput"):
        terminalreporter.write_line(f"more than {house.LINES_WISHED} lines: {', '.join(long)}")
    if held := config.stash.get(HELD, []):
        terminalreporter.write_line(f"coverage of lines and branches: {', '.join(held)}")


def _failure(gate: Gate, words: str) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=f"tests/gates.py::coverage[{gate.name}]",
        location=("tests/gates.py", None, f"coverage of {gate.name}"),
        keywords={},
        outcome="failed",
        longrepr=words,
        when="call",
    )
