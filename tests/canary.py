"""Canary secrets: whatever the suite leaves behind must not hold one.

A plugin. The sandbox's desk has secrets that are easy to find. When the session ends, everything
that its tests kept (databases, spools, raw log records with tracebacks, wire logs, messages) is
searched for them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

CANARIES = (
    "sandbox-mm-secret-0001",
    "sandbox-arb-secret-0002",
    "sandbox-opt-secret-0003",
    "SANDBOXMM0001",
    "SANDBOXARB0002",
    "SANDBOXOPT0003",
    "sandbox-ems-key-0001",
    "sandbox-credits-key-0001",
    "2Ana1pUpv2ZbMVkwF5FXapYeBEjdxDatLn7nvJkhgTSdZd8hbDHTd21as7EAsg7ypityqfsw2pMQKJcVDVcAEsd",
    "2KqNxgmhsAH91zr5iAty4FrUwjhEAcu22kj5htCEMTWVpzJUoQBuuR51fCrJeu3wnoNFpMDZMowXVYYmoLgzv2c9",
    "47" * 32,
    "xoxb-sandbox-token",
    "xapp-sandbox-token",
    "sandbox-signing-secret",
    "sandbox passphrase 0001",
)
"""Every secret of the sandbox's desk; API keys count, for they name an account."""
MEANT = frozenset({"slack.app", "slack.token", "slack.signing", "passphrase", "credits.key"})
"""Files whose purpose is to hold a secret: 0600, read at start."""
PLANTED = "planted"
"""Folders of tests that plant a leak on purpose carry this in their name."""


def leaks(folder: Path) -> list[str]:
    """Search a folder for canaries, in every file but sources and those meant to hold one."""
    found = []
    for path in sorted(folder.rglob("*")):
        is_source = path.suffix in {".py", ".pyc"} or path.name.endswith("_vectors.json")
        is_meant = path.name in MEANT or is_source
        if is_meant or not path.is_file() or PLANTED in str(path.relative_to(folder)):
            continue
        content = path.read_bytes()
        found += [f"{path.name} holds {name[:8]}…" for name in CANARIES if name.encode() in content]
    return found


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn the session red if anything that it left holds a canary."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is None or hasattr(session.config, "workerinput"):
        return  # The controller's folder holds those of all workers.
    if found := leaks(factory.getbasetemp()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        sys.stderr.write("\n  ".join(["\nA secret leaked:", *dict.fromkeys(found)]) + "\n")
