"""The administrator's key in `.env.local`."""

import os

from launcher import keys


def test_a_key_is_stored_for_its_owner_alone(tmp_path):
    key = keys.renew(tmp_path)

    assert keys.place(tmp_path).read_text(encoding="utf-8") == f"TRADINGSYSTEM_API_KEY={key}\n"
    assert os.name == "nt" or keys.place(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_new_key_replaces_the_old_one_and_leaves_every_other_line(tmp_path):
    text = "# mine\nLOG_LEVEL=debug\nexport TRADINGSYSTEM_API_KEY=old\nTRADINGSYSTEM_API_KEY=older"
    keys.place(tmp_path).write_text(text, encoding="utf-8")
    first, second = keys.renew(tmp_path), keys.renew(tmp_path)

    assert first != second
    assert keys.place(tmp_path).read_text(encoding="utf-8").splitlines() == [
        "# mine",
        "LOG_LEVEL=debug",
        f"TRADINGSYSTEM_API_KEY={second}",
    ]
    assert [path.name for path in tmp_path.iterdir()] == [".env.local"]


def test_the_keys_of_journal_and_tokens_join_the_other_one(tmp_path):
    keys.renew(tmp_path)
    keys.make_journal_key(tmp_path)
    keys.make_token_key(tmp_path)
    first, second, third = keys.place(tmp_path).read_text(encoding="utf-8").splitlines()

    assert first.startswith("TRADINGSYSTEM_API_KEY=")
    assert len(second.removeprefix("TRADINGSYSTEM_JOURNAL_KEY=")) >= 32
    assert len(third.removeprefix("TP_CAPITAL_TOKEN_KEY=")) >= 32
