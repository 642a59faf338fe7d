/* The functions that list accounts and sub-accounts. */
#include "trading.h"

static bool is_listed_main(const Account *account) {
    return account->known && !is_sub_account(account);
}

/* `broker` -1: all. `master` null: accounts proper, else its sub-accounts. */
static bool is_wanted(const Account *account, int32_t broker, const Account *master) {
    if (master) {
        return account->known && is_sub_account(account) && account->told.broker == master->told.broker &&
               sim_same(account->told.account, master->told.account);
    }
    return is_listed_main(account) && (broker == -1 || account->told.broker == broker);
}

static int32_t counted(int32_t broker, const Account *master) {
    int32_t count = 0;
    Account *account;
    for (int32_t index = 0; (account = account_at(index)); index++) {
        count += is_wanted(account, broker, master);
    }
    return count;
}

static void account_shown(const Account *account, TConnectorAccountIdentifierOut *into) {
    into->BrokerID = account->told.broker;
    sim_copy(into->AccountID, ACCOUNT_UNITS, account->told.account);
    into->AccountIDLength = (int32_t)sim_length(account->told.account);
    sim_copy(into->SubAccountID, ACCOUNT_UNITS, account->told.sub_account);
    into->SubAccountIDLength = (int32_t)sim_length(account->told.sub_account);
}

/* A window of the wanted accounts, copied to the caller's array; the count copied, or an error. */
static int32_t copied(int32_t broker, const Account *master, int32_t start_source, int32_t start_dest, int32_t count,
                      TConnectorAccountIdentifierOut *into) {
    if (!into || start_source < 0 || start_dest < 0 || count < 0) {
        return NL_INVALID_ARGS;
    }
    int32_t seen = 0, done = 0;
    Account *account;
    for (int32_t index = 0; done < count && (account = account_at(index)); index++) {
        if (!is_wanted(account, broker, master) || seen++ < start_source) {
            continue;
        }
        if (into[start_dest + done].Version > 0) {
            sim_version_error();
            return NL_VERSION_NOT_SUPPORTED;
        }
        account_shown(account, &into[start_dest + done++]);
    }
    return done;
}

API GetAccount(void) {
    SIM_ROUTING_REQUEST("GetAccount");
    sim_lock();
    Account *account;
    for (int32_t index = 0; (account = account_at(index)); index++) {
        if (is_listed_main(account)) {
            announce_account(account);
        }
    }
    sim_unlock();
    return NL_OK;
}

API GetAccountCount(void) {
    SIM_ROUTING_REQUEST("GetAccountCount");
    sim_lock();
    int32_t count = counted(-1, NULL);
    sim_unlock();
    return count;
}

API GetAccounts(int32_t start_source, int32_t start_dest, int32_t count, TConnectorAccountIdentifierOut *accounts) {
    SIM_ROUTING_REQUEST("GetAccounts");
    sim_lock();
    int32_t result = copied(-1, NULL, start_source, start_dest, count, accounts);
    sim_unlock();
    return result;
}

API GetAccountCountByBroker(int32_t broker) {
    SIM_ACCESSOR("GetAccountCountByBroker");
    sim_lock();
    int32_t count = counted(broker, NULL);
    sim_unlock();
    return count;
}

API GetAccountsByBroker(int32_t broker, int32_t start_source, int32_t start_dest, int32_t count,
                        TConnectorAccountIdentifierOut *accounts) {
    SIM_ROUTING_REQUEST("GetAccountsByBroker");
    sim_lock();
    int32_t result = copied(broker, NULL, start_source, start_dest, count, accounts);
    sim_unlock();
    return result;
}

/* ---- sub-accounts: desks only --------------------------------------------------------------------------------------------- */

static int32_t master_found(const TConnectorAccountIdentifier *identifier, Account **master) {
    if (!identifier) {
        return NL_INVALID_ARGS;
    }
    if (identifier->Version > 0) {
        sim_version_error();
        return NL_VERSION_NOT_SUPPORTED;
    }
    *master = account_of(identifier);
    if (!*master) {
        return NL_NOT_FOUND;
    }
    return (*master)->told.type == ACCOUNT_MASTER ? NL_OK : NL_NOT_MASTER_ACCOUNT;
}

API GetSubAccountCount(const TConnectorAccountIdentifier *identifier) {
    SIM_ACCESSOR("GetSubAccountCount");
    Account *master;
    sim_lock();
    int32_t result = master_found(identifier, &master);
    result = result == NL_OK ? counted(-1, master) : result;
    sim_unlock();
    return result;
}

API GetSubAccounts(const TConnectorAccountIdentifier *identifier, int32_t start_source, int32_t start_dest,
                   int32_t count, TConnectorAccountIdentifierOut *accounts) {
    SIM_ROUTING_REQUEST("GetSubAccounts");
    Account *master;
    sim_lock();
    int32_t result = master_found(identifier, &master);
    result = result == NL_OK ? copied(-1, master, start_source, start_dest, count, accounts) : result;
    sim_unlock();
    return result;
}

/* ---- details ------------------------------------------------------------------------------------------------------------------- */

static int32_t details_shown(TConnectorTradingAccountOut *into) {
    const Account *account = account_of(&into->AccountID);
    if (!account) {
        return into->AccountID.AccountID ? NL_NOT_FOUND : NL_INVALID_ARGS;
    }
    const SimAccount *told = &account->told;
    bool sub = is_sub_account(account);
    const Account *master = sub ? account_named(told->broker, told->account, u"") : NULL;
    sim_text_out(into->BrokerName, &into->BrokerNameLength, told->broker_name);
    sim_text_out(into->OwnerName, &into->OwnerNameLength, master ? master->told.holder : told->holder);
    sim_text_out(into->SubOwnerName, &into->SubOwnerNameLength, sub ? told->holder : u"");
    into->AccountFlags = told->flags;
    if (into->Version >= 1) {
        into->AccountType = (uint8_t)told->type;
    }
    return NL_OK;
}

API GetAccountDetails(TConnectorTradingAccountOut *account) {
    SIM_ROUTING_REQUEST("GetAccountDetails");
    if (!account) {
        return NL_INVALID_ARGS;
    }
    if (account->Version > 1 || account->AccountID.Version > 0) {
        sim_version_error();
        return NL_VERSION_NOT_SUPPORTED;
    }
    sim_lock();
    int32_t result = details_shown(account);
    sim_unlock();
    return result;
}
