"""Every safety check, how to take it out, and the test that must then fail.

Run by `make soak`. A check whose removal no test notices is no check.
"""

from tests.soak import safety_of_doors, safety_of_page, safety_of_people, safety_of_runs

REMOVALS = [
    *safety_of_people.REMOVALS,
    *safety_of_runs.REMOVALS,
    *safety_of_doors.REMOVALS,
    *safety_of_page.REMOVALS,
]
