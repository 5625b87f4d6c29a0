#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses whose refusal has been logged and lasts. Pure: the time is an argument. */

#include "util/inaddr.h"
#include "util/time.h"

#define TOLD_WINDOW  USEC_PER_HOUR /* longer than anybody pauses before asking again */
#define TOLD_ENTRIES 64

typedef struct ToldEntry {
    InAddr address; /* none: unused */
    usec_t at;      /* of the last refusal */
} ToldEntry;

/* Oldest entries give way to new ones: what is asked for again and again is refused again and again. */
typedef struct Told {
    ToldEntry entries[TOLD_ENTRIES];
} Told;

/** told_refused() - the address was refused, CLOCK_MONOTONIC; whether that is no news */
bool told_refused(Told *told, const InAddr *address, usec_t now);

/** told_forget() - the address was not refused */
void told_forget(Told *told, const InAddr *address);
