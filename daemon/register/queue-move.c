/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a queue makes of IPv6 addresses that other interfaces have: a move (move6.c) brings them here, and how
 * it ended is told to the registrar for each of them.
 *
 * Who has an address that is taken is written down before it is, and forgotten when it is known where the
 * address ended. So a daemon that was killed in between, or that has failed to bring it here, knows whom to
 * give it back to. Of another node's interface it is not known whether it is still wanted there: was it given
 * up and found to be gone meanwhile, it stays there as nobody's until it is asked for or that daemon starts.
 */

#include "register/queue-private.h"
#include "register/refusal.h"
#include "register/wait.h"
#include "util/log.h"
#include "util/message-ids.h"
#include <errno.h>

/* ------------------------------------------------------------------ moving */

static void log_stranded(const Queue *queue, const Registration *r, const char *holder)
{
    char text[IN_ADDR_TEXT];
    const LogField fields[] = {
        {"ENI_ID", queue->interface->id},
        {"HOLDER_ENI_ID", holder},
        {"ADDRESS", in_addr_format(&r->address, text)},
    };

    log_full(LOG_ERR, 0, MESSAGE_ADDRESS_STRANDED, fields, ARRAY_SIZE(fields),
             "%s was taken from %s, could not be assigned to %s, and could not be given back", text, holder,
             queue->interface->id);
}

/* together: it was refused with others, one of which may be at fault */
static void moved_one(Queue *queue, Registration *r, Move6Outcome outcome, const Move6Result *result,
                      bool together)
{
    static const ProtocolError others = {409, "reserved",
                                         "the address is on another instance's first network interface"};

    bool own = streq_ptr(r->previous_interface, result->holder);
    /* What was another interface's of this node is still owed to whom it belongs to there. */
    bool owed = outcome == MOVE6_STRANDED && own;
    /* Somebody has it, perhaps we. Of our own interface a look tells; another node's is not looked at. */
    bool unknown = outcome == MOVE6_UNTOLD && !own;

    r->doubt = REGISTRATION_DOUBT_NONE;
    /* Else it is known where it is, and one that is stranded has been told of. */
    if (!unknown && !owed)
        registrar_forget_origin(queue->registrar, r);
    switch (outcome) {
    case MOVE6_FREE: break; /* it goes out again */
    case MOVE6_MOVED: registrar_assigned(queue->registrar, r); break;
    case MOVE6_OURS:
        r->fetched = false;
        registrar_assigned(queue->registrar, r);
        break;
    case MOVE6_UNTOLD: r->doubt = REGISTRATION_DOUBT_UNTOLD; break;
    case MOVE6_LATER: r->doubt = REGISTRATION_DOUBT_CONFLICT; break;
    case MOVE6_OTHERS: registrar_failed(queue->registrar, r, &others, false); break;
    case MOVE6_STRANDED:
    case MOVE6_REFUSED:
        if (outcome == MOVE6_REFUSED && queue_can_make_room(queue, &r, 1, result->error)) {
            r->doubt = REGISTRATION_DOUBT_CONFLICT;
            break;
        }
        if (together && outcome == MOVE6_REFUSED) {
            r->doubt = REGISTRATION_DOUBT_CONFLICT;
            r->alone = true;
            break;
        }
        if (outcome == MOVE6_STRANDED && !owed)
            log_stranded(queue, r, result->holder);
        queue_log_refusal(queue, result->error, &r->address);
        queue_fail(queue, r, result->error);
        break;
    }
}

/* Whether one that was refused may have been for the sake of another, whatever became of that one. */
static bool is_refused_together(const Move6Result *result, size_t n)
{
    size_t n_refused = 0;

    for (size_t i = 0; i < n; i++)
        n_refused += result->outcomes[i] == MOVE6_REFUSED;
    return n_refused > 0 && n > 1 && refusal_scope(result->error) == REFUSAL_SCOPE_ADDRESSES;
}

static void on_moved(const Move6Result *result, void *userdata)
{
    Queue *queue = userdata;
    _cleanup_(freep) Registration **all = NULL;
    _cleanup_batch_ Batch batch = BATCH_NULL;
    bool beside = queue->moving.n > 0;
    const Batch *moved = beside ? &queue->moving : &queue->batch;
    size_t n = moved->n, i = 0;
    bool together = is_refused_together(result, n);

    /* The batch comes back without those that went elsewhere; the outcomes are those of all. */
    all = calloc(n, sizeof(*all));
    if (all)
        memcpy(all, moved->registrations, n * sizeof(*all));
    for (size_t j = 0; j < n; j++) {
        if (result->outcomes[j] == MOVE6_MOVED)
            registrar_forget_origin(queue->registrar, moved->registrations[j]);
        if (result->outcomes[j] == MOVE6_MOVED || result->outcomes[j] == MOVE6_UNTOLD)
            queue_note_left(queue, moved->registrations[j]);
    }
    batch = queue_take_moving(queue);
    for (size_t j = 0; j < batch.n; j++) {
        while (all && all[i] != batch.registrations[j])
            i++;
        /* Without memory nothing is known, and it goes out again. */
        moved_one(queue, batch.registrations[j], all ? result->outcomes[i++] : MOVE6_FREE, result, together);
    }
    if (beside && queue->state == QUEUE_CALLING && queue->batch.action == BATCH_LOOK) {
        /* What it will show may be older than what the move has done. */
        batch_done(&batch);
        batch = queue_take_batch(queue);
        queue_call_ended(queue);
    } else if (beside) {
        queue_kick(queue);
    } else {
        queue_call_ended(queue);
    }
}

/* On disk before it is done: a daemon that is killed between taking and assigning has to know of it. */
static void on_taking(const char *holder, const Move6Outcome *outcomes, void *userdata)
{
    const Queue *queue = userdata;
    const Batch *batch = queue->moving.n > 0 ? &queue->moving : &queue->batch;

    for (size_t i = 0; i < batch->n; i++)
        if (outcomes[i] == MOVE6_REFUSED)
            (void)replace_string(&batch->registrations[i]->taken_from, holder);
    queue->registrar->dirty = true;
    waits_write(queue->registrar);
}

int queue_move(Queue *queue, Batch *batch)
{
    InAddr addresses[MOVE6_MAX];
    bool alone = false;
    size_t n = 0;

    /* Taking from others is what two nodes can do in turns; those that must wait are left out. */
    for (size_t i = 0; i < batch->n && n < MOVE6_MAX && !alone; i++) {
        Registration *r = batch->registrations[i];

        if (r->alone && n > 0)
            continue;
        registrar_fetch(queue->registrar, r);
        if (r->not_before > registrar_now(queue->registrar))
            continue;
        alone = r->alone;
        batch->registrations[n] = r;
        addresses[n++] = r->address;
    }
    batch->n = n;
    if (n == 0)
        return -EAGAIN;
    return move6_new(&queue->move, queue->registrar->aws, queue->interface->id, addresses, n, on_taking,
                     on_moved, queue);
}

/* ------------------------------------------------------------------ giving back what was taken */

/* On an interface of this node whose owner has given it up meanwhile, it is unassigned in its time. */
static void returned_unwanted(Registrar *registrar, Registration *r, const Interface *interface)
{
    if (!interface || replace_string(&r->network_interface_id, interface->id) < 0) {
        registrar_look_elsewhere(registrar, r);
        registrar_released(registrar, r);
        return;
    }
    r->assigned = true;
    registrar->dirty = true;
    waits_flush(registrar);
    queue_kick(interface->queue);
}

void queue_on_returned(const AwsReply *reply, void *userdata)
{
    Queue *queue = userdata;
    Registrar *registrar = queue->registrar;
    Registration *r = queue->batch.registrations[0];
    _cleanup_batch_ Batch batch = queue_take_batch(queue);
    const AwsError *error = reply->error;
    const Interface *there = registrar_interface(registrar, r->taken_from);
    bool own = there == queue->interface;
    /* By us, perhaps: that it has come here was not told (registrar_unwant()). */
    bool maybe_here = error && error->class == AWS_ERROR_ADDRESS_IN_USE && r->assigned && !there;

    /* In use: it is there, or somebody else has it by now. */
    if (error && error->class != AWS_ERROR_ADDRESS_IN_USE && error->class != AWS_ERROR_NOT_FOUND) {
        queue_log_refusal(queue, error, &r->address);
        log_stranded(queue, r, r->taken_from);
    }
    r->doubt = REGISTRATION_DOUBT_NONE;
    registrar_forget_origin(registrar, r);
    if (batch.n > 0 && r->state != REGISTRATION_WANTED && maybe_here)
        r->doubt = REGISTRATION_DOUBT_UNTOLD;
    else if (batch.n > 0 && r->state != REGISTRATION_WANTED)
        returned_unwanted(registrar, r, !error || error->ambiguous ? there : NULL);
    else if (batch.n > 0 && own && !error)
        registrar_assigned(registrar, r);
    else if (batch.n > 0 && own && error->ambiguous)
        r->doubt = REGISTRATION_DOUBT_UNTOLD;
    else if (batch.n > 0 && own && waits_deadline(registrar, &r->address) == 0)
        registrar_lost(registrar, r); /* else it is asked for anew */
    queue_call_ended(queue);
}
