/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Clocks and the two texts in which times reach us: ISO 8601 as AWS writes it, and durations as
 * people write them in configuration files. Everything is microseconds in a usec_t; sums saturate
 * instead of wrapping, so that "never" stays never.
 */

#include "util/time.h"
#include "util/macro.h"
#include <ctype.h>
#include <errno.h>
#include <time.h>

static usec_t clock_now(clockid_t clock)
{
    struct timespec ts;
    int r;

    r = clock_gettime(clock, &ts);
    assert(r == 0);
    (void)r;

    return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

usec_t time_monotonic(void)
{
    return clock_now(CLOCK_MONOTONIC);
}

usec_t time_realtime(void)
{
    return clock_now(CLOCK_REALTIME);
}

usec_t time_add(usec_t a, usec_t b)
{
    return a > USEC_INFINITY - b ? USEC_INFINITY : a + b;
}

/* n digits over what stands at p. */
static void put_digits(char *p, unsigned value, size_t n)
{
    for (; n > 0; n--, value /= 10)
        p[n - 1] = (char)('0' + value % 10);
}

/* By hand: a list of many registrations is mostly their times, and strftime() looks at the locale. */
char *time_format_iso8601(usec_t realtime, char buf[static TIME_ISO8601_MAX])
{
    time_t seconds = (time_t)(realtime / USEC_PER_SEC);
    struct tm tm = {0};

    (void)gmtime_r(&seconds, &tm);
    (void)strcpy(buf, "0000-00-00T00:00:00.000Z");
    put_digits(buf, (unsigned)tm.tm_year + 1900, 4);
    put_digits(buf + 5, (unsigned)tm.tm_mon + 1, 2);
    put_digits(buf + 8, (unsigned)tm.tm_mday, 2);
    put_digits(buf + 11, (unsigned)tm.tm_hour, 2);
    put_digits(buf + 14, (unsigned)tm.tm_min, 2);
    put_digits(buf + 17, (unsigned)tm.tm_sec, 2);
    put_digits(buf + 20, (unsigned)(realtime % USEC_PER_SEC / USEC_PER_MSEC), 3);
    return buf;
}

int time_parse_iso8601(const char *s, usec_t *ret_realtime)
{
    struct tm tm = {0};
    usec_t fraction = 0, unit = USEC_PER_SEC / 10;
    const char *end;
    time_t seconds;

    end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!end)
        return -EINVAL;

    if (*end == '.') {
        for (end++; isdigit((unsigned char)*end); end++) {
            fraction += (usec_t)(*end - '0') * unit;
            unit /= 10;
        }
    }
    if (!streq(end, "Z"))
        return -EINVAL;

    seconds = timegm(&tm);
    if (seconds < 0)
        return -EINVAL;

    *ret_realtime = (usec_t)seconds * USEC_PER_SEC + fraction;
    return 0;
}

static int unit_parse(const char *s, size_t n, usec_t *ret)
{
    static const struct {
        const char *name;
        usec_t usec;
    } units[] = {
        {"", USEC_PER_SEC},       {"us", 1},
        {"ms", USEC_PER_MSEC},    {"s", USEC_PER_SEC},
        {"sec", USEC_PER_SEC},    {"m", USEC_PER_MINUTE},
        {"min", USEC_PER_MINUTE}, {"h", USEC_PER_HOUR},
        {"hr", USEC_PER_HOUR},    {"d", USEC_PER_DAY},
    };

    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (strlen(units[i].name) == n && strncmp(units[i].name, s, n) == 0) {
            *ret = units[i].usec;
            return 0;
        }
    return -EINVAL;
}

/* One "90s" at *s, which is moved behind it and the spaces that follow. */
static int duration_parse_part(const char **s, usec_t *ret)
{
    const char *p = *s, *unit;
    usec_t number = 0, factor;
    int r;

    if (!isdigit((unsigned char)*p))
        return -EINVAL;
    for (; isdigit((unsigned char)*p); p++) {
        if (number > (USEC_INFINITY - 9) / 10)
            return -ERANGE;
        number = number * 10 + (usec_t)(*p - '0');
    }

    for (; *p == ' '; p++)
        ;
    for (unit = p; isalpha((unsigned char)*p); p++)
        ;
    r = unit_parse(unit, (size_t)(p - unit), &factor);
    if (r < 0)
        return r;
    if (number >= USEC_INFINITY / factor)
        return -ERANGE;

    for (; *p == ' '; p++)
        ;
    *s = p;
    *ret = number * factor;
    return 0;
}

int time_parse_duration(const char *s, usec_t *ret)
{
    usec_t sum = 0, part;
    int r;

    for (; *s == ' '; s++)
        ;
    do {
        r = duration_parse_part(&s, &part);
        if (r < 0)
            return r;
        if (part >= USEC_INFINITY - sum)
            return -ERANGE;
        sum += part;
    } while (*s);

    *ret = sum;
    return 0;
}
