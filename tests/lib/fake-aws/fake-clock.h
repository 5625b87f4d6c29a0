#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Both clocks and the timers of sd-event, moved by the test. */

#include "util/time.h"
#include <systemd/sd-event.h>

#define FAKE_CLOCK_MONOTONIC (1000 * USEC_PER_SEC)
#define FAKE_CLOCK_REALTIME  (1790000000 * USEC_PER_SEC) /* 2026-09-21T14:13:20Z */

/** fake_clock_init() - both clocks at their beginning, no timers */
void fake_clock_init(void);

/** fake_clock_use_real() - until the next fake_clock_init(): for what also has timers that are not relative
 */
void fake_clock_use_real(void);

/** fake_clock_done() - forget the timers */
void fake_clock_done(void);

/** fake_clock_set() - somebody sets CLOCK_REALTIME, forwards or backwards */
void fake_clock_set(int64_t usec);

/** fake_clock_next() - from now to the next timer, USEC_INFINITY when none is armed */
usec_t fake_clock_next(void);

/** fake_clock_advance() - let that time pass on both clocks; what was due has been called on return */
void fake_clock_advance(sd_event *event, usec_t usec);
