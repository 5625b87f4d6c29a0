/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the kernel does to a reader that falls behind: a full socket (ENOBUFS) and a dump whose list
 * changed under it (NLM_F_DUMP_INTR). Both are forced: while the loop stands still, more is changed than
 * the socket can hold, or while a dump waits to be read.
 *
 * The test keeps the picture that the events give, and compares it with what is there.
 */

#include "io/rtnl.h"
#include "lib/netns.h"
#include "lib/test.h"
#include "util/time.h"
#include <stdio.h>

#define DEVICES_MAX 128
#define PATIENCE    (10 * USEC_PER_SEC)

typedef struct Picture {
    Rtnl *rtnl;
    sd_event *event;
    struct {
        int ifindex;
        char name[IFNAMSIZ];
    } devices[DEVICES_MAX];
    size_t n_devices;
    unsigned n_new;     /* RTNL_EVENT_LINK_NEW in all */
    unsigned n_first;   /* of which for the loopback, which no event but a dump tells of here */
    unsigned n_removed; /* RTNL_EVENT_LINK_REMOVED */
    bool enumerated;
} Picture;

static void picture_on_event(const RtnlEvent *event, void *userdata)
{
    Picture *picture = userdata;
    size_t i;

    if (event->type == RTNL_EVENT_ENUMERATED) {
        assert_false(picture->enumerated);
        picture->enumerated = true;
        return;
    }
    for (i = 0; i < picture->n_devices; i++)
        if (picture->devices[i].ifindex == event->link->ifindex)
            break;
    if (event->type == RTNL_EVENT_LINK_REMOVED) {
        assert_true(i < picture->n_devices);
        picture->devices[i] = picture->devices[--picture->n_devices];
        picture->n_removed++;
        return;
    }
    assert_true(i < DEVICES_MAX);
    if (i == picture->n_devices)
        picture->n_devices++;
    picture->devices[i].ifindex = event->link->ifindex;
    strcpy(picture->devices[i].name, event->link->name);
    picture->n_new++;
    picture->n_first += event->link->ifindex == 1;
}

static bool picture_has(const Picture *picture, const char *name)
{
    for (size_t i = 0; i < picture->n_devices; i++)
        if (streq(picture->devices[i].name, name))
            return true;
    return false;
}

static int setup(void **state)
{
    Picture *picture = calloc(1, sizeof(*picture));

    if (!picture || sd_event_new(&picture->event) < 0)
        return -1;
    *state = picture;
    return 0;
}

static int teardown(void **state)
{
    Picture *picture = *state;

    (void)rtnl_free(picture->rtnl);
    (void)sd_event_unref(picture->event);
    free(picture);
    return 0;
}

/* Turn the loop until the condition holds. */
static void picture_run_until(Picture *picture, bool (*done)(const Picture *))
{
    const usec_t end = time_monotonic() + PATIENCE;

    while (!done(picture)) {
        if (time_monotonic() >= end)
            fail_msg("not within %u s: %zu devices known, enumerated: %d",
                     (unsigned)(PATIENCE / USEC_PER_SEC), picture->n_devices, picture->enumerated);
        assert_true(sd_event_run(picture->event, USEC_PER_SEC) >= 0);
    }
}

static void plug_many(unsigned n, unsigned char series)
{
    char name[IFNAMSIZ];

    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "m%u-%u", series, i);
        assert_int_equal(netns_plug(&(MacAddr){{2, 0, 0, series, 0, (uint8_t)i}}, name), 0);
    }
}

static bool is_enumerated(const Picture *picture)
{
    return picture->enumerated;
}

static bool has_seen_the_end(const Picture *picture)
{
    return picture_has(picture, "last") && !picture_has(picture, "gone") &&
           !picture_has(picture, "storm-a") && !picture_has(picture, "storm-b") &&
           picture_has(picture, "stays");
}

/* ENOBUFS: the kernel threw away what did not fit, the news of a device that came and one that went. */
static void test_overrun(void **state)
{
    static const unsigned n_changes = 20000;
    Picture *picture = *state;

    assert_int_equal(netns_plug(&(MacAddr){{2, 0, 0, 9, 0, 1}}, "stays"), 0);
    assert_int_equal(netns_plug(&(MacAddr){{2, 0, 0, 9, 0, 2}}, "storm-a"), 0);
    assert_int_equal(netns_plug(&(MacAddr){{2, 0, 0, 9, 0, 3}}, "gone"), 0);
    assert_int_equal(rtnl_new(&picture->rtnl, picture->event, picture_on_event, picture), 0);
    picture_run_until(picture, is_enumerated);
    assert_true(picture_has(picture, "gone") && picture_has(picture, "stays"));

    picture->n_new = 0;
    for (unsigned i = 0; i < n_changes; i++)
        assert_int_equal(netns_rename(i % 2 ? "storm-b" : "storm-a", i % 2 ? "storm-a" : "storm-b"), 0);
    assert_int_equal(netns_rename("storm-a", "last"), 0);
    assert_int_equal(netns_unplug("gone"), 0);

    picture_run_until(picture, has_seen_the_end);
    assert_int_equal(picture->n_removed, 1);
    /* Else nothing was lost, and the test has shown nothing. */
    assert_true(picture->n_new < n_changes);
}

static bool is_whole(const Picture *picture)
{
    return picture->enumerated && !picture_has(picture, "m1-39");
}

static bool has_seen_late_go(const Picture *picture)
{
    return !picture_has(picture, "late");
}

static void storm(void)
{
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(netns_rename(i % 2 ? "storm-d" : "storm-c", i % 2 ? "storm-c" : "storm-d"), 0);
}

/*
 * What happens between the overrun and the end of the queue is dropped as well, and nothing is said of
 * it. The kernel begins a dump that was asked for when the queue is half empty: a device that goes
 * after that is in the dump, and no event tells that it went.
 */
static void test_overrun_goes_on(void **state)
{
    Picture *picture = *state;
    unsigned n_queue;

    assert_int_equal(netns_plug(&(MacAddr){{2, 0, 0, 8, 0, 1}}, "storm-c"), 0);
    assert_int_equal(netns_plug(&(MacAddr){{2, 0, 0, 8, 0, 2}}, "late"), 0);
    assert_int_equal(rtnl_new(&picture->rtnl, picture->event, picture_on_event, picture), 0);
    picture_run_until(picture, is_enumerated);

    picture->n_new = 0;
    storm();
    while (sd_event_run(picture->event, 0) > 0) {
    }
    n_queue = picture->n_new;

    picture->n_new = 0;
    storm();
    while (picture->n_new < n_queue / 8 * 7)
        assert_true(sd_event_run(picture->event, 0) > 0);
    assert_int_equal(netns_unplug("late"), 0);
    picture_run_until(picture, has_seen_late_go);
    assert_int_equal(netns_unplug("storm-c"), 0);
}

/* A device goes between the parts of a dump: the kernel says so, and all is asked for once more. */
static void test_interrupted_dump(void **state)
{
    Picture *picture = *state;

    plug_many(40, 1);
    assert_int_equal(rtnl_new(&picture->rtnl, picture->event, picture_on_event, picture), 0);
    /* The kernel has put the first part into the socket, as much as a small buffer holds. */
    assert_int_equal(netns_unplug("m1-39"), 0);

    picture_run_until(picture, is_whole);
    assert_int_equal(picture->n_first, 2);
    assert_true(picture_has(picture, "m1-0") && picture_has(picture, "m1-38"));
    for (unsigned i = 0; i < 39; i++) {
        char name[IFNAMSIZ];

        (void)snprintf(name, sizeof(name), "m1-%u", i);
        assert_int_equal(netns_unplug(name), 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_interrupted_dump, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overrun_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overrun, setup, teardown),
    };
    int r = netns_enter();

    if (r < 0) {
        printf("SKIPPED: test-rtnl: no user and network namespace here: %s\n", strerror(-r));
        return 0;
    }
    return cmocka_run_group_tests_name("rtnl on the kernel", tests, NULL, NULL);
}
