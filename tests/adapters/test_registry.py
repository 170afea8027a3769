from __future__ import annotations

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
