"""Every way in × who asks × how the key stands × how open the installation is: what the gate says, from the routes.

The oracle below knows the roles by its own words and reads of a handler only what stands beside its route.
"""

import asyncio
import logging
import re
import time
import uuid
from collections import Counter

import jwt
import pytest
import structlog

from api.kernel import application, ports, sessions
from api.kernel.access import ROLES
from api.kernel.directory import Directory, made_key
from api.kernel.gate import Gate
from api.kernel.tokens import Bearer, Tokens
from config import token_keys
from tests.api.access.memory import Register
from tests.api.access.ports import Door, applications, doors, knocked

ADMIN_KEY = "the-admin-key"
GUARDED = ("orders", "risk", "access")
OPERATOR = {"batch:admin", "orders:delete", "risk:write", "orders:read", "risk:read"}
TRADER = {"risk:read", "risk:write"}
SECRETS = r"/webhook/telegram|/ingest"  # each asks for a secret of its own
ANYBODY = re.compile(rf"^(/|/health|/docs(/.*)?|/live/.*|/hub(/.*)?|/hub\.css|/api/v1/auth/(login|refresh)|{SECRETS})$")
MONEY = re.compile(r"^/api/(v1/)?(orders|risk|execute|access)\b")


def rights(role: str, service: str, action: str) -> bool:
    scope = f"{service}:{action}"
    match role:
        case "admin":
            return True
        case "viewer":
            return action == "read" and service != "access"
        case "operator":
            return scope in OPERATOR or (action != "admin" and service not in GUARDED)
        case "trader":
            return scope in TRADER or service == "orders" or (action in ("read", "write") and service not in GUARDED)
        case "agent" | "telegram":  # with the scopes of a trader and an operator together
            return (action != "admin" and service not in GUARDED) or scope in OPERATOR - {"batch:admin"}
        case "strategy":
            return (action != "admin" and service not in GUARDED) or scope in {"orders:write", *OPERATOR} - {
                "batch:admin"
            }
    raise AssertionError(role)


def bearers(register: Register, tokens: Tokens) -> dict[str, tuple[dict[str, str], str | None]]:
    """What is sent, and whose rights it has; None: nobody's."""
    both = set(ROLES["trader"] | ROLES["operator"]) - {"orders:*"} | {"orders:write", "orders:read"}

    def key(name: str, scopes: set[str], source: str | None = None, *, good: bool = True) -> dict[str, str]:
        return {"x-api-key": register.add_key(name, scopes, source, good=good)}

    def token(session: uuid.UUID, role: str) -> dict[str, str]:
        return {"authorization": f"Bearer {tokens.issue(Bearer('p', session), role, role)}"}

    found: dict[str, tuple[dict[str, str], str | None]] = {
        "installation key": ({"x-api-key": ADMIN_KEY}, "admin"),
        "key of no form": ({"x-api-key": "tsk_x"}, None),
        "unknown key": ({"x-api-key": made_key()[1]}, None),
        "revoked admin key": (key("revoked", {"*:*"}, good=False), None),
        "empty bearer": ({"authorization": "Bearer x"}, None),
        "token of an ended session": (token(register.add_session("admin", good=False), "admin"), None),
        "token of no session": (token(uuid.uuid4(), "admin"), None),
    }
    for role, scopes in ROLES.items():
        found[f"{role}'s key"] = (key(role, set(scopes)), role)
        found[f"{role}'s token"] = (token(register.add_session(role), role), role)
    for source in ("agent", "telegram", "strategy"):
        found[f"{source}'s key"] = (key(source, both, source), source)
        found[f"{source}'s key with every scope"] = (key(f"{source} all", {"*:*"}, source), f"every {source}")
    signing = token_keys.read(tokens._data_dir)[0]
    admin = str(register.add_session("admin"))
    claims = {"iss": "tradingsystem", "sub": "p", "sid": admin, "iat": 1, "exp": int(time.time()) + 600}
    for how, forged in (
        ("over", jwt.encode({**claims, "exp": 2}, signing.secret, headers={"kid": signing.id})),
        ("of another secret", jwt.encode(claims, "s" * 64, headers={"kid": signing.id})),
        ("without signature", jwt.encode(claims, "", algorithm="none", headers={"kid": signing.id})),
    ):
        found[f"token {how}"] = ({"authorization": f"Bearer {forged}"}, None)
    return found


def answer(door: Door, role: str | None, *, sent: bool, required: bool) -> int:
    """What the gate must say."""
    access, scope = door.opt.get("access"), door.opt.get("scope", "undeclared:admin")
    if access == "open" or door.method == "OPTIONS":
        return 200
    if not sent:
        return 401 if required or door.opt.get("always") else 200
    if role is None:
        return 401
    if access in ("forwarded", "known"):
        return 200
    service, action = scope.split(":")
    if role.startswith("every "):
        proposes = role != "every strategy" and scope == "orders:write"
        return 403 if action == "admin" or service == "access" or proposes else 200
    return 200 if rights(role, service, action) else 403


class Scene:
    """All applications of an installation, and those who come."""

    def __init__(self, settings, *, required: bool) -> None:
        self.required = required
        register, tokens = Register(), Tokens(settings.data_dir)
        tokens.rotate()
        self.directory = Directory(register, tokens)  # type: ignore[arg-type]
        self.bearers = bearers(register, tokens)
        self.trader = register.add_session("trader")


@pytest.fixture(autouse=True)
def quiet():
    """Thousands of answers, and a line for each would be the test's time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


@pytest.fixture(scope="module", params=[False, True], ids=["open on this machine", "key required"])
def scene(request, settings_in, tmp_path_factory):
    mode = "required" if request.param else "loopback"
    made = settings_in(
        tmp_path_factory.mktemp("matrix"),
        TRADINGSYSTEM_API_KEY=ADMIN_KEY,
        TRADINGSYSTEM_JOURNAL_KEY="j" * 40,
        TRADINGSYSTEM_ACCESS=mode,
        RATE_LIMIT_MAX="1000000",
    )
    made.spool_dir.mkdir(parents=True, exist_ok=True)
    told = Scene(made, required=request.param)
    handle = Gate.handle

    async def passed(scope, receive, send):
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def only_the_gate(self, scope, receive, send, next_app):
        await handle(self, scope, receive, send, passed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gate, "handle", only_the_gate)
        for module in (application, ports):
            patch.setattr(module, "directory_of", lambda *_: told.directory)
        told.apps = list(applications(made))
        told.doors = [
            (app, door) for name, app, routes in told.apps for door in doors(name, routes, getattr(app, "root", ""))
        ]
        yield told


def test_the_gate_says_what_role_key_and_route_say(scene):
    async def all_of_them():
        wrong, asked = [], Counter()
        for app, door in scene.doors:
            for who, (headers, role) in {"nobody": ({}, None), **scene.bearers}.items():
                found = await knocked(app, door, headers)
                wanted = answer(door, role, sent=bool(headers), required=scene.required)
                asked[wanted] += 1
                if found != wanted:
                    wrong.append(f"{door} by {who}: expected {wanted}, found {found}")
        return wrong, asked

    wrong, asked = asyncio.run(all_of_them())

    assert wrong == []
    assert min(asked[200], asked[401], asked[403]) > 300


def test_a_session_of_a_page_changes_nothing_without_its_word(scene):
    subject = f"person.{scene.trader}"
    cookie = {"cookie": sessions.cookie(ADMIN_KEY, "/", subject).partition(";")[0]}
    word = {"x-csrf-token": sessions.csrf_token(ADMIN_KEY, subject)}
    foreign = {"origin": "https://evil.example"}

    async def all_of_them():
        wrong = []
        for app, door in scene.doors:
            free = door.opt.get("access") in ("open", "browser") or door.method in ("GET", "HEAD", "OPTIONS", "WS")
            wanted = answer(door, "trader", sent=True, required=scene.required)
            found = await knocked(app, door, cookie), await knocked(app, door, cookie | word)
            if found != (wanted if free else 403, wanted):
                wrong.append(f"{door}: {found}, expected {wanted} with the word")
            if (
                door.method not in ("GET", "HEAD", "OPTIONS")
                and await knocked(app, door, cookie | word | foreign) != 403
            ):
                wrong.append(f"{door}: a foreign page came in")
        return wrong

    assert asyncio.run(all_of_them()) == []


def test_every_route_says_what_it_asks_of_its_caller(scene):
    silent = [
        str(door) for _, door in scene.doors if not {"scope", "access"} & set(door.opt) and door.method != "OPTIONS"
    ]
    open_ones = {door.path for _, door in scene.doors if door.opt.get("access") == "open"}
    mild = [
        str(door)
        for _, door in scene.doors
        if MONEY.match(door.path)
        and door.method not in ("GET", "OPTIONS", "WS")
        and not (door.opt.get("always") or door.opt.get("access") == "forwarded")
    ]

    assert silent == []
    assert [path for path in open_ones if not ANYBODY.match(path)] == []
    assert mild == []


def test_all_ports_are_asked(scene):
    from config import manifest

    asked = {name.partition(" ")[0].partition("/")[0] for name, _, _ in scene.apps}
    ours = {s.id for s in manifest.services() if s.start and s.start.startswith("python -m") and s.id != "dagster"}

    assert ours <= asked, "an application with a port of its own belongs into tests/api/access/ports.py"
