"""People log in: sessions that end, tokens that cannot be made up, cookies that no foreign page rides on."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest

from api.kernel import sessions
from api.kernel.tokens import ACCESS_SECONDS, ISSUER
from config import token_keys
from tests.api.access.conftest import ADMIN, ADMIN_KEY, PASSWORD

SEEN, CHANGED, ORDERED, CANCELLED, LIMITED = (
    ("GET", "/api/things"),
    ("POST", "/api/things"),
    ("POST", "/api/orders"),
    ("DELETE", "/api/orders"),
    ("POST", "/api/limits"),
)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", [SEEN]),
        ("operator", [SEEN, CHANGED, CANCELLED]),
        ("trader", [SEEN, CHANGED, ORDERED, CANCELLED]),
        ("admin", [SEEN, CHANGED, ORDERED, CANCELLED, LIMITED]),
    ],
)
def test_a_role_does_what_its_scopes_say(http, login, role, allowed):
    header = login(role)["header"]
    calls = (SEEN, CHANGED, ORDERED, CANCELLED, LIMITED)
    found = [call for call in calls if http.request(*call, headers=header).status_code == 200]

    assert found == allowed


def test_a_login_says_who_one_is_and_never_a_password(http, login):
    made = login("trader")
    me = http.get("/api/v1/auth/me", headers=made["header"]).json()

    assert (me["name"], me["kind"], me["source"]) == (made["name"], "person", None)
    assert "orders:*" in me["scopes"]
    people = http.get("/api/v1/access/people", headers=ADMIN)
    assert PASSWORD not in people.text
    assert "argon2" not in people.text
    assert next(p for p in people.json()["data"] if p["name"] == made["name"])["lastLoginAt"]


@pytest.mark.parametrize(
    ("change", "seen", "ordered"),
    [({"role": "viewer"}, 200, 403), ({"active": False}, 401, 401), ({"password": PASSWORD[::-1]}, 401, 401)],
)
def test_what_is_changed_of_a_person_counts_for_open_sessions(http, login, change, seen, ordered):
    made = login("trader")
    answer = http.patch(f"/api/v1/access/people/{made['name']}", json=change, headers=ADMIN)

    assert answer.status_code == 200, answer.text
    assert http.request(*SEEN, headers=made["header"]).status_code == seen
    assert http.request(*ORDERED, headers=made["header"]).status_code == ordered
    renewed = http.post("/api/v1/auth/refresh", json={"refreshToken": made["refreshToken"]})
    assert renewed.status_code == seen


def test_a_logout_ends_the_session_with_all_its_tokens(http, login):
    made, other = login(), login()
    answer = http.post("/api/v1/auth/logout", headers=made["header"])

    assert answer.status_code == 200
    assert http.request(*SEEN, headers=made["header"]).status_code == 401
    assert http.post("/api/v1/auth/refresh", json={"refreshToken": made["refreshToken"]}).status_code == 401
    assert http.request(*SEEN, headers=other["header"]).status_code == 200


def test_a_refresh_token_is_good_once_and_its_thief_ends_the_session(http, login, database):
    made = login()
    body = {"refreshToken": made["refreshToken"]}
    renewed = http.post("/api/v1/auth/refresh", json=body)
    header = {"authorization": f"Bearer {renewed.json()['accessToken']}"}
    at_once = http.post("/api/v1/auth/refresh", json=body)  # two tabs of one page do that
    seen = http.request(*SEEN, headers=header).status_code
    database.execute("UPDATE access.sessions SET refreshed_at = now() - interval '11 seconds'")
    late = http.post("/api/v1/auth/refresh", json=body)

    assert (renewed.status_code, at_once.status_code, seen, late.status_code) == (200, 409, 200, 401)
    assert http.request(*SEEN, headers=header).status_code == 401
    heir = http.post("/api/v1/auth/refresh", json={"refreshToken": renewed.json()["refreshToken"]})
    assert heir.status_code == 401
    assert http.get("/api/v1/access/audit", headers=ADMIN).json()["data"][0]["action"] == "session.spent"


@pytest.mark.parametrize(
    "token", ["", "tsr_x", f"tsr_{uuid.uuid4().hex}_{'a' * 43}"], ids=["none", "no form", "unknown"]
)
def test_a_refresh_token_of_nobody_is_refused(http, token):
    answer = http.post("/api/v1/auth/refresh", json={"refreshToken": token})

    assert answer.status_code == (400 if not token else 401)


def test_an_unknown_name_and_a_wrong_password_look_the_same(http, person):
    name = person()
    known, unknown = (
        http.post("/api/v1/auth/login", json={"name": each, "password": "not this one"}) for each in (name, "nobody")
    )

    assert known.status_code == unknown.status_code == 401
    assert known.json()["error"] == unknown.json()["error"]


def test_after_five_failures_even_the_right_password_waits(http, person):
    name = person()
    failed = [
        http.post("/api/v1/auth/login", json={"name": name, "password": f"not this one {n}"}).status_code
        for n in range(5)
    ]
    answer = http.post("/api/v1/auth/login", json={"name": name, "password": PASSWORD})

    assert failed == [401] * 5
    assert answer.status_code == 429
    assert 800 < int(answer.headers["retry-after"]) <= 901


def test_many_tries_at_once_are_no_way_around(http, person):
    name = person()

    def guess(number):
        return http.post("/api/v1/auth/login", json={"name": name, "password": f"not this one {number}"}).status_code

    with ThreadPoolExecutor(10) as threads:
        statuses = list(threads.map(guess, range(20)))

    assert (statuses.count(401), statuses.count(429)) == (5, 15)


def test_a_person_changes_the_password_with_the_old_one_alone(http, login):
    made = login()
    wrong = {"oldPassword": "not this one", "newPassword": "summer in Recife"}
    right = wrong | {"oldPassword": PASSWORD}
    weak = right | {"newPassword": made["name"] + made["name"]}
    statuses = [
        http.post("/api/v1/auth/password", json=body, headers=made["header"]).status_code
        for body in (wrong, weak, right)
    ]

    assert statuses == [401, 400, 200]
    assert http.request(*SEEN, headers=made["header"]).status_code == 401
    old = http.post("/api/v1/auth/login", json={"name": made["name"], "password": PASSWORD})
    new = http.post("/api/v1/auth/login", json={"name": made["name"], "password": "summer in Recife"})
    assert (old.status_code, new.status_code) == (401, 200)


@pytest.mark.parametrize("path", ["/api/v1/auth/logout", "/api/v1/auth/password"])
def test_a_key_has_no_session_and_no_password(http, path):
    body = {"oldPassword": "what it was", "newPassword": "what it shall be"}
    answer = http.post(path, json=body, headers=ADMIN)

    assert answer.status_code == 400
    assert "people" in answer.json()["error"]


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


FORGED = {
    "no signature": lambda c, k: jwt.encode(c, "", algorithm="none", headers={"kid": k.id}),
    "another secret": lambda c, k: jwt.encode(c, "s" * 64, algorithm="HS256", headers={"kid": k.id}),
    "the id as secret": lambda c, k: jwt.encode(c, k.id.ljust(64), algorithm="HS256", headers={"kid": k.id}),
    "another algorithm": lambda c, k: jwt.encode(c, k.secret, algorithm="HS512", headers={"kid": k.id}),
    "an unknown key": lambda c, k: jwt.encode(c, k.secret, algorithm="HS256", headers={"kid": "0"}),
    "no key": lambda c, k: jwt.encode(c, k.secret, algorithm="HS256"),
    "over": lambda c, k: jwt.encode(c | {"exp": int(time.time()) - 1}, k.secret, headers={"kid": k.id}),
    "no end": lambda c, k: jwt.encode({n: v for n, v in c.items() if n != "exp"}, k.secret, headers={"kid": k.id}),
    "another issuer": lambda c, k: jwt.encode(c | {"iss": "elsewhere"}, k.secret, headers={"kid": k.id}),
    "no session": lambda c, k: jwt.encode({n: v for n, v in c.items() if n != "sid"}, k.secret, headers={"kid": k.id}),
    "another session": lambda c, k: jwt.encode(c | {"sid": str(uuid.uuid4())}, k.secret, headers={"kid": k.id}),
    "no uuid": lambda c, k: jwt.encode(c | {"sid": "1"}, k.secret, headers={"kid": k.id}),
    "no token": lambda c, k: "a.b.c",
}


@pytest.mark.parametrize("how", FORGED)
def test_no_token_can_be_made_up(http, login, access_settings, how):
    made = login("admin")
    signing = token_keys.read(access_settings.data_dir)[0]
    forged = FORGED[how](claims_of(made["accessToken"]), signing)
    answer = http.request(*SEEN, headers={"authorization": f"Bearer {forged}"})

    assert answer.status_code == 401, how


def test_a_token_names_its_session_and_rights_come_from_the_register(http, login, access_settings):
    made = login("viewer")
    claims = claims_of(made["accessToken"])
    signing = token_keys.read(access_settings.data_dir)[0]
    promoted = jwt.encode(claims | {"role": "admin"}, signing.secret, headers={"kid": signing.id})

    assert (claims["iss"], claims["exp"] - claims["iat"]) == (ISSUER, ACCESS_SECONDS)
    assert http.request(*ORDERED, headers={"authorization": f"Bearer {promoted}"}).status_code == 403


def test_tokens_outlive_the_key_that_is_replaced(http, login):
    before = login()
    rotated = http.post("/api/v1/access/token-keys", headers=ADMIN)
    after = login()
    key_ids = [jwt.get_unverified_header(each["accessToken"])["kid"] for each in (before, after)]

    assert (rotated.status_code, rotated.json()["data"]["id"]) == (201, key_ids[1])
    assert key_ids[0] != key_ids[1]
    assert [http.request(*SEEN, headers=each["header"]).status_code for each in (before, after)] == [200, 200]


def test_a_page_gets_a_cookie_and_a_word_and_no_token(http, login):
    made = login("trader", cookie=True)
    held = http.cookies.get(sessions.NAME)
    word = {"x-csrf-token": made["csrfToken"]}
    statuses = {
        "seen": http.request(*SEEN).status_code,
        "ordered": http.request(*ORDERED, headers=word).status_code,
        "without": http.request(*ORDERED).status_code,
        "wrong": http.request(*ORDERED, headers={"x-csrf-token": "0" * 64}).status_code,
        "beyond": http.request(*LIMITED, headers=word).status_code,
        "foreign": http.request(*ORDERED, headers=word | {"origin": "https://evil.example"}).status_code,
    }

    assert (made["accessToken"], made["refreshToken"]) == (None, None)
    assert held
    assert statuses == {"seen": 200, "ordered": 200, "without": 403, "wrong": 403, "beyond": 403, "foreign": 403}
    assert http.get("/api/v1/auth/me").json()["kind"] == "person"
    out = http.post("/api/v1/auth/logout", headers=word)
    assert out.status_code == 200
    assert f"{sessions.NAME}=;" in out.headers["set-cookie"]
    stolen = {"cookie": f"{sessions.NAME}={held}"}
    assert http.request(*ORDERED, headers=stolen | word).status_code == 401


def test_the_word_of_another_session_does_not_fit(http, login):
    other = login("trader", cookie=True)["csrfToken"]
    login("trader", cookie=True)

    assert http.request(*ORDERED, headers={"x-csrf-token": other}).status_code == 403


def test_a_session_of_a_key_is_the_keys(http, key):
    made = key("things:read")
    subject = f"key.{made['data']['id']}"
    header = {"cookie": sessions.cookie(ADMIN_KEY, "/", subject).partition(";")[0]}
    me = http.get("/api/v1/auth/me", headers=header)
    http.delete(f"/api/v1/access/keys/{made['data']['id']}", headers=ADMIN)

    assert me.json()["scopes"] == ["things:read"]
    assert http.get("/api/v1/auth/me", headers=header).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "Ana", "role": "viewer"}, 400),
        ({"name": "ana", "role": "king"}, 400),
        ({"name": "ana", "role": "viewer", "password": "short"}, 400),
        ({"name": "ana", "role": "viewer", "password": "a" * 30}, 400),
        ({"name": "ana", "role": "viewer", "password": "it is ana herself"}, 400),
        ({"name": "twice", "role": "viewer", "password": PASSWORD}, 409),
    ],
)
def test_a_person_that_cannot_be_is_refused(http, body, status):
    if status == 409:
        http.post("/api/v1/access/people", json=body, headers=ADMIN)
    answer = http.post("/api/v1/access/people", json=body, headers=ADMIN)

    assert answer.status_code == status, answer.text


def test_a_password_that_is_made_here_is_answered_once_and_fits(http):
    made = http.post("/api/v1/access/people", json={"name": "rita", "role": "viewer"}, headers=ADMIN).json()
    answer = http.post("/api/v1/auth/login", json={"name": "rita", "password": made["password"]})

    assert answer.status_code == 200
    assert http.patch("/api/v1/access/people/rito", json={"active": False}, headers=ADMIN).status_code == 404
    assert http.patch("/api/v1/access/people/rita", json={}, headers=ADMIN).status_code == 400
