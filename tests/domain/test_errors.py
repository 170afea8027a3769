"""An error that a person can act on reaches them, through whatever it left."""

from bot.domain import errors
from bot.domain.errors import ConfigError

KNOWN = ConfigError(user_message="It is wrong.", remedy="Mend it.")


def test_what_a_person_can_act_on_is_taken_out_of_its_groups():
    inner = BaseExceptionGroup("inner", [ValueError("a bug"), KNOWN])
    outer = BaseExceptionGroup("outer", [KeyError("another"), inner])
    assert errors.plain(outer) is KNOWN


def test_a_group_of_bugs_alone_stays_whole():
    group = BaseExceptionGroup("bugs", [ValueError("a"), BaseExceptionGroup("b", [KeyError("c")])])
    assert errors.plain(group) is group
