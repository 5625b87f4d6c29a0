#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* A queue from the inside: for its own files, queue.c, queue-hurry.c, queue-look.c and queue-move.c. */

#include "register/batch.h"
#include "register/move6.h"
#include "register/registrar-private.h"

#define UNASSIGN_PAUSE (30 * USEC_PER_SEC) /* after EC2 would not */

typedef enum QueueState {
    QUEUE_IDLE,
    QUEUE_GATHERING,
    QUEUE_CALLING,
    _QUEUE_STATE_MAX,
} QueueState;

struct Queue {
    Registrar *registrar;
    Interface *interface;
    QueueState state;
    Batch batch;  /* of the call */
    Batch moving; /* of a move that goes on while other calls are made */
    AwsCall *call;
    Move6 *move;
    sd_event_source *defer;
    sd_event_source *timer;
    usec_t timer_at;       /* CLOCK_REALTIME; USEC_INFINITY: not armed */
    usec_t began;          /* CLOCK_MONOTONIC: of the call */
    usec_t looks_from;     /* likewise: the next look */
    unsigned n_put_off;    /* looks in a row */
    bool full[2];          /* EC2 said so, by family: make room first */
    bool gives_way;        /* the call of BATCH_ASSIGN: it was ended for others */
    int gave_way;          /* the family of the last such call that did; AF_UNSPEC: it did not */
    usec_t look_due;       /* CLOCK_MONOTONIC: of queue_look_later(); 0: none */
    bool refresh;          /* look at the interface, when there is nothing else to do */
    unsigned next_suspect; /* number of the next half */
};

/**
 * queue_take_batch() - the call has ended: its registrations are no longer in flight
 *
 * One that was told to go to another interface meanwhile is that one's business from now on.
 *
 * Return: the batch without those; released by the caller.
 */
Batch queue_take_batch(Queue *queue);

/** queue_take_moving() - likewise, of the move, which may have gone on beside other calls */
Batch queue_take_moving(Queue *queue);

/** queue_call_ended() - look for the next call, from the loop */
void queue_call_ended(Queue *queue);

/**
 * queue_note_left() - before the batch is taken: what is wanted elsewhere by now has come here all the same
 *
 * From here it goes there, or is unassigned. Without memory a look finds it.
 */
void queue_note_left(Queue *queue, Registration *registration);

/** queue_hurry() - something waits, perhaps for a call that takes long and need not (queue-hurry.c) */
void queue_hurry(Queue *queue);

/** queue_arm() - queue_kick() at a time, CLOCK_REALTIME; USEC_INFINITY: never */
void queue_arm(Queue *queue, usec_t due, usec_t now);

/** queue_gather() - batch_next() by the queue's rules */
int queue_gather(const Queue *queue, usec_t now, Batch *ret, usec_t *ret_due);

/** batch_set_in_flight() - mark its registrations, or no longer */
void batch_set_in_flight(const Batch *batch, bool in_flight);

/** queue_log_refusal() - a call failed; address NULL: it was for several */
void queue_log_refusal(const Queue *queue, const AwsError *error, const InAddr *address);

/** queue_fail() - the registration was refused; unless only a look at the interface can tell */
void queue_fail(Queue *queue, Registration *registration, const AwsError *error);

/**
 * queue_can_make_room() - whether the interface is full only until what it need not have has gone
 * @registrations: of one family, which do not fit; they go out again then
 */
bool queue_can_make_room(Queue *queue, Registration *const *registrations, size_t n, const AwsError *error);

/** queue_on_looked() - the call of BATCH_LOOK has ended; an AwsHandler whose userdata is the queue */
void queue_on_looked(const AwsReply *reply, void *userdata);

/**
 * queue_move() - begin to bring addresses here that other interfaces have
 * @batch: those that have to wait are left out of it
 *
 * Return: 0; -EAGAIN: all of them have to wait; -ENOMEM.
 */
int queue_move(Queue *queue, Batch *batch);

/** queue_on_returned() - the call of BATCH_RETURN has ended; an AwsHandler whose userdata is the queue */
void queue_on_returned(const AwsReply *reply, void *userdata);
