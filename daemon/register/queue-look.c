/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a queue makes of a look at its interface: one call that settles the doubts of all its registrations,
 * and shows by the way what has moved to another node, and what is there and nobody's. What EC2 does not show
 * though it assigned it a moment ago is believed, for its describes lag.
 */

#include "register/queue-private.h"
#include "register/wait.h"
#include "util/log.h"
#include <errno.h>

static bool is_shown(const Ec2NetworkInterface *record, const InAddr *address)
{
    for (size_t i = 0; i < record->n_private_ips; i++)
        if (in_addr_equal(&record->private_ips[i].address, address))
            return true;
    for (size_t i = 0; i < record->n_ipv6_addresses; i++)
        if (in_addr_equal(&record->ipv6_addresses[i], address))
            return true;
    return false;
}

static void fail_untold(Queue *queue, Registration *r)
{
    AwsError error = {
        .class = AWS_ERROR_FINAL,
        .error = -EREMOTEIO,
        .action = r->address.family == AF_INET6 ? "AssignIpv6Addresses" : "AssignPrivateIpAddresses",
        .code = "",
        .message = "EC2 did not assign the address",
        .request_id = "",
    };

    queue_log_refusal(queue, &error, &r->address);
    queue_fail(queue, r, &error);
}

/*
 * It has not come here from another interface of this node, and that one was refused it when it was to be
 * given back: it is there all the same, or another node has it. Assigned there once more, it could be taken
 * from between that node's hands.
 */
static void doubt_origin(Registration *r)
{
    if (r->state != REGISTRATION_WANTED || !r->assigned || r->doubt != REGISTRATION_DOUBT_NONE)
        return;
    r->doubt = REGISTRATION_DOUBT_FRESH;
    r->confirmed = r->lags = 0;
}

static bool may_lag(const Registration *r)
{
    return r->lags > 0 && time_add(r->lags, REGISTRAR_FRESH) > time_monotonic();
}

/*
 * What EC2 assigned here a moment ago and does not show may have moved away, or its describes are behind.
 * Assigned once more without taking it from anybody, it stays what it is on disk, and is no sign of a fight;
 * only if EC2 says that somebody else has it, it is fetched (queue.c).
 */
static void absent_and_wanted(Queue *queue, Registration *r)
{
    r->reclaimed = false;
    if (may_lag(r) && !r->yields && queue->registrar->options.allow_reassign) {
        r->yields = r->insists = true;
        return;
    }
    /* What it was before it was asked for again is over. */
    registration_settle(r);
    registrar_fetch(queue->registrar, r);
}

/* explained: another one is why the call that failed did */
static void looked_shown(Queue *queue, Registration *r, usec_t now, bool explained)
{
    RegistrationDoubt doubt = r->doubt;

    r->doubt = REGISTRATION_DOUBT_NONE;
    r->confirmed = time_monotonic();
    r->lags = 0;
    if (doubt == REGISTRATION_DOUBT_TAKEN ||
        (doubt == REGISTRATION_DOUBT_UNTOLD && r->state != REGISTRATION_WANTED)) {
        /* It has come here after all. */
        registrar_forget_origin(queue->registrar, r);
        registration_settle(r);
        r->assigned = true;
    }
    if (doubt == REGISTRATION_DOUBT_NONE || doubt == REGISTRATION_DOUBT_FRESH)
        return;
    if (r->state == REGISTRATION_WANTED) {
        registrar_assigned(queue->registrar, r);
        r->lags = 0;
        r->refused = false;
    } else if (doubt == REGISTRATION_DOUBT_UNASSIGN && !explained) {
        /* Another one may be why and have left the interface since: once more, before a pause. */
        if (r->refused)
            r->not_before = time_add(now, UNASSIGN_PAUSE);
        r->refused = !r->refused;
    }
}

/* EC2 does not have it there. */
static void looked_absent(Queue *queue, Registration *r, usec_t now)
{
    RegistrationDoubt doubt = r->doubt;

    r->doubt = REGISTRATION_DOUBT_NONE;
    switch (doubt) {
    case REGISTRATION_DOUBT_NONE:
        if (r->assigned && time_add(r->since, REGISTRAR_FRESH) < now && !may_lag(r))
            registrar_lost(queue->registrar, r);
        break;
    case REGISTRATION_DOUBT_UNTOLD:
        if (r->state == REGISTRATION_WANTED && registration_is_moving(r)) {
            fail_untold(queue, r);
            doubt_origin(r);
        } else if (r->state == REGISTRATION_WANTED) {
            fail_untold(queue, r);
        } else {
            registrar_lost(queue->registrar, r);
        }
        break;
    case REGISTRATION_DOUBT_RECLAIM:
    case REGISTRATION_DOUBT_UNASSIGN:
        if (r->state == REGISTRATION_WANTED)
            absent_and_wanted(queue, r);
        else
            registrar_lost(queue->registrar, r);
        break;
    case REGISTRATION_DOUBT_FRESH:
        if (may_lag(r)) {
            r->doubt = doubt;
            r->not_before = time_add(now, r->lags + REGISTRAR_FRESH - time_monotonic());
        } else {
            registrar_lost(queue->registrar, r);
        }
        break;
    case REGISTRATION_DOUBT_CONFLICT:
    case REGISTRATION_DOUBT_TAKEN: r->doubt = doubt; break;
    }
}

/* The look failed: what can be done without it. */
static void looked_in_vain(Queue *queue, Registration *r, const AwsError *error, usec_t now)
{
    RegistrationDoubt doubt = r->doubt;
    bool gone = error->class == AWS_ERROR_NOT_FOUND;
    AwsError unknown = *error;

    unknown.ambiguous = !gone; /* what the call before did is still not known */
    r->doubt = REGISTRATION_DOUBT_NONE;
    if ((doubt == REGISTRATION_DOUBT_FRESH && r->state == REGISTRATION_WANTED) ||
        (doubt == REGISTRATION_DOUBT_UNTOLD && registration_is_moving(r) && !gone)) {
        r->doubt = doubt;
        r->not_before = time_add(now, UNASSIGN_PAUSE);
    } else if (r->state == REGISTRATION_WANTED &&
               (doubt == REGISTRATION_DOUBT_UNTOLD || r->previous_interface)) {
        queue_fail(queue, r, &unknown);
    } else if (r->state != REGISTRATION_WANTED && gone) {
        registrar_released(queue->registrar, r);
    } else if (r->state != REGISTRATION_WANTED) {
        r->not_before = time_add(now, UNASSIGN_PAUSE);
    }
}

/* Whether one that could not be unassigned is not there at all. */
static bool has_absent(const Queue *queue, const Ec2NetworkInterface *record)
{
    const State *state = queue->registrar->state;

    for (size_t i = 0; i < state_n(state); i++) {
        const Registration *r = state_get(state, i);

        if (r->doubt == REGISTRATION_DOUBT_UNASSIGN && !is_shown(record, &r->address) &&
            streq(r->network_interface_id, queue->interface->id))
            return true;
    }
    return false;
}

/* A call that an earlier run had made, and that EC2 was late with; or another node gave it back to us. */
static void look_at_unknown(const Queue *queue, const InAddr *address, usec_t now)
{
    Registrar *registrar = queue->registrar;
    Interface *interface = queue->interface;

    if (in_addr_equal(address, &interface->own[address->family == AF_INET6]) ||
        state_find(registrar->state, address))
        return;
    /* A start decides which is the own one; and what has moved away a moment ago may be shown still. */
    if ((address->family == AF_INET6 && interface->ipv6 && !in_addr_is_set(&interface->own[1])) ||
        flap_is_lost(&registrar->flap, address, time_monotonic()))
        return;
    if (registrar_add_unowned(registrar, interface, address, REGISTRATION_RELEASED, now) < 0)
        log_debug("out of memory: what nobody knows of on %s is left there", interface->id);
    else if (registrar->dirty)
        waits_flush(registrar);
}

static void look_at_unknowns(const Queue *queue, const Ec2NetworkInterface *record, usec_t now)
{
    for (size_t i = 0; i < record->n_private_ips; i++)
        if (!record->private_ips[i].primary)
            look_at_unknown(queue, &record->private_ips[i].address, now);
    for (size_t i = 0; i < record->n_ipv6_addresses; i++)
        look_at_unknown(queue, &record->ipv6_addresses[i], now);
}

static void queue_looked(Queue *queue, const Ec2NetworkInterface *record)
{
    usec_t now = registrar_now(queue->registrar);
    const State *state = queue->registrar->state;
    bool explained = has_absent(queue, record);

    /* Backwards, for removing one shifts those after it. */
    for (size_t i = state_n(state); i > 0; i--) {
        Registration *r = state_get(state, i - 1);

        if (r->in_flight || !streq(r->network_interface_id, queue->interface->id))
            continue;
        if (is_shown(record, &r->address))
            looked_shown(queue, r, now, explained);
        else
            looked_absent(queue, r, now);
    }
    look_at_unknowns(queue, record, now);
}

void queue_on_looked(const AwsReply *reply, void *userdata)
{
    static const AwsError unknown = {
        .class = AWS_ERROR_NOT_FOUND,
        .error = -ENOENT,
        .action = "DescribeNetworkInterfaces",
        .code = "",
        .message = "no such interface in the reply",
        .request_id = "",
    };
    Queue *queue = userdata;
    _cleanup_batch_ Batch batch = queue_take_batch(queue);
    const AwsError *error = reply->error;

    queue->n_put_off = 0;
    if (!error && reply->records->n_network_interfaces == 0)
        error = &unknown;
    if (error)
        queue_log_refusal(queue, error, batch.n == 1 ? &batch.registrations[0]->address : NULL);
    for (size_t i = 0; error && i < batch.n; i++)
        looked_in_vain(queue, batch.registrations[i], error, registrar_now(queue->registrar));
    if (!error)
        queue_looked(queue, &reply->records->network_interfaces[0]);
    queue_call_ended(queue);
}
