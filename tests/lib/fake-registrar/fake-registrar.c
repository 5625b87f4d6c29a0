/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registrar of daemon/register/registrar.h, with the real state. Nothing is sent and nothing is written:
 * an answer comes inside the call, or when the test says so. The rules of owners are the real ones: the
 * newest has the address, an older one's release is refused, and the heir is asked before a release.
 */

#include "lib/fake-registrar/fake-registrar.h"
#include <errno.h>
#include <stdio.h>

#define INTERFACES_MAX 64

struct RegistrarWait {
    Registrar *registrar; /* NULL once answered */
    RegistrarWait *next;
    unsigned status;
    RegistrarHandler handler;
    void *userdata;
};

struct Registrar {
    State *state;
    struct {
        int ifindex;
        char ifname[IFNAMSIZ];
    } interfaces[INTERFACES_MAX];
    size_t n_interfaces;
    RegistrarWait *waits;
    RegistrarHeir heir;
    void *heir_userdata;
    bool later;
    unsigned refuse;
    FakeCall *calls;
    size_t n_calls;
};

/* ------------------------------------------------------------------ registrar */

static void registration_put(State *state, const InAddr *address, const char *ifname, const char *owner)
{
    Registration *registration = state_find(state, address);
    int r = registration ? 0 : state_add(state, address, ifname, &registration);

    if (r >= 0)
        r = replace_string(&registration->network_interface_id, ifname);
    if (r >= 0)
        r = registration_set(registration, REGISTRATION_WANTED, owner, "boot", time_realtime());
    if (r < 0)
        abort();
}

static FakeCall *note(Registrar *registrar, bool is_release, const InAddr *address, const char *owner)
{
    FakeCall *call;

    registrar->calls = reallocarray(registrar->calls, registrar->n_calls + 1, sizeof(*call));
    call = &registrar->calls[registrar->n_calls++];
    *call = (FakeCall){.is_release = is_release, .status = 200, .at = time_monotonic()};
    (void)in_addr_format(address, call->address);
    (void)snprintf(call->owner, sizeof(call->owner), "%s", owner);
    return call;
}

static void answer(unsigned status, RegistrarHandler handler, void *userdata)
{
    const RegistrarResult result = {
        .status = status,
        .error = {.status = status, .code = "fake", .message = "the fake says no"},
    };

    handler(&result, userdata);
}

static void answer_or_wait(Registrar *registrar, unsigned status, RegistrarHandler handler, void *userdata,
                           RegistrarWait **ret)
{
    RegistrarWait *wait;

    *ret = NULL;
    if (!registrar->later) {
        answer(status, handler, userdata);
        return;
    }
    wait = calloc(1, sizeof(*wait));
    *wait = (RegistrarWait){registrar, registrar->waits, status, handler, userdata};
    registrar->waits = wait;
    *ret = wait;
}

int registrar_register(Registrar *registrar, const InAddr *address, const char *interface, const char *owner,
                       usec_t deadline, RegistrarHandler handler, void *userdata, RegistrarWait **ret)
{
    FakeCall *call = note(registrar, false, address, owner);

    assert(deadline == USEC_INFINITY);
    (void)snprintf(call->ifname, sizeof(call->ifname), "%s", interface ?: "");
    if (registrar->refuse)
        call->status = registrar->refuse;
    else
        registration_put(registrar->state, address, interface, owner);
    answer_or_wait(registrar, call->status, handler, userdata, ret);
    return 0;
}

int registrar_keep(Registrar *registrar, const InAddr *address, const char *interface, const char *owner,
                   RegistrarHandler handler, void *userdata, RegistrarWait **ret)
{
    return registrar_register(registrar, address, interface, owner, USEC_INFINITY, handler, userdata, ret);
}

void registrar_forget_moved_away(Registrar *registrar, const InAddr *address, const char *owner)
{
    (void)registrar;
    (void)address;
    (void)owner;
}

static unsigned release(const Registrar *registrar, const InAddr *address, const char *owner)
{
    Registration *registration = state_find(registrar->state, address);

    if (!registration || registration->state != REGISTRATION_WANTED)
        return 200;
    if (!streq(registration->owner, owner))
        return 409;
    if (registrar->heir)
        registrar->heir(address, NULL, registrar->heir_userdata);
    if (streq(registration->owner, owner) &&
        registration_set(registration, REGISTRATION_RELEASED, NULL, NULL, time_realtime()) < 0)
        abort();
    return 200;
}

int registrar_release(Registrar *registrar, const InAddr *address, const char *owner,
                      RegistrarHandler handler, void *userdata, RegistrarWait **ret)
{
    const unsigned status = release(registrar, address, owner);

    note(registrar, true, address, owner)->status = status;
    answer_or_wait(registrar, status, handler, userdata, ret);
    return 0;
}

void registrar_set_heir(Registrar *registrar, RegistrarHeir heir, RegistrarBeliever believer, void *userdata)
{
    (void)believer;
    registrar->heir = heir;
    registrar->heir_userdata = userdata;
}

const char *registrar_ifname(const Registrar *registrar, const char *network_interface_id)
{
    (void)registrar;
    return network_interface_id;
}

static void wait_unlink(RegistrarWait *wait)
{
    if (!wait->registrar)
        return;
    for (RegistrarWait **at = &wait->registrar->waits; *at; at = &(*at)->next)
        if (*at == wait) {
            *at = wait->next;
            break;
        }
    wait->registrar = NULL;
}

RegistrarWait *registrar_wait_free(RegistrarWait *wait)
{
    if (wait)
        wait_unlink(wait);
    return mfree(wait);
}

const State *registrar_state(const Registrar *registrar)
{
    return registrar->state;
}

int registrar_set_ifindex(Registrar *registrar, const char *network_interface_id, int ifindex,
                          bool *ret_changed)
{
    const size_t i = registrar->n_interfaces++;

    assert(i < INTERFACES_MAX);
    *ret_changed = true;
    registrar->interfaces[i].ifindex = ifindex;
    (void)snprintf(registrar->interfaces[i].ifname, IFNAMSIZ, "%s", network_interface_id);
    return 0;
}

const char *registrar_ifname_of_index(const Registrar *registrar, int ifindex)
{
    for (size_t i = 0; i < registrar->n_interfaces; i++)
        if (registrar->interfaces[i].ifindex == ifindex)
            return registrar->interfaces[i].ifname;
    return NULL;
}

Registrar *registrar_free(Registrar *registrar)
{
    if (!registrar)
        return NULL;
    while (registrar->waits)
        wait_unlink(registrar->waits);
    (void)state_free(registrar->state);
    free(registrar->calls);
    return mfree(registrar);
}

/* ------------------------------------------------------------------ what the tests do with it */

Registrar *fake_registrar_new(void)
{
    Registrar *registrar = calloc(1, sizeof(*registrar));

    if (!registrar || state_new(&registrar->state) < 0)
        abort();
    return registrar;
}

void fake_registrar_later(Registrar *registrar, bool later)
{
    registrar->later = later;
}

void fake_registrar_answer(Registrar *registrar)
{
    while (registrar->waits) {
        RegistrarWait *wait = registrar->waits;

        wait_unlink(wait);
        answer(wait->status, wait->handler, wait->userdata);
    }
}

void fake_registrar_refuse(Registrar *registrar, unsigned status)
{
    registrar->refuse = status == 200 ? 0 : status;
}

void fake_registrar_put(Registrar *registrar, const char *address, const char *owner)
{
    InAddr parsed;
    int r = in_addr_parse(address, &parsed);

    assert(r >= 0);
    registration_put(registrar->state, &parsed, "eth1", owner);
    (void)r;
}

static const Registration *wanted(const Registrar *registrar, const char *address)
{
    const Registration *registration;
    InAddr parsed;

    if (in_addr_parse(address, &parsed) < 0)
        return NULL;
    registration = state_find(registrar->state, &parsed);
    return registration && registration->state == REGISTRATION_WANTED ? registration : NULL;
}

const char *fake_registrar_owner(const Registrar *registrar, const char *address)
{
    const Registration *registration = wanted(registrar, address);

    return registration ? registration->owner : NULL;
}

const char *fake_registrar_interface(const Registrar *registrar, const char *address)
{
    const Registration *registration = wanted(registrar, address);

    return registration ? registration->network_interface_id : NULL;
}

size_t fake_registrar_n(const Registrar *registrar)
{
    size_t n = 0;

    for (size_t i = 0; i < state_n(registrar->state); i++)
        n += state_get(registrar->state, i)->state == REGISTRATION_WANTED;
    return n;
}

const FakeCall *fake_registrar_calls(const Registrar *registrar, size_t *ret_n)
{
    *ret_n = registrar->n_calls;
    return registrar->calls;
}

void fake_registrar_forget_calls(Registrar *registrar)
{
    registrar->n_calls = 0;
}
