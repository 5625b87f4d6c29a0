/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registrar's beginning and end: its interfaces, the file, and what EC2 shows. Three sources are made
 * one at start:
 *
 *   in the file and shown       as the file says; of an earlier boot: stale
 *   in the file, shown on       a move within the node was under way when the daemon was killed, and its
 *   another of our interfaces   requester was not answered: back to where it was, if somebody wants it there
 *   in the file, not shown      has moved away: dropped; but what is a moment old is given a minute, and what
 *                               was on its way here is given back to where it came from
 *   shown, not in the file      nobody's: released after the cooldown
 *   in the file, on one that    kept for the next run, unless of an earlier boot
 *   is not served in this run
 *
 * Without the file, because it is damaged or a newer version's, all that is shown counts as stale: pods may
 * be using it, and have the time to say so.
 *
 * Of IPv6 one address is the interface's own, unless it was made without, and EC2 does not say which: it is
 * noted in the file, and at first the first that the file does not know is taken for it and left alone.
 */

#include "register/registrar-private.h"
#include "register/wait.h"
#include "state/store.h"
#include "util/log.h"
#include "util/message-ids.h"
#include <errno.h>
#include <stdio.h>

static Interface *interface_free(Interface *interface)
{
    if (!interface)
        return NULL;

    (void)queue_free(interface->queue);
    free(interface->seen);
    free(interface->network);
    free(interface->ifname);
    free(interface->id);
    return mfree(interface);
}

DEFINE_CLEANUP(Interface, interface_free)

int registrar_new(Registrar **ret, const RegistrarOptions *options)
{
    _cleanup_(registrar_freep) Registrar *registrar = calloc(1, sizeof(*registrar));
    int r;

    if (!registrar)
        return -ENOMEM;
    registrar->event = sd_event_ref(options->event);
    registrar->aws = options->aws;
    registrar->options = *options;
    registrar->clock_offset = (int64_t)(time_realtime() - time_monotonic());
    registrar->store_path = strdup(options->store_path);
    registrar->instance_id = strdup(options->instance_id);
    registrar->boot_id = strdup(options->boot_id);
    if (!registrar->store_path || !registrar->instance_id || !registrar->boot_id)
        return -ENOMEM;
    registrar->options.store_path = registrar->store_path;
    registrar->options.instance_id = registrar->instance_id;
    registrar->options.boot_id = registrar->boot_id;
    r = waits_init(registrar);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(registrar);
    return 0;
}

Registrar *registrar_free(Registrar *registrar)
{
    if (!registrar)
        return NULL;

    waits_done(registrar);
    for (size_t i = 0; i < registrar->n_interfaces; i++)
        (void)interface_free(registrar->interfaces[i]);
    free(registrar->interfaces);
    strlist_done(&registrar->absent);
    (void)state_free(registrar->state);
    free(registrar->boot_id);
    free(registrar->instance_id);
    free(registrar->store_path);
    (void)sd_event_unref(registrar->event);
    if (registrar->answering) {
        registrar->dead = true;
        return NULL;
    }
    return mfree(registrar);
}

/* ------------------------------------------------------------------ interfaces */

static bool record_has_primary(const Ec2NetworkInterface *record)
{
    for (size_t i = 0; i < record->n_private_ips; i++)
        if (record->private_ips[i].primary)
            return true;
    return false;
}

static int interface_see(Interface *interface, const Ec2NetworkInterface *record)
{
    interface->seen = calloc(record->n_private_ips + record->n_ipv6_addresses + 1, sizeof(*interface->seen));
    if (!interface->seen)
        return -ENOMEM;
    for (size_t i = 0; i < record->n_private_ips; i++) {
        /* The first is the primary one (records.h), should none be marked: it must never be unassigned. */
        if (record->private_ips[i].primary || (i == 0 && !record_has_primary(record))) {
            interface->own[0] = record->private_ips[i].address;
            interface->n_fixed[0]++;
        } else {
            interface->seen[interface->n_seen++] = record->private_ips[i].address;
        }
    }
    for (size_t i = 0; i < record->n_ipv6_addresses; i++)
        interface->seen[interface->n_seen++] = record->ipv6_addresses[i];
    return 0;
}

int registrar_add_interface(Registrar *registrar, const RegistrarInterface *args)
{
    _cleanup_(interface_freep) Interface *interface = NULL;
    Interface **interfaces;
    int r;

    assert(!registrar->state);
    if (registrar_interface(registrar, args->network_interface_id))
        return -EEXIST;

    interface = calloc(1, sizeof(*interface));
    if (!interface)
        return -ENOMEM;
    interface->prefixes[0] = args->cidr_block;
    interface->prefixes[1] = args->ipv6_cidr_block;
    interface->ipv6 = args->ipv6;
    interface->id = strdup(args->network_interface_id);
    interface->ifname = strdup(args->ifname);
    interface->network = strdup(args->network);
    if (!interface->id || !interface->ifname || !interface->network)
        return -ENOMEM;
    r = interface_see(interface, args->record);
    if (r < 0)
        return r;
    r = queue_new(&interface->queue, registrar, interface);
    if (r < 0)
        return r;

    interfaces =
        reallocarray(registrar->interfaces, registrar->n_interfaces + 1, sizeof(*registrar->interfaces));
    if (!interfaces)
        return -ENOMEM;
    registrar->interfaces = interfaces;
    registrar->interfaces[registrar->n_interfaces++] = TAKE_PTR(interface);
    return 0;
}

int registrar_add_absent(Registrar *registrar, const char *network_interface_id)
{
    assert(!registrar->state);
    return strlist_append(&registrar->absent, network_interface_id);
}

/* ------------------------------------------------------------------ the file */

static void registrar_set_aside(const Registrar *registrar, const char *suffix, const char *reason, int error)
{
    _cleanup_(freep) char *aside = NULL;
    const LogField fields[] = {{"FILE", registrar->store_path}};

    if (asprintf(&aside, "%s.%s", registrar->store_path, suffix) < 0)
        aside = NULL;
    if (aside && rename(registrar->store_path, aside) < 0 && !error)
        error = -errno;
    log_full(LOG_WARNING, error, MESSAGE_STATE_DAMAGED, fields, ARRAY_SIZE(fields),
             "%s %s: set aside as %s; addresses on the interfaces belong to nobody and are given back unless "
             "they are registered again in time (stale_grace)",
             registrar->store_path, reason, aside ? aside : suffix);
}

/* ret_forgotten: what was in the file is not known */
static int registrar_load(Registrar *registrar, bool *ret_forgotten)
{
    int r;

    *ret_forgotten = false;
    r = store_load(registrar->store_path, registrar->instance_id, &registrar->state);
    if (r == 0 || r == -ENOMEM)
        return r;
    *ret_forgotten = r != STORE_E_ABSENT && r != STORE_E_FOREIGN;
    if (r == STORE_E_FOREIGN)
        registrar_set_aside(registrar, "foreign", "is of another instance", 0);
    else if (r == STORE_E_NEWER)
        registrar_set_aside(registrar, "newer", "was written by a newer version", 0);
    else if (r == STORE_E_DAMAGED)
        registrar_set_aside(registrar, "damaged", "is damaged", 0);
    else if (r < 0)
        registrar_set_aside(registrar, "damaged", "cannot be read", r);
    return state_new(&registrar->state);
}

/* ------------------------------------------------------------------ three made one */

/* Marks what the file knows as seen; what remains is nobody's. */
static bool interface_take_seen(Interface *interface, const InAddr *address)
{
    for (size_t i = 0; i < interface->n_seen; i++)
        if (in_addr_equal(&interface->seen[i], address)) {
            interface->seen[i] = IN_ADDR_NULL;
            return true;
        }
    return false;
}

/*
 * A move was cut off before anybody was told that it is done: for the one it was taken from it is not. That
 * may be the registration itself, moved within the node, which is then assigned anew; unless nobody is left
 * to whom it is owed.
 */
static int registrar_return(Registrar *registrar, Registration *r, usec_t now)
{
    bool own = streq(r->taken_from, r->network_interface_id);

    if (own && (r->state != REGISTRATION_WANTED || !streq(r->boot_id, registrar->boot_id))) {
        registrar_lost(registrar, r);
        return 0;
    }
    r->doubt = REGISTRATION_DOUBT_TAKEN;
    registrar->dirty = true;
    return own ? 0 : registration_set(r, REGISTRATION_RELEASED, "", registrar->boot_id, now);
}

/* Answered a moment before the daemon was killed, and EC2's describe is behind: looked at again later. */
static bool registrar_trust(const Registrar *registrar, Registration *r, usec_t now)
{
    if (r->state != REGISTRATION_WANTED || !streq(r->boot_id, registrar->boot_id) || r->since > now ||
        time_add(r->since, REGISTRAR_FRESH) <= now)
        return false;
    r->doubt = REGISTRATION_DOUBT_FRESH;
    r->not_before = time_add(now, REGISTRAR_FRESH);
    return true;
}

static int registrar_adopt(Registrar *registrar, Registration *r, usec_t now)
{
    bool this_boot = streq(r->boot_id, registrar->boot_id);

    registrar_forget_origin(registrar, r);
    r->assigned = true;
    r->confirmed = r->doubt == REGISTRATION_DOUBT_NONE ? time_monotonic() : 0;
    r->since = MIN(r->since, now); /* the clock was set back meanwhile */
    if (this_boot || r->state == REGISTRATION_RELEASED)
        return 0;
    registrar->dirty = true;
    return registration_set(r, REGISTRATION_STALE, NULL, registrar->boot_id, now);
}

static bool is_wanted(const Registrar *registrar, const Registration *r)
{
    return r->state == REGISTRATION_WANTED && streq(r->boot_id, registrar->boot_id);
}

/*
 * Another interface of this node that shows what the file has on this one, or NULL. What nobody wants there
 * is of no interest, unless it was taken from another node for that interface.
 */
static const Interface *registrar_find_astray(const Registrar *registrar, const Registration *r)
{
    if (!is_wanted(registrar, r) && !r->taken_from)
        return NULL;
    for (size_t i = 0; i < registrar->n_interfaces; i++)
        if (interface_take_seen(registrar->interfaces[i], &r->address))
            return registrar->interfaces[i];
    return NULL;
}

/* It is taken from nobody else; and should EC2's describe be behind, assigning it once more does no harm. */
static int registrar_bring_back(Registrar *registrar, Registration *r, const Interface *interface,
                                const Interface *shown)
{
    char text[IN_ADDR_TEXT];
    int res;

    res = replace_string(&r->network_interface_id, shown->id);
    if (res < 0)
        return res;
    r->confirmed = time_monotonic(); /* there */
    registrar_forget_origin(registrar, r);
    log_debug("%s moves back from %s to %s", in_addr_format(&r->address, text), shown->ifname,
              interface->ifname);
    return registration_move(r, interface->id);
}

/* Nobody wants it, but it has come here, and so nothing is owed to whom it was taken from. */
static int registrar_adopt_there(Registrar *registrar, Registration *r, const Interface *shown, usec_t now)
{
    int res = replace_string(&r->network_interface_id, shown->id);

    return res < 0 ? res : registrar_adopt(registrar, r, now);
}

/* Its interface is not served in this run, and may be in the next one, with those who have it now. */
static int registrar_put_aside(Registrar *registrar, Registration *r)
{
    if (streq(r->boot_id, registrar->boot_id) &&
        strlist_contains(&registrar->absent, r->network_interface_id))
        return state_put_aside(registrar->state, r);
    state_remove(registrar->state, r);
    registrar->dirty = true;
    return 0;
}

static int registrar_compare(Registrar *registrar, usec_t now)
{
    const Interface *shown;
    int res;

    for (size_t i = state_n(registrar->state); i > 0; i--) {
        Registration *r = state_get(registrar->state, i - 1);
        Interface *interface = registrar_interface(registrar, r->network_interface_id);

        res = 0;
        if (!interface) {
            res = registrar_put_aside(registrar, r);
        } else if (interface_take_seen(interface, &r->address)) {
            res = registrar_adopt(registrar, r, now);
        } else if ((shown = registrar_find_astray(registrar, r))) {
            res = is_wanted(registrar, r) ? registrar_bring_back(registrar, r, interface, shown)
                                          : registrar_adopt_there(registrar, r, shown, now);
        } else if (r->taken_from) {
            res = registrar_return(registrar, r, now);
        } else if (registrar_trust(registrar, r, now)) {
            res = registrar_adopt(registrar, r, now);
        } else {
            registrar_lost(registrar, r);
        }
        if (res < 0)
            return res;
    }
    return 0;
}

static int interface_set_own(Registrar *registrar, Interface *interface, const InAddr *address)
{
    int res = state_note_own(registrar->state, interface->id, address);

    interface->own[1] = *address;
    interface->n_fixed[1]++;
    registrar->dirty = registrar->dirty || res > 0;
    return MIN(res, 0);
}

static bool lacks_own(const Interface *interface)
{
    return interface->ipv6 && !in_addr_is_set(&interface->own[1]);
}

static int add_nobodys(Registrar *registrar, const Interface *interface, const InAddr *address,
                       RegistrationState state, usec_t now)
{
    Registration *r;
    int res;

    res = state_add(registrar->state, address, interface->id, &r);
    if (res == -EEXIST) /* EC2 shows it on two interfaces for a moment: the first is as good */
        return 0;
    if (res < 0)
        return res;
    r->assigned = true;
    registrar->dirty = true;
    return registration_set(r, state, "", registrar->boot_id, now);
}

int registrar_add_unowned(Registrar *registrar, Interface *interface, const InAddr *address,
                          RegistrationState state, usec_t now)
{
    if (address->family == AF_INET6 && lacks_own(interface))
        return interface_set_own(registrar, interface, address);
    return add_nobodys(registrar, interface, address, state, now);
}

/* Nobody knows of them, one is the interface's own, and EC2 does not say which. */
static bool interface_is_undecided(const Registrar *registrar, const Interface *interface)
{
    size_t n = 0;

    /* An earlier run could not decide. */
    for (size_t i = 0; i < state_n(registrar->state); i++) {
        const Registration *r = state_get(registrar->state, i);

        n += r->address.family == AF_INET6 && r->state == REGISTRATION_STALE && !r->owner[0] &&
             streq(r->network_interface_id, interface->id);
    }

    for (size_t i = 0; i < interface->n_seen; i++)
        n += in_addr_is_set(&interface->seen[i]) && interface->seen[i].family == AF_INET6;
    return lacks_own(interface) && n > 1;
}

/*
 * Of those that nobody has claimed the last one: EC2 takes a random one from the whole subnet, and who counts
 * begins at its start.
 */
void registrar_decide_own(Registrar *registrar, Interface *interface, usec_t now)
{
    Registration *own = NULL;
    char text[IN_ADDR_TEXT];
    InAddr address;

    if (!lacks_own(interface))
        return;
    for (size_t i = 0; i < state_n(registrar->state); i++) {
        Registration *r = state_get(registrar->state, i);

        if (r->address.family == AF_INET6 && r->state == REGISTRATION_STALE && !r->owner[0] &&
            !r->in_flight && streq(r->network_interface_id, interface->id))
            own = r;
    }
    if (!own || (time_add(own->since, registrar->options.stale_grace) > now &&
                 registrar_room(registrar, interface, AF_INET6) > 0))
        return;
    address = own->address;
    if (interface_set_own(registrar, interface, &address) < 0)
        log_debug("out of memory: not noted which address is the interface's own");
    state_remove(registrar->state, own);
    registrar_touch(registrar);
    log_info("%s: nobody has claimed %s, which is taken for the interface's own from now on",
             interface->ifname, in_addr_format(&address, text));
}

/* What is noted in the file, and there. */
static void interface_take_own(const Registrar *registrar, Interface *interface)
{
    const InAddr *own = state_find_own(registrar->state, interface->id);

    if (!own || !interface->ipv6 || !interface_take_seen(interface, own))
        return;
    interface->own[1] = *own;
    interface->n_fixed[1]++;
}

static int registrar_take_rest(Registrar *registrar, Interface *interface, RegistrationState state,
                               usec_t now)
{
    bool undecided;
    int res;

    interface_take_own(registrar, interface);
    undecided = interface_is_undecided(registrar, interface);
    for (size_t i = 0; i < interface->n_seen; i++) {
        const InAddr *address = &interface->seen[i];

        if (!in_addr_is_set(address))
            continue;
        if (undecided && address->family == AF_INET6)
            res = add_nobodys(registrar, interface, address, REGISTRATION_STALE, now);
        else
            res = registrar_add_unowned(registrar, interface, address, state, now);
        if (res < 0)
            return res;
    }
    interface->seen = mfree(interface->seen);
    interface->n_seen = 0;
    return 0;
}

/* Those who had it have ended with their boot. */
static void registrar_forget_notes(Registrar *registrar)
{
    State *notes = state_moved_away(registrar->state), *own = state_own(registrar->state);
    const char *id;

    for (size_t i = notes ? state_n(notes) : 0; i > 0; i--)
        if (!streq(state_get(notes, i - 1)->boot_id, registrar->boot_id))
            state_remove(notes, state_get(notes, i - 1));
    for (size_t i = own ? state_n(own) : 0; i > 0; i--) {
        id = state_get(own, i - 1)->network_interface_id;
        if (!registrar_interface(registrar, id) && !strlist_contains(&registrar->absent, id))
            state_remove(own, state_get(own, i - 1));
    }
}

int registrar_start(Registrar *registrar)
{
    usec_t now = registrar_now(registrar);
    bool forgotten;
    int r;

    assert(!registrar->state);
    r = registrar_load(registrar, &forgotten);
    if (r < 0)
        return r;
    registrar_forget_notes(registrar);
    r = registrar_compare(registrar, now);
    if (r < 0)
        return r;
    for (size_t i = 0; i < registrar->n_interfaces; i++) {
        r = registrar_take_rest(registrar, registrar->interfaces[i],
                                forgotten ? REGISTRATION_STALE : REGISTRATION_RELEASED, now);
        if (r < 0)
            return r;
        queue_kick(registrar->interfaces[i]->queue);
    }
    if (registrar->dirty)
        waits_flush(registrar);
    if (state_aside(registrar->state))
        log_info(
            "%zu addresses are registered on interfaces that are not there in this run: left as they are",
            state_n(state_aside(registrar->state)));
    log_debug("Remembering %zu addresses", state_n(registrar->state));
    return 0;
}
