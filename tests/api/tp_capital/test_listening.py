"""The bots against a stand-in of Telegram's server: nothing is lost, nothing is stored twice, no token is told."""

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from config.settings import SettingsError
from sql.errors import StatementError, StoreUnavailableError, UnfitValueError
from sql.signals import SignalStore
from tests.api.tp_capital.bot_api import posting
from tests.api.tp_capital.conftest import FORWARDER, TOKEN

CHANNEL, OTHER = -1001, -1002
SIGNAL = "Ativo: PETR4\nCompra: 28,50\nAlvo 1: 30\nStop: 27,90"
SECRET = "s3cret_-"
NOW = 1_794_922_200


@pytest.fixture
def read(served, telegram, empty):
    """Serves with a bot that reads channels."""

    def serve(**values):
        telegram.bot(TOKEN)
        return served(ingestion_token=TOKEN, api_url=telegram.url, **values)

    return serve


def confirmed(telegram, token=TOKEN):
    """Everything that was told was taken."""
    telegram.until(lambda: not telegram.bot(token).waiting and telegram.said("getUpdates"))


def stored(http):
    return [(row["asset"], row["stop"], row["channel"]) for row in http.get("/signals").json()["data"]]


def metric(http, name, **labels):
    for family in text_string_to_metric_families(http.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


def messages(http, level=None):
    return [line["message"] for line in http.get("/logs", params={"level": level} if level else {}).json()["data"]]


def test_posts_of_channels_are_stored_answered_and_counted(read, telegram):
    with read() as http:
        telegram.post(CHANNEL, SIGNAL)
        telegram.post(CHANNEL, None, caption=SIGNAL.replace("PETR4", "VALE3"), photo=[])
        telegram.post(OTHER, "Bom dia! Hoje tem live", title=None)
        telegram.post(OTHER, None, sticker={})
        telegram.tell({"channel_post": {"message_id": "what"}})
        confirmed(telegram)
        telegram.until(lambda: len(telegram.said("sendMessage")) == 2)

        assert stored(http)[::-1] == [("PETR4", 27.9, "Canal"), ("VALE3", 27.9, "Canal")]
        refused = http.get("/signals/posts", params={"outcome": "refused"}).json()["data"]
        reasons = {(each["channel"], each["reason"]) for each in refused}
        assert reasons == {("channel:-1002", "no_asset"), ("Canal", "empty")}
        assert http.get("/signals/posts").json()["counts"] == {"stored": 2, "refused:no_asset": 1, "refused:empty": 1}
        receipt = telegram.said("sendMessage")[0]
        assert (receipt["chat_id"], receipt["disable_notification"]) == (str(CHANNEL), "true")
        assert receipt["text"].startswith("[OK] PETR4 processado as ")
        assert metric(http, "tp_capital_signals_ingested_total", channel="Canal", signal_type="Swing Trade") == 2
        assert metric(http, "tp_capital_parse_errors_total", channel="channel:-1002", error_type="no_asset") == 1
        assert metric(http, "tpcapital_gateway_messages_processed_total", status="parse_failed") == 2
        state = http.get("/bots").json()["data"]
        assert (state["configured"], state["bots"]["ingestion bot"]) == (True, "listening")
        assert "an update of Telegram could not be read" in messages(http, "error")
        assert TOKEN not in http.get("/bots").text + http.get("/logs").text


def test_own_posts_are_no_posts_and_edits_replace(read, telegram):
    with read() as http:
        now = int(time.time())
        number = telegram.post(CHANNEL, SIGNAL, date=now - 60)
        telegram.post(CHANNEL, "[OK] PETR4 processado as 10:00:00")
        telegram.post(CHANNEL, SIGNAL, **{"from": {"id": 7700000001, "is_bot": True, "first_name": "bot"}})
        telegram.post(CHANNEL, SIGNAL.replace("27,90", "28,00"), number=number, date=now - 60, edit_date=now - 30)
        telegram.post(CHANNEL, "Encerrado", number=number, date=now - 60, edit_date=now)
        telegram.post(CHANNEL, SIGNAL, date=now - 30 * 86_400, edit_date=now - 20)  # its signal has left hot
        telegram.tell({"channel_post": {"message_id": 1, "date": now, "chat": {"id": 5, "type": "channel"}, "new": 1}})
        confirmed(telegram)
        telegram.until(lambda: telegram.said("sendMessage"))

        assert stored(http) == [("PETR4", 28.0, "Canal")]
        assert http.get("/signals/posts").json()["counts"] == {
            "stored": 1, "updated": 1, "refused:cancelled": 1, "refused:empty": 1, "refused:too_old": 1
        }  # fmt: skip
        assert "edited post is no signal; the one before stays" in messages(http, "warn")
        assert len(telegram.said("sendMessage")) == 1


def test_what_was_posted_while_nobody_listened_is_caught_up_and_nothing_comes_twice(read, telegram):
    telegram.bot(TOKEN)
    telegram.post(CHANNEL, SIGNAL)
    telegram.bot(TOKEN).webhook = {"url": "https://old.example/hook"}  # left by an earlier mode: polling takes it away
    with read(receipts=False) as http:
        confirmed(telegram)
        assert stored(http) == [("PETR4", 27.9, "Canal")]
    before = list(telegram.bot(TOKEN).waiting)
    number = telegram.posts[CHANNEL]
    telegram.post(CHANNEL, SIGNAL, number=number, date=NOW)  # never confirmed by the process that died
    with read(receipts=False) as http:
        telegram.post(CHANNEL, SIGNAL, number=number, date=NOW)
        confirmed(telegram)

        counts = http.get("/signals/posts").json()["counts"]
        assert before == []
        assert counts == {"stored": 2}  # two dates are two posts; the one that came twice is one
        assert metric(http, "tpcapital_gateway_messages_processed_total", status="duplicate") == 1


def test_a_store_that_is_away_is_waited_for_and_no_update_is_confirmed_before(read, telegram, monkeypatch):
    keep, troubles = SignalStore.keep, [StoreUnavailableError("away")] * 3 + [StatementError("disk")] * 9

    def failing(self, post, signal):
        if troubles:
            raise troubles.pop(0)
        return keep(self, post, signal)

    monkeypatch.setattr(SignalStore, "keep", failing)
    with read() as http:
        telegram.post(CHANNEL, SIGNAL)
        confirmed(telegram)

        assert stored(http) == [("PETR4", 27.9, "Canal")]
        assert http.waits[:6] == [1, 2, 4, 8, 16, 30]
        assert metric(http, "tpcapital_gateway_messages_processed_total", status="failed") == 12
        assert metric(http, "tp_capital_questdb_errors_total") == 12

        troubles += [StatementError("this very row"), UnfitValueError("and it is odd")] * 5
        telegram.post(CHANNEL, SIGNAL)
        telegram.post(CHANNEL, SIGNAL.replace("PETR4", "VALE3"))
        confirmed(telegram)
        assert [asset for asset, *_ in stored(http)] == ["VALE3", "PETR4"]
        assert "update left out: the store refuses it" in messages(http, "error")


def test_errors_of_telegram_are_waited_out_as_long_as_it_says(read, telegram):
    telegram.fails("getMe", 401, "Unauthorized")
    telegram.fails("getUpdates", 500, "Internal Server Error")
    telegram.fails("getUpdates", 429, "Too Many Requests: retry after 17", retry_after=17)
    telegram.fails("getUpdates", 409, "Conflict: terminated by other getUpdates request")
    telegram.fails("sendMessage", 429, "Too Many Requests: retry after 9", retry_after=9)
    telegram.fails("sendMessage", 200)
    with read() as http:
        telegram.post(CHANNEL, SIGNAL)
        telegram.until(lambda: len(telegram.said("sendMessage")) == 2)
        confirmed(telegram)

        assert stored(http) == [("PETR4", 27.9, "Canal")]
        assert 17 in http.waits
        assert 9 in http.waits
        assert metric(http, "tpcapital_gateway_polling_errors_total", type="flood") == 1
        assert metric(http, "tpcapital_gateway_polling_errors_total", type="conflict") == 1
        assert metric(http, "tpcapital_gateway_polling_errors_total", type="token") == 1
        assert http.get("/health").json()["questdb"] is True
        assert TOKEN not in http.get("/logs").text


def test_a_webhook_opens_with_its_secret_alone_and_keeps_what_was_not_stored(read, telegram, monkeypatch):
    with read(
        telegram_mode="webhook", webhook_url="https://signals.example/webhook/telegram", webhook_secret=SECRET
    ) as http:
        telegram.delivered_to = posting(http)
        telegram.until(lambda: telegram.bot(TOKEN).webhook)
        assert telegram.said("setWebhook")[0]["secret_token"] == SECRET
        telegram.post(CHANNEL, SIGNAL)
        monkeypatch.setattr(telegram, "delivered_to", lambda update, _: posting(http)(update, {}))
        assert telegram.deliver() == [401]
        monkeypatch.undo()

        telegram.delivered_to = posting(http)
        with monkeypatch.context() as patch:
            patch.setattr(SignalStore, "keep", lambda *_: (_ for _ in ()).throw(StoreUnavailableError("away")))
            assert telegram.deliver() == [503]
        assert telegram.deliver() == [200]
        assert stored(http) == [("PETR4", 27.9, "Canal")]

        secret = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        for odd in (
            b"",
            b"{",
            b"[]",
            b'{"update_id":1}',
            b'{"update_id":1,"message":{"x":1}}',
            b'{"update_id":1,"channel_post":3}',
        ):
            assert http.post("/webhook/telegram", content=odd, headers=secret).status_code == 200, odd
        state = http.get("/bots").json()["data"]
        assert (state["mode"], state["webhook"]) == (
            "webhook", {"url": "https://signals.example/webhook/telegram", "hasSecretToken": True}
        )  # fmt: skip
        telegram.until(lambda: telegram.said("sendMessage"))


def test_a_webhook_is_closed_where_nobody_is_to_call(served):
    with served(webhook_secret=SECRET) as http:
        answer = http.post("/webhook/telegram", json={}, headers={"X-Telegram-Bot-Api-Secret-Token": SECRET})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "values",
    [
        {"telegram_mode": "webhook", "webhook_url": "https://x"},
        {"telegram_mode": "webhook", "webhook_secret": "x"},
        {"forwarder_token": TOKEN},
    ],
)
def test_settings_that_cannot_go_together_stop_the_start(served, values):
    with pytest.raises(SettingsError), served(ingestion_token=TOKEN, **values):
        pass


def test_posts_of_source_channels_are_copied_and_others_are_not(served, telegram, empty):
    telegram.bot(FORWARDER)
    telegram.fails("copyMessage", 429, "Too Many Requests", retry_after=4)
    with served(
        forwarder_token=FORWARDER, api_url=telegram.url, source_channels=f"{CHANNEL}", destination=-1009
    ) as http:
        telegram.post(CHANNEL, "anything")
        telegram.post(OTHER, "not this")
        telegram.post(CHANNEL, "edited", number=1, edit_date=int(time.time()))
        confirmed(telegram, FORWARDER)

        copies = [(each["chat_id"], each["from_chat_id"], each["message_id"]) for each in telegram.said("copyMessage")]
        assert set(copies) == {("-1009", str(CHANNEL), "1")}
        assert len(copies) == 2  # the first was refused for a while
        assert 4 in http.waits
        assert "post forwarded" in messages(http)
        assert http.get("/signals").json()["data"] == []
