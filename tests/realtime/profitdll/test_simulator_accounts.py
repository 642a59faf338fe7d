"""Accounts as the simulator lists them: part first, the rest later, in windows, with details in two calls."""

import ctypes
from ctypes import byref, c_uint16

from tests.realtime.profitdll.broker_abi import (
    INVALID_ARGS,
    MARKET_ONLY,
    NOT_FOUND,
    NOT_MASTER,
    OK,
    VERSION_NOT_SUPPORTED,
    Account,
    AccountOut,
    TradingAccount,
)
from tests.realtime.profitdll.broker_client import narrow

MASTER = (4002, "M-900", "")


def window(client, name, start, into, count, *first, room=8):
    array = (AccountOut * room)()
    copied = getattr(client.dll, name)(*first, start, into, count, array)
    return copied, [narrow(ctypes.addressof(item) + AccountOut.AccountID.offset) for item in array]


def test_the_list_is_partial_first_and_the_rest_comes_with_the_list_event(simulated):
    client = simulated("accounts first 1 after 5 rest 60000", ready=False)

    client.wait(lambda: client.of("account"))
    early = client.dll.GetAccountCount()
    unlisted = details(client, 1, (3001, "000124", ""))[0]
    client.command("pass 60")
    client.wait(lambda: len(client.of("broker accounts")) == 2)

    assert (early, unlisted) == (1, NOT_FOUND)
    assert client.dll.GetAccountCount() == 3
    assert [account for _, _, account, _ in client.of("account")] == ["000123", "000124", "M-900"]
    assert client.of("broker accounts") == [(3001, 2), (4002, 1)]
    assert client.wait(lambda: client.of("sub-accounts")) == [(4002, "M-900")]


def test_get_account_replays_the_known_accounts(simulated):
    client = simulated()
    before = len(client.of("account"))

    assert client.dll.GetAccount() == OK
    client.wait(lambda: len(client.of("account")) == 2 * before)

    assert client.of("account")[0] == (3001, "Corretora Alfa", "000123", "Maria da Silva")


def test_windows_start_and_end_where_asked(simulated):
    client = simulated()

    assert window(client, "GetAccounts", 1, 2, 9) == (2, ["", "", "000124", "M-900", "", "", "", ""])
    assert window(client, "GetAccounts", 3, 0, 9)[0] == 0
    assert window(client, "GetAccounts", 0, 0, 1) == (1, ["000123", *[""] * 7])
    assert window(client, "GetAccounts", -1, 0, 1)[0] == INVALID_ARGS
    assert client.dll.GetAccounts(0, 0, 1, None) == INVALID_ARGS
    assert client.dll.GetAccountCountByBroker(3001) == 2
    assert client.dll.GetAccountCountByBroker(77) == 0
    assert window(client, "GetAccountsByBroker", 0, 0, 9, 4002)[1][0] == "M-900"


def test_sub_accounts_belong_to_a_master(simulated):
    client = simulated()
    master = client.account_id(MASTER)

    array = (AccountOut * 4)()
    assert client.dll.GetSubAccountCount(byref(master)) == 2
    assert client.dll.GetSubAccounts(byref(master), 1, 0, 4, array) == 1
    assert narrow(ctypes.addressof(array) + AccountOut.SubAccountID.offset) == "S-2"
    assert array[0].SubAccountIDLength == 3
    assert client.dll.GetSubAccountCount(byref(client.account_id())) == NOT_MASTER
    assert client.dll.GetSubAccountCount(byref(client.account_id((1, "x", "")))) == NOT_FOUND
    assert client.dll.GetSubAccountCount(None) == INVALID_ARGS


def details(client, version, account, *, lengths_first=True):
    given = TradingAccount(Version=version, AccountID=client.account_id(account), AccountType=99)
    buffers = []
    result = client.dll.GetAccountDetails(byref(given)) if lengths_first else OK
    for name in ("BrokerName", "OwnerName", "SubOwnerName"):
        buffers.append((c_uint16 * (getattr(given, name + "Length") + 1))())
        setattr(given, name, ctypes.addressof(buffers[-1]))
    if result == OK:
        result = client.dll.GetAccountDetails(byref(given))
    return result, given, [narrow(ctypes.addressof(buffer)) for buffer in buffers]


def test_details_come_in_two_calls(simulated):
    client = simulated()

    result, given, names = details(client, 1, (3001, "000124", ""))
    assert (result, names) == (OK, ["Corretora Alfa", "José Pereira", ""])
    assert (given.AccountFlags, given.AccountType) == (2, 0)
    result, given, names = details(client, 1, (4002, "M-900", "S-1"))
    assert (result, names) == (OK, ["Corretora Beta", "Mesa Beta", "Carteira Um"])
    assert (given.AccountFlags, given.AccountType) == (3, 3)


def test_without_the_length_call_the_texts_stay_empty(simulated):
    client = simulated()

    result, given, names = details(client, 0, (3001, "000123", ""), lengths_first=False)

    assert (result, names) == (OK, ["", "", ""])
    assert given.AccountType == 99  # version 0 does not have that field


def test_accounts_are_refused_by_version_and_by_name(simulated):
    client = simulated()

    assert details(client, 2, (3001, "000123", ""))[0] == VERSION_NOT_SUPPORTED
    assert details(client, 1, (3001, "123", ""))[0] == NOT_FOUND  # leading zeros belong to the account
    given = TradingAccount(Version=1, AccountID=Account(0, 3001, None, None, 0))
    assert client.dll.GetAccountDetails(byref(given)) == INVALID_ARGS
    assert client.dll.GetAccountDetails(None) == INVALID_ARGS


def test_a_login_for_market_data_has_no_accounts(simulated):
    client = simulated(market_only=True)

    assert client.dll.GetAccountCount() == MARKET_ONLY
    assert client.dll.GetAccount() == MARKET_ONLY


def test_a_script_names_its_own_accounts(simulated):
    client = simulated(
        'account 0042 broker 77 name "Corretora Delta" holder "Ana Lima"',
        'account D-1 broker 77 holder "Mesa" type master',
        'account D-1 broker 77 holder "Cliente" subaccount C-9',
        "accounts first 9",
    )
    client.account = (77, "0042", "")

    assert client.of("account") == [
        (77, "Corretora Delta", "0042", "Ana Lima"),
        (77, "Corretora Simulada", "D-1", "Mesa"),
    ]
    assert client.dll.GetSubAccountCount(byref(client.account_id((77, "D-1", "")))) == 1
    assert client.send() > 0
    assert client.send(account=(3001, "000123", "")) == NOT_FOUND
