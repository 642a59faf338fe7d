"""Port 4005 as the original's page uses it, row by row of its contract, and what came on top."""

import re

import pytest
from msgspec.structs import replace

from api.tp_capital.seals import Seals
from sql.signals import SignalStore
from tests.api.tp_capital.conftest import KEY, TOKEN
from tests.sql.test_signals import MORNING, SECOND, post, signal_of

FIELDS = {
    "ts", "channel", "signal_type", "asset", "buy_min", "buy_max", "target_1", "target_2", "target_final", "stop",
    "raw_message", "source", "ingested_at",
}  # fmt: skip
LOCAL = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-03:00"
ADMIN = {"X-API-Key": KEY}


@pytest.fixture(scope="module")
def signals(hot, emptied):
    """Six signals, a second apart."""
    emptied()
    store = SignalStore(hot)
    for number in range(6):
        seen = post(number, at=MORNING + number * SECOND, channel=("Outro", "Canal Êxito")[number % 2])
        store.keep(seen, signal_of(seen, asset=f"VALE{number}", signal_type=("Day Trade", "Swing Trade")[number % 2]))
    return store


def assets(http, **params):
    answer = http.get("/signals", params=params)
    assert answer.status_code == 200, answer.text
    return [each["asset"] for each in answer.json()["data"]]


def test_get_root(http):
    """GET /"""
    body = http.get("/").json()

    assert body["status"] == "ok"
    assert body["message"]
    assert {"GET /signals", "DELETE /signals", "PUT /telegram/bots/{bot_id}"} <= set(body["endpoints"])


def test_get_health(http):
    """GET /health"""
    answer = http.get("/health")

    assert answer.status_code == 200
    assert {
        "status": "ok",
        "questdb": True,
        "ok": True,
        "service": "tp-capital-signals",
    }.items() <= answer.json().items()


def test_get_metrics(http, signals):
    """GET /metrics"""
    http.get("/health")
    http.get("/signals")
    text = http.get("/metrics").text

    assert "tp_capital_questdb_health 1.0" in text
    assert 'tp_capital_query_duration_seconds_count{operation="select"}' in text
    assert 'route="/signals"' in text


def test_get_signals(http, signals):
    """GET /signals: newest first, filters as the page sends them, unknown parameters ignored."""
    body = http.get("/signals", params={"_t": "1764349000", "channel": "", "type": "", "search": ""}).json()
    first = body["data"][0]

    assert set(body) == {"data"}
    assert set(first) == FIELDS
    assert (first["ts"], first["target_1"], first["stop"]) == ("2026-11-17T13:30:05.000000Z", None, 27.9)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}000Z", first["ingested_at"])
    assert [each["asset"] for each in body["data"]] == [f"VALE{number}" for number in (5, 4, 3, 2, 1, 0)]
    assert assets(http, limit=2, offset=1) == ["VALE4", "VALE3"]
    assert assets(http, limit=0) == ["VALE5"]
    assert assets(http, limit=-5, channel="Outro") == ["VALE4"]
    assert len(assets(http, limit=10**9)) == 6
    assert assets(http, channel="Canal Êxito") == ["VALE5", "VALE3", "VALE1"]
    assert assets(http, type="Day Trade") == ["VALE4", "VALE2", "VALE0"]
    assert assets(http, search="vale2") == ["VALE2"]
    assert assets(http, search="POST 3", limit=1) == ["VALE3"]


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        ("1794922204000", None, ["VALE5", "VALE4"]),
        ("2026-11-17T13:30:04Z", "2026-11-17T10:30:04-03:00", ["VALE4"]),
        ("2026-11-17", "2026-11-18", ["VALE5", "VALE4", "VALE3", "VALE2", "VALE1", "VALE0"]),
        ("2025", "2026", []),  # digits alone are milliseconds
        (None, "2026-11-17T13:30:01", ["VALE1", "VALE0"]),
    ],
)
def test_get_signals_of_a_time(http, signals, since, until, found):
    """GET /signals: `from` and `to` as epoch milliseconds or as a date, both inclusive."""
    params = {name: value for name, value in (("from", since), ("to", until)) if value}

    assert assets(http, **params) == found


@pytest.mark.parametrize(
    "params", [{"from": "yesterday"}, {"to": "9" * 15}, {"from": "2026-13-01"}, {"limit": "many"}, {"offset": "-1"}]
)
def test_get_signals_says_what_it_does_not_understand(http, params):
    """GET /signals: an error has `error`."""
    answer = http.get("/signals", params=params)

    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert next(iter(params)) in answer.json()["error"]


def test_delete_signals(http, signals):
    """DELETE /signals: by `ingested_at`, as it came or cut to milliseconds; archived with who did it."""
    for number in (7, 8):
        seen = post(number, at=MORNING + number * SECOND, channel="Canal de ontem")
        signals.keep(seen, signal_of(seen, asset=f"VALE{number}"))
    rows = http.get("/signals", params={"channel": "Canal de ontem"}).json()["data"]
    whole, cut = rows[0]["ingested_at"], rows[1]["ingested_at"].replace("000Z", "Z")

    done = http.request("DELETE", "/signals", json={"ingestedAt": whole, "more": 1}, headers={"x-user-id": "ana"})
    assert (done.status_code, done.json()) == (200, {"status": "ok", "deleted": 1})
    assert http.request("DELETE", "/signals", json={"ingestedAt": cut}).json()["status"] == "ok"
    assert http.request("DELETE", "/signals", json={"ingestedAt": whole}).json() == {"status": "ok", "deleted": 0}

    assert assets(http) == ["VALE5", "VALE4", "VALE3", "VALE2", "VALE1", "VALE0"]
    gone = {each["asset"]: each for each in http.get("/signals/deleted").json()["data"]}
    assert (gone["VALE8"]["deleted_by"], gone["VALE8"]["deleted_from"]) == ("ana", "127.0.0.1")
    assert gone["VALE7"]["deleted_by"] == "anonymous"
    assert http.get("/logs", params={"limit": 1}).json()["data"][0]["message"] == "signal deleted"


@pytest.mark.parametrize("body", [{}, {"ingestedAt": ""}, {"ingestedAt": "soon"}, {"ingestedAt": 5}, [1]])
def test_delete_signals_needs_a_name(http, body):
    """DELETE /signals: 400 when `ingestedAt` is missing or no instant."""
    answer = http.request("DELETE", "/signals", json=body)

    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)


def test_delete_signals_of_nothing(http):
    assert http.request("DELETE", "/signals", json={"ingestedAt": "2026-01-01T00:00:00Z"}).status_code == 404


def test_options_and_channels(http, signals):
    """GET /channels, and GET /signals/options on top."""
    body = http.get("/channels").json()

    assert [(each["channel"], each["signal_count"]) for each in body["data"]] == [("Canal Êxito", 3), ("Outro", 3)]
    assert body["data"][0]["last_signal"] == "2026-11-17T13:30:05.000000Z"
    assert body["source"] == "questdb"
    assert re.fullmatch(LOCAL, body["timestamp"])
    options = http.get("/signals/options").json()["data"]
    assert options == {"channels": ["Canal Êxito", "Outro"], "types": ["Day Trade", "Swing Trade"]}


def test_get_logs(http):
    """GET /logs"""
    lines = http.get("/logs", params={"level": "warn", "limit": 10}).json()["data"]

    assert [line["message"] for line in lines][-1:] == ["TELEGRAM_INGESTION_BOT_TOKEN is not set: no channel is read"]
    assert set(lines[0]) == {"timestamp", "level", "message", "context"}
    assert http.get("/logs", params={"level": "loud"}).status_code == 400
    assert http.get("/logs", params={"limit": 0}).status_code == 400


def test_get_bots_and_configured_channels(served):
    """GET /bots, GET /config/channels: as configured, no token in them."""
    with served(source_channels="-1001, x,,0, -1002", destination=-1009, telegram_mode="Webhook") as http:
        state, channels = http.get("/bots").json()["data"], http.get("/config/channels").json()

    assert {"configured": False, "mode": "polling", "webhook": None, "status": "running"}.items() <= state.items()
    assert re.fullmatch(LOCAL, state["timestamp"])
    assert channels["data"] == [
        {"channelId": -1001, "type": "source"},
        {"channelId": -1002, "type": "source"},
        {"channelId": -1009, "type": "destination"},
    ]
    assert re.fullmatch(LOCAL, channels["timestamp"])


def test_registered_bots(http, hot, empty):
    """GET, POST /telegram/bots; PUT, DELETE /telegram/bots/{id}: the token never comes back, and is sealed at rest."""
    body = {"username": "robô", "token": TOKEN, "more": True}
    assert http.post("/telegram/bots", json=body).status_code == 401  # tokens need a key, from here too
    made = http.post("/telegram/bots", json=body, headers=ADMIN | {"x-user-id": "ana"})
    assert made.status_code == 200
    name = made.json()["id"]
    assert made.json()["status"] == "ok"
    assert re.fullmatch(r"bot-\d{13}-[0-9a-z]{7}", name)

    listed = http.get("/telegram/bots").json()
    (bot,) = listed["data"]
    assert (bot["bot_type"], bot["status"], bot["description"]) == ("Sender", "active", "")
    assert bot["token"] == "7700********AAAA"
    assert re.fullmatch(LOCAL, listed["timestamp"])
    (stored,) = hot.rows("SELECT token FROM telegram_bots")
    assert TOKEN not in stored["token"]
    assert "A" * 8 not in stored["token"]

    changed = {"description": "lê", "status": "inactive", "token": bot["token"]}  # a form sends the mask back
    assert http.put(f"/telegram/bots/{name}", json=changed, headers=ADMIN).json() == {"status": "ok"}
    (now,) = http.get("/telegram/bots").json()["data"]
    assert (now["description"], now["status"], now["token"]) == ("lê", "inactive", "7700********AAAA")
    assert now["created_at"] == bot["created_at"] < now["updated_at"]
    assert http.put(f"/telegram/bots/{name}", json={"token": "9" + TOKEN[1:]}, headers=ADMIN).status_code == 200
    assert http.get("/telegram/bots").json()["data"][0]["token"] == "9700********AAAA"

    assert http.put(f"/telegram/bots/{name}", json={}, headers=ADMIN).status_code == 400
    assert http.put("/telegram/bots/bot-1-none", json=changed, headers=ADMIN).status_code == 404
    assert http.put("/telegram/bots/bot-%00", json=changed, headers=ADMIN).status_code == 400
    assert http.delete(f"/telegram/bots/{name}", headers=ADMIN).json() == {"status": "ok"}
    assert http.delete(f"/telegram/bots/{name}", headers=ADMIN).status_code == 404
    assert http.get("/telegram/bots").json()["data"] == []
    history = http.get(f"/telegram/bots/{name}/history").json()["data"]
    assert [each["status"] for each in history] == ["deleted", "inactive", "inactive", "active"]
    assert (history[-1]["changed_by"], history[-1]["changed_from"]) == ("ana", "127.0.0.1")


def test_registered_channels(http, empty):
    """GET, POST /telegram/channels; PUT, DELETE /telegram/channels/{id}: numbers below zero, counters kept."""
    made = http.post("/telegram/channels", json={"label": "Sala", "channel_id": "-1001234567890"})
    assert made.status_code == 200
    name = made.json()["id"]
    assert re.fullmatch(r"channel-\d{13}-[0-9a-z]{7}", name)
    (channel,) = http.get("/telegram/channels").json()["data"]
    assert (channel["channel_id"], channel["channel_type"], channel["signal_count"]) == (-1001234567890, "source", 0)
    assert channel["last_signal"] is None

    changes = {"signal_count": 7, "last_signal": "2026-11-17T13:30:00.000Z", "channel_id": -5, "status": "inactive"}
    assert http.put(f"/telegram/channels/{name}", json=changes).json() == {"status": "ok"}
    assert http.delete(f"/telegram/channels/{name}").json() == {"status": "ok"}
    assert http.delete(f"/telegram/channels/{name}").status_code == 404
    assert http.put(f"/telegram/channels/{name}", json=changes).status_code == 404
    gone, before, first = http.get(f"/telegram/channels/{name}/history").json()["data"]
    assert (gone["status"], gone["signal_count"], before["channel_id"]) == ("deleted", 7, -5)
    assert before["last_signal"] == "2026-11-17T13:30:00Z"
    assert gone["created_at"] == first["created_at"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/telegram/bots", {"token": TOKEN}, "username"),
        ("/telegram/bots", {"username": "x"}, "token"),
        ("/telegram/bots", {"username": " ", "token": TOKEN}, "username"),
        ("/telegram/bots", {"username": "x", "token": TOKEN, "bot_type": "Spy"}, "bot_type"),
        ("/telegram/bots", {"username": "a\0b", "token": TOKEN}, "username"),
        ("/telegram/channels", {"channel_id": 1}, "label"),
        ("/telegram/channels", {"label": "x"}, "channel_id"),
        ("/telegram/channels", {"label": "x", "channel_id": "1e5"}, "channel_id"),
        ("/telegram/channels", {"label": "x", "channel_id": 2**63}, "channel_id"),
        ("/telegram/channels", {"label": "x", "channel_id": 0}, "channel_id"),
        ("/telegram/channels", {"label": "x", "channel_id": True}, "channel_id"),
    ],
)
def test_a_registry_says_what_is_wrong(http, path, body, field):
    """POST /telegram/bots, POST /telegram/channels: 400"""
    before = http.get(path).json()["data"]
    answer = http.post(path, json=body, headers=ADMIN)

    assert answer.status_code == 400
    assert field in [each["field"] for each in answer.json()["errors"]]
    assert answer.json()["error"]
    assert http.get(path).json()["data"] == before


def test_a_token_opens_with_its_key_for_its_owner_alone():
    sealed = Seals("one").seal("secret", "bot-1")
    assert Seals("two, one").open(sealed, "bot-1") == "secret"
    assert Seals("one").open(sealed, "bot-2") is None
    assert Seals("two").open(sealed, "bot-1") is None
    assert Seals("one").masked("in clear text", "bot-1") == "********"
    assert Seals(None).masked(sealed, "bot-1") == "********"
    with pytest.raises(Exception, match="TP_CAPITAL_TOKEN_KEY is not set"):
        Seals(None).seal("secret", "bot-1")


def test_ingest(served, empty):
    """POST /ingest: a post of another program, once."""
    told = {"channelId": -100, "messageId": 9, "timestamp": 1794922200000, "photos": []}
    text = "Ativo: PETR4\nCompra: 28,50\nStop: 27,90"
    with served(gateway_secret="let me in") as http:
        secret = {"X-Gateway-Secret": "let me in"}
        assert http.post("/ingest", json=told | {"text": text}).status_code == 401
        answers = [http.post("/ingest", json=told | {"text": text}, headers=secret).json() for _ in range(2)]
        refused = http.post("/ingest", json=told | {"messageId": 10, "text": "Bom dia\0"}, headers=secret).json()
        wrong = http.post("/ingest", json={"channelId": "x"}, headers=secret)
        rows = http.get("/signals").json()["data"]
        seen = http.get("/signals/posts").json()
        read, none, other = (
            http.get("/forwarded-messages", params=asked).json()["data"]
            for asked in ({"channelId": -100}, {"channelId": -100, "to": "1794922199999"}, {"channelId": -1})
        )

    assert answers[0] == {"success": True, "messageId": 9, "stored": True}
    assert answers[1] == {"success": True, "messageId": 9, "stored": False, "reason": "duplicate"}
    assert refused == {"success": True, "messageId": 10, "stored": False, "reason": "no_asset"}
    assert wrong.status_code == 400
    assert [(row["channel"], row["source"], row["ts"]) for row in rows] == [
        ("channel:-100", "gateway", "2026-11-17T13:30:00.000000Z")
    ]
    assert seen["counts"] == {"stored": 1, "refused:no_asset": 1}
    assert [each["text"] for each in seen["data"] if each["outcome"] == "refused"] == ["Bom dia"]
    assert {(each["messageId"], each["status"]) for each in read} == {(9, "stored"), (10, "refused")}
    assert {each["timestamp"] for each in read} == {"2026-11-17T13:30:00.000000Z"}
    assert none == other == []


def test_ingest_without_a_secret_takes_nothing(http):
    body = {"channelId": -100, "messageId": 9, "timestamp": 1794922200000, "text": "x"}

    assert http.post("/ingest", json=body, headers={"X-Gateway-Secret": ""}).status_code == 503


def test_while_questdb_is_away_it_is_said_and_nothing_is_invented(served, engines):
    """GET /health, GET /signals, DELETE /signals, GET /channels: 503 with `error`, never sample rows."""
    quest = replace(engines.questdb, pg_port=9, http_port=9)
    with served(replace(engines, questdb=quest), gateway_secret="g") as http:
        health = http.get("/health")
        answers = [
            http.get("/signals"),
            http.get("/channels"),
            http.get("/telegram/bots"),
            http.request("DELETE", "/signals", json={"ingestedAt": "2026-01-01T00:00:00Z"}),
            http.post("/telegram/channels", json={"label": "x", "channel_id": 1}),
            http.post(
                "/ingest",
                json={"channelId": 1, "messageId": 1, "text": "x", "timestamp": 1},
                headers={"X-Gateway-Secret": "g"},
            ),
        ]
        lines = http.get("/logs", params={"level": "error"}).json()["data"]

    assert (health.status_code, health.json()["questdb"], health.json()["ok"]) == (200, False, False)
    assert {answer.status_code for answer in answers} == {503}
    assert all("Retry-After" in answer.headers and "error" in answer.json() for answer in answers)
    assert [line["message"] for line in lines] == ["post not stored"]


def test_options_of_a_page_from_elsewhere(http):
    """OPTIONS *"""
    asked = {"Origin": "http://localhost:3103", "Access-Control-Request-Method": "DELETE"}

    assert http.options("/signals", headers=asked).status_code == 204
