"""Who sits at this console: the user whom the kernel names, and who they are to the policy.

Owns that reading. Nobody is asked who they are, and no environment variable is believed.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from bot.domain.errors import UsageError
from policies.model import Actor

LOGIN_UID = Path("/proc/self/loginuid")
"""Who logged in: the kernel keeps it through sudo and su, and nobody without rights changes it.

https://man7.org/linux/man-pages/man8/pam_loginuid.8.html, read 2026-11-21."""
UID_MAP = Path("/proc/self/uid_map")
UNSET = 2**32 - 1
"""What stands there where no login was recorded, as in most containers."""


def user(login_uid: Path = LOGIN_UID, uid_map: Path = UID_MAP) -> str:
    """Return the name of whoever logged in; where no login was recorded, of whose process this is.

    Keys belong to the service's own user, so people reach them by `sudo -u`: that must not hide
    them.
    """
    number = os.getuid()
    try:
        logged_in = int(login_uid.read_text())
    except (OSError, ValueError):
        logged_in = UNSET
    if logged_in != UNSET:
        number = logged_in
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = f"uid {number}"
    return f"{name} in a namespace" if _is_mapped(uid_map) else name


def _is_mapped(uid_map: Path) -> bool:
    """Tell whether the numbers here are not the host's: anybody may map theirs to anybody's.

    https://man7.org/linux/man-pages/man7/user_namespaces.7.html, read 2026-11-21.
    """
    try:
        return uid_map.read_text().split() != ["0", "0", str(UNSET)]
    except OSError:
        return False


def actor(name: str, people: Mapping[str, str]) -> Actor:
    """Return whom the policy knows by a user of this host.

    Raises:
        UsageError: the config maps nobody to that user.
    """
    person = people.get(name)
    if person is None:
        raise UsageError(
            user_message=f"The config knows nobody at a console as {name}.",
            remedy=f'Log in as a user who stands there, or add {name} = "U…" under '
            "[console] people.",
        )
    return Actor(user_id=person, person_id=person, name=name)
