from __future__ import annotations

from adapters import bybit, bybit_adapter, registry


def test_bybit_is_registered_with_its_settings_and_capabilities():
    ((name, found),) = registry.venues().items()
    assert name == "bybit"
    assert found.settings is bybit.BybitSettings
    assert found.capabilities is bybit_adapter.CAPABILITIES
    assert found.connect is bybit.connect
