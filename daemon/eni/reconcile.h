#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Runs a plan: all interfaces at once. */

#include "eni/eni.h"
#include "plan/model.h"
#include <systemd/sd-event.h>

typedef struct Reconcile Reconcile;

/* Borrowed; must outlive the object. */
typedef struct ReconcileArgs {
    Aws *aws;
    sd_event *event;
    Intents *intents;
    const Facts *facts;
    const Plan *plan;
    SubnetLists *lists; /* of subnets where addresses may be needed, or NULL; is used up by reconcile_new() */
    usec_t deadline;    /* CLOCK_MONOTONIC, of the calls for what is wanted */
    usec_t removed_by;  /* likewise, for what is not */
    EniHandler handler; /* of every event of every interface */
    void (*removed)(void *userdata); /* an unwanted interface is gone, or could not be removed */
    void *userdata;
} ReconcileArgs;

/** reconcile_new() - prepare the objects and put the intents of this plan on disk; nothing is sent */
int reconcile_new(Reconcile **ret, const ReconcileArgs *args);
Reconcile *reconcile_free(Reconcile *reconcile);

/**
 * reconcile_start() - send everything that can be sent
 *
 * Interfaces that are to be detached go first, since they hold device indexes and attachment slots;
 * everything else is done at once. A removal that fails is logged and does not fail the plan. Late ones
 * go on after the plan is over, until they are done or the object is freed.
 */
void reconcile_start(Reconcile *reconcile);

/** reconcile_n(), reconcile_eni() - the wanted interfaces, in order of position */
size_t reconcile_n(const Reconcile *reconcile);
Eni *reconcile_eni(const Reconcile *reconcile, size_t i);

/** reconcile_is_over() - nothing but late removals is under way: each interface is ready or failed */
bool reconcile_is_over(const Reconcile *reconcile);

DEFINE_CLEANUP(Reconcile, reconcile_free)
