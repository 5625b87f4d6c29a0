/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a call gives way to. EC2 may put one off for its rate alone, for minutes, and all that waits behind it
 * would pay for that.
 *
 *   looking      is put off for what is to be assigned: it changes nothing
 *   moving       goes on beside other calls
 *   unassigning  gives way between two tries, to whatever would have gone before it
 *   assigning    likewise, but only after a while: to a look, and to the other family, which is next then
 *
 * A try that may have been carried out is repeated for a while before its call gives way.
 */

#include "register/queue-private.h"

/* So long what is to be assigned waits for a look, a move or the other family; and then a look is put off. */
#define PATIENCE (3 * USEC_PER_SEC)
/* So often the time of a look that is put off is doubled: each is to have its turn, and who waits for it less
 * than a CNI plugin does. */
#define PUT_OFF_MAX 3u
/* So often it is looked whether a call that gives way is between two tries. */
#define TRY_PAUSE (USEC_PER_SEC / 4)

/* Whether another call were made first, had this one not begun. Without memory: no. */
static bool queue_would_rather(const Queue *queue, usec_t now)
{
    _cleanup_batch_ Batch next = BATCH_NULL;
    usec_t due;

    for (size_t i = 0; i < queue->batch.n; i++)
        if (!streq(queue->batch.registrations[i]->network_interface_id, queue->interface->id))
            return true;
    batch_set_in_flight(&queue->batch, false);
    (void)queue_gather(queue, now, &next, &due);
    batch_set_in_flight(&queue->batch, true);
    return next.action != BATCH_NONE && next.action != BATCH_UNASSIGN;
}

/* Between two tries, nothing has been unassigned. Where that is not sure, it is repeated for a while. */
static void queue_hurry_unassign(Queue *queue)
{
    usec_t now = registrar_now(queue->registrar), age = time_monotonic() - queue->began;

    if (!queue_would_rather(queue, now))
        return;
    if (aws_call_is_ambiguous(queue->call) && age < PATIENCE)
        queue_arm(queue, time_add(now, PATIENCE - age), now);
    else if (!aws_call_give_up(queue->call))
        queue_arm(queue, time_add(now, TRY_PAUSE), now);
}

/* For other addresses than those of the call. */
static void queue_hurry_assign(Queue *queue)
{
    usec_t now = registrar_now(queue->registrar), age = time_monotonic() - queue->began;
    int other = queue->batch.family == AF_INET ? AF_INET6 : AF_INET;

    if (!batch_is_waited_for(queue->registrar->state, queue->interface->id, other, true, now))
        return;
    if (age < PATIENCE)
        queue_arm(queue, time_add(now, PATIENCE - age), now);
    else if (aws_call_give_up(queue->call))
        queue->gives_way = true;
    else
        queue_arm(queue, time_add(now, TRY_PAUSE), now);
}

void queue_hurry(Queue *queue)
{
    bool moves = queue->batch.action == BATCH_MOVE, looks = queue->batch.action == BATCH_LOOK;
    usec_t now = registrar_now(queue->registrar), age = time_monotonic() - queue->began;
    usec_t patience = PATIENCE << (looks ? MIN(queue->n_put_off, PUT_OFF_MAX) : 0);
    Batch batch;

    if (queue->batch.action == BATCH_UNASSIGN)
        queue_hurry_unassign(queue);
    if (queue->batch.action == BATCH_ASSIGN)
        queue_hurry_assign(queue);
    if (!(moves || looks) ||
        !batch_is_waited_for(queue->registrar->state, queue->interface->id, AF_UNSPEC, moves, now))
        return;
    if (age < patience) {
        queue_arm(queue, time_add(now, patience - age), now);
        return;
    }
    if (moves) {
        queue->moving = queue->batch;
        queue->batch = BATCH_NULL;
    } else {
        /* It changes nothing, and what it was to tell is in doubt as before. */
        queue->looks_from = time_add(time_monotonic(), PATIENCE);
        queue->n_put_off++;
        batch = queue_take_batch(queue);
        batch_done(&batch);
    }
    queue_call_ended(queue);
}
