/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What links promise, tried on whatever test bed is given.
 *
 * Each test has devices plugged in by "the cloud", runs the event loop until the links say they are done,
 * and looks at the outcome through a second netlink handle that only listens. Nothing sleeps: the loop
 * ends on the event that is waited for, or the test fails after five seconds.
 */

#include "lib/link-tests.h"
#include "lib/test.h"
#include "link/link-private.h"
#include "util/log.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_MAX    4
#define PATIENCE (5 * USEC_PER_SEC)

static const LinkTestBed *bed;

typedef struct Fixture {
    sd_event *event;
    Links *links;
    Rtnl *rtnl;
    Link *link[N_MAX];
    unsigned n_told[LINK_EVENT_GONE + 1];
    unsigned n_changed;
    int error;
    char text[512];
} Fixture;

static void on_link(const LinkEvent *event, void *userdata)
{
    Fixture *f = userdata;

    f->n_told[event->type]++;
    if (event->type == LINK_EVENT_UP && event->changed)
        f->n_changed++;
    if (event->type == LINK_EVENT_FAILED || event->type == LINK_EVENT_UP) {
        f->error = event->error;
        (void)snprintf(f->text, sizeof(f->text), "%s", event->text);
    }
}

static MacAddr mac_of(unsigned i)
{
    return (MacAddr){{0x02, 0, 0, 0, 0, (uint8_t)(i + 1)}};
}

static void begin(Fixture *f)
{
    *f = (Fixture){0};
    assert_int_equal(sd_event_new(&f->event), 0);
    assert_int_equal(links_new(&f->links, f->event, bed->sysctl_root, on_link, f), 0);
}

static void start(Fixture *f)
{
    assert_int_equal(bed->start(&f->rtnl, f->event, links_on_rtnl, f->links), 0);
    assert_int_equal(links_start(f->links, f->rtnl), 0);
}

static void end(Fixture *f)
{
    f->links = links_free(f->links);
    f->rtnl = rtnl_free(f->rtnl);
    f->event = sd_event_unref(f->event);
}

/* eth1 for the first MAC, eth2 for the second … */
static Link *want(Fixture *f, unsigned i)
{
    LinkSpec spec = {.mac = mac_of(i), .mtu = 9001, .timeout = 60 * USEC_PER_SEC};
    Link *link = NULL;

    (void)snprintf(spec.ifname, sizeof(spec.ifname), "eth%u", i + 1);
    assert_int_equal(links_add(f->links, &spec, &link), 0);
    f->link[i] = link;
    return link;
}

static void plug(unsigned i, const char *name)
{
    const MacAddr mac = mac_of(i);

    assert_int_equal(bed->plug(&mac, name), 0);
}

/* Run the loop until as many events of the type were told. */
static void run_until(Fixture *f, LinkEventType type, unsigned n)
{
    const usec_t give_up = time_monotonic() + PATIENCE;

    while (f->n_told[type] < n) {
        const usec_t now = time_monotonic();

        if (now >= give_up)
            fail_msg("no event %i in time: %s", (int)type, f->text);
        assert_true(sd_event_run(f->event, give_up - now) >= 0);
    }
}

/* Run the loop until nothing is left to do. */
static void run_dry(const Fixture *f)
{
    while (sd_event_run(f->event, 0) > 0)
        ;
}

/* eth1 appears and is set up. */
static void begin_up(Fixture *f)
{
    begin(f);
    (void)want(f, 0);
    start(f);
    plug(0, NULL);
    run_until(f, LINK_EVENT_UP, 1);
}

static void assert_up(const Fixture *f, unsigned i)
{
    char name[IFNAMSIZ];
    const RtnlLink *device = links_device(f->links, link_ifindex(f->link[i]));
    const MacAddr mac = mac_of(i);

    (void)snprintf(name, sizeof(name), "eth%u", i + 1);
    assert_int_equal(link_state(f->link[i]), LINK_STATE_UP);
    assert_string_equal(link_name(f->link[i]), name);
    assert_int_equal(link_mtu(f->link[i]), 9001);
    assert_non_null(device);
    assert_true(device->flags & IFF_UP);
    assert_true(mac_addr_equal(&device->mac, &mac));
}

static void unplug_all(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char name[IFNAMSIZ];

        (void)snprintf(name, sizeof(name), "eth%u", i + 1);
        assert_int_equal(bed->unplug(name), 0);
    }
}

/* ------------------------------------------------------------------ all orders of arrival */

typedef enum Arrival {
    ARRIVAL_BEFORE,   /* all are there when the daemon starts */
    ARRIVAL_TOGETHER, /* all come before the loop runs again */
    ARRIVAL_SINGLY,   /* each after the one before is up */
} Arrival;

static void try_order(const unsigned order[static N_MAX], Arrival arrival, const char *const names[])
{
    Fixture f;

    begin(&f);
    for (unsigned i = 0; arrival == ARRIVAL_BEFORE && i < N_MAX; i++)
        plug(order[i], names ? names[i] : NULL);
    start(&f);
    for (unsigned i = 0; i < N_MAX; i++)
        (void)want(&f, i);
    if (arrival != ARRIVAL_BEFORE)
        run_dry(&f);
    for (unsigned i = 0; arrival != ARRIVAL_BEFORE && i < N_MAX; i++) {
        plug(order[i], names ? names[i] : NULL);
        if (arrival == ARRIVAL_SINGLY)
            run_until(&f, LINK_EVENT_UP, i + 1);
    }
    run_until(&f, LINK_EVENT_UP, N_MAX);
    run_dry(&f);
    for (unsigned i = 0; i < N_MAX; i++)
        assert_up(&f, i);
    assert_int_equal(f.n_told[LINK_EVENT_UP], N_MAX);
    assert_int_equal(f.n_told[LINK_EVENT_SEEN], N_MAX);
    assert_int_equal(f.n_told[LINK_EVENT_FAILED], 0);
    end(&f);
    unplug_all(N_MAX);
}

/* Every permutation, by Heap's algorithm. */
static void permute(unsigned order[static N_MAX], unsigned n, Arrival arrival, const char *const names[],
                    unsigned *count)
{
    if (n == 1) {
        try_order(order, arrival, names);
        (*count)++;
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        const unsigned j = n % 2 ? 0 : i;
        unsigned swap;

        permute(order, n - 1, arrival, names, count);
        swap = order[j];
        order[j] = order[n - 1];
        order[n - 1] = swap;
    }
}

static void all_orders(Arrival arrival, const char *const names[])
{
    unsigned order[N_MAX] = {0, 1, 2, 3}, count = 0;

    permute(order, N_MAX, arrival, names, &count);
    assert_int_equal(count, 24);
}

static const char *const colliding[N_MAX] = {"eth1", "eth2", "eth3", "eth4"};

static void test_orders_present_before(void **state)
{
    (void)state;
    all_orders(ARRIVAL_BEFORE, NULL);
    all_orders(ARRIVAL_BEFORE, colliding);
}

static void test_orders_together(void **state)
{
    (void)state;
    all_orders(ARRIVAL_TOGETHER, NULL);
    all_orders(ARRIVAL_TOGETHER, colliding);
}

static void test_orders_singly(void **state)
{
    (void)state;
    /* The kernel gives eth0 to the first and, since that one was renamed away, to others after it. */
    all_orders(ARRIVAL_SINGLY, NULL);
}

/* ------------------------------------------------------------------ other managers, other devices */

static void end_and_unplug(Fixture *f, const char *name)
{
    end(f);
    assert_int_equal(bed->unplug(name), 0);
}

static void test_second_run_changes_nothing(void **state)
{
    Fixture f;

    (void)state;
    plug(0, NULL);
    for (unsigned run = 0; run < 2; run++) {
        begin(&f);
        start(&f);
        (void)want(&f, 0);
        run_until(&f, LINK_EVENT_UP, 1);
        run_dry(&f);
        assert_up(&f, 0);
        assert_int_equal(f.n_changed, run == 0);
        assert_int_equal(f.n_told[LINK_EVENT_UP], 1);
        end(&f);
    }
    assert_int_equal(bed->unplug("eth1"), 0);
}

/* An ipvlan or macvlan child bears the parent's MAC, and may come to be seen first. */
static void test_child_is_not_taken(void **state)
{
    const MacAddr mac = mac_of(0);
    Fixture f;

    (void)state;
    plug(0, "ens6");
    assert_int_equal(bed->add_macvlan("ens6", "pod0", &mac), 0);
    begin(&f);
    (void)want(&f, 0);
    start(&f);
    run_until(&f, LINK_EVENT_UP, 1);
    run_dry(&f);
    assert_up(&f, 0);
    assert_false(links_device(f.links, link_ifindex(f.link[0]))->stacked);
    assert_int_equal(bed->unplug("pod0"), 0);
    run_dry(&f);
    assert_int_equal(f.n_told[LINK_EVENT_GONE], 0);
    end_and_unplug(&f, "eth1");
}

static void test_foreign_holder_fails(void **state)
{
    Fixture f;

    (void)state;
    plug(9, "eth1");
    plug(0, "ens6");
    begin(&f);
    f.links->name_patience_usec = 20 * USEC_PER_MSEC;
    want(&f, 0)->deadline = 0;
    start(&f);
    run_until(&f, LINK_EVENT_FAILED, 1);
    assert_int_equal(f.error, -EEXIST);
    assert_non_null(strstr(f.text, "02:00:00:00:00:0a"));
    assert_non_null(strstr(f.text, "ifname_prefix"));
    assert_string_equal(link_name(f.link[0]), "ens6");
    end(&f);
    assert_int_equal(bed->unplug("eth1"), 0);
    assert_int_equal(bed->unplug("ens6"), 0);
}

/* udev may be about to rename the holder. */
static void test_foreign_holder_leaves(void **state)
{
    Fixture f;

    (void)state;
    plug(9, "eth1");
    plug(0, "ens6");
    begin(&f);
    (void)want(&f, 0);
    start(&f);
    run_until(&f, LINK_EVENT_SEEN, 1);
    run_dry(&f);
    assert_int_equal(link_state(f.link[0]), LINK_STATE_NAMING);
    assert_int_equal(bed->rename("eth1", "ens7"), 0);
    run_until(&f, LINK_EVENT_UP, 1);
    assert_up(&f, 0);
    assert_int_equal(bed->unplug("ens7"), 0);
    end_and_unplug(&f, "eth1");
}

/* udev keeps a former name as an alternative one: of the device itself, or of another of ours. */
static void test_altname_in_the_way(void **state)
{
    Fixture f;

    (void)state;
    plug(0, "multus1");
    plug(1, "multus2");
    assert_int_equal(bed->add_altname("multus1", "eth1"), 0);
    begin(&f);
    (void)want(&f, 0);
    (void)want(&f, 1);
    start(&f);
    run_until(&f, LINK_EVENT_UP, 2);
    assert_up(&f, 0);
    assert_up(&f, 1);
    end(&f);
    unplug_all(2);

    plug(0, "multus1");
    plug(1, "multus2");
    assert_int_equal(bed->add_altname("multus1", "eth2"), 0);
    begin(&f);
    (void)want(&f, 0);
    (void)want(&f, 1);
    start(&f);
    run_until(&f, LINK_EVENT_UP, 2);
    assert_up(&f, 0);
    assert_up(&f, 1);
    end(&f);
    unplug_all(2);

    /* The kernel says nothing of an altname that is given while the device is down. */
    plug(0, "multus1");
    begin(&f);
    start(&f);
    run_dry(&f);
    assert_int_equal(bed->add_altname("multus1", "eth1"), 0);
    (void)want(&f, 0);
    run_until(&f, LINK_EVENT_UP, 1);
    assert_up(&f, 0);
    end(&f);
    unplug_all(1);
}

/* Another manager was faster: before 6.x the kernel refuses to rename a device that is up. */
static void test_up_under_another_name(void **state)
{
    Fixture f;

    (void)state;
    plug(0, "ens6");
    assert_int_equal(bed->set_up("ens6"), 0);
    begin(&f);
    start(&f);
    (void)want(&f, 0);
    run_until(&f, LINK_EVENT_UP, 1);
    run_dry(&f);
    assert_up(&f, 0);
    end_and_unplug(&f, "eth1");
}

static void rename_again_and_again(bool settled)
{
    Fixture f;

    plug(0, NULL);
    begin(&f);
    if (settled) {
        links_settle(f.links);
        f.links->rename_grace_usec = 20 * USEC_PER_MSEC;
    }
    (void)want(&f, 0);
    start(&f);
    run_until(&f, LINK_EVENT_UP, 1);
    for (unsigned i = 0; i < LINK_DISTURBANCES_MAX; i++) {
        assert_int_equal(bed->rename("eth1", "ens6"), 0);
        run_until(&f, LINK_EVENT_UP, 2 + i);
        assert_up(&f, 0);
        assert_non_null(strstr(f.text, "ens6"));
    }
    assert_int_equal(bed->rename("eth1", "ens6"), 0);
    run_until(&f, LINK_EVENT_FAILED, 1);
    assert_int_equal(f.error, -EBUSY);
    end_and_unplug(&f, "ens6");
}

static void test_renamed_back(void **state)
{
    (void)state;
    rename_again_and_again(false);
    rename_again_and_again(true);
}

/* ------------------------------------------------------------------ coming and going */

static void test_gone_and_back(void **state)
{
    Fixture f;

    (void)state;
    begin_up(&f);
    assert_int_equal(bed->unplug("eth1"), 0);
    run_until(&f, LINK_EVENT_GONE, 1);
    assert_int_equal(link_state(f.link[0]), LINK_STATE_WAITING);
    assert_int_equal(link_ifindex(f.link[0]), 0);
    assert_string_equal(link_name(f.link[0]), "");
    plug(0, "ens9");
    run_until(&f, LINK_EVENT_UP, 2);
    assert_up(&f, 0);
    assert_int_equal(f.n_changed, 2);
    end_and_unplug(&f, "eth1");
}

/* As the plugin host-device does with a pod that comes and goes. */
static void test_away_and_back(void **state)
{
    Fixture f;

    (void)state;
    begin_up(&f);
    assert_int_equal(bed->send_away("eth1"), 0);
    run_until(&f, LINK_EVENT_AWAY, 1);
    assert_int_equal(link_state(f.link[0]), LINK_STATE_AWAY);
    assert_true(link_is_ready(f.link[0]));
    assert_int_equal(link_ifindex(f.link[0]), 0);
    assert_int_equal(bed->bring_back("eth1"), 0);
    run_until(&f, LINK_EVENT_UP, 2);
    assert_up(&f, 0);
    assert_int_equal(f.n_told[LINK_EVENT_GONE], 0);
    end_and_unplug(&f, "eth1");
}

/* As those plugins do that name a device before they move it, and look for it by that name. */
static void test_renamed_and_away(void **state)
{
    Fixture f;

    (void)state;
    begin_up(&f);
    links_settle(f.links);
    f.links->rename_grace_usec *= 1000;
    run_dry(&f);
    assert_int_equal(bed->rename("eth1", "temp_5"), 0);
    run_dry(&f);
    assert_int_equal(bed->send_away("temp_5"), 0);
    run_until(&f, LINK_EVENT_AWAY, 1);
    assert_int_equal(link_state(f.link[0]), LINK_STATE_AWAY);
    assert_int_equal(bed->bring_back("temp_5"), 0);
    run_until(&f, LINK_EVENT_UP, 2);
    assert_up(&f, 0);
    /* Or it renames it back itself. */
    run_dry(&f);
    assert_int_equal(bed->rename("eth1", "temp_5"), 0);
    run_dry(&f);
    assert_int_equal(bed->rename("temp_5", "eth1"), 0);
    assert_int_equal(bed->set_up("eth1"), 0);
    run_dry(&f);
    assert_up(&f, 0);
    assert_int_equal(f.n_told[LINK_EVENT_UP], 2);
    assert_int_equal(f.n_told[LINK_EVENT_GONE], 0);
    end_and_unplug(&f, "eth1");
}

/* The next pod takes it before it is set up again. */
static void test_back_and_away(void **state)
{
    Fixture f;

    (void)state;
    begin_up(&f);
    assert_int_equal(bed->send_away("eth1"), 0);
    run_until(&f, LINK_EVENT_AWAY, 1);
    assert_int_equal(bed->bring_back("eth1"), 0);
    assert_int_equal(bed->send_away("eth1"), 0);
    run_until(&f, LINK_EVENT_AWAY, 2);
    assert_int_equal(link_state(f.link[0]), LINK_STATE_AWAY);
    assert_int_equal(f.n_told[LINK_EVENT_GONE], 0);
    assert_int_equal(bed->bring_back("eth1"), 0);
    run_until(&f, LINK_EVENT_UP, 2);
    end_and_unplug(&f, "eth1");
}

/* It was up in this boot, before the daemon was started again. */
static void test_away_before(void **state)
{
    LinkSpec spec = {
        .mac = mac_of(0), .ifname = "eth1", .mtu = 9001, .timeout = 40 * USEC_PER_MSEC, .was_up = true};
    Fixture f;

    (void)state;
    for (unsigned there = 0; there < 2; there++) {
        begin(&f);
        if (there)
            plug(0, "eth1");
        start(&f);
        /* As when EC2 tells of both at once. */
        assert_int_equal(links_add(f.links, &spec, &f.link[0]), 0);
        links_expect(f.links, f.link[0]);
        assert_false(link_is_ready(f.link[0]));
        run_until(&f, there ? LINK_EVENT_UP : LINK_EVENT_AWAY, 1);
        assert_int_equal(f.n_told[LINK_EVENT_AWAY], !there);
        assert_true(there || link_is_ready(f.link[0]));
        if (!there)
            plug(0, "ens9");
        run_until(&f, LINK_EVENT_UP, 1);
        assert_up(&f, 0);
        assert_int_equal(f.n_told[LINK_EVENT_AWAY], !there);
        assert_int_equal(f.n_told[LINK_EVENT_FAILED], 0);
        /* That it was up once says nothing of its end. */
        assert_int_equal(bed->unplug("eth1"), 0);
        run_until(&f, LINK_EVENT_GONE, 1);
        run_dry(&f);
        assert_int_equal(link_state(f.link[0]), LINK_STATE_WAITING);
        plug(0, "eth1");
        run_until(&f, LINK_EVENT_UP, 2);
        end_and_unplug(&f, "eth1");
    }
}

static void test_slow_then_late(void **state)
{
    LinkSpec spec = {.mac = mac_of(0), .ifname = "eth1", .mtu = 9001, .timeout = 40 * USEC_PER_MSEC};
    Fixture f;

    (void)state;
    begin(&f);
    f.links->slow_usec = 10 * USEC_PER_MSEC;
    assert_int_equal(links_add(f.links, &spec, &f.link[0]), 0);
    assert_int_equal(links_add(f.links, &spec, &f.link[1]), -EEXIST);
    start(&f);
    run_dry(&f);
    links_expect(f.links, f.link[0]);
    run_until(&f, LINK_EVENT_FAILED, 1);
    assert_int_equal(f.n_told[LINK_EVENT_SLOW], 1);
    assert_int_equal(f.error, -ETIMEDOUT);
    assert_non_null(strstr(f.text, "02:00:00:00:00:01"));
    plug(0, NULL);
    run_until(&f, LINK_EVENT_UP, 1);
    assert_up(&f, 0);
    end_and_unplug(&f, "eth1");
}

/* ------------------------------------------------------------------ configuring */

static void test_altnames_and_mtu(void **state)
{
    LinkSpec spec = {.mac = mac_of(0), .ifname = "eth1", .mtu = 100000, .timeout = 60 * USEC_PER_SEC};
    Fixture f;

    (void)state;
    assert_int_equal(strlist_append(&spec.altnames, "eni-0123456789abcdef0"), 0);
    assert_int_equal(strlist_append(&spec.altnames, "taken"), 0);
    plug(9, "ens9");
    assert_int_equal(bed->add_altname("ens9", "taken"), 0);
    plug(0, NULL);
    begin(&f);
    start(&f);
    assert_int_equal(links_add(f.links, &spec, &f.link[0]), 0);
    run_until(&f, LINK_EVENT_UP, 1);
    run_dry(&f);
    assert_int_equal(link_mtu(f.link[0]), 65535);
    assert_non_null(strstr(f.text, "65535"));
    assert_non_null(strstr(f.text, "alternative name"));
    assert_ptr_equal(links_device_by_name(f.links, "eni-0123456789abcdef0"),
                     links_device(f.links, link_ifindex(f.link[0])));
    link_spec_done(&spec);
    end_and_unplug(&f, "eth1");
    assert_int_equal(bed->unplug("ens9"), 0);
}

/* A datagram socket that is connected, from the address or from any: does the kernel have a route? */
static int try_route(const InAddr *from, const InAddr *to)
{
    const int fd = socket(to->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address[2] = {0};
    const socklen_t size = to->family == AF_INET ? sizeof(address[0].in) : sizeof(address[0].in6);
    const InAddr *const pair[2] = {from, to};
    int r = 0;

    for (size_t i = 0; i < 2; i++) {
        address[i].any.sa_family = (sa_family_t)to->family;
        if (to->family == AF_INET) {
            address[i].in.sin_port = i ? htons(9) : 0;
            if (pair[i])
                memcpy(&address[i].in.sin_addr, pair[i]->bytes, 4);
        } else {
            address[i].in6.sin6_port = i ? htons(9) : 0;
            if (pair[i])
                memcpy(&address[i].in6.sin6_addr, pair[i]->bytes, 16);
        }
    }
    assert_true(fd >= 0);
    if (from && bind(fd, &address[0].any, size) < 0)
        r = -errno;
    if (r == 0 && connect(fd, &address[1].any, size) < 0)
        r = -errno;
    (void)close(fd);
    return r;
}

static void host_address(LinkSpec *spec, const char *prefix, const char *gateway)
{
    LinkAddress *address = &spec->addresses[spec->n_addresses++];

    assert_int_equal(in_prefix_parse(prefix, &address->prefix), 0);
    assert_int_equal(in_addr_parse(gateway, &address->gateway), 0);
}

static void test_host_addresses(void **state)
{
    static const char *const far[2] = {"198.51.100.1", "2001:db8:ffff::1"};
    LinkSpec spec = {.mac = mac_of(0),
                     .ifname = "eth1",
                     .mtu = 9001,
                     .timeout = 60 * USEC_PER_SEC,
                     .table = 20001,
                     .priority = 31001};
    Fixture f;

    (void)state;
    host_address(&spec, "10.0.1.23/24", "10.0.1.1");
    host_address(&spec, "2001:db8:1::23/64", "2001:db8:1::1");
    plug(0, NULL);
    for (unsigned run = 0; run < 2; run++) {
        begin(&f);
        start(&f);
        assert_int_equal(links_add(f.links, &spec, &f.link[0]), 0);
        run_until(&f, LINK_EVENT_UP, 1);
        run_dry(&f);
        assert_up(&f, 0);
        assert_string_equal(f.text, "");
        assert_int_equal(f.n_changed, run == 0);
        end(&f);
    }
    for (size_t i = 0; bed->routes && i < 2; i++) {
        InAddr to;

        assert_int_equal(in_addr_parse(far[i], &to), 0);
        /*
         * From the address there is a way; without it the main table is asked, and has none. (IPv6 falls
         * back to choosing a source first and then finds the rule: ip6_dst_lookup_tail().)
         */
        assert_int_equal(try_route(&spec.addresses[i].prefix.address, &to), 0);
        if (to.family == AF_INET6)
            continue;
        assert_int_equal(try_route(NULL, &to), -ENETUNREACH);
        assert_int_equal(try_route(NULL, &spec.addresses[i].gateway), -ENETUNREACH);
    }
    assert_int_equal(bed->unplug("eth1"), 0);
}

int link_tests_run(const char *group, const LinkTestBed *test_bed)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_present_before), cmocka_unit_test(test_orders_together),
        cmocka_unit_test(test_orders_singly),         cmocka_unit_test(test_second_run_changes_nothing),
        cmocka_unit_test(test_child_is_not_taken),    cmocka_unit_test(test_foreign_holder_fails),
        cmocka_unit_test(test_foreign_holder_leaves), cmocka_unit_test(test_altname_in_the_way),
        cmocka_unit_test(test_up_under_another_name), cmocka_unit_test(test_renamed_back),
        cmocka_unit_test(test_gone_and_back),         cmocka_unit_test(test_away_and_back),
        cmocka_unit_test(test_renamed_and_away),      cmocka_unit_test(test_back_and_away),
        cmocka_unit_test(test_away_before),           cmocka_unit_test(test_slow_then_late),
        cmocka_unit_test(test_altnames_and_mtu),      cmocka_unit_test(test_host_addresses),
    };

    if (getenv("LINK_TESTS_DEBUG"))
        log_set_max_level(LOG_DEBUG);
    bed = test_bed;
    return _cmocka_run_group_tests(group, tests, ARRAY_SIZE(tests), NULL, NULL);
}
