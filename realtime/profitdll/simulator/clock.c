/* The running clock of timers and the market clock, both from the monotonic clock: the wall clock is read once. */
#include <stdio.h>
#include <stdlib.h>

#include "market.h"

enum { SAO_PAULO_MS = 3 * 3600 * 1000 }; /* no daylight saving since 2019 */

static struct {
    _Atomic int64_t monotonic; /* when the running clock began */
    double speed;
    _Atomic int64_t base_ms;     /* market clock = base + running clock */
    _Atomic int64_t followed_ms; /* unpaced sources: the time of their last trade */
} clocks;

void clock_begin(void) {
    clocks.monotonic = platform_monotonic_ns();
    clocks.speed = settings()->speed > 0 ? settings()->speed : 1;
    int64_t start = settings()->start_ms, anchor = settings()->anchor_ms;
    clocks.base_ms = start != INT64_MIN ? start : platform_utc_ms() - SAO_PAULO_MS;
    if (anchor != INT64_MIN) clocks.base_ms += (int64_t)((double)(platform_utc_ms() - anchor) * clocks.speed);
    clocks.followed_ms = INT64_MIN;
}

int64_t sim_clock_ns(void) {
    int64_t passed = platform_monotonic_ns() - clocks.monotonic;
    return clocks.speed == 1 ? passed : (int64_t)((double)passed * clocks.speed);
}

void clock_pass(double seconds) { clocks.monotonic -= (int64_t)(seconds * 1e9 / clocks.speed); }

int64_t sim_now(void) {
    int64_t followed = clocks.followed_ms;
    return followed != INT64_MIN ? followed : clocks.base_ms + sim_clock_ns() / 1000000;
}

int64_t clock_of_market(int64_t market_ms) { return (market_ms - clocks.base_ms) * 1000000; }

void clock_jump(int64_t market_ms) {
    clocks.base_ms = market_ms - sim_clock_ns() / 1000000;
    if (clocks.followed_ms != INT64_MIN) clocks.followed_ms = market_ms;
}

void clock_follow(int64_t market_ms) { clocks.followed_ms = market_ms; }

/* Days from civil and back (proleptic Gregorian), after Howard Hinnant's public-domain algorithms. */
int64_t date_days(int32_t session) {
    int64_t y = session / 10000, m = session / 100 % 100, d = session % 100;
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int32_t days_date(int64_t days) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t d = doy - (153 * mp + 2) / 5 + 1, m = mp < 10 ? mp + 3 : mp - 9;
    return (int32_t)((yoe + era * 400 + (m <= 2)) * 10000 + m * 100 + d);
}

static int64_t floor_days(int64_t ms) { return (ms >= 0 ? ms : ms - DAY_MS + 1) / DAY_MS; }

int64_t date_ms(int32_t session) { return date_days(session) * DAY_MS; }
int32_t sim_session_date(int64_t market_ms) { return days_date(floor_days(market_ms)); }

TSystemTime sim_system_time(int64_t market_ms) {
    int64_t days = floor_days(market_ms);
    int32_t date = days_date(days), ms = (int32_t)(market_ms - days * DAY_MS);
    return (TSystemTime){.Year = (uint16_t)(date / 10000), .Month = (uint16_t)(date / 100 % 100),
                         .Day = (uint16_t)(date % 100), .DayOfWeek = (uint16_t)(((days + 4) % 7 + 7) % 7),
                         .Hour = (uint16_t)(ms / 3600000), .Minute = (uint16_t)(ms / 60000 % 60),
                         .Second = (uint16_t)(ms / 1000 % 60), .Milliseconds = (uint16_t)(ms % 1000)};
}

int64_t sim_market_ms(const TSystemTime *time) {
    static const int32_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (time->Year < 1601 || time->Month < 1 || time->Month > 12 || time->Day < 1 ||
        time->Day > lengths[time->Month - 1] || time->Hour > 23 || time->Minute > 59 || time->Second > 59 ||
        time->Milliseconds > 999)
        return INT64_MIN;
    int32_t date = time->Year * 10000 + time->Month * 100 + time->Day;
    if (days_date(date_days(date)) != date) return INT64_MIN;
    return date_ms(date) + ((time->Hour * 60 + time->Minute) * 60 + time->Second) * 1000 + time->Milliseconds;
}

void sim_date_text(int64_t market_ms, char16_t into[SIM_DATE]) {
    TSystemTime t = sim_system_time(market_ms);
    const int32_t parts[][2] = {{t.Day, 2}, {t.Month, 2}, {t.Year, 4}, {t.Hour, 2}, {t.Minute, 2}, {t.Second, 2},
                                {t.Milliseconds, 3}};
    const char16_t after[] = {u'/', u'/', u' ', u':', u':', settings()->separator, 0};
    char16_t *at = into;
    for (int k = 0; k < 7; k++) {
        int32_t value = parts[k][0];
        for (int digit = parts[k][1] - 1; digit >= 0; digit--, value /= 10) at[digit] = (char16_t)(u'0' + value % 10);
        at += parts[k][1];
        *at++ = after[k];
    }
}

PROFIT_EXPORT int32_t PROFIT_CALL GetServerClock(double *date, int32_t *year, int32_t *month, int32_t *day,
                                                 int32_t *hour, int32_t *minute, int32_t *second,
                                                 int32_t *millisecond) {
    SIM_REQUEST("GetServerClock");
    if (!date || !year || !month || !day || !hour || !minute || !second || !millisecond) return NL_INVALID_ARGS;
    int64_t now = sim_now();
    TSystemTime t = sim_system_time(now);
    *date = (double)now / DAY_MS + 25569; /* days from 1899-12-30 to 1970-01-01 */
    *year = t.Year, *month = t.Month, *day = t.Day, *hour = t.Hour, *minute = t.Minute, *second = t.Second;
    *millisecond = t.Milliseconds;
    return NL_OK;
}
