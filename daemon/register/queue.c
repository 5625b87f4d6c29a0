/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The queue of an interface: at most one EC2 call in flight, and when it has ended batch_next() is asked
 * what is not as wanted. So there is no list of things to do that could be wrong; what arrives during a
 * call goes into the next one, together.
 *
 *   idle -> gathering -> calling -> gathering -> … -> idle (a timer, when something is due later)
 *
 * "Calling" is one of: assigning, unassigning, looking at the interface, a move of IPv6 addresses, which is
 * several calls, or giving back what such a move has taken. The registrations of a call are marked in_flight,
 * which keeps them in memory and out of other queues' batches; what is wanted of them may change meanwhile.
 *
 * What is to be assigned waits for another call of that kind, but not long for the others, which EC2 may put
 * off for their rate alone: a look and what is to be unassigned are put off in turn, and a move goes on
 * beside.
 *
 * How a call ends for each of its registrations is told to the registrar: assigned, failed, released,
 * lost (of a look: queue-look.c; of moves of IPv6 and giving back: queue-move.c). A refusal for the sake of
 * one address does not touch the others: they are as they were, and so go out again.
 */

#include "eni/explain.h"
#include "register/queue-private.h"
#include "register/refusal.h"
#include "register/wait.h"
#include "util/log.h"
#include "util/message-ids.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#define CALL_TIMEOUT  (60 * USEC_PER_SEC)
#define MEMORY_PAUSE  USEC_PER_SEC
#define CONFLICTS_MAX 3u
/* While an address is on its way from a full interface to another one of the node. */
#define LEAVING_PAUSE (USEC_PER_SEC / 4)

static void queue_set_state(Queue *queue, QueueState state)
{
    static const unsigned edges[_QUEUE_STATE_MAX] _unused_ = {
        [QUEUE_IDLE] = 1 << QUEUE_GATHERING,
        [QUEUE_GATHERING] = 1 << QUEUE_CALLING | 1 << QUEUE_IDLE,
        [QUEUE_CALLING] = 1 << QUEUE_GATHERING,
    };

    assert(edges[queue->state] & 1u << state);
    queue->state = state;
}

static unsigned family_index(int family)
{
    return family == AF_INET6;
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
    Queue *queue = userdata;

    queue->timer = sd_event_source_disable_unref(queue->timer);
    queue->timer_at = USEC_INFINITY;
    queue_kick(queue);
    return 0;
}

void queue_arm(Queue *queue, usec_t due, usec_t now)
{
    if (due == queue->timer_at)
        return;

    queue->timer = sd_event_source_disable_unref(queue->timer);
    queue->timer_at = USEC_INFINITY;
    if (due == USEC_INFINITY)
        return;
    if (sd_event_add_time_relative(queue->registrar->event, &queue->timer, CLOCK_MONOTONIC,
                                   due > now ? due - now : 0, 0, on_timer, queue) < 0)
        return;
    (void)sd_event_source_set_description(queue->timer, "register-queue-timer");
    queue->timer_at = due;
}

static void queue_rest(Queue *queue, usec_t due, usec_t now)
{
    queue_set_state(queue, QUEUE_IDLE);
    queue_arm(queue, due, now);
}

int queue_gather(const Queue *queue, usec_t now, Batch *ret, usec_t *ret_due)
{
    const Registrar *registrar = queue->registrar;
    usec_t monotonic = time_monotonic();
    const BatchRules rules = {
        .release_cooldown = registrar->options.release_cooldown,
        .stale_grace = registrar->options.stale_grace,
        .ipv4_room = queue->full[0] ? 0 : registrar_room(registrar, queue->interface, AF_INET),
        .ipv6_room = queue->full[1] ? 0 : registrar_room(registrar, queue->interface, AF_INET6),
        .looks_from = queue->looks_from > monotonic ? time_add(now, queue->looks_from - monotonic) : 0,
        .moving = queue->moving.n > 0,
        .gave_way = queue->gave_way,
    };

    return batch_next(registrar->state, queue->interface->id, &rules, now, ret, ret_due);
}

void batch_set_in_flight(const Batch *batch, bool in_flight)
{
    for (size_t i = 0; i < batch->n; i++)
        batch->registrations[i]->in_flight = in_flight;
}

void queue_kick(Queue *queue)
{
    if (queue->state == QUEUE_CALLING)
        queue_hurry(queue);
    if (queue->state != QUEUE_IDLE)
        return;
    queue_set_state(queue, QUEUE_GATHERING);
    (void)sd_event_source_set_enabled(queue->defer, SD_EVENT_ONESHOT);
}

void queue_refresh(Queue *queue)
{
    /* One is under way. */
    if (queue->state == QUEUE_CALLING && queue->batch.action == BATCH_LOOK)
        return;
    queue->refresh = true;
    queue_kick(queue);
}

void queue_look_later(Queue *queue)
{
    queue->look_due = time_add(time_monotonic(), REGISTRAR_FRESH);
    queue_kick(queue);
}

/* ------------------------------------------------------------------ the end of a call */

static Batch queue_take(const Queue *queue, Batch *from)
{
    Batch batch = *from;
    size_t n = 0;

    *from = BATCH_NULL;
    for (size_t i = 0; i < batch.n; i++) {
        Registration *r = batch.registrations[i];

        r->in_flight = false;
        if (streq(r->network_interface_id, queue->interface->id))
            batch.registrations[n++] = r;
        else
            queue_kick(registrar_interface(queue->registrar, r->network_interface_id)->queue);
    }
    batch.n = n;
    return batch;
}

Batch queue_take_batch(Queue *queue)
{
    queue->call = aws_call_free(queue->call);
    return queue_take(queue, &queue->batch);
}

Batch queue_take_moving(Queue *queue)
{
    queue->move = move6_free(queue->move);
    return queue_take(queue, queue->moving.n > 0 ? &queue->moving : &queue->batch);
}

void queue_call_ended(Queue *queue)
{
    queue_set_state(queue, QUEUE_GATHERING);
    (void)sd_event_source_set_enabled(queue->defer, SD_EVENT_ONESHOT);
}

void queue_log_refusal(const Queue *queue, const AwsError *error, const InAddr *address)
{
    const char *id = error->class == AWS_ERROR_DENIED      ? MESSAGE_AWS_DENIED
                     : error->class == AWS_ERROR_THROTTLED ? MESSAGE_AWS_THROTTLED
                                                           : MESSAGE_AWS_CALL_FAILED;
    const char *hint = aws_error_hint(error->code);
    char text[IN_ADDR_TEXT] = "several";
    /* Who asks again does not make it news. */
    bool known = error->class == AWS_ERROR_ADDRESS_IN_USE && address &&
                 told_refused(&queue->registrar->told, address, time_monotonic());
    const int level = known ? LOG_DEBUG : LOG_WARNING;
    LogField fields[3 + N_CALL_FIELDS] = {
        {"ENI_ID", queue->interface->id},
        {"INTERFACE", queue->interface->ifname},
        {"ADDRESS", text},
    };
    CallFields call;

    call_fields_init(&call, error);
    call_fields_put(&call, &fields[3]);
    if (address)
        (void)in_addr_format(address, text);
    log_full(level, error->error, id, fields, ARRAY_SIZE(fields), "%s of %s on %s failed: %s%s%s%s%s",
             error->action, address ? text : "several addresses", queue->interface->ifname, error->code,
             error->code[0] ? ": " : "", error->message, hint ? "; " : "", hint ?: "");
}

/* ------------------------------------------------------------------ assigning */

void queue_fail(Queue *queue, Registration *registration, const AwsError *error)
{
    char text[REFUSAL_TEXT];
    ProtocolError refusal = refusal_explain(error, text);

    /* It has moved within the node or is where it was: only a look tells. */
    if (error->ambiguous && registration_is_moving(registration)) {
        registration->doubt = REGISTRATION_DOUBT_UNTOLD;
        return;
    }
    registrar_failed(queue->registrar, registration, &refusal, error->ambiguous);
}

/* Whether what another node has is taken from it. */
static bool queue_may_take(const Queue *queue, const Batch *batch)
{
    return queue->registrar->options.allow_reassign && !batch->yields;
}

/* EC2 names this one, or it is alone. */
static void queue_blame(Queue *queue, const Batch *batch, Registration *r, const AwsError *error)
{
    bool in_use = error->class == AWS_ERROR_ADDRESS_IN_USE;
    bool wanted = r->state == REGISTRATION_WANTED; /* else it is not fetched */

    if (in_use && wanted && batch->yields && (!r->yields || r->insists)) {
        /* It is fetched: somebody has asked for it, meanwhile or before. */
        r->yields = r->insists = false;
        if (r->address.family == AF_INET6 && queue->registrar->options.allow_reassign)
            r->doubt = REGISTRATION_DOUBT_CONFLICT;
        registration_settle(r);
        if (queue->registrar->options.allow_reassign)
            registrar_fetch(queue->registrar, r);
    } else if (in_use && wanted && !r->yields && r->address.family == AF_INET6 &&
               queue_may_take(queue, batch) && r->n_attempts < CONFLICTS_MAX) {
        r->n_attempts++;
        r->doubt = REGISTRATION_DOUBT_CONFLICT;
    } else if (in_use && r->reclaimed && r->n_attempts < CONFLICTS_MAX) {
        /* Perhaps it is we who have it. */
        r->n_attempts++;
        r->doubt = REGISTRATION_DOUBT_UNTOLD;
    } else {
        /* Of what is not asked for anew, who keeps asking tells (sighting.c). */
        if (!in_use || !r->yields)
            queue_log_refusal(queue, error, &r->address);
        /* It is not here any more, either. */
        if (in_use && r->yields && !registration_is_moving(r))
            registration_settle(r);
        queue_fail(queue, r, error);
    }
}

static bool queue_has_spare(const Queue *queue, int family)
{
    const State *state = queue->registrar->state;

    for (size_t i = 0; i < state_n(state); i++) {
        const Registration *r = state_get(state, i);

        if (r->state != REGISTRATION_WANTED && r->address.family == family && !r->in_flight &&
            r->doubt == REGISTRATION_DOUBT_NONE && r->not_before == 0 &&
            streq(r->network_interface_id, queue->interface->id))
            return true;
    }
    return false;
}

/* Whether an address is on its way from here to another interface of the node: until then it takes up room.
 */
static bool queue_is_left(const Queue *queue, int family)
{
    const State *state = queue->registrar->state;

    for (size_t i = 0; i < state_n(state); i++) {
        const Registration *r = state_get(state, i);

        if (r->in_flight && r->address.family == family && registration_is_moving(r) &&
            streq(r->previous_interface, queue->interface->id))
            return true;
    }
    return false;
}

static void queue_refused_addresses(Queue *queue, const Batch *batch, const AwsError *error)
{
    _cleanup_(freep) bool *named = calloc(batch->n, sizeof(*named));
    bool is_conflict =
        error->class == AWS_ERROR_ADDRESS_IN_USE && batch->family == AF_INET6 && queue_may_take(queue, batch);
    size_t n_named = named ? batch_culprits(batch, error->message, named) : 0;

    /* One alone needs no name, and who has IPv6 addresses can be asked for all of them at once. */
    if (n_named == 0 && batch->n > 1 && !is_conflict) {
        batch_halve(batch, &queue->next_suspect);
        return;
    }
    for (size_t i = 0; i < batch->n; i++) {
        batch->registrations[i]->suspect = 0;
        if (n_named == 0 || named[i])
            queue_blame(queue, batch, batch->registrations[i], error);
    }
}

bool queue_can_make_room(Queue *queue, Registration *const *registrations, size_t n, const AwsError *error)
{
    int family = n > 0 ? registrations[0]->address.family : AF_UNSPEC;

    if (n == 0 || error->class != AWS_ERROR_ADDRESS_LIMIT)
        return false;
    if (queue_has_spare(queue, family)) {
        queue->full[family_index(family)] = true;
        return true;
    }
    if (!queue_is_left(queue, family))
        return false;
    for (size_t i = 0; i < n; i++)
        registrations[i]->not_before = time_add(registrar_now(queue->registrar), LEAVING_PAUSE);
    return true;
}

static void queue_refused(Queue *queue, const Batch *batch, const AwsError *error)
{
    if (batch->n == 0 || queue_can_make_room(queue, batch->registrations, batch->n, error))
        return;
    if (refusal_scope(error) == REFUSAL_SCOPE_ADDRESSES) {
        queue_refused_addresses(queue, batch, error);
        return;
    }

    queue_log_refusal(queue, error, batch->n == 1 ? &batch->registrations[0]->address : NULL);
    for (size_t i = 0; i < batch->n; i++)
        queue_fail(queue, batch->registrations[i], error);
}

static bool was_told(const AwsRecords *records, const InAddr *address)
{
    for (size_t i = 0; i < records->n_assigned; i++)
        if (in_addr_equal(&records->assigned[i], address))
            return true;
    return false;
}

/*
 * EC2 may have carried it out. What was given up is asked for again, or is to be unassigned in its time; of
 * what moves within the node only a look tells where it is.
 */
static void assign_is_unclear(const Batch *batch, bool given_up)
{
    for (size_t i = 0; i < batch->n; i++) {
        Registration *r = batch->registrations[i];

        if (registration_is_moving(r) && given_up)
            r->doubt = REGISTRATION_DOUBT_UNTOLD;
        else if (!registration_is_moving(r) && r->state == REGISTRATION_WANTED)
            r->reclaimed = true;
        else if (!registration_is_moving(r))
            r->assigned = true;
    }
}

void queue_note_left(Queue *queue, Registration *r)
{
    if (streq(r->network_interface_id, queue->interface->id))
        return;
    if (r->state != REGISTRATION_WANTED) {
        if (replace_string(&r->network_interface_id, queue->interface->id) == 0)
            r->assigned = true;
        registration_settle(r);
        registrar_touch(queue->registrar);
    } else if (replace_string(&r->previous_interface, queue->interface->id) == 0 &&
               replace_string(&r->previous_owner, "") == 0) {
        r->previous_state = REGISTRATION_RELEASED;
        r->previous_since = registrar_now(queue->registrar);
        r->reclaimed = false;
        registrar_touch(queue->registrar);
    }
}

static void on_assigned(const AwsReply *reply, void *userdata)
{
    Queue *queue = userdata;
    int family = queue->batch.family;
    bool given_up = queue->gives_way || (reply->error && reply->error->error == -ECANCELED);
    _cleanup_batch_ Batch batch = BATCH_NULL;

    for (size_t i = 0; i < queue->batch.n && (!reply->error || reply->error->ambiguous); i++)
        queue_note_left(queue, queue->batch.registrations[i]);
    batch = queue_take_batch(queue);
    queue->gave_way = queue->gives_way ? family : AF_UNSPEC;
    queue->gives_way = false;
    queue->registrar->statistics.assign_usec += reply->elapsed;
    if (reply->error && reply->error->ambiguous)
        assign_is_unclear(&batch, given_up);
    if (reply->error && !given_up)
        queue_refused(queue, &batch, reply->error);
    if (!reply->error)
        queue->full[family_index(family)] = false;
    for (size_t i = 0; !reply->error && i < batch.n; i++) {
        Registration *r = batch.registrations[i];

        if (was_told(reply->records, &r->address))
            registrar_assigned(queue->registrar, r);
        else
            r->doubt = REGISTRATION_DOUBT_UNTOLD;
    }
    queue_call_ended(queue);
}

/* ------------------------------------------------------------------ unassigning */

static void unassigned_one(Queue *queue, Registration *r)
{
    r->assigned = false;
    if (r->state == REGISTRATION_WANTED)
        r->reclaimed = false; /* it goes out as a new one */
    else
        registrar_released(queue->registrar, r);
}

static void unassign_failed(Queue *queue, const Batch *batch, const AwsError *error, usec_t now)
{
    bool addresses = refusal_scope(error) == REFUSAL_SCOPE_ADDRESSES;

    if (!addresses)
        queue_log_refusal(queue, error, batch->n == 1 ? &batch->registrations[0]->address : NULL);
    for (size_t i = 0; i < batch->n; i++) {
        Registration *r = batch->registrations[i];
        bool wanted = r->state == REGISTRATION_WANTED;

        if (!addresses && error->class == AWS_ERROR_NOT_FOUND) {
            unassigned_one(queue, r);
            continue;
        }
        if (addresses)
            r->doubt = REGISTRATION_DOUBT_UNASSIGN;
        else if (!wanted) /* what was asked for meanwhile does not pay for that */
            r->not_before = time_add(now, UNASSIGN_PAUSE);
        r->reclaimed |= wanted; /* EC2 has it still */
    }
}

static void on_unassigned(const AwsReply *reply, void *userdata)
{
    Queue *queue = userdata;
    int family = queue->batch.family;
    _cleanup_batch_ Batch batch = queue_take_batch(queue);

    /* It has given way: all of them are there still. */
    if (reply->error && reply->error->error == -ECANCELED) {
        queue_call_ended(queue);
        return;
    }
    queue->full[family_index(family)] = false;
    if (reply->error)
        unassign_failed(queue, &batch, reply->error, registrar_now(queue->registrar));
    for (size_t i = 0; !reply->error && i < batch.n; i++)
        unassigned_one(queue, batch.registrations[i]);
    queue_call_ended(queue);
}

/* ------------------------------------------------------------------ the next call */

static int queue_query(const Queue *queue, const Batch *batch, AwsQuery *ret)
{
    const char *id = queue->interface->id;
    _cleanup_(freep) InAddr *addresses =
        calloc(MAX(batch->n, (size_t)1), sizeof(*addresses)); /* 0: a refresh */
    bool ipv6 = batch->family == AF_INET6;

    if (!addresses)
        return -ENOMEM;
    for (size_t i = 0; i < batch->n; i++)
        addresses[i] = batch->registrations[i]->address;

    if (batch->action == BATCH_LOOK)
        return ec2_query_describe_network_interface(id, ret);
    if (batch->action == BATCH_RETURN)
        return ec2_query_assign_ipv6_addresses(batch->registrations[0]->taken_from, addresses, 1, ret);
    if (batch->action == BATCH_UNASSIGN)
        return ipv6 ? ec2_query_unassign_ipv6_addresses(id, addresses, batch->n, ret)
                    : ec2_query_unassign_private_ip_addresses(id, addresses, batch->n, ret);
    return ipv6 ? ec2_query_assign_ipv6_addresses(id, addresses, batch->n, ret)
                : ec2_query_assign_private_ip_addresses(id, addresses, batch->n, queue_may_take(queue, batch),
                                                        ret);
}

/* A throttled call is repeated as long as somebody waits for it, and for a while in any case. */
static usec_t queue_deadline(const Queue *queue, const Batch *batch)
{
    usec_t deadline = time_add(time_monotonic(), CALL_TIMEOUT);

    for (size_t i = 0; batch->action == BATCH_ASSIGN && i < batch->n; i++)
        deadline = MAX(deadline, waits_deadline(queue->registrar, &batch->registrations[i]->address));
    return deadline;
}

static bool queue_wants(const Queue *queue, const Registration *r)
{
    return r->state == REGISTRATION_WANTED && streq(r->network_interface_id, queue->interface->id) &&
           (!r->yields || queue->batch.yields);
}

/*
 * What nobody wants here any more, taken out of the batch of a call that EC2 has not carried out. Sent all
 * the same, it would take an address from another node that has got it meanwhile.
 */
static bool queue_drop_unwanted(Queue *queue)
{
    Batch *batch = &queue->batch;
    size_t n = 0, n_before = batch->n;

    for (size_t i = 0; i < n_before; i++) {
        Registration *r = batch->registrations[i];

        if (queue_wants(queue, r)) {
            batch->registrations[n++] = r;
            continue;
        }
        r->in_flight = false;
        if (r->state != REGISTRATION_WANTED && r->taken_from)
            r->doubt = REGISTRATION_DOUBT_TAKEN;
        else if (r->state != REGISTRATION_WANTED && r->previous_interface)
            registration_restore(r);
        else if (r->state != REGISTRATION_WANTED && !r->assigned) {
            registrar_released(queue->registrar, r);
            continue;
        }
        queue_kick(registrar_interface(queue->registrar, r->network_interface_id)->queue);
    }
    batch->n = n;
    return n < n_before;
}

/* All that is due now, if what the call asks for is a part of it: else it stays as it is. */
static bool queue_gather_more(Queue *queue)
{
    _cleanup_batch_ Batch more = BATCH_NULL;
    bool whole = true;
    usec_t due;

    batch_set_in_flight(&queue->batch, false);
    (void)queue_gather(queue, registrar_now(queue->registrar), &more, &due);
    batch_set_in_flight(&more, true);
    for (size_t i = 0; i < queue->batch.n; i++)
        whole = whole && queue->batch.registrations[i]->in_flight;
    if (whole && more.action == BATCH_ASSIGN && more.family == queue->batch.family &&
        more.n > queue->batch.n) {
        queue->registrar->statistics.n_batched += more.n - queue->batch.n;
        batch_done(&queue->batch);
        queue->batch = more;
        more = BATCH_NULL;
        return true;
    }
    batch_set_in_flight(&more, false);
    batch_set_in_flight(&queue->batch, true);
    return false;
}

static bool queue_wants_all(const Queue *queue)
{
    for (size_t i = 0; i < queue->batch.n; i++)
        if (!queue_wants(queue, queue->batch.registrations[i]))
            return false;
    return true;
}

/*
 * AwsAmend. A call that was refused for the rate of calls has waited, and each one counts against that rate:
 * what has come since goes with it instead of after it. Without memory all of it goes out again. One that may
 * have been carried out is repeated as it is or not at all.
 */
static AwsAmendment on_try(AwsQuery *ret, usec_t *ret_deadline, void *userdata)
{
    Queue *queue = userdata;
    bool less, more;

    if (aws_call_is_ambiguous(queue->call))
        return queue_wants_all(queue) ? AWS_AMENDMENT_NONE : AWS_AMENDMENT_END;
    less = queue_drop_unwanted(queue);
    more = queue_gather_more(queue);
    if (!less && !more)
        return AWS_AMENDMENT_NONE;
    if (queue->batch.n == 0 || queue_query(queue, &queue->batch, ret) < 0)
        return AWS_AMENDMENT_END;
    *ret_deadline = queue_deadline(queue, &queue->batch);
    return AWS_AMENDMENT_QUERY;
}

static int queue_call(Queue *queue, const Batch *batch, AwsHandler handler)
{
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    r = queue_query(queue, batch, &query);
    if (r < 0)
        return r;
    return aws_call(queue->registrar->aws, &query, queue_deadline(queue, batch), 0, handler, queue,
                    &queue->call);
}

static int queue_begin(Queue *queue, Batch *batch)
{
    RegistrarStatistics *statistics = &queue->registrar->statistics;
    int r;

    switch (batch->action) {
    case BATCH_ASSIGN:
        statistics->n_assign_calls++;
        statistics->n_batched += batch->n;
        r = queue_call(queue, batch, on_assigned);
        if (r >= 0)
            aws_call_on_try(queue->call, on_try);
        return r;
    case BATCH_UNASSIGN:
        /* Killed before it is written, it would be taken for registered while EC2 carries this out. */
        waits_write(queue->registrar);
        statistics->n_unassign_calls++;
        statistics->n_batched += batch->n;
        return queue_call(queue, batch, on_unassigned);
    case BATCH_LOOK:
        queue->refresh = false;
        if (queue->look_due <= time_monotonic())
            queue->look_due = 0;
        trust_looked(&queue->interface->trust, time_monotonic());
        return queue_call(queue, batch, queue_on_looked);
    case BATCH_MOVE: return queue_move(queue, batch);
    case BATCH_RETURN: return queue_call(queue, batch, queue_on_returned);
    case BATCH_NONE:
    case _BATCH_ACTION_MAX:
    default: return -EINVAL;
    }
}

static int queue_next(Queue *queue, usec_t now, usec_t *ret_due)
{
    _cleanup_batch_ Batch batch = BATCH_NULL;
    usec_t monotonic = time_monotonic();
    int r;

    registrar_decide_own(queue->registrar, queue->interface, now);
    r = queue_gather(queue, now, &batch, ret_due);
    if (r < 0)
        return r;
    if (queue->look_due > monotonic)
        *ret_due = MIN(*ret_due, time_add(now, queue->look_due - monotonic));
    if (batch.action == BATCH_NONE &&
        (queue->refresh || (queue->look_due > 0 && queue->look_due <= monotonic)))
        batch.action = BATCH_LOOK;
    if (batch.action == BATCH_NONE)
        return 0;
    r = queue_begin(queue, &batch);
    if (r < 0)
        return r;

    batch_set_in_flight(&batch, true);
    queue->batch = batch;
    queue->began = time_monotonic();
    batch = BATCH_NULL;
    queue_set_state(queue, QUEUE_CALLING);
    queue_hurry(queue);
    return 0;
}

static int on_defer(sd_event_source *source _unused_, void *userdata)
{
    Queue *queue = userdata;
    usec_t now = registrar_now(queue->registrar), due = USEC_INFINITY;
    int r;

    r = queue_next(queue, now, &due);
    if (r == -EAGAIN) /* all of it was put off: look again */
        r = queue_next(queue, now, &due);
    if (r < 0)
        due = time_add(now, MEMORY_PAUSE);
    if (queue->state == QUEUE_GATHERING)
        queue_rest(queue, due, now);
    return 0;
}

/* ------------------------------------------------------------------ lifecycle */

int queue_new(Queue **ret, Registrar *registrar, Interface *interface)
{
    _cleanup_(queue_freep) Queue *queue = calloc(1, sizeof(*queue));
    int r;

    if (!queue)
        return -ENOMEM;
    *queue =
        (Queue){.registrar = registrar, .interface = interface, .timer_at = USEC_INFINITY, .next_suspect = 1};
    r = sd_event_add_defer(registrar->event, &queue->defer, on_defer, queue);
    if (r < 0)
        return r;
    (void)sd_event_source_set_enabled(queue->defer, SD_EVENT_OFF);
    (void)sd_event_source_set_description(queue->defer, "register-queue");
    /* Before the answers: they wait for the disk, and meanwhile the next call can be under way. */
    (void)sd_event_source_set_priority(queue->defer, HTTP_PRIORITY);

    *ret = TAKE_PTR(queue);
    return 0;
}

Queue *queue_free(Queue *queue)
{
    if (!queue)
        return NULL;

    sd_event_source_disable_unref(queue->timer);
    sd_event_source_disable_unref(queue->defer);
    (void)move6_free(queue->move);
    (void)aws_call_free(queue->call);
    batch_done(&queue->batch);
    batch_done(&queue->moving);
    return mfree(queue);
}
