"""What a card says of keys that are out of reach, or came from elsewhere than they should."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from pydantic import SecretStr

from bot.domain.errors import SecretError
from bot.domain.request import RequestState
from bot.flow.ports import KeyDocument
from bot.keys.fallback import FallbackKeys
from bot.sandbox.vault.records import OPENBAO
from bot.slack import answers
from tests.keys.vault_rig import entered, opened, rig_on
from tests.slack import cards


async def test_keys_that_are_out_of_reach_for_one_cause_are_one_warning():
    """A warning for each account would push all others off the card."""
    found = cards.request(8, state=RequestState.PENDING)
    with rig_on(OPENBAO) as rig:
        paths = [target.key for target in found.plan.targets]
        rig.allow(*paths[1:])
        async with opened(rig.access()) as keys:
            await entered(keys)
            denied = await answers._locked(keys, found)
            rig.fake.state.is_sealed = True
            sealed = await answers._locked(keys, found)
            assert sealed[0].startswith("Keys of acc-000, acc-001, acc-002, acc-003, ")
            assert sealed[0].endswith(": Vault is sealed. Unseal Vault.")
            assert len(sealed) == 1
    line = f'path "{rig.mount}/data/{paths[0]}" {{ capabilities = ["read"] }}'
    assert denied == [
        (
            f"Keys of acc-000: Vault denies {rig.mount}/data/{paths[0]}. "
            f"Add to the policy: {line}; or mend keys.vault.mount."
        )
    ]


async def test_keys_that_came_from_the_fallback_for_one_cause_are_one_line():
    """A hundred lines would be more than Slack takes in one message."""
    found = cards.request(2, state=RequestState.RUNNING)
    with rig_on(OPENBAO) as rig:
        async with opened(rig.access()) as keys:
            await entered(keys)
            rig.fake.state.is_sealed = True
            both = FallbackKeys(keys, Plain(), name="sealed")
            notes = [(await both.read(target.key)).note for target in found.plan.targets]
    statuses = (
        replace(each, key_note=note) for each, note in zip(cards.many(2, {}), notes, strict=True)
    )
    said = cards.whole(cards.card(found, *statuses))
    assert "Keys of acc-000, acc-001 came from the sealed fallback: Vault is sealed." in said


class Plain:
    """Gives a document for each path."""

    async def read(self, path: str) -> KeyDocument:
        return KeyDocument(text=SecretStr("{}"))

    async def unreadable(self, paths: Collection[str]) -> Mapping[str, SecretError]:
        return {}
