/* SPDX-License-Identifier: Apache-2.0 */

/* Pods on the kernel for a watch whose registrar is not AWS's. */

#include "lib/fake-registrar/world.h"
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[] = "/tmp/test-watch-XXXXXX";

int world_setup(void **state)
{
    World *world = calloc(1, sizeof(*world));

    if (!world || sd_event_new(&world->event) < 0 || asprintf(&world->directory, "%s/netns", base) < 0)
        return -1;
    world->registrar = fake_registrar_new();
    if (!world->registrar || mkdir(world->directory, 0755) < 0)
        return -1;
    *state = world;
    return 0;
}

int world_teardown(void **state)
{
    World *world = *state;

    (void)watch_free(world->watch);
    for (size_t i = 0; i < world->n_pods; i++)
        (void)pod_free(world->pods[i]);
    (void)registrar_free(world->registrar);
    (void)sd_event_unref(world->event);
    (void)rmdir(world->directory);
    free(world->directory);
    free(world);
    return 0;
}

void watch_begin(World *world)
{
    assert_int_equal(watch_new(&world->watch, world->event, world->registrar, world->directory), 0);
}

void drain(World *world)
{
    while (sd_event_run(world->event, 0) > 0) {
    }
}

Pod *pod(World *world, const char *name)
{
    _cleanup_(freep) char *file = NULL;
    Pod *new;

    assert_true(world->n_pods < PODS_MAX);
    if (name)
        assert_true(asprintf(&file, "%s/%s", world->directory, name) > 0);
    assert_int_equal(pod_new(&new, file), 0);
    world->pods[world->n_pods++] = new;
    return new;
}

void pod_end(World *world, Pod *old)
{
    for (size_t i = 0; i < world->n_pods; i++)
        if (world->pods[i] == old)
            world->pods[i] = world->pods[--world->n_pods];
    (void)pod_free(old);
}

void plug(World *world, Pod *at, const char *name, const char *ifname)
{
    static unsigned n;
    bool changed;
    int ifindex;

    (void)snprintf(world->parent, sizeof(world->parent), "p%u", ++n);
    assert_int_equal(pod_plug(at, world->parent, name, &ifindex), 0);
    assert_int_equal(registrar_set_ifindex(world->registrar, ifname, ifindex, &changed), 0);
}

Pod *plugged_pod(World *world, const char *name, const char *ifname)
{
    Pod *new = pod(world, name);

    plug(world, new, "net1", ifname);
    return new;
}

void add(Pod *at, const char *address)
{
    assert_int_equal(pod_address(at, true, "net1", address, RT_SCOPE_UNIVERSE, IFA_F_NODAD), 0);
}

void removes(Pod *at, const char *address)
{
    assert_int_equal(pod_address(at, false, "net1", address, RT_SCOPE_UNIVERSE, 0), 0);
}

void run_until(World *world, const char *address, bool registered)
{
    const usec_t end = time_monotonic() + PATIENCE;

    while (!!fake_registrar_owner(world->registrar, address) != registered) {
        if (time_monotonic() >= end)
            fail_msg("%s: still not %s", address, registered ? "registered" : "released");
        assert_true(sd_event_run(world->event, USEC_PER_SEC) >= 0);
    }
}

int world_begin(void)
{
    return mkdtemp(base) && mount("none", base, "tmpfs", 0, NULL) == 0 ? 0 : -1;
}

void world_end(void)
{
    (void)umount2(base, MNT_DETACH);
    (void)rmdir(base);
}
