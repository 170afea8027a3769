from __future__ import annotations

import pytest

from adapters import bybit, bybit_adapter, registry


def test_bybit_is_registered_with_its_settings_and_capabilities():
    found = registry.kind("bybit")
    assert registry.venues() == {"bybit": found}
    assert found.settings is bybit.BybitSettings
    assert found.capabilities is bybit_adapter.CAPABILITIES
    assert found.connect is bybit.connect


def test_an_unknown_venue_is_refused_with_the_known_names():
    with pytest.raises(LookupError, match=r"unknown venue 'bibyt'; known are: bybit"):
        registry.kind("bibyt")
