/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registrar: what is wanted of addresses, by whom, and who waits for it.
 *
 * A request changes what is wanted, in the State, and waits (registrar-ask.c). The queue of the interface
 * (queue.c) sees what is not as wanted and makes EC2 agree; when an address is as wanted, or cannot be, its
 * waits are finished. Requests are never undone by those that came before them: release then register ends
 * registered, the reverse ends released, whatever is in flight.
 *
 * Finished waits are answered together, after what they are about is on disk: one write for all that
 * finished in a turn of the loop. A disk that cannot be written is said once and does not keep a pod from
 * its address, since EC2 knows the addresses and only the owners would be lost.
 */

#include "register/registrar-private.h"
#include "register/wait.h"
#include "state/store.h"
#include "util/log.h"
#include "util/message-ids.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>

static unsigned family_index(int family)
{
    return family == AF_INET6;
}

void registrar_touch(Registrar *registrar)
{
    registrar->dirty = true;
    waits_flush(registrar);
}

usec_t registrar_now(Registrar *registrar)
{
    usec_t now = time_realtime();
    int64_t offset = (int64_t)(now - time_monotonic());
    int64_t jump = offset - registrar->clock_offset;

    /* Slewing is not a jump. */
    if (jump > -(int64_t)USEC_PER_SEC && jump < (int64_t)USEC_PER_SEC)
        return now;
    registrar->clock_offset = offset;
    for (size_t i = 0; registrar->state && i < state_n(registrar->state); i++) {
        Registration *r = state_get(registrar->state, i);

        r->since = (usec_t)MAX((int64_t)r->since + jump, (int64_t)0);
        if (r->previous_interface)
            r->previous_since = (usec_t)MAX((int64_t)r->previous_since + jump, (int64_t)0);
        if (r->not_before > 0)
            r->not_before = (usec_t)MAX((int64_t)r->not_before + jump, (int64_t)1);
    }
    if (registrar->state && state_n(registrar->state) > 0)
        registrar_touch(registrar);
    return now;
}

/* ------------------------------------------------------------------ interfaces */

Interface *registrar_interface(const Registrar *registrar, const char *network_interface_id)
{
    for (size_t i = 0; i < registrar->n_interfaces; i++)
        if (streq(registrar->interfaces[i]->id, network_interface_id))
            return registrar->interfaces[i];
    return NULL;
}

/* What the interface has that cannot be given up for others. */
static size_t interface_count(const Registrar *registrar, const Interface *interface, int family,
                              bool with_released)
{
    size_t n = interface->n_fixed[family_index(family)];

    for (size_t i = 0; i < state_n(registrar->state); i++) {
        const Registration *r = state_get(registrar->state, i);

        if (r->address.family != family || !streq(r->network_interface_id, interface->id))
            continue;
        if (with_released)
            n += r->assigned; /* what EC2 has */
        else
            n += r->state == REGISTRATION_WANTED; /* what it will have: the others make room */
    }
    return n;
}

unsigned registrar_limit(const Registrar *registrar, int family)
{
    return family == AF_INET6 ? registrar->options.ipv6_limit : registrar->options.ipv4_limit;
}

unsigned registrar_room(const Registrar *registrar, const Interface *interface, int family)
{
    unsigned limit = registrar_limit(registrar, family);
    size_t n;

    if (limit == 0)
        return UINT_MAX;
    n = interface_count(registrar, interface, family, true);
    return n < limit ? limit - (unsigned)n : 0;
}

bool registrar_is_full(const Registrar *registrar, const Interface *interface, int family)
{
    unsigned limit = registrar_limit(registrar, family);

    return limit > 0 && interface_count(registrar, interface, family, false) >= limit;
}

const char *registrar_ifname(const Registrar *registrar, const char *network_interface_id)
{
    const Interface *interface = registrar_interface(registrar, network_interface_id);

    return interface ? interface->ifname : NULL;
}

int registrar_set_ifindex(Registrar *registrar, const char *network_interface_id, int ifindex,
                          bool *ret_changed)
{
    Interface *interface = registrar_interface(registrar, network_interface_id);

    if (!interface)
        return -ENOENT;
    *ret_changed = interface->ifindex != ifindex;
    interface->ifindex = ifindex;
    return 0;
}

const char *registrar_ifname_of_index(const Registrar *registrar, int ifindex)
{
    for (size_t i = 0; ifindex > 0 && i < registrar->n_interfaces; i++)
        if (registrar->interfaces[i]->ifindex == ifindex)
            return registrar->interfaces[i]->ifname;
    return NULL;
}

/* ------------------------------------------------------------------ what the queues tell */

void registration_calm(Registration *registration)
{
    registration->doubt = REGISTRATION_DOUBT_NONE;
    registration->suspect = 0;
    registration->alone = false;
    registration->yields = registration->insists = false;
    registration->n_attempts = 0;
    registration->not_before = 0;
}

void registrar_kick(const Registrar *registrar, const Registration *registration)
{
    queue_kick(registrar_interface(registrar, registration->network_interface_id)->queue);
}

void registrar_forget_origin(Registrar *registrar, Registration *registration)
{
    if (!registration->taken_from)
        return;
    registration->taken_from = mfree(registration->taken_from);
    registrar_touch(registrar);
}

void registrar_assigned(Registrar *registrar, Registration *registration)
{
    registration_calm(registration);
    registration_settle(registration);
    registrar_forget_origin(registrar, registration);
    registration->assigned = true;
    registration->confirmed = time_monotonic();
    registration->lags = registration->confirmed;
    registration->reclaimed = false;
    told_forget(&registrar->told, &registration->address);
    registrar->statistics.n_moved_here += registration->fetched;
    registration->fetched = false;
    (void)state_forget_moved_away(registrar->state, &registration->address);
    (void)state_forget_aside(registrar->state, &registration->address);
    if (registration->state != REGISTRATION_WANTED)
        return;

    registrar->statistics.n_registered++;
    registrar_touch(registrar);
    waits_finish(registrar, &registration->address, NULL,
                 registrar_interface(registrar, registration->network_interface_id));
}

/* Its owner may not know, and is not to take it back by itself. */
static void registrar_note_moved_away(Registrar *registrar, const Registration *registration)
{
    if (streq(registration->boot_id, registrar->boot_id) &&
        state_note_moved_away(registrar->state, registration, registrar_now(registrar)) < 0)
        log_debug("out of memory: not noted that an address has moved away");
}

/* It was taken from where it belongs again, and need not be back there: it is assigned there once more. */
static void restore_taken(Registrar *registrar, Registration *registration)
{
    if (registration->state == REGISTRATION_WANTED &&
        streq_ptr(registration->taken_from, registration->network_interface_id)) {
        registration->assigned = false;
        registration->doubt = REGISTRATION_DOUBT_TAKEN;
    } else {
        registrar_forget_origin(registrar, registration);
    }
}

void registrar_look_elsewhere(const Registrar *registrar, const Registration *registration)
{
    for (size_t i = 0; i < registrar->n_interfaces; i++) {
        const Interface *interface = registrar->interfaces[i];

        if (!interface->seen && !streq(interface->id, registration->network_interface_id) &&
            in_prefix_contains(&interface->prefixes[family_index(registration->address.family)],
                               &registration->address))
            queue_look_later(interface->queue);
    }
}

void registrar_failed(Registrar *registrar, Registration *registration, const ProtocolError *error,
                      bool maybe)
{
    usec_t now = registrar_now(registrar);
    bool wanted = registration->state == REGISTRATION_WANTED;
    bool yields = registration->yields && !registration->insists;
    const InAddr address = registration->address;

    registrar->statistics.n_refused++;
    waits_finish(registrar, &registration->address, error, NULL);
    registration_calm(registration);

    if (registration->previous_interface) {
        registration->lags = time_monotonic();
        registration_restore(registration);
        registration->reclaimed = false;
        restore_taken(registrar, registration);
        /* That it is there was in doubt before it was asked for elsewhere. */
        if (registration->state == REGISTRATION_WANTED && registration->assigned &&
            registration->confirmed == 0)
            registration->doubt = REGISTRATION_DOUBT_FRESH;
        registrar_kick(registrar, registration);
    } else if (maybe || registration->reclaimed) {
        /* EC2 may have it: nobody's, to be unassigned. Without memory it stays as it is and is asked again.
         */
        registration->assigned = true;
        registration->reclaimed = false;
        if (wanted && yields)
            registrar_note_moved_away(registrar, registration);
        if (wanted && registration_set(registration, REGISTRATION_RELEASED, "", NULL, now) == 0)
            registrar_touch(registrar);
    } else if (registration->taken_from) {
        registration->doubt = REGISTRATION_DOUBT_TAKEN;
        if (wanted && registration_set(registration, REGISTRATION_RELEASED, "", NULL, now) == 0)
            registrar_touch(registrar);
        registrar_kick(registrar, registration);
    } else {
        registrar_touch(registrar); /* it may be in the file */
        if (yields)
            registrar_note_moved_away(registrar, registration);
        if (registration->confirmed > 0) /* it has been on this node */
            registrar_look_elsewhere(registrar, registration);
        state_remove(registrar->state, registration);
    }
    if (registrar->heir)
        registrar->heir(&address, error, registrar->heir_userdata);
}

void registrar_released(Registrar *registrar, Registration *registration)
{
    registrar->statistics.n_released++;
    state_remove(registrar->state, registration);
    registrar_touch(registrar);
}

void registrar_lost(Registrar *registrar, Registration *registration)
{
    static const ProtocolError elsewhere = {409, REGISTRAR_MOVED_AWAY, "another node has it"};
    const InAddr address = registration->address;
    bool wanted = registration->state == REGISTRATION_WANTED;
    char text[IN_ADDR_TEXT];
    const LogField fields[] = {
        {"ADDRESS", in_addr_format(&registration->address, text)},
        {"ENI_ID", registration->network_interface_id},
        {"OWNER", registration->owner},
    };

    /* A move that was given up: it is where it was. */
    if (registration->previous_interface) {
        registration_restore(registration);
        registrar_kick(registrar, registration);
        return;
    }
    if (wanted)
        log_full(LOG_NOTICE, 0, MESSAGE_ADDRESS_MOVED_AWAY, fields, ARRAY_SIZE(fields),
                 "%s is no longer on %s: it has moved away and is forgotten", text,
                 registration->network_interface_id);
    else
        log_debug("%s is no longer on %s", text, registration->network_interface_id);
    /* What nobody had may have been gone before a describe that was behind showed it. */
    if (registration->owner[0]) {
        registrar->statistics.n_moved_away++;
        flap_lost(&registrar->flap, &registration->address, time_monotonic());
    }
    if (wanted)
        registrar_note_moved_away(registrar, registration);
    registrar_look_elsewhere(registrar, registration);
    state_remove(registrar->state, registration);
    registrar_touch(registrar);
    if (wanted && registrar->heir)
        registrar->heir(&address, &elsewhere, registrar->heir_userdata);
}

void registrar_fetch(Registrar *registrar, Registration *registration)
{
    bool episode = false;
    usec_t pause;
    char text[IN_ADDR_TEXT];

    if (registration->fetched || registration->yields)
        return;
    registration->fetched = true;
    pause = flap_fetch(&registrar->flap, &registration->address, time_monotonic(), &episode);
    if (pause > 0)
        registration->not_before = time_add(registrar_now(registrar), pause);
    if (episode) {
        const LogField fields[] = {
            {"ADDRESS", in_addr_format(&registration->address, text)},
            {"ENI_ID", registration->network_interface_id},
            {"OWNER", registration->owner},
        };

        registrar->statistics.n_flapping++;
        log_full(LOG_WARNING, 0, MESSAGE_ADDRESS_FLAPPING, fields, ARRAY_SIZE(fields),
                 "%s is taken back from another node again and again; from now on with pauses", text);
    }
}

void registrar_set_heir(Registrar *registrar, RegistrarHeir heir, RegistrarBeliever believer, void *userdata)
{
    registrar->heir = heir;
    registrar->believer = believer;
    registrar->heir_userdata = userdata;
}

const State *registrar_state(const Registrar *registrar)
{
    return registrar->state;
}

const RegistrarStatistics *registrar_statistics(const Registrar *registrar)
{
    return &registrar->statistics;
}
