#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The one EC2 call in flight for an interface, and what comes after it. */

#include "util/macro.h"

typedef struct Interface Interface;
typedef struct Queue Queue;
typedef struct Registrar Registrar;

/** queue_new() - for an interface of the registrar; both outlive it; 0, -ENOMEM or the errno of sd-event */
int queue_new(Queue **ret, Registrar *registrar, Interface *interface);
Queue *queue_free(Queue *queue);

/**
 * queue_kick() - something is not as wanted, or will not be
 *
 * Looks for it from the loop, so that what happens in the same turn shares a call; while a call is in
 * flight, when that has ended.
 */
void queue_kick(Queue *queue);

/** queue_refresh() - look at the interface, since what is known of it ages; when nothing else is to be done
 */
void queue_refresh(Queue *queue);

/**
 * queue_look_later() - look at the interface when EC2's describes show everything of now (REGISTRAR_FRESH)
 *
 * What is not where it was expected may be here: nobody knows of it, and so it is unassigned.
 */
void queue_look_later(Queue *queue);

DEFINE_CLEANUP(Queue, queue_free)
