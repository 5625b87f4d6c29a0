/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Moments between two events, which the kernel shows too seldom to be tried on it: udev in the middle of its
 * work, a device that is set down while it is set up, a name that is there before its settings.
 */

#include "lib/fake-rtnl.h"
#include "lib/test.h"
#include "link/link-private.h"
#include "util/fs.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static const MacAddr mac = {{0x02, 0, 0, 0, 0, 1}};

typedef struct Fixture {
    char root[64];
    sd_event *event;
    Links *links;
    Rtnl *rtnl;
    Link *link;
    unsigned n_told[LINK_EVENT_GONE + 1];
    char text[512];
} Fixture;

/* ------------------------------------------------------------ udev */

static int udev_says;
static Udev *const some_udev = (Udev *)&udev_says;

int __wrap_udev_is_initialized(Udev *udev, int ifindex);
Udev *__wrap_udev_free(Udev *udev);

int __wrap_udev_is_initialized(Udev *udev, int ifindex)
{
    assert_ptr_equal(udev, some_udev);
    assert_int_equal(ifindex, 1);
    return udev_says;
}

Udev *__wrap_udev_free(Udev *udev _unused_)
{
    return NULL;
}

/* ------------------------------------------------------------ fixture */

static void on_link(const LinkEvent *event, void *userdata)
{
    Fixture *f = userdata;

    f->n_told[event->type]++;
    (void)snprintf(f->text, sizeof(f->text), "%s", event->text);
}

static void begin(Fixture *f)
{
    LinkSpec spec = {.mac = mac, .ifname = "eth1", .mtu = 9001, .timeout = USEC_PER_MINUTE};

    *f = (Fixture){.root = "/tmp/test-link-moments-XXXXXX"};
    fake_rtnl_reset();
    assert_non_null(mkdtemp(f->root));
    assert_int_equal(sd_event_new(&f->event), 0);
    assert_int_equal(links_new(&f->links, f->event, f->root, on_link, f), 0);
    f->links->udev = NULL;
    assert_int_equal(fake_rtnl_new(&f->rtnl, f->event, links_on_rtnl, f->links), 0);
    assert_int_equal(links_start(f->links, f->rtnl), 0);
    assert_int_equal(links_add(f->links, &spec, &f->link), 0);
    links_expect(f->links, f->link);
}

static void end(Fixture *f)
{
    char command[sizeof(f->root) + 16];

    f->links = links_free(f->links);
    f->rtnl = rtnl_free(f->rtnl);
    f->event = sd_event_unref(f->event);
    (void)snprintf(command, sizeof(command), "rm -rf %s", f->root);
    assert_int_equal(system(command), 0);
}

static void run_dry(const Fixture *f)
{
    while (sd_event_run(f->event, 0) > 0)
        ;
}

static void run_until(Fixture *f, LinkState state)
{
    while (link_state(f->link) != state)
        assert_true(sd_event_run(f->event, 5 * USEC_PER_SEC) > 0);
}

/* ------------------------------------------------------------ the moments */

/* It renames the device: it is not found, which is no sign that udev has nothing to do with it. */
static void test_udev_renames(void **state)
{
    Fixture f;

    (void)state;
    udev_says = -ENODEV;
    begin(&f);
    f.links->udev = some_udev;
    assert_int_equal(fake_rtnl_plug(&mac, "eth0"), 0);
    run_dry(&f);
    assert_int_equal(link_state(f.link), LINK_STATE_UDEV);
    udev_says = 0;
    link_on_udev(f.link);
    assert_int_equal(link_state(f.link), LINK_STATE_UDEV);
    udev_says = 1;
    link_on_udev(f.link);
    run_until(&f, LINK_STATE_UP);
    end(&f);

    /* It never tells. */
    udev_says = -ENODEV;
    begin(&f);
    f.links->udev = some_udev;
    f.links->udev_patience_usec = 20 * USEC_PER_MSEC;
    assert_int_equal(fake_rtnl_plug(&mac, "eth0"), 0);
    run_until(&f, LINK_STATE_UP);
    end(&f);
}

/* As often as a link stands it. Both events come before the answers do. */
static void begin_and_set_down(Fixture *f)
{
    begin(f);
    f->links->name_patience_usec = 20 * USEC_PER_MSEC;
    assert_int_equal(fake_rtnl_plug(&mac, "eth1"), 0);
    for (unsigned n = 1; n <= LINK_DISTURBANCES_MAX; n++) {
        run_until(f, LINK_STATE_CONFIGURING);
        assert_int_equal(fake_rtnl_set_down("eth1"), 0);
        run_until(f, LINK_STATE_NAMING);
    }
}

static void test_set_down_meanwhile(void **state)
{
    Fixture f;

    (void)state;
    begin_and_set_down(&f);
    run_until(&f, LINK_STATE_UP);
    assert_non_null(strstr(f.text, "set it down"));
    end(&f);

    /* Who insists is told of. */
    begin_and_set_down(&f);
    run_until(&f, LINK_STATE_CONFIGURING);
    assert_int_equal(fake_rtnl_set_down("eth1"), 0);
    run_until(&f, LINK_STATE_FAILED);
    assert_non_null(strstr(f.text, "keeps setting it down"));
    end(&f);
}

/* A pod takes it: one that was never up was not for pods yet; one that was may go at any time. */
static void test_moved_meanwhile(void **state)
{
    static const LinkState states[] = {LINK_STATE_UDEV, LINK_STATE_NAMING, LINK_STATE_CONFIGURING};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        for (unsigned was_up = 0; was_up < 2; was_up++) {
            Fixture f;

            udev_says = 0;
            begin(&f);
            f.link->spec.was_up = was_up;
            f.links->udev = states[i] == LINK_STATE_UDEV ? some_udev : NULL;
            assert_int_equal(fake_rtnl_plug(&mac, "eth1"), 0);
            run_until(&f, states[i]);
            assert_int_equal(fake_rtnl_send_away("eth1"), 0);
            run_until(&f, was_up ? LINK_STATE_AWAY : LINK_STATE_WAITING);
            assert_int_equal(f.n_told[LINK_EVENT_AWAY], was_up);
            assert_int_equal(f.n_told[LINK_EVENT_GONE], !was_up);
            end(&f);
        }
}

/* The time that is given to a plugin is not begun anew by what else happens, and is over with the name. */
static void test_grace(void **state)
{
    uint64_t first = 0, second = 0;
    int enabled = SD_EVENT_ON;
    Fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(fake_rtnl_plug(&mac, "eth1"), 0);
    run_until(&f, LINK_STATE_UP);
    run_dry(&f);
    links_settle(f.links);
    assert_int_equal(fake_rtnl_rename("eth1", "temp_5"), 0);
    run_dry(&f);
    assert_int_equal(sd_event_source_get_time(f.link->timer, &first), 0);
    assert_int_equal(usleep(2000), 0);
    assert_int_equal(fake_rtnl_set_down("temp_5"), 0);
    run_dry(&f);
    assert_int_equal(sd_event_source_get_time(f.link->timer, &second), 0);
    assert_int_equal(first, second);
    assert_true(first > time_monotonic());
    assert_int_equal(fake_rtnl_rename("temp_5", "eth1"), 0);
    run_dry(&f);
    assert_true(sd_event_source_get_enabled(f.link->timer, &enabled) >= 0);
    assert_int_equal(enabled, SD_EVENT_OFF);
    assert_int_equal(link_state(f.link), LINK_STATE_UP);
    end(&f);
}

/* They never come: a kernel without them is done without. */
static void test_no_settings(void **state)
{
    Fixture f;

    (void)state;
    begin(&f);
    f.links->name_patience_usec = 20 * USEC_PER_MSEC;
    assert_int_equal(fake_rtnl_plug(&mac, "eth1"), 0);
    run_until(&f, LINK_STATE_UP);
    assert_string_equal(f.text, "");
    end(&f);
}

static void tell_nothing(Rtnl *rtnl _unused_)
{
}

/* Nor is anything told of the devices again: when the time for finding a name is over, it has one. */
static void test_no_settings_and_no_event(void **state)
{
    RtnlOps ops;
    Fixture f;

    (void)state;
    begin(&f);
    ops = *f.rtnl->ops;
    ops.refresh = tell_nothing;
    f.rtnl->ops = &ops;
    f.links->name_patience_usec = 20 * USEC_PER_MSEC;
    f.link->deadline = 0; /* that of its appearance is over */
    assert_int_equal(fake_rtnl_plug(&mac, "eth1"), 0);
    run_until(&f, LINK_STATE_UP);
    assert_int_equal(f.n_told[LINK_EVENT_FAILED], 0);
    end(&f);
}

/* A device that is one link already is no other, whatever its MAC becomes. */
static void test_mac_of_another_link(void **state)
{
    const MacAddr second_mac = {{0x02, 0, 0, 0, 0, 2}};
    const LinkSpec spec = {.mac = second_mac, .ifname = "eth2", .mtu = 9001, .timeout = USEC_PER_MINUTE};
    Link *second = NULL;
    Fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(links_add(f.links, &spec, &second), 0);
    links_expect(f.links, second);
    assert_int_equal(fake_rtnl_plug(&mac, "eth1"), 0);
    run_until(&f, LINK_STATE_UP);
    assert_int_equal(fake_rtnl_set_mac("eth1", &second_mac), 0);
    run_dry(&f);
    assert_int_equal(link_state(f.link), LINK_STATE_UP);
    assert_int_equal(link_state(second), LINK_STATE_WAITING);
    assert_int_equal(fake_rtnl_unplug("eth1"), 0);
    assert_int_equal(fake_rtnl_plug(&second_mac, "eth5"), 0);
    while (link_state(second) != LINK_STATE_UP)
        assert_true(sd_event_run(f.event, 5 * USEC_PER_SEC) > 0);
    assert_int_equal(link_state(f.link), LINK_STATE_WAITING);
    end(&f);
}

/* Somebody else gives it its name: the kernel tells of that, and then moves the settings. */
static void test_settings_come_after_the_name(void **state)
{
    _cleanup_(freep) char *text = NULL;
    char path[PATH_MAX];
    Fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(fake_rtnl_plug(&mac, "eth1"), 0);
    run_until(&f, LINK_STATE_NAMING);
    f.link->refreshed = true; /* for a name that was refused before */
    while (!f.link->settings_awaited)
        assert_true(sd_event_run(f.event, 0) > 0);
    assert_int_equal(link_state(f.link), LINK_STATE_NAMING);
    (void)snprintf(path, sizeof(path), "%s/net/ipv4/conf/eth1", f.root);
    assert_int_equal(fs_mkdir_p(path, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/net/ipv4/conf/eth1/rp_filter", f.root);
    assert_int_equal(fs_write_file(path, "2\n", 2, 0644, FS_SYNC_NO), 0);
    run_until(&f, LINK_STATE_UP);
    assert_int_equal(fs_read_file(path, 64, &text, NULL), 0);
    assert_string_equal(text, "0\n");
    end(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udev_renames),
        cmocka_unit_test(test_set_down_meanwhile),
        cmocka_unit_test(test_settings_come_after_the_name),
        cmocka_unit_test(test_moved_meanwhile),
        cmocka_unit_test(test_grace),
        cmocka_unit_test(test_no_settings),
        cmocka_unit_test(test_no_settings_and_no_event),
        cmocka_unit_test(test_mac_of_another_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
