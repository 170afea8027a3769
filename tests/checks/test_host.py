"""What a check says of the host and of the config alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.checks import host, settings
from bot.config_file import WebPart
from bot.domain.finding import Finding
from tests.domain.test_plan import entry


def lines(found: list[Finding]) -> list[str]:
    return [each.line for each in found]


def test_folders_that_can_be_made_are_fine_and_left_as_they_are(tmp_path: Path):
    state = tmp_path / "one" / "state"
    assert lines(list(host.folders(state))) == [
        f"fine     host     {state}: it can be written, and its disk has room."
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_nobody_can_make_is_wrong(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    state = tmp_path / "file" / "state"
    remedy = "Let this user write there, or point dir under [state] elsewhere."
    assert lines(list(host.folders(state)))[:2] == [
        (
            f"wrong    host     {state}: it cannot be written (Not a directory): what venues "
            f"list and "
            f"nonces are not kept. {remedy}"
        ),
        (
            f"wrong    host     {state}/pulls: it cannot be written (Not a directory): cancelall "
            f"pull "
            f"records nothing there and refuses. {remedy}"
        ),
    ]


@pytest.mark.parametrize(
    ("pattern", "limit", "is_dumpable", "said"),
    [
        ("core", 0, True, "fine     host     core dumps: off."),
        ("|/usr/share/apport %p", 0, False, "fine     host     core dumps: off."),
        (
            "|/usr/share/apport %p",
            0,
            True,
            (
                "warning  host     core dumps: /proc/sys/kernel/core_pattern hands them to a "
                "program, "
                "which the limit of 0 does not stop. "
                "Write a file name there, such as core, or make sure that it keeps none."
            ),
        ),
        (
            "core",
            -1,
            True,
            (
                "wrong    host     core dumps: a crash would write keys to the disk. "
                "Set ulimit -c 0 for the process."
            ),
        ),
    ],
    ids=["limit", "not dumpable", "piped", "no limit"],
)
def test_core_dumps_are_off_or_told(
    pattern: str,
    limit: int,
    is_dumpable: bool,  # noqa: FBT001 - a table
    said: str,
):
    assert host.of_core(pattern, limit=limit, is_dumpable=is_dumpable).line == said


def config(*accounts: Any, web: str = "127.0.0.1") -> Any:
    return SimpleNamespace(
        accounts=accounts,
        policy=SimpleNamespace(rules=["prod"]),
        file=SimpleNamespace(web=WebPart(host=web)),
    )


def test_a_key_on_which_many_accounts_hang_is_told():
    five = [entry(f"mm{n}", key="keys/desk") for n in range(5)]
    fine = "fine     config   {} accounts at 1 venue, 1 rule."
    assert lines(list(settings.findings(config(*five)))) == [fine.format(5)]
    six = [*five, entry("mm5", key="keys/desk")]
    assert lines(list(settings.findings(config(*six)))) == [
        fine.format(6),
        (
            "warning  config   keys/desk: 6 accounts at bybit hang on this one key: mm0, mm1, mm2, "
            "mm3, mm4, mm5. "
            "Give each desk a key of its own: they are refused, leaked and paced together."
        ),
    ]


@pytest.mark.parametrize(
    ("where", "count"), [("127.0.0.1", 1), ("::1", 1), ("localhost", 1), ("10.0.0.7", 2), ("::", 2)]
)
def test_a_server_that_others_reach_is_told(where: str, count: int):
    assert len(list(settings.findings(config(entry("mm"), web=where)))) == count
