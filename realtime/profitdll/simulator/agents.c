/* Broker codes and their names. */
#include "market.h"

typedef struct Agent {
    int32_t code, weight;
    const char16_t *short_name, *name;
} Agent;

static const Agent agents[] = {
    {3, 20, u"XP", u"XP INVESTIMENTOS CCTVM S/A"},
    {8, 10, u"UBS", u"UBS BRASIL CCTVM S/A"},
    {13, 6, u"MERRILL", u"MERRILL LYNCH S/A CTVM"},
    {16, 6, u"JP MORGAN", u"J.P. MORGAN CCVM S/A"},
    {23, 4, u"NECTON", u"NECTON INVESTIMENTOS S.A. CVMC"},
    {39, 4, u"AGORA", u"ÁGORA CTVM S/A"},
    {45, 4, u"CREDIT", u"CREDIT SUISSE BRASIL S.A. CTVM"},
    {72, 4, u"BRADESCO", u"BRADESCO S/A CTVM"},
    {85, 10, u"BTG", u"BTG PACTUAL CTVM S.A."},
    {88, 3, u"CM CAPITAL", u"CM CAPITAL MARKETS CCTVM LTDA"},
    {90, 5, u"NU INVEST", u"NU INVEST CORRETORA DE VALORES S.A."},
    {92, 3, u"RENASCENCA", u"RENASCENÇA DTVM LTDA"},
    {107, 3, u"TERRA", u"TERRA INVESTIMENTOS DTVM LTDA"},
    {114, 6, u"ITAU", u"ITAÚ CV S/A"},
    {120, 5, u"GENIAL", u"GENIAL INSTITUCIONAL CCTVM S.A."},
    {122, 2, u"LIQUIDEZ", u"LIQUIDEZ DTVM LTDA"},
    {127, 3, u"TULLETT", u"TULLETT PREBON BRASIL CVC LTDA"},
    {147, 3, u"ATIVA", u"ATIVA INVESTIMENTOS S.A. CTCV"},
    {238, 4, u"GOLDMAN", u"GOLDMAN SACHS DO BRASIL CTVM S/A"},
    {386, 5, u"RICO", u"RICO INVESTIMENTOS - GRUPO XP"},
};
enum { AGENTS = sizeof agents / sizeof *agents, SLOTS = 110 };

static struct {
    int16_t slot[SLOTS];
    _Atomic bool made;
} drawn;

int32_t agent_code(uint64_t random) {
    if (!drawn.made) { /* under the lock */
        int32_t at = 0;
        for (int32_t k = 0; k < AGENTS; k++)
            for (int32_t n = 0; n < agents[k].weight && at < SLOTS; n++) drawn.slot[at++] = (int16_t)agents[k].code;
        while (at < SLOTS) drawn.slot[at++] = 3;
        drawn.made = true;
    }
    return drawn.slot[random % SLOTS];
}

static PText name_of(int32_t code, bool short_name) {
    for (int32_t k = 0; k < AGENTS; k++)
        if (agents[k].code == code) return short_name ? agents[k].short_name : agents[k].name;
    return NULL;
}

PROFIT_EXPORT int32_t PROFIT_CALL GetAgentNameLength(int32_t agent, uint32_t flags) {
    SIM_REQUEST("GetAgentNameLength");
    PText name = name_of(agent, flags & AGENT_SHORT_NAME);
    return name ? (int32_t)sim_length(name) : NL_NOT_FOUND;
}

PROFIT_EXPORT int32_t PROFIT_CALL GetAgentName(int32_t length, int32_t agent, char16_t *into, uint32_t flags) {
    SIM_REQUEST("GetAgentName");
    if (!into || length < 0) return NL_INVALID_ARGS;
    PText name = name_of(agent, flags & AGENT_SHORT_NAME);
    if (!name) return NL_NOT_FOUND;
    int32_t copied = (int32_t)sim_length(name);
    if (copied > length) copied = length;
    for (int32_t k = 0; k < copied; k++) into[k] = name[k]; /* no terminator: the length is the contract */
    return copied;
}

static PText deprecated_name(const char *function, int32_t agent, bool short_name) {
    if (sim_enter(function, false) != NL_OK) return NULL;
    PText name = name_of(agent, short_name);
    return name ? name : u"";
}

PROFIT_EXPORT PText PROFIT_CALL GetAgentNameByID(int32_t agent) {
    return deprecated_name("GetAgentNameByID", agent, false);
}

PROFIT_EXPORT PText PROFIT_CALL GetAgentShortNameByID(int32_t agent) {
    return deprecated_name("GetAgentShortNameByID", agent, true);
}
