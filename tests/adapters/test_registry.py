from __future__ import annotations

import pytest

from adapters import bybit, bybit_adapter, coinapi, coinapi_adapter, registry


def test_bybit_is_registered_with_its_settings_and_capabilities():
    found = registry.venues()["bybit"]
    assert found.settings is bybit.BybitSettings
    assert found.capabilities is bybit_adapter.CAPABILITIES
    assert found.connect is bybit.connect


def test_coinapi_is_registered_with_its_settings_and_capabilities():
    found = registry.venues()["coinapi"]
    assert found.settings is coinapi.CoinapiSettings
    assert found.capabilities is coinapi_adapter.CAPABILITIES
    assert found.connect is coinapi.connect


@pytest.mark.parametrize("name", list(registry.venues()))
def test_every_venue_says_which_key_to_store(name: str):
    said = registry.venues()[name].key_should_be
    assert said.split()[0] in ("a", "an")
    assert not said.endswith(".")
