import socket

import msgspec
import pytest

from api.kernel.server import PortTakenError, listening
from tests.api.conftest import running_api
from tests.loopback import free_port


def test_a_taken_port_is_named_with_its_setting(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = msgspec.structs.replace(settings, ports={"api-gateway": port})

        with pytest.raises(PortTakenError, match=rf"{port}.*API_GATEWAY_PORT"):
            listening(other, ["api-gateway"])


def test_a_taken_port_leaves_no_other_port_open(settings):
    free = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {"order-manager": free, "api-gateway": taken.getsockname()[1]}

        with pytest.raises(PortTakenError):
            listening(msgspec.structs.replace(settings, ports=ports), ["order-manager", "api-gateway"])

        with socket.socket() as again:
            again.bind(("127.0.0.1", free))


def test_the_process_ends_by_sigterm_with_zero(settings_in, tmp_path, process_environment_of):
    settings = settings_in(tmp_path)
    running = running_api(settings, process_environment_of(settings))
    with running:
        assert running.stop() == 0


def test_the_process_names_a_taken_port_and_ends_with_two(settings_in, tmp_path, process_environment_of):
    import subprocess
    import sys

    settings = settings_in(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.ports["api-gateway"]))
        taken.listen()
        ended = subprocess.run(
            [sys.executable, "-m", "api"],
            env=process_environment_of(settings),
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    assert ended.returncode == 2
    assert "API_GATEWAY_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr
