#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What the next call for an interface should do. Pure: the time is an argument. */

#include "state/state.h"

typedef enum BatchAction {
    BATCH_NONE,     /* nothing is due; *ret_due says when */
    BATCH_LOOK,     /* what EC2 has is in doubt: describe the interface */
    BATCH_ASSIGN,   /* AssignPrivateIpAddresses or AssignIpv6Addresses, by family */
    BATCH_MOVE,     /* IPv6 addresses that other interfaces have */
    BATCH_UNASSIGN, /* by family */
    BATCH_RETURN,   /* one IPv6 address that was taken from another interface, to that one */
    _BATCH_ACTION_MAX,
} BatchAction;

typedef struct Batch {
    BatchAction action;
    int family;
    bool yields;                  /* what other nodes have is not taken from them */
    Registration **registrations; /* of the state; the array is the batch's */
    size_t n;
} Batch;

#define BATCH_NULL ((Batch){0})

typedef struct BatchRules {
    usec_t release_cooldown;
    usec_t stale_grace;
    unsigned ipv4_room; /* addresses the interface can still take; UINT_MAX: unknown */
    unsigned ipv6_room;
    usec_t looks_from; /* CLOCK_REALTIME: no look before */
    bool moving;       /* a move is under way already */
    int gave_way;      /* the family that has given way to the other; AF_UNSPEC: none */
} BatchRules;

/**
 * batch_next() - everything of one kind that is due for an interface
 * @now: CLOCK_REALTIME
 *
 * Assigning goes before unassigning, and of two families the one that has waited longer; but where there
 * is no room, what was released goes first, cooldown or not, and after that what is stale. What is in
 * flight is passed over.
 *
 * Return: 0 with *ret (release with batch_done()) and *ret_due, CLOCK_REALTIME, USEC_INFINITY: never;
 * -ENOMEM.
 */
int batch_next(const State *state, const char *network_interface_id, const BatchRules *rules, usec_t now,
               Batch *ret, usec_t *ret_due);

/** batch_is_waited_for() - whether something of a family, or AF_UNSPEC, could be assigned at once, or
 * with_looks anything be looked at */
bool batch_is_waited_for(const State *state, const char *network_interface_id, int family, bool with_looks,
                         usec_t now);

/**
 * batch_culprits() - which addresses a refused call's message names
 * @named: one for each registration of the batch, set
 *
 * Return: how many; 0: the message names none of them.
 */
size_t batch_culprits(const Batch *batch, const char *message, bool *named);

/** batch_halve() - mark the halves of a refused batch, so that each goes out by itself */
void batch_halve(const Batch *batch, unsigned *next_suspect);

/** batch_done() - free the array */
void batch_done(Batch *batch);

#define _cleanup_batch_ _cleanup_(batch_done)
