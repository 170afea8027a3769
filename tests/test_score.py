"""The score counts what was caught, and nothing else."""

from tests import score

LIE = "tests/adapters/conformance/test_lies.py::test_no_lie_earns_a_flat"
WRONG = "tests/soak/test_wrong_adapters.py::test_the_kit_catches_an_adapter_that"
CONFLICT = (
    "tests/adapters/conformance/test_conflicts.py::test_a_run_is_flat_whichever_source_is_right"
)


def test_a_lie_that_one_venue_gets_away_with_is_not_caught():
    lines = score.told(
        [
            (f"{LIE}[bybit hangs on cancels]", True),
            (f"{LIE}[coinapi hangs on cancels]", True),
            (f"{LIE}[bybit reads 3 s late]", True),
            (f"{LIE}[coinapi reads 3 s late]", False),
            (f"{WRONG}[bybit ignores page 2]", True),
            (f"{WRONG}[coinapi trusts the receipt]", False),
            (f"{CONFLICT}[coinapi accepted EMPTY]", True),
            ("tests/test_app.py::test_something_else", True),
        ]
    )
    assert lines == [
        "1 of 2 lies caught, told in 4 runs at 2 venues",
        "1 of 2 wrong adapters caught",
        "1 of 1 conflicting sources lived with",
    ]
