/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The linker puts the __wrap_ functions in place of those of util/time.c and sd-event (ld(1), --wrap).
 * A timer is a real one, so that cancelling it is real, but one that never comes due by itself.
 */

#include "lib/fake-aws/fake-clock.h"
#include "lib/test.h"
#include "util/macro.h"

#define TIMERS_MAX 256

typedef struct Timer {
    sd_event_source *source; /* NULL: over */
    usec_t due;
} Timer;

static struct {
    bool real; /* pass everything on */
    usec_t passed;
    int64_t set; /* CLOCK_REALTIME alone */
    Timer timers[TIMERS_MAX];
    size_t n_timers;
} fake;

usec_t __real_time_monotonic(void);
usec_t __real_time_realtime(void);
int __real_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata);
usec_t __wrap_time_monotonic(void);
usec_t __wrap_time_realtime(void);
int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata);

/* Ours is the last reference to one that was released, which was disabled then. */
static bool timer_is_armed(Timer *timer)
{
    if (timer->source && sd_event_source_get_enabled(timer->source, NULL) == 0)
        timer->source = sd_event_source_unref(timer->source);
    return timer->source;
}

static Timer *free_timer(void)
{
    for (size_t i = 0; i < fake.n_timers; i++)
        if (!timer_is_armed(&fake.timers[i]))
            return &fake.timers[i];
    assert_in_range(fake.n_timers, 0, TIMERS_MAX - 1);
    return &fake.timers[fake.n_timers++];
}

usec_t __wrap_time_monotonic(void)
{
    return fake.real ? __real_time_monotonic() : FAKE_CLOCK_MONOTONIC + fake.passed;
}

usec_t __wrap_time_realtime(void)
{
    return fake.real ? __real_time_realtime() : FAKE_CLOCK_REALTIME + fake.passed + (usec_t)fake.set;
}

int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata)
{
    int r;

    if (fake.real)
        return __real_sd_event_add_time_relative(event, ret, clock, usec, accuracy, handler, userdata);
    r = sd_event_add_time(event, ret, clock, USEC_INFINITY, accuracy, handler, userdata);
    if (r < 0)
        return r;
    *free_timer() = (Timer){.source = sd_event_source_ref(*ret), .due = time_add(fake.passed, usec)};
    return 0;
}

static Timer *next_timer(void)
{
    Timer *next = NULL;

    for (size_t i = 0; i < fake.n_timers; i++)
        if (timer_is_armed(&fake.timers[i]) && (!next || fake.timers[i].due < next->due))
            next = &fake.timers[i];
    return next;
}

void fake_clock_init(void)
{
    fake_clock_done();
    fake.passed = 0;
    fake.set = 0;
    fake.real = false;
}

void fake_clock_use_real(void)
{
    fake.real = true;
}

void fake_clock_done(void)
{
    for (size_t i = 0; i < fake.n_timers; i++)
        (void)sd_event_source_unref(fake.timers[i].source);
    fake.n_timers = 0;
}

void fake_clock_set(int64_t usec)
{
    fake.set += usec;
}

usec_t fake_clock_next(void)
{
    const Timer *timer = next_timer();

    return timer ? timer->due - fake.passed : USEC_INFINITY;
}

void fake_clock_advance(sd_event *event, usec_t usec)
{
    usec_t end = fake.passed + usec;
    Timer *timer;

    while ((timer = next_timer()) && timer->due <= end) {
        sd_event_source *source = TAKE_PTR(timer->source);

        fake.passed = timer->due;
        assert_int_equal(sd_event_source_set_time(source, 0), 0);
        assert_true(sd_event_run(event, USEC_INFINITY) > 0);
        (void)sd_event_source_unref(source);
    }
    fake.passed = end;
}
