/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The watch on the kernel: pods come, change and go, and a registrar without AWS is asked what it holds.
 *
 * Nothing waits for a time: what the kernel does it does inside the request that asks for it, so one
 * drained event loop later the registrar must have been called. Only what the kernel leaves to a thread of
 * its own takes its time, and is waited for: the readiness of IPv6 addresses and the end of a namespace.
 *
 * Addresses are /32, for the kernel removes all of a subnet with the first of it.
 */

#include "io/netlink.h"
#include "lib/fake-registrar/world.h"
#include "lib/netns.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_start(void **state)
{
    World *world = *state;
    Pod *a, *b;
    char owner[64];

    a = plugged_pod(world, "cni-a", "eth1");
    b = plugged_pod(world, NULL, "eth2");
    add(a, "10.0.1.10/32");
    add(a, "2001:db8::10/64");
    add(b, "10.0.1.11/32");
    watch_begin(world);

    assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");
    run_until(world, "2001:db8::10", true);
    assert_registered(world, "2001:db8::10", "watch:cni-a/net1", "eth1");
    (void)snprintf(owner, sizeof(owner), "watch:nsid%d/net1", pod_nsid(b));
    assert_registered(world, "10.0.1.11", owner, "eth2");
    assert_int_equal(fake_registrar_n(world->registrar), 3);
}

/* In one turn of the loop, whatever came before. */
static void test_added_and_removed(void **state)
{
    World *world = *state;
    Pod *a;

    watch_begin(world);
    a = pod(world, "cni-a");
    drain(world);
    plug(world, a, "net1", "eth1");
    drain(world);
    add(a, "10.0.1.10/32");
    add(a, "2001:db8::10/64");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");
    run_until(world, "2001:db8::10", true);
    assert_registered(world, "2001:db8::10", "watch:cni-a/net1", "eth1");

    removes(a, "10.0.1.10/32");
    drain(world);
    assert_free(world, "10.0.1.10");
    assert_int_equal(pod_unplug(a, "net1"), 0);
    drain(world);
    assert_free(world, "2001:db8::10");
}

/* One address with two prefix lengths is two for the kernel, which tells of the end of each. */
static void test_two_lengths(void **state)
{
    World *world = *state;
    Pod *a;

    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    add(a, "10.0.1.10/24");
    drain(world);
    add(a, "10.0.1.10/32");
    add(a, "10.0.1.11/32");
    drain(world);
    removes(a, "10.0.1.10/32");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");
    removes(a, "10.0.1.10/24");
    drain(world);
    assert_free(world, "10.0.1.10");
    assert_registered(world, "10.0.1.11", "watch:cni-a/net1", "eth1");

    /* Both are there at the start. */
    add(a, "10.0.1.12/32");
    add(a, "10.0.1.12/24");
    world->watch = watch_free(world->watch);
    watch_begin(world);
    drain(world);
    removes(a, "10.0.1.12/32");
    drain(world);
    assert_registered(world, "10.0.1.12", "watch:cni-a/net1", "eth1");
    pod_end(world, a);
    run_until(world, "10.0.1.12", false);
    run_until(world, "10.0.1.11", false);
}

static void test_burst(void **state)
{
    World *world = *state;
    Pod *a;

    /* All that happens in a pod's life, told at once. */
    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    add(a, "10.0.1.10/32");
    removes(a, "10.0.1.10/32");
    add(a, "10.0.1.10/32");
    add(a, "10.0.1.11/32");
    removes(a, "10.0.1.11/32");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");
    assert_int_equal(fake_registrar_n(world->registrar), 1);
}

static void test_not_for_the_network(void **state)
{
    static const struct {
        const char *address;
        unsigned scope;
    } cases[] = {
        {"127.0.0.2/32", RT_SCOPE_UNIVERSE}, {"169.254.7.1/32", RT_SCOPE_UNIVERSE},
        {"169.254.7.2/32", RT_SCOPE_LINK},   {"10.0.1.20/32", RT_SCOPE_HOST},
        {"10.0.1.21/32", RT_SCOPE_LINK},     {"fe80::1/64", RT_SCOPE_UNIVERSE},
    };
    World *world = *state;
    Pod *a = plugged_pod(world, "cni-a", "eth1");
    size_t n;

    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
            assert_int_equal(pod_address(a, true, "net1", cases[i].address, cases[i].scope, IFA_F_NODAD), 0);
        if (round == 0)
            watch_begin(world);
        drain(world);
        (void)fake_registrar_calls(world->registrar, &n);
        assert_int_equal(n, 0);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
            assert_int_equal(pod_address(a, false, "net1", cases[i].address, cases[i].scope, 0), 0);
        drain(world);
    }
    assert_int_equal(fake_registrar_n(world->registrar), 0);
}

/* IPv6 is not registered before its duplicate detection is done, and is then; nor after it has failed. */
static void test_duplicate_detection(void **state)
{
    World *world = *state;
    Pod *a = pod(world, "cni-a");
    size_t n;
    bool changed;
    int ifindex;

    watch_begin(world);
    drain(world);
    assert_int_equal(pod_plug(a, "dad0", "net1", &ifindex), 0);
    assert_int_equal(registrar_set_ifindex(world->registrar, "eth1", ifindex, &changed), 0);
    drain(world);
    assert_int_equal(home_address(true, "dad0", "2001:db8::99/64", RT_SCOPE_UNIVERSE, IFA_F_NODAD), 0);
    assert_int_equal(pod_address(a, true, "net1", "2001:db8::10/64", RT_SCOPE_UNIVERSE, 0), 0);
    assert_int_equal(pod_address(a, true, "net1", "2001:db8::99/64", RT_SCOPE_UNIVERSE, 0), 0);
    drain(world);
    assert_int_equal(fake_registrar_n(world->registrar), 0);

    run_until(world, "2001:db8::10", true);
    /* Of the same age: if it were to be, it would have been, or is at once. */
    (void)sd_event_run(world->event, USEC_PER_SEC);
    drain(world);
    assert_free(world, "2001:db8::99");
    (void)fake_registrar_calls(world->registrar, &n);
    assert_int_equal(n, 1);
}

static void test_two_in_one_subnet(void **state)
{
    World *world = *state;
    Pod *a = pod(world, "cni-a");

    watch_begin(world);
    plug(world, a, "net1", "eth1");
    plug(world, a, "net2", "eth2");
    assert_int_equal(pod_address(a, true, "net1", "10.0.1.10/32", RT_SCOPE_UNIVERSE, 0), 0);
    assert_int_equal(pod_address(a, true, "net2", "10.0.1.11/32", RT_SCOPE_UNIVERSE, 0), 0);
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");
    assert_registered(world, "10.0.1.11", "watch:cni-a/net2", "eth2");
}

/* A pod inside a pod: the interface below has our index, but is not ours. And one above nothing of ours. */
static void test_others(void **state)
{
    World *world = *state;
    Pod *a = plugged_pod(world, "cni-a", "eth1"), *nested = pod(world, "nested"), *b = pod(world, "cni-b");
    bool changed;
    int ifindex;

    assert_int_equal(registrar_set_ifindex(world->registrar, "eth1", 7777, &changed), 0);
    for (unsigned round = 0; round < 2; round++) {
        if (round == 0)
            watch_begin(world);
        drain(world);
        assert_int_equal(pod_plug_into(nested, a, "net1", 7777), 0);
        assert_int_equal(pod_plug(b, "other", "net1", &ifindex), 0);
        add(nested, "10.0.1.30/32");
        add(b, "10.0.1.31/32");
        if (round == 1) {
            world->watch = watch_free(world->watch);
            watch_begin(world);
        }
        drain(world);
        assert_int_equal(fake_registrar_n(world->registrar), 0);
        assert_int_equal(pod_unplug(nested, "net1"), 0);
        assert_int_equal(pod_unplug(b, "net1"), 0);
        drain(world);
    }
}

/* The number of a namespace that ends counts in the one that tells of it: here it is another's. */
static void test_ids_of_others(void **state)
{
    World *world = *state;
    Pod *a, *nested;
    usec_t end;
    size_t n;

    watch_begin(world);
    /* In the pod this namespace has the id 0, and the nested one will have 1, as the pod has here. */
    do
        a = plugged_pod(world, NULL, "eth1");
    while (pod_nsid(a) != 1);
    add(a, "10.0.1.10/32");
    nested = pod(world, NULL);
    assert_int_equal(pod_plug_into(nested, a, "net1", 7777), 0);
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:nsid1/net1", "eth1");
    assert_int_equal(pod_nsid_in(nested, a), pod_nsid(a));

    /* Its end is told first, then its interface goes and takes the lower one along. */
    pod_end(world, nested);
    for (end = time_monotonic() + PATIENCE; pod_ifindex(a, "lower0") > 0; (void)sched_yield())
        assert_true(time_monotonic() < end);
    drain(world);
    (void)fake_registrar_calls(world->registrar, &n);
    assert_int_equal(n, 1);
}

static void test_namespace_ends(void **state)
{
    World *world = *state;
    Pod *a, *b;

    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    b = plugged_pod(world, NULL, "eth1");
    add(a, "10.0.1.10/32");
    add(b, "10.0.1.11/32");
    drain(world);
    assert_int_equal(fake_registrar_n(world->registrar), 2);

    pod_end(world, a);
    run_until(world, "10.0.1.10", false);
    assert_non_null(fake_registrar_owner(world->registrar, "10.0.1.11"));
    pod_end(world, b);
    run_until(world, "10.0.1.11", false);

    /* The ids are given anew. */
    a = plugged_pod(world, "cni-c", "eth2");
    add(a, "10.0.1.10/32");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-c/net1", "eth2");
}

/* A floating address, in whichever order. */
static void test_floats(void **state)
{
    World *world = *state;
    Pod *a, *b;

    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    b = plugged_pod(world, "cni-b", "eth2");
    add(a, "10.0.1.10/32");
    drain(world);

    removes(a, "10.0.1.10/32");
    add(b, "10.0.1.10/32");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-b/net1", "eth2");

    add(a, "10.0.1.10/32");
    removes(b, "10.0.1.10/32");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");

    /* Both have it, and the newer one drops it again. */
    add(b, "10.0.1.10/32");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-b/net1", "eth2");
    removes(b, "10.0.1.10/32");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");
    removes(a, "10.0.1.10/32");
    drain(world);
    assert_free(world, "10.0.1.10");
}

/* The same while every answer is slow: none is waited for. */
static void test_floats_unanswered(void **state)
{
    World *world = *state;
    Pod *a, *b;

    fake_registrar_later(world->registrar, true);
    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    b = plugged_pod(world, "cni-b", "eth2");
    for (unsigned i = 0; i < 3; i++) {
        add(a, "10.0.1.10/32");
        removes(a, "10.0.1.10/32");
        drain(world);
        add(b, "10.0.1.10/32");
        add(a, "10.0.1.10/32");
        drain(world);
        assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");
        if (i > 0)
            fake_registrar_answer(world->registrar);
        removes(b, "10.0.1.10/32");
        removes(a, "10.0.1.10/32");
        drain(world);
        assert_free(world, "10.0.1.10");
        if (i > 1)
            fake_registrar_answer(world->registrar);
    }
}

static void test_refused(void **state)
{
    World *world = *state;
    Pod *a;

    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    fake_registrar_refuse(world->registrar, 422);
    add(a, "192.168.7.1/32");
    drain(world);
    assert_free(world, "192.168.7.1");
    fake_registrar_refuse(world->registrar, 200);
    removes(a, "192.168.7.1/32");
    add(a, "192.168.7.1/32");
    drain(world);
    assert_registered(world, "192.168.7.1", "watch:cni-a/net1", "eth1");
}

/* A thousand times as fast. */
int __real_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata);
int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata);

int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata)
{
    return __real_sd_event_add_time_relative(event, ret, clock, usec / 1000, accuracy / 1000, handler,
                                             userdata);
}

/* An entry of a scope that is not for the network is none of ours, when it comes and when it goes. */
static void test_other_scope(void **state)
{
    World *world = *state;
    Pod *a;

    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    drain(world); /* it is told of once */
    add(a, "10.0.1.10/24");
    drain(world);
    for (unsigned adds = 2; adds-- > 0;) {
        assert_int_equal(pod_address(a, adds, "net1", "10.0.1.10/32", RT_SCOPE_LINK, 0), 0);
        drain(world);
    }
    assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");
}

/* Too many programs use inotify. */
static bool inotify_fails;

int __real_sd_event_add_inotify(sd_event *event, sd_event_source **ret, const char *path, uint32_t mask,
                                sd_event_inotify_handler_t handler, void *userdata);
int __wrap_sd_event_add_inotify(sd_event *event, sd_event_source **ret, const char *path, uint32_t mask,
                                sd_event_inotify_handler_t handler, void *userdata);

int __wrap_sd_event_add_inotify(sd_event *event, sd_event_source **ret, const char *path, uint32_t mask,
                                sd_event_inotify_handler_t handler, void *userdata)
{
    return inotify_fails ? -EMFILE : __real_sd_event_add_inotify(event, ret, path, mask, handler, userdata);
}

/* What has a veth is found without names; and they are, once they can be. */
static void test_no_inotify(void **state)
{
    World *world = *state;
    char owner[64];
    Pod *a, *b;

    inotify_fails = true;
    a = plugged_pod(world, "cni-a", "eth1");
    add(a, "10.0.1.10/32");
    watch_begin(world);
    (void)snprintf(owner, sizeof(owner), "watch:nsid%d/net1", pod_nsid(a));
    assert_registered(world, "10.0.1.10", owner, "eth1");
    inotify_fails = false;
    b = plugged_pod(world, "cni-b", "eth1");
    add(b, "10.0.1.11/32");
    drain(world);
    assert_registered(world, "10.0.1.11", "watch:cni-b/net1", "eth1");
    assert_registered(world, "10.0.1.10", owner, "eth1");
    removes(a, "10.0.1.10/32");
    drain(world);
    assert_free(world, "10.0.1.10");
}

/* EC2 will not have it now: it is asked again, and again, and no more once it has. */
static void test_refused_for_now(void **state)
{
    World *world = *state;
    usec_t end;
    size_t n;
    Pod *a;

    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    fake_registrar_refuse(world->registrar, 502);
    add(a, "10.0.1.10/32");
    add(a, "10.0.1.11/32");
    for (end = time_monotonic() + PATIENCE, n = 0; n < 6; (void)fake_registrar_calls(world->registrar, &n)) {
        assert_true(time_monotonic() < end);
        assert_true(sd_event_run(world->event, USEC_PER_SEC) >= 0);
    }
    removes(a, "10.0.1.11/32");
    fake_registrar_refuse(world->registrar, 200);
    run_until(world, "10.0.1.10", true);
    assert_int_equal(fake_registrar_n(world->registrar), 1);

    fake_registrar_forget_calls(world->registrar);
    for (end = time_monotonic() + PATIENCE; sd_event_run(world->event, USEC_PER_SEC) > 0;)
        assert_true(time_monotonic() < end);
    (void)fake_registrar_calls(world->registrar, &n);
    assert_int_equal(n, 0);
}

/* A name is a file first and a namespace later; the directory itself may come late. */
static void test_names(void **state)
{
    World *world = *state;
    _cleanup_(freep) char *file = NULL;
    Pod *early, *late;

    early = pod(world, "early");
    assert_int_equal(pod_nsid(early), -ENOENT);
    watch_begin(world);
    assert_true(pod_nsid(early) >= 0);

    late = pod(world, NULL);
    assert_true(asprintf(&file, "%s/late", world->directory) > 0);
    (void)close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0444));
    drain(world);
    assert_int_equal(pod_nsid(late), -ENOENT);
    assert_int_equal(pod_mount(late, file), 0);
    drain(world);
    assert_true(pod_nsid(late) >= 0);
    plug(world, late, "net1", "eth1");
    add(late, "10.0.1.10/32");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:late/net1", "eth1");
}

static void test_directory_comes(void **state)
{
    World *world = *state;
    Pod *a;

    assert_int_equal(rmdir(world->directory), 0);
    watch_begin(world);
    drain(world);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(mkdir(world->directory, 0755), 0);
        a = pod(world, "a");
        drain(world);
        assert_true(pod_nsid(a) >= 0);
        pod_end(world, a);
        drain(world);
        assert_int_equal(rmdir(world->directory), 0);
        drain(world);
    }
    assert_int_equal(mkdir(world->directory, 0755), 0);
}

/* What happened while no daemon ran. */
static void test_restart(void **state)
{
    World *world = *state;
    Pod *a, *b;
    size_t n;

    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    b = plugged_pod(world, "cni-b", "eth2");
    add(b, "10.0.1.10/32");
    drain(world);
    add(a, "10.0.1.10/32");
    add(a, "10.0.1.11/32");
    add(a, "10.0.1.12/32");
    add(b, "10.0.1.13/32");
    drain(world);
    world->watch = watch_free(world->watch);
    removes(a, "10.0.1.11/32");
    removes(a, "10.0.1.12/32");
    add(b, "10.0.1.12/32");
    fake_registrar_put(world->registrar, "10.0.1.14", "somebody");
    fake_registrar_put(world->registrar, "10.0.1.15", "watch:cni-gone/net1");

    watch_begin(world);
    assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");
    assert_free(world, "10.0.1.11");
    assert_registered(world, "10.0.1.12", "watch:cni-b/net1", "eth2");
    assert_registered(world, "10.0.1.13", "watch:cni-b/net1", "eth2");
    assert_string_equal(fake_registrar_owner(world->registrar, "10.0.1.14"), "somebody");
    assert_free(world, "10.0.1.15");

    /* It knows of the second one as well. */
    removes(a, "10.0.1.10/32");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-b/net1", "eth2");
    (void)fake_registrar_calls(world->registrar, &n);
    drain(world);
    fake_registrar_forget_calls(world->registrar);
}

/* The socket that listens, among those of this process. */
static int listening_socket(void)
{
    for (int fd = 3; fd < 256; fd++) {
        int value = 0;
        socklen_t n = sizeof(value);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &n) < 0 || value != AF_NETLINK)
            continue;
        n = sizeof(value);
        value = 0;
        if (getsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &value, &n) == 0 && value)
            return fd;
    }
    return -1;
}

static void shrink(size_t size)
{
    const int value = (int)size, fd = listening_socket();

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)), 0);
}

/* The kernel ends a namespace in a thread of its own, and its interfaces last. */
static void await_end_of(const char *parent)
{
    const usec_t end = time_monotonic() + PATIENCE;

    while (if_nametoindex(parent) != 0) {
        assert_true(time_monotonic() < end);
        (void)sched_yield();
    }
}

/* ENOBUFS: more happens than the socket holds; afterwards all is as it should be. */
static void test_overrun(void **state)
{
    World *world = *state;
    Pod *a, *b, *c, *gone, *ended, *ended_too;
    size_t n;

    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    b = plugged_pod(world, "cni-b", "eth2");
    gone = plugged_pod(world, NULL, "eth1");
    ended = plugged_pod(world, NULL, "eth1");
    ended_too = plugged_pod(world, NULL, "eth1");
    add(a, "10.0.1.10/32");
    add(a, "10.0.1.11/32");
    add(a, "10.0.1.12/32");
    add(gone, "10.0.1.13/32");
    add(ended, "10.0.1.16/32");
    add(ended_too, "10.0.1.17/32");
    drain(world);
    assert_int_equal(fake_registrar_n(world->registrar), 6);

    shrink(1);
    fake_registrar_forget_calls(world->registrar);
    for (unsigned i = 0; i < 200; i++) {
        removes(a, "10.0.1.10/32");
        add(a, "10.0.1.10/32");
    }
    removes(a, "10.0.1.11/32");
    removes(a, "10.0.1.12/32");
    add(b, "10.0.1.12/32");
    assert_int_equal(pod_unplug(gone, "net1"), 0);
    /* The id of the first goes to the next pod, that of the second to none. */
    pod_end(world, ended);
    pod_end(world, ended_too);
    await_end_of(world->parent);
    c = plugged_pod(world, "cni-c", "eth1");
    add(c, "10.0.1.14/32");
    add(c, "2001:db8::14/64");
    drain(world);
    assert_registered(world, "10.0.1.10", "watch:cni-a/net1", "eth1");
    assert_free(world, "10.0.1.11");
    assert_registered(world, "10.0.1.12", "watch:cni-b/net1", "eth2");
    assert_free(world, "10.0.1.13");
    assert_registered(world, "10.0.1.14", "watch:cni-c/net1", "eth1");
    run_until(world, "2001:db8::14", true);
    assert_free(world, "10.0.1.16");
    assert_free(world, "10.0.1.17");
    assert_int_equal(fake_registrar_n(world->registrar), 4);
    /* Else nothing was lost, and the test has shown nothing. */
    (void)fake_registrar_calls(world->registrar, &n);
    assert_true(n < 100);
}

/* What happens while the queue is read after an overrun is lost as well, and the kernel does not say so. */
static void test_overrun_goes_on(void **state)
{
    World *world = *state;
    char address[32];
    Pod *a;

    watch_begin(world);
    a = plugged_pod(world, "cni-a", "eth1");
    drain(world);
    shrink((size_t)256 * 1024);
    for (unsigned i = 0; i < 2000; i++) {
        add(a, "10.0.1.10/32");
        removes(a, "10.0.1.10/32");
    }
    for (unsigned i = 0; i < 4; i++) {
        (void)sd_event_run(world->event, 0);
        (void)snprintf(address, sizeof(address), "10.0.2.%u/32", i);
        add(a, address);
    }
    drain(world);
    assert_int_equal(fake_registrar_n(world->registrar), 4);
}

/* From the kernel's doing to the registrar's call, and nothing while nothing happens. */
static int compare_usec(const void *a, const void *b)
{
    const usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;

    return x < y ? -1 : x > y;
}

static void test_latency_and_idle(void **state)
{
    static usec_t latency[500];
    World *world = *state;
    const FakeCall *calls;
    Pod *pods[20];
    usec_t end;
    size_t n;

    watch_begin(world);
    for (size_t i = 0; i < ARRAY_SIZE(pods); i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "cni-%zu", i);
        pods[i] = plugged_pod(world, name, i % 2 ? "eth1" : "eth2");
    }
    drain(world);
    for (size_t i = 0; i < ARRAY_SIZE(latency); i++) {
        char address[32];
        usec_t begin;

        (void)snprintf(address, sizeof(address), "10.0.%zu.%zu/32", i / 250, 1 + i % 250);
        begin = time_monotonic();
        add(pods[i % ARRAY_SIZE(pods)], address);
        drain(world);
        calls = fake_registrar_calls(world->registrar, &n);
        assert_int_equal(n, i + 1);
        latency[i] = calls[i].at - begin;
    }
    qsort(latency, ARRAY_SIZE(latency), sizeof(*latency), compare_usec);
    printf("address in a pod -> registrar called: p50 %u us, p99 %u us, worst %u us, of %zu\n",
           (unsigned)latency[ARRAY_SIZE(latency) / 2], (unsigned)latency[ARRAY_SIZE(latency) * 99 / 100],
           (unsigned)latency[ARRAY_SIZE(latency) - 1], ARRAY_SIZE(latency));

    /* No timer, no poll: once the kernel is done with the link-local addresses, a whole second of nothing. */
    end = time_monotonic() + PATIENCE;
    while (sd_event_run(world->event, USEC_PER_SEC) > 0)
        assert_true(time_monotonic() < end);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_added_and_removed, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_two_lengths, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_other_scope, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_no_inotify, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_burst, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_not_for_the_network, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_duplicate_detection, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_two_in_one_subnet, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_others, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_ids_of_others, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_namespace_ends, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_floats, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_floats_unanswered, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_refused, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_names, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_directory_comes, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_restart, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_overrun, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_overrun_goes_on, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_refused_for_now, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_latency_and_idle, world_setup, world_teardown),
    };
    int r = netns_enter();

    if (r < 0) {
        printf("SKIPPED: test-watch: no user and network namespace here: %s\n", strerror(-r));
        return 0;
    }
    /* Seen by this mount namespace alone, and gone with it. */
    if (world_begin() < 0)
        return 1;
    r = cmocka_run_group_tests_name("watch on the kernel", tests, NULL, NULL);
    world_end();
    return r;
}
