"""GET /health of the workspace, GET /metrics"""

import re

import msgspec
from litestar.testing import TestClient

from api.kernel.application import create_app
from api.workspace.service import workspace


def test_get_health(http):
    answer = http.get("/health")
    body = answer.json()

    assert (answer.status_code, body["status"], body["ok"]) == (200, "healthy", True)
    assert (body["service"], body["dbStrategy"]) == ("workspace-api", "timescaledb")
    assert body["timestamp"].endswith("Z")
    assert "success" not in body


def test_get_health_without_a_database(workspace_settings, free_tcp_port):
    postgres = msgspec.structs.replace(workspace_settings.postgres, port=free_tcp_port)
    settings = msgspec.structs.replace(workspace_settings, postgres=postgres)
    with TestClient(create_app(settings, workspace(settings)), base_url="http://127.0.0.1:3200") as client:
        health, items = client.get("/health"), client.get("/api/items")

    assert (health.status_code, health.json()["success"], health.json()["status"]) == (500, False, "unhealthy")
    assert health.json()["errors"]
    assert (items.status_code, items.json()["success"]) == (503, False)
    assert items.headers["retry-after"]
    told = health.text + items.text
    alone = rf"(?<![0-9a-f]){free_tcp_port}(?![0-9a-f])"  # digits like these may stand in a time or an id
    assert not re.search(alone, told)


def test_get_metrics(http):
    http.get("/api/items")
    text = http.get("/metrics").text

    assert 'tradingsystem_db_queries_total{operation="select",service="workspace-api",status="success"}' in text
    assert 'route="/api/items"' in text
