/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is asked of the registrar: a request is refused, answered from memory, or changes what is wanted and
 * waits.
 *
 * What has been answered needs no wait: an address that is registered already is answered from memory,
 * without allocating anything, as long as EC2's word holds (trust.c).
 */

#include "register/registrar-private.h"
#include "register/wait.h"
#include "util/log.h"
#include "util/message-ids.h"
#include <errno.h>
#include <stdio.h>

static unsigned family_index(int family)
{
    return family == AF_INET6;
}

static bool interface_holds(const Interface *interface, const InAddr *address)
{
    return in_prefix_contains(&interface->prefixes[family_index(address->family)], address);
}

/* ------------------------------------------------------------------ refusals */

static void refuse(RegistrarHandler handler, void *userdata, unsigned status, const char *code,
                   const char *message)
{
    RegistrarResult result = {.status = status, .error = {status, code, message}};

    handler(&result, userdata);
}

static void refuse_printf(RegistrarHandler handler, void *userdata, unsigned status, const char *code,
                          const char *format, ...) _printf_(5, 6);

static void refuse_printf(RegistrarHandler handler, void *userdata, unsigned status, const char *code,
                          const char *format, ...)
{
    char message[REGISTRAR_MESSAGE_MAX];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(message, sizeof(message), format, ap);
    va_end(ap);
    refuse(handler, userdata, status, code, message);
}

static void answer_now(const Interface *interface, RegistrarHandler handler, void *userdata)
{
    RegistrarResult result = {
        .status = 200, .interface = interface->ifname, .network_interface_id = interface->id};

    handler(&result, userdata);
}

static bool interface_is_called(const Interface *interface, const char *name)
{
    return streq(interface->ifname, name) || streq(interface->network, name) || streq(interface->id, name);
}

/* The interface that a request means, or NULL after a refusal. */
static Interface *choose_interface(const Registrar *registrar, const InAddr *address, const char *name,
                                   const Registration *registration, RegistrarHandler handler, void *userdata)
{
    Interface *found = NULL;
    char text[IN_ADDR_TEXT];
    bool known = false;
    size_t n = 0;

    (void)in_addr_format(address, text);
    for (size_t i = 0; i < registrar->n_interfaces; i++) {
        Interface *interface = registrar->interfaces[i];

        if (name && !interface_is_called(interface, name))
            continue;
        known = true;
        if (!interface_holds(interface, address))
            continue;
        /* Where it is already decides between several. */
        if (!name && registration && streq(registration->network_interface_id, interface->id))
            return interface;
        found = interface;
        n++;
    }

    if (n == 1)
        return found;
    if (n > 1)
        refuse_printf(handler, userdata, 400, "ambiguous_interface",
                      "%zu interfaces are in a subnet that holds %s: say which interface", n, text);
    else if (name && !known)
        refuse_printf(handler, userdata, 404, "no_such_interface",
                      "no Multus interface of this node is called %s", name);
    else
        refuse_printf(handler, userdata, 422, "not_in_subnet", "%s is in no subnet of %s", text,
                      name ? name : "a Multus interface of this node");
    return NULL;
}

/* AWS keeps the first four addresses of a subnet and its last, of IPv4 and IPv6 (Amazon VPC User Guide). */
static bool is_reserved(const Registrar *registrar, const Interface *interface, const InAddr *address)
{
    const InPrefix *prefix = &interface->prefixes[family_index(address->family)];
    InAddr first = in_prefix_first(prefix), last = in_prefix_last(prefix), fourth;

    if (in_addr_add(&first, 3, &fourth) == 0 && in_addr_compare(address, &fourth) <= 0)
        return true;
    if (in_addr_equal(address, &last))
        return true;
    for (size_t i = 0; i < registrar->n_interfaces; i++)
        if (in_addr_equal(address, &registrar->interfaces[i]->own[family_index(address->family)]))
            return true;
    return false;
}

/* On its way from one interface of this node to another, and the reply was lost: a look is to tell. */
static bool is_where_unknown(const Registration *r)
{
    return r->doubt == REGISTRATION_DOUBT_UNTOLD && registration_is_moving(r);
}

/* Whether a registration as asked for may begin; refuses it if not. */
static bool check_register(const Registrar *registrar, const Registration *r, const Interface *interface,
                           const InAddr *address, RegistrarHandler handler, void *userdata)
{
    bool here = r && streq(r->network_interface_id, interface->id);
    const char *elsewhere = r && !here ? registrar_ifname(registrar, r->network_interface_id) : NULL;
    char text[IN_ADDR_TEXT];

    (void)in_addr_format(address, text);
    if (is_reserved(registrar, interface, address))
        refuse_printf(handler, userdata, 409, "reserved",
                      "%s is reserved: by AWS in its subnet, or as an interface's own", text);
    else if (elsewhere && r->assigned && !registrar->options.allow_reassign)
        refuse_printf(handler, userdata, 409, "address_in_use", "%s is on %s, and allow_reassign is no", text,
                      elsewhere);
    else if ((elsewhere && r->state == REGISTRATION_WANTED &&
              (r->in_flight || r->doubt == REGISTRATION_DOUBT_UNTOLD)) ||
             (r && r->state != REGISTRATION_WANTED && is_where_unknown(r)))
        refuse_printf(handler, userdata, 409, "busy", "%s is being registered on %s at the moment", text,
                      registrar_ifname(registrar, r->network_interface_id));
    else if ((!here || r->state == REGISTRATION_RELEASED) &&
             registrar_is_full(registrar, interface, address->family))
        refuse_printf(handler, userdata, 507, "address_limit",
                      "%s holds %u addresses, as many as the instance type allows", interface->ifname,
                      registrar_limit(registrar, address->family));
    else
        return true;
    return false;
}

/*
 * A want of its own that nobody had yet, or that had been given up. What was given up is in EC2, or may be:
 * a call for it was under way.
 */
static int want_again(Registrar *registrar, Registration *r, const Interface *interface, const char *owner,
                      usec_t now)
{
    bool here = streq(r->network_interface_id, interface->id);
    /* Wanted again, and not yet told of: EC2 has it where it was given up. */
    bool reclaimed = r->reclaimed && r->state == REGISTRATION_WANTED && !r->previous_interface;
    int res;

    if (!here && (r->assigned || r->state != REGISTRATION_WANTED || reclaimed))
        res = registration_move(r, interface->id);
    else
        res = here ? 0 : replace_string(&r->network_interface_id, interface->id);
    if (res < 0)
        return res;
    res = registration_set(r, REGISTRATION_WANTED, owner, registrar->boot_id, now);
    if (res < 0) {
        registration_restore(r);
        return res;
    }

    if (!here && reclaimed) {
        r->previous_owner[0] = '\0';
        r->previous_state = REGISTRATION_RELEASED;
        r->previous_since = now;
    }
    registration_calm(r);
    r->reclaimed = here && !registration_is_moving(r);
    r->fetched = false;
    r->assigned = false;
    return 0;
}

/*
 * What was given back may have moved to another node since, so EC2 is asked again: assigning an address to
 * the interface that has it succeeds. Only one that comes and goes is looked at first, to tell a
 * fight between nodes from a pod that restarts.
 */
static void doubt_reclaim(Registrar *registrar, Registration *r)
{
    usec_t now = time_monotonic(), pause = flap_pause(&registrar->flap, &r->address, now);

    /* Asking anew does not shorten the pause. */
    if (pause > 0)
        r->not_before = time_add(registrar_now(registrar), pause);
    if (flap_is_lost(&registrar->flap, &r->address, now))
        registrar_fetch(registrar, r);
    else if (r->reclaimed && !r->in_flight && flap_reclaim(&registrar->flap, &r->address, now))
        r->doubt = REGISTRATION_DOUBT_RECLAIM;
}

/* A request as it is carried out. */
typedef struct Want {
    const InAddr *address;
    const char *owner;
    bool yields;
    usec_t now; /* CLOCK_MONOTONIC */
} Want;

static int want_new(Registrar *registrar, const Want *want, const Interface *interface, usec_t now,
                    Registration **ret)
{
    Registration *r;
    int res;

    res = state_add(registrar->state, want->address, interface->id, &r);
    if (res < 0)
        return res;
    res = registration_set(r, REGISTRATION_WANTED, want->owner, registrar->boot_id, now);
    if (res < 0) {
        state_remove(registrar->state, r);
        return res;
    }
    *ret = r;
    return 0;
}

/* Who takes it from nobody has it as it is, wherever it may be by now. */
static bool is_trusted(const Registrar *registrar, const Registration *r, const Want *want)
{
    const Interface *interface = registrar_interface(registrar, r->network_interface_id);

    if (want->yields)
        return r->assigned && r->confirmed > 0 && r->doubt == REGISTRATION_DOUBT_NONE;
    return r->assigned && trust_holds(&interface->trust, r->confirmed, r->asked, want->now);
}

/*
 * It is here as far as we know, and that is too old to be repeated: EC2 is looked at. Until then the
 * registration is what it was, on disk and should EC2 not answer.
 */
static int want_confirmed(const Registrar *registrar, Registration *r, const char *owner)
{
    int res = registration_move(r, r->network_interface_id);

    if (res < 0)
        return res;
    res = registration_set(r, REGISTRATION_WANTED, owner, registrar->boot_id, r->since);
    if (res < 0) {
        registration_restore(r);
        return res;
    }

    registration_calm(r);
    r->reclaimed = true;
    r->fetched = false;
    r->doubt = REGISTRATION_DOUBT_RECLAIM;
    return 0;
}

/* The newest owner wins; the wait belongs to the list it is in afterwards. */
static int registrar_want(Registrar *registrar, Registration *r, Interface *interface, const Want *want,
                          RegistrarWait *wait)
{
    static const ProtocolError superseded = {409, "superseded", "another request for the address came after"};
    usec_t now = registrar_now(registrar);
    bool same_owner = r && streq(r->owner, want->owner);
    bool here = r && streq(r->network_interface_id, interface->id) && r->state == REGISTRATION_WANTED;
    int res = 0;

    if (here && r->assigned && !is_trusted(registrar, r, want))
        res = want_confirmed(registrar, r, want->owner);
    else if (here && !same_owner)
        res = registration_set(r, REGISTRATION_WANTED, want->owner, registrar->boot_id, r->since);
    else if (!r)
        res = want_new(registrar, want, interface, now, &r);
    else if (!here)
        res = want_again(registrar, r, interface, want->owner, now);
    if (res < 0)
        return res;

    r->asked = want->now;
    if (here && r->assigned) {
        if (!same_owner)
            registrar_touch(registrar);
        wait_finish(registrar, wait, NULL, interface);
        return 0;
    }
    /* One that insists is taken in the end, and so serves a second request as it is. */
    if (want->yields || !r->insists) {
        r->yields = want->yields;
        r->insists = false;
    }
    if (r->yields && !r->in_flight && r->doubt == REGISTRATION_DOUBT_CONFLICT)
        r->doubt = REGISTRATION_DOUBT_NONE;
    if (!here || !same_owner)
        waits_finish(registrar, want->address, &superseded, NULL);
    if (!here)
        doubt_reclaim(registrar, r);
    wait_pend(registrar, wait);
    if (!here && r->in_flight && r->previous_interface)
        queue_kick(registrar_interface(registrar, r->previous_interface)->queue);
    queue_kick(interface->queue);
    return 0;
}

/* From memory, when nothing has to be done or written for it. */
static bool answer_from_memory(const Registrar *registrar, Registration *r, const char *name,
                               const Want *want, RegistrarHandler handler, void *userdata)
{
    const Interface *interface;

    if (!r || r->state != REGISTRATION_WANTED || !is_trusted(registrar, r, want) ||
        !streq(r->owner, want->owner))
        return false;
    if (registrar->dirty && !registrar->unwritable)
        return false;
    interface = registrar_interface(registrar, r->network_interface_id);
    if (name && !interface_is_called(interface, name))
        return false;
    r->asked = want->now;
    if (trust_ages(&interface->trust, r->confirmed, want->now))
        queue_refresh(interface->queue);
    answer_now(interface, handler, userdata);
    return true;
}

/*
 * It is to come from another interface of this node and from nobody else, and what is known of that one may
 * be old: EC2 is to have shown it there a moment ago. Else it is looked at, and can be asked for again.
 */
static bool is_shown(const Registrar *registrar, Registration *r, usec_t now)
{
    if (r->in_flight)
        return false;
    if (r->doubt == REGISTRATION_DOUBT_NONE && r->confirmed > 0 && time_add(r->confirmed, TRUST_MAX) > now)
        return true;
    if (r->doubt == REGISTRATION_DOUBT_NONE)
        r->doubt = REGISTRATION_DOUBT_FRESH;
    registrar_kick(registrar, r);
    return false;
}

static int register_as(Registrar *registrar, const Want *want, const char *interface_name, usec_t deadline,
                       RegistrarHandler handler, void *userdata, RegistrarWait **ret)
{
    _cleanup_(registrar_wait_freep) RegistrarWait *wait = NULL;
    Interface *interface;
    Want here = *want;
    Registration *r;
    int res;

    assert(registrar->state);
    *ret = NULL;
    r = state_find(registrar->state, want->address);
    if (answer_from_memory(registrar, r, interface_name, want, handler, userdata))
        return 0;
    if (!protocol_owner_is_valid(want->owner)) {
        refuse_printf(handler, userdata, 400, "bad_owner",
                      "owner must be 1 to %d bytes of UTF-8 without control characters", REGISTRAR_OWNER_MAX);
        return 0;
    }
    interface = choose_interface(registrar, want->address, interface_name, r, handler, userdata);
    if (!interface || !check_register(registrar, r, interface, want->address, handler, userdata))
        return 0;
    if (want->yields && r && r->assigned && !streq(r->network_interface_id, interface->id)) {
        if (!is_shown(registrar, r, want->now)) {
            refuse(handler, userdata, 409, "busy", "it is looked at where it is");
            return 0;
        }
        here.yields = false;
    }

    res = wait_new(&wait, want->address, deadline, handler, userdata);
    if (res < 0)
        return res;
    res = registrar_want(registrar, r, interface, &here, wait);
    if (res < 0)
        return res;
    *ret = TAKE_PTR(wait);
    return 0;
}

int registrar_register(Registrar *registrar, const InAddr *address, const char *interface, const char *owner,
                       usec_t deadline, RegistrarHandler handler, void *userdata, RegistrarWait **ret)
{
    const Want want = {.address = address, .owner = owner, .now = time_monotonic()};

    return register_as(registrar, &want, interface, deadline, handler, userdata, ret);
}

int registrar_keep(Registrar *registrar, const InAddr *address, const char *interface, const char *owner,
                   RegistrarHandler handler, void *userdata, RegistrarWait **ret)
{
    const Want want = {.address = address, .owner = owner, .yields = true, .now = time_monotonic()};

    return register_as(registrar, &want, interface, USEC_INFINITY, handler, userdata, ret);
}

void registrar_forget_moved_away(Registrar *registrar, const InAddr *address, const char *owner)
{
    Registration *note = state_find_moved_away(registrar->state, address);
    const char *believer = NULL;

    if (!note || (owner && !streq(note->owner, owner)))
        return;
    if (owner && registrar->believer)
        believer = registrar->believer(address, owner, registrar->heir_userdata);
    if (!believer)
        (void)state_forget_moved_away(registrar->state, address);
    else if (registration_set(note, note->state, believer, NULL, note->since) < 0)
        log_debug("out of memory: an address has moved away from somebody who has ended");
    registrar_touch(registrar);
}

/* Nobody wants it any more: forget it, or leave it for the cooldown. */
static int registrar_unwant(Registrar *registrar, Registration *r)
{
    static const ProtocolError gone = {409, "released", "the address was given back meanwhile"};
    bool untouched = r->state == REGISTRATION_WANTED && !r->assigned && !r->in_flight && !r->reclaimed &&
                     !r->doubt && !r->taken_from;
    bool untold = r->doubt == REGISTRATION_DOUBT_UNTOLD, unknown = is_where_unknown(r);
    int res;

    if (untouched && !r->previous_interface) {
        waits_finish(registrar, &r->address, &gone, NULL);
        state_remove(registrar->state, r);
        return 0;
    }

    res = registration_set(r, REGISTRATION_RELEASED, NULL, registrar->boot_id, registrar_now(registrar));
    if (res < 0)
        return res;
    waits_finish(registrar, &r->address, &gone, NULL);
    /* The newest owner gives it back for those before him, too. */
    r->previous_state = REGISTRATION_RELEASED;
    r->previous_since = r->since;
    if (untouched)
        registration_restore(r);
    registration_calm(r);
    if (unknown) {
        r->doubt = REGISTRATION_DOUBT_UNTOLD;
    } else if (r->taken_from && !r->in_flight) {
        r->doubt = REGISTRATION_DOUBT_TAKEN;
        r->assigned = untold; /* as far as we know: it may have come here */
    }
    if (r->reclaimed) {
        registration_settle(r);
        r->assigned = true;
    }
    registrar_touch(registrar);
    registrar_kick(registrar, r);
    return 0;
}

static bool is_to_have_it_again(const Registration *r, const char *owner)
{
    return streq_ptr(r->previous_owner, owner) && r->previous_state != REGISTRATION_RELEASED;
}

/* Should the one who is to have it now not get it, nobody does. */
static void disown(Registrar *registrar, Registration *r, const char *owner)
{
    if (!is_to_have_it_again(r, owner))
        return;
    r->previous_owner[0] = '\0';
    r->previous_state = REGISTRATION_RELEASED;
    r->previous_since = registrar_now(registrar);
    registrar_touch(registrar);
}

/*
 * It belongs to somebody newer. Should he not get it, nobody wants it: who had it before gives up what he
 * would have again, and is answered when that is on disk.
 */
static int refuse_release(Registrar *registrar, Registration *r, const char *owner, RegistrarHandler handler,
                          void *userdata, RegistrarWait **ret)
{
    _cleanup_(registrar_wait_freep) RegistrarWait *wait = NULL;
    char text[IN_ADDR_TEXT], message[REGISTRAR_MESSAGE_MAX];
    ProtocolError error = {409, "owned_by_another", message};
    int res;

    /* That it is somebody newer's may not be on disk yet: the next run would take it for the older one's. */
    if (!is_to_have_it_again(r, owner) && (!registrar->dirty || registrar->unwritable)) {
        refuse_printf(handler, userdata, error.status, error.code, "%s belongs to %s",
                      in_addr_format(&r->address, text), r->owner);
        return 0;
    }

    res = wait_new(&wait, &r->address, USEC_INFINITY, handler, userdata);
    if (res < 0)
        return res;
    disown(registrar, r, owner);
    (void)snprintf(message, sizeof(message), "%s belongs to %s", in_addr_format(&r->address, text), r->owner);
    wait_finish(registrar, wait, &error, NULL);
    *ret = TAKE_PTR(wait);
    return 0;
}

/* On an interface that is not served in this run: unassigned by one that has it again. */
static int release_aside(Registrar *registrar, const InAddr *address, const char *owner,
                         RegistrarHandler handler, void *userdata, RegistrarWait **ret)
{
    Registration *aside = state_find_aside(registrar->state, address);
    char text[IN_ADDR_TEXT];
    RegistrarWait *wait;
    int res;

    if (aside->state != REGISTRATION_RELEASED && !streq(aside->owner, owner)) {
        refuse_printf(handler, userdata, 409, "owned_by_another", "%s belongs to %s",
                      in_addr_format(address, text), aside->owner);
        return 0;
    }
    res = wait_new(&wait, address, USEC_INFINITY, handler, userdata);
    if (res < 0)
        return res;
    if (aside->state != REGISTRATION_RELEASED) {
        res = registration_set(aside, REGISTRATION_RELEASED, NULL, NULL, registrar_now(registrar));
        if (res < 0) {
            (void)registrar_wait_free(wait);
            return res;
        }
        registrar_touch(registrar);
    }
    wait_finish(registrar, wait, NULL, NULL);
    *ret = wait;
    return 0;
}

int registrar_release(Registrar *registrar, const InAddr *address, const char *owner,
                      RegistrarHandler handler, void *userdata, RegistrarWait **ret)
{
    _cleanup_(registrar_wait_freep) RegistrarWait *wait = NULL;
    RegistrarResult done = {.status = 200};
    Interface *interface = NULL;
    Registration *r;
    int res;

    assert(registrar->state);
    *ret = NULL;
    r = state_find(registrar->state, address);
    registrar_forget_moved_away(registrar, address, owner);
    if (!r && state_find_aside(registrar->state, address))
        return release_aside(registrar, address, owner, handler, userdata, ret);
    if (r && r->state != REGISTRATION_RELEASED && !streq(r->owner, owner))
        return refuse_release(registrar, r, owner, handler, userdata, ret);
    if ((!r || r->state == REGISTRATION_RELEASED) && (!registrar->dirty || registrar->unwritable)) {
        handler(&done, userdata);
        return 0;
    }

    if (r)
        interface = registrar_interface(registrar, r->network_interface_id);
    res = wait_new(&wait, address, USEC_INFINITY, handler, userdata);
    if (res < 0)
        return res;
    if (r && r->state == REGISTRATION_WANTED && registrar->heir)
        registrar->heir(address, NULL, registrar->heir_userdata);
    if (r && r->state != REGISTRATION_RELEASED && !streq(r->owner, owner))
        disown(registrar, r, owner);
    /* What was taken over is its new owner's. */
    if (r && r->state != REGISTRATION_RELEASED && streq(r->owner, owner))
        res = registrar_unwant(registrar, r);
    if (res < 0)
        return res;
    wait_finish(registrar, wait, NULL, interface);
    *ret = TAKE_PTR(wait);
    return 0;
}
