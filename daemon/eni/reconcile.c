/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Running a plan. Each wanted interface is an Eni that goes its own way; what they share (the device
 * indexes, the free addresses of a subnet, the intents) is here. Interfaces nothing wants any more
 * are removed beside that, but those that must be detached first are waited for: a wanted interface
 * may need the device index or the attachment slot they hold. What an earlier run has begun to detach
 * is deleted when that is over, which may be after the boot; the clock of that removal is its own.
 */

#include "eni/reconcile.h"
#include "eni/explain.h"
#include "eni/removal.h"
#include "util/log.h"
#include "util/message-ids.h"
#include <errno.h>
#include <stdio.h>

#define LATE_TIME (5 * USEC_PER_MINUTE)

typedef struct RemovalSlot {
    Reconcile *reconcile;
    const EniRemoval *plan;
    bool vacates; /* a place that may be needed */
    Removal *removal;
} RemovalSlot;

struct Reconcile {
    ReconcileArgs args;
    EniContext context;
    DeviceIndexes indexes;
    Allocator *allocator;
    Eni **enis;
    size_t n_enis;
    RemovalSlot *removals;
    size_t n_removals;
    size_t n_removing;
    size_t n_detaching; /* of these, to be waited for before anything else */
    bool started;
};

Reconcile *reconcile_free(Reconcile *reconcile)
{
    if (!reconcile)
        return NULL;

    for (size_t i = 0; i < reconcile->n_enis; i++)
        eni_free(reconcile->enis[i]);
    free(reconcile->enis);
    for (size_t i = 0; i < reconcile->n_removals; i++)
        removal_free(reconcile->removals[i].removal);
    free(reconcile->removals);
    allocator_free(reconcile->allocator);
    return mfree(reconcile);
}

static void reconcile_note_indexes(Reconcile *reconcile)
{
    const Facts *facts = reconcile->args.facts;
    const Plan *plan = reconcile->args.plan;

    for (size_t i = 0; i < facts->instance->n_network_interfaces; i++) {
        const Ec2Attachment *attachment = &facts->instance->network_interfaces[i].attachment;

        device_indexes_take(&reconcile->indexes, attachment->network_card_index, attachment->device_index);
    }
    for (size_t i = 0; i < plan->n_enis; i++)
        device_indexes_take(&reconcile->indexes, plan->enis[i].desired->network_card,
                            plan->enis[i].device_index);
}

/* An interface that goes takes its intent with it: its token would bring it back to mind, but not to life. */
static void reconcile_forget_removed(Reconcile *reconcile)
{
    const Plan *plan = reconcile->args.plan;

    for (size_t i = 0; i < plan->n_removals; i++) {
        const KeyValueList *tags = &plan->removals[i].observed->tags;
        const char *network = keyvalue_list_get(tags, TAG_NETWORK);
        const char *created = keyvalue_list_get(tags, TAG_CREATED);

        if (network && created)
            intents_forget(reconcile->args.intents, network, created);
    }
}

/* One write for all, since each waits for the disk: with the addresses that can be chosen by now. */
static int reconcile_commit_intents(Reconcile *reconcile)
{
    const Plan *plan = reconcile->args.plan;
    usec_t now = time_realtime();
    const char *created;
    int r;

    reconcile_forget_removed(reconcile);
    for (size_t i = 0; i < plan->n_enis; i++) {
        if (!(plan->enis[i].steps & STEP_CREATE))
            continue;
        r = intents_get(reconcile->args.intents, plan->enis[i].desired->network, now, &created);
        if (r == 0)
            r = eni_prepare(reconcile->enis[i]);
        if (r < 0)
            return r;
    }

    r = intents_commit(reconcile->args.intents);
    if (r < 0)
        log_at(LOG_WARNING, r, MESSAGE_STATE_UNWRITABLE,
               "Cannot write down what is about to be created: %m. Going on; should this process be killed "
               "between a creation and its reply, an interface may be left over until the next boot");
    return 0;
}

static int reconcile_add_enis(Reconcile *reconcile)
{
    const Plan *plan = reconcile->args.plan;
    int r;

    reconcile->enis = calloc(plan->n_enis + 1, sizeof(*reconcile->enis));
    if (!reconcile->enis)
        return -ENOMEM;
    for (size_t i = 0; i < plan->n_enis; i++) {
        r = eni_new(&reconcile->enis[i], &reconcile->context, &plan->enis[i]);
        if (r < 0)
            return r;
        reconcile->n_enis++;
    }
    return 0;
}

int reconcile_new(Reconcile **ret, const ReconcileArgs *args)
{
    _cleanup_(reconcile_freep) Reconcile *reconcile = NULL;
    int r;

    reconcile = calloc(1, sizeof(*reconcile));
    if (!reconcile)
        return -ENOMEM;
    reconcile->args = *args;

    r = allocator_new(&reconcile->allocator, args->aws, args->deadline);
    if (r == 0 && args->lists)
        r = allocator_learn(reconcile->allocator, args->lists);
    if (r < 0)
        return r;
    reconcile->context = (EniContext){
        .aws = args->aws,
        .event = args->event,
        .allocator = reconcile->allocator,
        .intents = args->intents,
        .indexes = &reconcile->indexes,
        .instance_id = args->facts->metadata->instance_id,
        .deadline = args->deadline,
        .handler = args->handler,
        .userdata = args->userdata,
    };
    reconcile_note_indexes(reconcile);

    r = reconcile_add_enis(reconcile);
    if (r < 0)
        return r;
    reconcile->removals = calloc(args->plan->n_removals + 1, sizeof(*reconcile->removals));
    if (!reconcile->removals)
        return -ENOMEM;
    r = reconcile_commit_intents(reconcile);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(reconcile);
    return 0;
}

/* For all subnets together; each that needs an address waits for it. Without, each asks for its own. */
static void reconcile_prefetch(Reconcile *reconcile)
{
    const Plan *plan = reconcile->args.plan;
    _cleanup_strlist_ StrList subnets = STRLIST_NULL;
    Allocation asked;
    int r = 0;

    for (size_t i = 0; i < plan->n_enis && r == 0; i++) {
        const DesiredEni *desired = plan->enis[i].desired;

        if ((plan->enis[i].steps & STEP_CREATE) && desired->ip_allocation == IP_ALLOCATION_SUBNET_START &&
            !intents_addresses(reconcile->args.intents, desired->network, &asked))
            r = strlist_append(&subnets, desired->subnet_id);
    }
    if (r == 0 && subnets.n > 0)
        r = allocator_prefetch(reconcile->allocator, &subnets);
    if (r < 0)
        log_debug_errno(r, "The lists of the subnets are asked for one by one: %m");
}

/* One that was given up while it waited (boot_timeout) stays failed. */
static void reconcile_start_enis(Reconcile *reconcile)
{
    reconcile->started = true;
    reconcile_prefetch(reconcile);
    for (size_t i = 0; i < reconcile->n_enis; i++)
        if (eni_state(reconcile->enis[i]) == ENI_STATE_NEW)
            eni_start(reconcile->enis[i]);
}

static void log_not_removed(const EniRemoval *plan, const AwsError *error)
{
    _cleanup_(freep) char *what = NULL;

    if (asprintf(&what, "%s stays until the next start of multus-eksd, though %s",
                 plan->observed->network_interface_id, plan->reason) < 0)
        what = NULL;
    explain_log(LOG_WARNING, error, what ?: plan->observed->network_interface_id);
}

static void on_removed(const AwsError *error, void *userdata)
{
    RemovalSlot *slot = userdata;
    Reconcile *reconcile = slot->reconcile;
    const char *id = slot->plan->observed->network_interface_id;
    LogField fields[] = {{"ENI_ID", id}};

    if (error)
        log_not_removed(slot->plan, error);
    else
        log_full(LOG_INFO, 0, MESSAGE_ENI_DELETED, fields, ARRAY_SIZE(fields), "Deleted %s: %s", id,
                 slot->plan->reason);

    slot->removal = removal_free(slot->removal);
    if (slot->plan->late)
        return;
    reconcile->n_removing--;
    if (slot->vacates)
        reconcile->n_detaching--;
    if (!reconcile->started && reconcile->n_detaching == 0)
        reconcile_start_enis(reconcile);
    reconcile->args.removed(reconcile->args.userdata);
}

static void reconcile_start_removal(Reconcile *reconcile, const EniRemoval *plan)
{
    RemovalSlot *slot = &reconcile->removals[reconcile->n_removals++];
    const Ec2NetworkInterface *eni = plan->observed;
    RemovalArgs args = {
        .aws = reconcile->args.aws,
        .event = reconcile->args.event,
        .network_interface_id = eni->network_interface_id,
        .attachment_id = plan->detach ? eni->attachment.attachment_id : NULL,
        .deadline = plan->late ? time_add(time_monotonic(), LATE_TIME) : reconcile->args.removed_by,
    };
    int r;

    *slot = (RemovalSlot){
        .reconcile = reconcile,
        .plan = plan,
        .vacates = !plan->late && eni->attachment.attachment_id,
    };
    r = removal_start(&args, on_removed, slot, &slot->removal);
    if (r < 0) {
        log_warning_errno(r, "Cannot delete %s: %m", eni->network_interface_id);
        return;
    }
    if (plan->late)
        return;
    reconcile->n_removing++;
    if (slot->vacates)
        reconcile->n_detaching++;
}

void reconcile_start(Reconcile *reconcile)
{
    const Plan *plan = reconcile->args.plan;

    for (size_t i = 0; i < plan->n_removals; i++)
        reconcile_start_removal(reconcile, &plan->removals[i]);
    if (reconcile->n_detaching == 0)
        reconcile_start_enis(reconcile);
}

size_t reconcile_n(const Reconcile *reconcile)
{
    return reconcile->n_enis;
}

Eni *reconcile_eni(const Reconcile *reconcile, size_t i)
{
    assert(i < reconcile->n_enis);

    return reconcile->enis[i];
}

bool reconcile_is_over(const Reconcile *reconcile)
{
    if (!reconcile->started || reconcile->n_removing > 0)
        return false;
    for (size_t i = 0; i < reconcile->n_enis; i++) {
        EniState state = eni_state(reconcile->enis[i]);

        if (state != ENI_STATE_READY && state != ENI_STATE_FAILED)
            return false;
    }
    return true;
}
