"""A stand-in for Telegram's Bot API server: what its documentation says about updates, webhooks, sending and errors.

Runs in a thread on a port of its own. Every request wakes whoever waits in `until`.
"""

import asyncio
import json
import threading
import time
from urllib.parse import parse_qs

import uvicorn

HTTPS_ONLY = "bad webhook: An HTTPS URL must be provided for webhook"
LONGEST_POLL = 50.0
METHODS = ("getMe", "getUpdates", "setWebhook", "deleteWebhook", "sendMessage", "copyMessage")  # in any case


class Account:
    """One bot as the server knows it."""

    def __init__(self, token):
        self.token = token
        self.id = int(token.split(":", maxsplit=1)[0])
        self.waiting = []  # updates that nobody confirmed
        self.allowed = None
        self.webhook = None
        self.asking = 0  # number of the newest getUpdates: an older one is cut off
        self.news = asyncio.Event()


class BotApi:
    """The server; `calls` are the requests it answered, `faults` what it answers instead."""

    def __init__(self):
        self.accounts = {}
        self.calls = []  # (method, values)
        self.faults = {}  # method -> list of (status, description, parameters)
        self.posts = {}  # chat -> the last number of a post
        self.delivered_to = None  # where calls of webhooks are sent, as a proxy behind the public address would
        self._update = 1_000
        self._changed = threading.Condition()
        self._loop = None

    def __enter__(self):
        self._server = uvicorn.Server(
            uvicorn.Config(self._answer, port=0, log_config=None, lifespan="off", interface="asgi3")
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.until(lambda: self._server.started)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_):
        self._server.should_exit = self._server.force_exit = True
        self._wake()
        self._thread.join(10)

    def _serve(self):
        async def run():
            self._loop = asyncio.get_running_loop()
            await self._server.serve()

        asyncio.run(run())

    def bot(self, token):
        return self.accounts.setdefault(token, Account(token))

    def until(self, holds, seconds=20):
        """Wait until something holds that a request, or its handling, brings about."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not holds():
                assert self._changed.wait(0.05) or time.monotonic() < deadline, "it never came about"

    def said(self, method):
        return [values for name, values in list(self.calls) if name == method]

    def fails(self, method, status, description="", **parameters):
        self.faults.setdefault(method, []).append((status, description, parameters))

    # --- what happens in channels ---
    def post(self, chat, text=None, *, title="Canal", date=None, number=None, edit_date=None, **values):
        """A post of a channel, told to every bot; its number."""
        self.posts[chat] = number = number or self.posts.get(chat, 0) + 1
        message = {"message_id": number, "date": date or int(time.time()), "chat": {"id": chat, "type": "channel"}}
        message["chat"] |= {"title": title} if title else {}
        message["sender_chat"] = message["chat"]
        message |= values | ({"text": text} if text is not None else {})
        kind = "edited_channel_post" if edit_date else "channel_post"
        message |= {"edit_date": edit_date} if edit_date else {}
        self.tell({kind: message})
        return number

    def tell(self, update):
        """An update for every bot that wants its kind."""
        self._update += 1
        with self._changed:  # the server's thread takes out what was confirmed
            for account in self.accounts.values():
                if account.allowed is None or set(update) & set(account.allowed):
                    account.waiting.append({"update_id": self._update} | update)
        self._wake()
        return self._update

    def deliver(self):
        """Call the webhooks with what waits, as long as they answer well; the statuses."""
        statuses = []
        for account in self.accounts.values():
            while account.webhook and account.waiting:
                headers = {"X-Telegram-Bot-Api-Secret-Token": account.webhook["secret_token"]}
                status = self.delivered_to(account.waiting[0], headers)
                statuses.append(status)
                if not 200 <= status < 300:
                    break
                account.waiting.pop(0)
        return statuses

    def _wake(self):
        if self._loop:
            for account in self.accounts.values():
                self._loop.call_soon_threadsafe(account.news.set)

    # --- the server ---
    async def _answer(self, scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        values = {name: found[0] for name, found in parse_qs(body.decode()).items()}
        status, answer = await self._result(scope["path"], values)
        with self._changed:
            self._changed.notify_all()
        raw = json.dumps(answer).encode()
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": raw})

    async def _result(self, path, values):
        _, bot, method = path.split("/", 2)
        account = self.accounts.get(bot.removeprefix("bot"))
        if account is None:
            return failure(401, "Unauthorized")
        method = next((name for name in METHODS if name.lower() == method.lower()), method)
        self.calls.append((method, values))
        if self.faults.get(method):
            return failure(*self.faults[method].pop(0))
        handler = getattr(self, f"_{method}", None)
        if handler is None:
            return failure(404, "Not Found")
        found = handler(account, values)
        return await found if asyncio.iscoroutine(found) else found

    def _getMe(self, account, _):  # noqa: N802 - the method's name
        return success({"id": account.id, "is_bot": True, "first_name": "bot", "username": f"bot{account.id}"})

    def _setWebhook(self, account, values):  # noqa: N802
        if not values["url"].startswith("https://"):
            return failure(400, f"Bad Request: {HTTPS_ONLY}")
        account.webhook = values
        account.allowed = json.loads(values.get("allowed_updates", "null"))
        return success(True)

    def _deleteWebhook(self, account, values):  # noqa: N802
        account.webhook = None
        if values.get("drop_pending_updates") == "true":
            account.waiting.clear()
        return success(True)

    async def _getUpdates(self, account, values):  # noqa: N802
        if account.webhook:
            return failure(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook")
        account.asking += 1
        mine = account.asking
        account.news.set()  # an older question ends
        if "allowed_updates" in values:
            account.allowed = json.loads(values["allowed_updates"])
        offset = int(values.get("offset", 0))
        with self._changed:
            account.waiting = [update for update in account.waiting if update["update_id"] >= offset]
        deadline = time.monotonic() + min(float(values.get("timeout", 0)), LONGEST_POLL)
        while not account.waiting and time.monotonic() < deadline and not self._server.should_exit:
            account.news.clear()
            try:
                await asyncio.wait_for(account.news.wait(), deadline - time.monotonic())
            except TimeoutError:
                break
            if account.asking != mine:
                return failure(409, "Conflict: terminated by other getUpdates request")
        return success(account.waiting[: int(values.get("limit", 100))])

    def _sendMessage(self, account, values):  # noqa: N802
        chat = int(values["chat_id"])
        number = self.posts[chat] = self.posts.get(chat, 0) + 1
        return success({"message_id": number, "date": int(time.time()), "chat": {"id": chat, "type": "channel"}})

    def _copyMessage(self, account, values):  # noqa: N802
        return success({"message_id": 1})


def success(result):
    return 200, {"ok": True, "result": result}


def failure(status, description, parameters=None):
    body = {"ok": False, "error_code": status, "description": description or "Bad Request"}
    return status, body | ({"parameters": parameters} if parameters else {})


def posting(client, path="/webhook/telegram"):
    """Delivers calls of a webhook to `client`."""
    return lambda update, headers: client.post(path, json=update, headers=headers).status_code
