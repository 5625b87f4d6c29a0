#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What every test of the watch begins with: pods on the kernel, and a registrar without AWS. */

#include "lib/fake-registrar/fake-registrar.h"
#include "lib/pod.h"
#include "lib/test.h"
#include "register/watch.h"

#define PODS_MAX 64
#define PATIENCE (20 * USEC_PER_SEC)

typedef struct World {
    sd_event *event;
    Registrar *registrar;
    Watch *watch;
    char *directory; /* in place of /run/netns */
    Pod *pods[PODS_MAX];
    size_t n_pods;
    char parent[IFNAMSIZ]; /* of the interface that was plugged last */
} World;

/** world_setup(), world_teardown() - of one test; what was made in between goes with it */
int world_setup(void **state);
int world_teardown(void **state);

/** world_begin(), world_end() - around all tests: a directory for names; 0 or -1 */
int world_begin(void);
void world_end(void);

/** watch_begin() - the watch starts */
void watch_begin(World *world);

/** drain() - turn the loop until nothing is left to do */
void drain(World *world);

/** pod() - with a name, or without */
Pod *pod(World *world, const char *name);

/** pod_end() - before the test's end */
void pod_end(World *world, Pod *old);

/** plug() - an interface of the pod above what the registrar calls ifname */
void plug(World *world, Pod *at, const char *name, const char *ifname);

/** plugged_pod() - the same, told in the right order: ours is known before the pod's comes */
Pod *plugged_pod(World *world, const char *name, const char *ifname);

/** add(), removes() - an address of net1 */
void add(Pod *at, const char *address);
void removes(Pod *at, const char *address);

/** run_until() - turn the loop until an address is registered, or is not; fails the test after 20 s */
void run_until(World *world, const char *address, bool registered);

#define assert_registered(_world, _address, _owner, _ifname)                                                 \
    do {                                                                                                     \
        const char *_has = fake_registrar_owner((_world)->registrar, (_address));                            \
        if (!_has)                                                                                           \
            fail_msg("%s is not registered", (_address));                                                    \
        assert_string_equal(_has, (_owner));                                                                 \
        assert_string_equal(fake_registrar_interface((_world)->registrar, (_address)), (_ifname));           \
    } while (0)
#define assert_free(_world, _address) assert_null(fake_registrar_owner((_world)->registrar, (_address)))
