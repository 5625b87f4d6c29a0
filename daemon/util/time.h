#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Time: microseconds are the only unit inside the program. */

#include <stddef.h>
#include <stdint.h>

typedef uint64_t usec_t;

#define USEC_PER_MSEC   ((usec_t)1000)
#define USEC_PER_SEC    ((usec_t)1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR   (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY    (24 * USEC_PER_HOUR)
#define USEC_INFINITY   ((usec_t)UINT64_MAX)

#define TIME_ISO8601_MAX sizeof("2026-11-21T10:55:00.123456Z")

/** time_monotonic() - CLOCK_MONOTONIC now: durations and deadlines */
usec_t time_monotonic(void);

/** time_realtime() - CLOCK_REALTIME now: what is signed, tagged or shown */
usec_t time_realtime(void);

/** time_add() - sum that saturates at USEC_INFINITY */
usec_t time_add(usec_t a, usec_t b);

/** time_format_iso8601() - "2026-11-21T10:55:00.123Z" (milliseconds, UTC) into buf, which is returned */
char *time_format_iso8601(usec_t realtime, char buf[static TIME_ISO8601_MAX]);

/**
 * time_parse_iso8601() - a UTC time as AWS writes it, "2026-11-21T10:55:00Z", fraction optional
 *
 * Return: 0, or -EINVAL.
 */
int time_parse_iso8601(const char *s, usec_t *ret_realtime);

/**
 * time_parse_duration() - "90", "90s", "250ms", "5min", "1h", "2d", or a sum such as "1min 30s"
 *
 * A number without a unit counts seconds. The units are those of systemd.time(7) that make
 * sense here: us, ms, s (sec), min (m), h (hr), d.
 *
 * Return: 0; -EINVAL when it is not a duration; -ERANGE when it overflows.
 */
int time_parse_duration(const char *s, usec_t *ret);
