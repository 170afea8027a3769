"""What every test runs in: a bare environment, loopback only, and no silent skip."""

from __future__ import annotations

import errno
import gc
import ipaddress
import os
import socket
import sys
from collections.abc import Generator

import hypothesis
import pytest

pytest_plugins = ("tests.canary",)

FOREIGN = ("CANCELALL_", "SLACK_", "VAULT_")
KEPT = frozenset({"VAULT_TEST_ADDR", "VAULT_TEST_TOKEN"})
"""A real Vault or OpenBao on loopback, which the tests of `tests/keys` then ask as well."""
PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def pytest_configure(config: pytest.Config) -> None:
    """Take away what would make this machine's result differ from another's."""
    for name in list(os.environ):
        is_foreign = name.startswith(FOREIGN) and name not in KEPT
        if is_foreign or name.upper() in PROXIES:
            del os.environ[name]
    os.environ["TZ"] = "UTC"
    hypothesis.settings.register_profile(
        "house",
        deadline=None,
        derandomize=True,
        database=None,
        print_blob=True,
        max_examples=60,
    )
    hypothesis.settings.register_profile("soak", deadline=None, database=None, print_blob=True)
    hypothesis.settings.load_profile("soak" if config.getoption("markexpr") == "soak" else "house")
    sys.addaudithook(_refuse_network)
    gc.disable()  # All that is imported and collected now lives until the end.


def pytest_collection_finish() -> None:
    """Spare every collection of garbage to come the search of what lives until the end."""
    gc.freeze()
    gc.enable()


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


def _refuse_network(event: str, args: tuple[object, ...]) -> None:
    """Let the real network look unplugged; an audit hook sees every library's sockets."""
    if event == "socket.getaddrinfo" and not _is_loopback(args[0]):
        raise socket.gaierror(socket.EAI_NONAME, f"tests reach loopback only, not {args[0]}")
    if event == "socket.connect":
        address = args[1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise OSError(errno.ENETUNREACH, f"tests reach loopback only, not {address[0]}")


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and _in_ci():
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CI runs every test, yet this one was skipped: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one where CI=true."""
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped module into a failed one where CI=true."""
    report = yield
    _forbid_skip(report)
    return report
