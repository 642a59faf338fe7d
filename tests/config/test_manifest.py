import pytest

from config import manifest


def test_ids_and_ports_are_unique():
    services = manifest.services()
    ports = [service.port for service in services if service.port]

    assert len({service.id for service in services}) == len(services)
    assert len(set(ports)) == len(ports)


def test_needs_name_services_that_come_earlier():
    seen: set[str] = set()
    for service in manifest.services():
        assert set(service.needs) <= seen
        seen.add(service.id)


def test_an_unknown_service_is_answered_with_the_known_ones():
    with pytest.raises(KeyError, match="api-gateway"):
        manifest.service("gateway")


def test_a_service_is_served_by_one_that_is_started():
    started = {service.id for service in manifest.services() if service.start}
    inside = [service for service in manifest.services() if service.served_by]

    assert {service.served_by for service in inside} <= started
    assert not [service.id for service in inside if service.start]
