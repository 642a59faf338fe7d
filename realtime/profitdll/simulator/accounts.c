/* The accounts of the login: which there are, which the server has listed, and in what portions it lists them. */
#include "trading.h"

static Account accounts[ACCOUNT_LIMIT];
static int32_t count;

typedef struct DefaultAccount {
    int32_t broker;
    const char *broker_name, *id, *sub_id, *holder;
    int32_t type;
} DefaultAccount;

static const DefaultAccount default_accounts[] = {
    {3001, "Corretora Alfa", "000123", "", "Maria da Silva", ACCOUNT_OWNER},
    {3001, "Corretora Alfa", "000124", "", "José Pereira", ACCOUNT_OWNER},
    {4002, "Corretora Beta", "M-900", "", "Mesa Beta", ACCOUNT_MASTER},
    {4002, "Corretora Beta", "M-900", "S-1", "Carteira Um", ACCOUNT_SUB},
    {4002, "Corretora Beta", "M-900", "S-2", "Carteira Dois", ACCOUNT_SUB},
};

static void defaults_taken(void) {
    for (size_t index = 0; index < sizeof default_accounts / sizeof *default_accounts; index++) {
        const DefaultAccount *from = &default_accounts[index];
        SimAccount *to = &accounts[count++].told;
        to->broker = from->broker;
        to->type = from->type;
        to->flags = ACCOUNT_FLAG_ENABLED | (from->sub_id[0] ? ACCOUNT_FLAG_SUB : 0);
        sim_widen(to->broker_name, SIM_TEXT, from->broker_name);
        sim_widen(to->account, ACCOUNT_UNITS, from->id);
        sim_widen(to->sub_account, ACCOUNT_UNITS, from->sub_id);
        sim_widen(to->holder, SIM_TEXT, from->holder);
    }
}

void accounts_started(void) {
    const SimAccount *named;
    int32_t names = sim_accounts(&named);
    count = 0;
    for (int32_t index = 0; index < names && count < ACCOUNT_LIMIT; index++) {
        accounts[count++].told = named[index];
    }
    if (names == 0) {
        defaults_taken();
    }
    for (int32_t index = 0; index < count; index++) {
        accounts[index].loaded_to = accounts[index].loaded_from - 1;
    }
}

Account *account_at(int32_t index) {
    return index >= 0 && index < count ? &accounts[index] : NULL;
}

bool is_sub_account(const Account *account) {
    return account->told.sub_account[0] != 0;
}

Account *account_named(int32_t broker, PText id, PText sub_id) {
    for (int32_t index = 0; index < count; index++) {
        SimAccount *told = &accounts[index].told;
        if (told->broker == broker && sim_same(told->account, id) &&
            (sim_length(sub_id) ? sim_same(told->sub_account, sub_id) : !told->sub_account[0])) {
            return &accounts[index];
        }
    }
    return NULL;
}

Account *account_of(const TConnectorAccountIdentifier *identifier) {
    if (!identifier->AccountID) {
        return NULL;
    }
    Account *account = account_named(identifier->BrokerID, identifier->AccountID, identifier->SubAccountID);
    return account && account->known ? account : NULL;
}

/* ---- the list as the server sends it ------------------------------------------------------------------------------- */

static void listed(Account *account) {
    if (!account->known) {
        account->known = true;
        if (!is_sub_account(account)) {
            announce_account(account);
        }
    }
}

static bool is_first_of_broker(int32_t index) {
    for (int32_t earlier = 0; earlier < index; earlier++) {
        if (accounts[earlier].told.broker == accounts[index].told.broker) {
            return false;
        }
    }
    return true;
}

static void rest_listed(void *unused, int64_t also_unused) {
    (void)unused;
    (void)also_unused;
    for (int32_t index = 0; index < count; index++) {
        listed(&accounts[index]);
    }
    for (int32_t index = 0; index < count; index++) {
        if (is_first_of_broker(index)) {
            announce_account_list(accounts[index].told.broker);
        }
        if (accounts[index].told.type == ACCOUNT_MASTER) {
            announce_sub_account_list(&accounts[index]);
        }
    }
    for (int32_t index = 0; index < count; index++) {
        positions_announced(&accounts[index]);
    }
}

static void first_listed(void *unused, int64_t also_unused) {
    (void)unused;
    (void)also_unused;
    for (int32_t index = 0; index < count && index < sim_order_faults()->accounts_first; index++) {
        listed(&accounts[index]);
    }
    trading_after(sim_order_faults()->accounts_rest_ms, rest_listed, NULL, 0);
}

void accounts_on_routing(void) {
    trading_after(sim_order_faults()->accounts_ms, first_listed, NULL, 0);
}

void accounts_gap(void) {
    for (int32_t index = 0; index < count; index++) {
        accounts[index].loaded_to = accounts[index].loaded_from - 1;
    }
}
