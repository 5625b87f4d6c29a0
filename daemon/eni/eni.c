/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of one network interface in EC2.
 *
 *   new -> allocating -> creating -> attaching -> modifying -> ready
 *                                     ^  |  ^
 *                                     |  v  |
 *                               pausing<-looking
 *
 * An interface that exists already enters at attaching or modifying, or is ready at once. Create is
 * repeated blindly, since its ClientToken makes it idempotent; Attach is not, see eni-attach.c.
 *
 * Failing ends in eni_fail(): what this run created or attached is removed first, so that no failure
 * leaves an interface behind that nobody owns. What was attached before this run is left alone: pods
 * may be using it.
 */

#include "eni/create.h"
#include "eni/eni-private.h"
#include "eni/explain.h"
#include "util/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const state_names[_ENI_STATE_MAX] = {
    [ENI_STATE_NEW] = "new",
    [ENI_STATE_ALLOCATING] = "allocating",
    [ENI_STATE_CREATING] = "creating",
    [ENI_STATE_ATTACHING] = "attaching",
    [ENI_STATE_LOOKING] = "looking",
    [ENI_STATE_PAUSING] = "pausing",
    [ENI_STATE_MODIFYING] = "modifying",
    [ENI_STATE_READY] = "ready",
    [ENI_STATE_REMOVING] = "removing",
    [ENI_STATE_FAILED] = "failed",
};

const char *eni_state_to_string(EniState state)
{
    return state_names[state];
}

#define S(_state) (1U << ENI_STATE_##_state)

/* The states that may follow each. */
static const unsigned edges[_ENI_STATE_MAX] _unused_ = {
    [ENI_STATE_NEW] = S(ALLOCATING) | S(CREATING) | S(ATTACHING) | S(MODIFYING) | S(REMOVING) | S(FAILED),
    [ENI_STATE_ALLOCATING] = S(CREATING) | S(FAILED),
    [ENI_STATE_CREATING] = S(ALLOCATING) | S(ATTACHING) | S(FAILED) | S(REMOVING),
    [ENI_STATE_ATTACHING] = S(LOOKING) | S(MODIFYING) | S(ALLOCATING) | S(CREATING) | S(REMOVING) | S(FAILED),
    [ENI_STATE_LOOKING] = S(PAUSING) | S(ATTACHING) | S(MODIFYING) | S(REMOVING) | S(FAILED),
    [ENI_STATE_PAUSING] = S(ATTACHING) | S(REMOVING) | S(FAILED),
    [ENI_STATE_MODIFYING] = S(READY) | S(LOOKING) | S(REMOVING) | S(FAILED),
    [ENI_STATE_READY] = S(LOOKING) | S(REMOVING) | S(FAILED),
    [ENI_STATE_REMOVING] = S(FAILED),
    [ENI_STATE_FAILED] = 0,
};

#undef S

void eni_set_state(Eni *eni, EniState state)
{
    assert(edges[eni->state] & 1U << state);

    log_debug("%s: interface %s -> %s", eni->desired->network, state_names[eni->state], state_names[state]);
    eni->state = state;
}

void eni_emit(Eni *eni, EniEventType event)
{
    eni->context->handler(eni, event, eni->context->userdata);
}

/* Its ClientToken would name an interface that is no more. */
void eni_forget_intent(Eni *eni)
{
    intents_drop(eni->context->intents, eni->desired->network);
    (void)intents_commit(eni->context->intents);
}

/* Stops whatever is under way. */
void eni_cancel(Eni *eni)
{
    eni->timer = sd_event_source_disable_unref(eni->timer);
    eni->allocator_request = allocator_request_free(eni->allocator_request);
    eni->call = aws_call_free(eni->call);
    for (size_t i = 0; i < ARRAY_SIZE(eni->modifications); i++)
        eni->modifications[i].call = aws_call_free(eni->modifications[i].call);
    eni->n_modifying = 0;
}

static void eni_finish_failed(Eni *eni)
{
    eni_set_state(eni, ENI_STATE_FAILED);
    eni_emit(eni, ENI_EVENT_FAILED);
}

/* Adds to the reason that an interface is, or may be, still there. */
static void eni_note_left_behind(Eni *eni, const char *why)
{
    const char *id = eni->removal ? removal_eni_id(eni->removal) : eni->record.network_interface_id;
    char *both = NULL;

    if (asprintf(&both, "%s; %s %s left behind: %s", eni->error ?: "", id ?: "an interface",
                 id ? "is" : "may be", why) < 0)
        return;
    free(eni->error);
    eni->error = both;
}

/* It was attached before this run, and stays, but not as it should: its instance's end will not be its own.
 */
static void eni_note_outlives(Eni *eni)
{
    char *both = NULL;

    if (asprintf(&both,
                 "%s; %s stays attached and will outlive this instance, since its DeleteOnTermination is not "
                 "set",
                 eni->error ?: "", eni->record.network_interface_id) < 0)
        return;
    free(eni->error);
    eni->error = both;
}

static void eni_on_removed(const AwsError *error, void *userdata)
{
    Eni *eni = userdata;

    if (error) {
        bool found = removal_eni_id(eni->removal) != NULL;
        _cleanup_(freep) char *text =
            explain_error(error, found ? "it could not be removed again" : "looking for what was created");

        eni_note_left_behind(eni, text ?: "out of memory");
    }
    eni_finish_failed(eni);
}

/*
 * The only way to end badly. The text is taken; NULL is out of memory. @error is of the call that failed,
 * or NULL, and may still be in use by the caller: nothing is freed that the handler up the stack needs.
 */
static void eni_fail(Eni *eni, const AwsError *error, char *text_take)
{
    RemovalArgs args = {
        .aws = eni->context->aws,
        .event = eni->context->event,
        .network_interface_id = eni->exists ? eni->record.network_interface_id : NULL,
        .network = eni->desired->network, /* a Create may have been carried out unnoticed */
        .attachment_id = eni->record.attachment.attachment_id,
        .instance_id = eni->context->instance_id, /* and an Attach */
        .unseen = !eni->seen,
        .deadline = time_add(time_monotonic(), REMOVAL_TIME),
    };
    int r;

    free(eni->error);
    eni->error = text_take;
    call_fields_init(&eni->failed_call, error);
    eni_cancel(eni);

    if (!eni->exists && !eni->maybe_created) {
        eni_finish_failed(eni);
        return;
    }
    if (eni->exists && eni->record.attachment.attachment_id && !eni->attached_here) {
        if (!eni->record.attachment.delete_on_termination)
            eni_note_outlives(eni);
        eni_finish_failed(eni);
        return;
    }
    /* Not after it: killed in between, the next run would ask for this one again. */
    eni_forget_intent(eni);
    r = removal_start(&args, eni_on_removed, eni, &eni->removal);
    if (r < 0) {
        eni_note_left_behind(eni, strerror(-r));
        eni_finish_failed(eni);
        return;
    }
    eni_set_state(eni, ENI_STATE_REMOVING);
}

void eni_fail_text(Eni *eni, const char *format, ...)
{
    char *text = NULL;
    va_list ap;

    va_start(ap, format);
    if (vasprintf(&text, format, ap) < 0)
        text = NULL;
    va_end(ap);
    eni_fail(eni, NULL, text);
}

void eni_fail_errno(Eni *eni, int r)
{
    eni_fail_text(eni, "network %s: %s", eni->desired->network, strerror(-r));
}

void eni_fail_call(Eni *eni, const AwsError *error, const char *format, ...)
{
    _cleanup_(freep) char *what = NULL;
    va_list ap;
    int r;

    va_start(ap, format);
    r = vasprintf(&what, format, ap);
    va_end(ap);
    eni_fail(eni, error, explain_error(error, r < 0 ? "" : what));
}

/* ------------------------------------------------------------ modify */

void eni_check_modified(Eni *eni)
{
    if (eni->n_modifying > 0 || eni->surplus)
        return;
    eni->steps = 0;
    eni_set_state(eni, ENI_STATE_READY);
    eni_emit(eni, ENI_EVENT_READY);
}

static const char *step_attribute(StepFlags step)
{
    if (step == STEP_MODIFY_GROUPS)
        return "the security groups";
    return step == STEP_MODIFY_SOURCE_DEST_CHECK ? "SourceDestCheck" : "DeleteOnTermination";
}

static void on_modified(const AwsReply *reply, void *userdata)
{
    const EniModification *modification = userdata;
    Eni *eni = modification->eni;

    if (reply->error) {
        eni_fail_call(eni, reply->error, "setting %s of %s (network %s)", step_attribute(modification->step),
                      eni->record.network_interface_id, eni->desired->network);
        return;
    }
    if (modification->step == STEP_MODIFY_DELETE_ON_TERMINATION)
        eni->record.attachment.delete_on_termination = true;
    eni->n_modifying--;
    eni_check_modified(eni);
}

static int eni_send_modification(Eni *eni, StepFlags step)
{
    EniModification *modification = &eni->modifications[eni->n_modifying];
    const char *id = eni->record.network_interface_id;
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    *modification = (EniModification){.eni = eni, .step = step};
    if (step == STEP_MODIFY_GROUPS)
        r = ec2_query_modify_groups(id, &eni->desired->group_ids, &query);
    else if (step == STEP_MODIFY_SOURCE_DEST_CHECK)
        r = ec2_query_modify_source_dest_check(id, eni->desired->source_dest_check, &query);
    else
        r = ec2_query_modify_delete_on_termination(id, eni->record.attachment.attachment_id, true, &query);
    if (r < 0)
        return r;

    r = aws_call(eni->context->aws, &query, eni->context->deadline, AWS_CALL_RETRY_NOT_FOUND, on_modified,
                 modification, &modification->call);
    if (r < 0)
        return r;
    eni->n_modifying++;
    return 0;
}

/* One attribute a call (ModifyNetworkInterfaceAttribute), all of them at once. */
void eni_modify(Eni *eni)
{
    static const StepFlags steps[N_MODIFICATIONS] = {
        STEP_MODIFY_GROUPS,
        STEP_MODIFY_DELETE_ON_TERMINATION,
        STEP_MODIFY_SOURCE_DEST_CHECK,
    };
    int r;

    /* From an earlier round there are those that have ended. */
    for (size_t i = 0; i < ARRAY_SIZE(eni->modifications); i++)
        eni->modifications[i].call = aws_call_free(eni->modifications[i].call);
    eni_set_state(eni, ENI_STATE_MODIFYING);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (!(eni->steps & steps[i]))
            continue;
        r = eni_send_modification(eni, steps[i]);
        if (r < 0) {
            eni_fail_errno(eni, r);
            return;
        }
    }
    eni_check_modified(eni);
}

/* ------------------------------------------------------------ create */

static void eni_allocate(Eni *eni);

/* Another node was faster: the next address, but not for ever. */
static void eni_on_address_in_use(Eni *eni, const AwsError *error)
{
    const EniContext *context = eni->context;

    (void)intents_set_addresses(context->intents, eni->desired->network, &ALLOCATION_NULL);
    if (++eni->n_refused >= REFUSED_MAX) {
        eni_fail_call(eni, error,
                      "network %s: %u addresses of %s in turn, free as far as was known, were refused",
                      eni->desired->network, eni->n_refused, eni->desired->subnet_id);
        return;
    }
    allocator_refused(context->allocator, eni->desired->subnet_id);
    eni->call = aws_call_free(eni->call);
    eni_allocate(eni);
}

static void on_created(const AwsReply *reply, void *userdata)
{
    Eni *eni = userdata;
    const AwsError *error = reply->error;

    eni->maybe_created = error && error->ambiguous;
    if (error && error->class == AWS_ERROR_ADDRESS_IN_USE &&
        eni->desired->ip_allocation == IP_ALLOCATION_SUBNET_START) {
        eni_on_address_in_use(eni, error);
        return;
    }
    if (error) {
        eni_fail_call(eni, error, "creating the interface of network %s in %s", eni->desired->network,
                      eni->desired->subnet_id);
        return;
    }

    /* The codec has checked that there is one. */
    eni->record = reply->records->network_interfaces[0];
    reply->records->network_interfaces[0] = (Ec2NetworkInterface){0};
    eni->exists = true;
    eni->n_created++;
    eni->steps |= STEP_MODIFY_DELETE_ON_TERMINATION;
    if (!eni->desired->source_dest_check)
        eni->steps |= STEP_MODIFY_SOURCE_DEST_CHECK;
    eni_emit(eni, ENI_EVENT_CREATED);
    if (eni->state == ENI_STATE_CREATING)
        eni_attach(eni);
}

static void eni_send_create(Eni *eni)
{
    CreateArgs args = {
        .desired = eni->desired,
        .instance_id = eni->context->instance_id,
        .private_ip = in_addr_is_set(&eni->allocation.ipv4) ? &eni->allocation.ipv4 : NULL,
        .ipv6_address = in_addr_is_set(&eni->allocation.ipv6) ? &eni->allocation.ipv6 : NULL,
    };
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    eni_set_state(eni, ENI_STATE_CREATING);
    r = intents_get(eni->context->intents, eni->desired->network, time_realtime(), &args.created);
    if (r == 0) {
        r = intents_commit(eni->context->intents);
        if (r < 0)
            log_debug_errno(r, "Network %s: the intent stays in memory: %m", eni->desired->network);
        r = create_query(&args, &query);
    }
    if (r == 0)
        r = aws_call(eni->context->aws, &query, eni->context->deadline, 0, on_created, eni, &eni->call);
    eni->maybe_created = r == 0;
    if (r < 0)
        eni_fail_errno(eni, r);
}

static void on_allocated(int r, const AwsError *error, const Allocation *allocation, void *userdata)
{
    Eni *eni = userdata;

    if (error) {
        eni_fail_call(eni, error, "finding a free address for network %s in %s", eni->desired->network,
                      eni->desired->subnet_id);
        return;
    }
    if (r == -ENOSPC) {
        eni_fail_text(eni,
                      "network %s: no address is free in %s outside its reservations; free some, or use "
                      "another subnet",
                      eni->desired->network, eni->desired->subnet_id);
        return;
    }
    if (r == 0)
        r = intents_set_addresses(eni->context->intents, eni->desired->network, allocation);
    if (r < 0) {
        eni_fail_errno(eni, r);
        return;
    }
    eni->allocation = *allocation;
    eni->allocator_request = allocator_request_free(eni->allocator_request);
    eni_send_create(eni);
}

/* A family that is wanted is there, of this subnet, and no other. */
static bool allocation_serves(const Allocation *allocation, const DesiredEni *desired)
{
    bool ipv6 = in_addr_is_set(&allocation->ipv6);

    return in_prefix_contains(&desired->cidr_block, &allocation->ipv4) && ipv6 == desired->ipv6 &&
           (!ipv6 || in_prefix_contains(&desired->ipv6_cidr_block, &allocation->ipv6));
}

/* What an earlier run asked for, and may have got, is asked for again. */
static int eni_recall_addresses(Eni *eni, bool *ret)
{
    const EniContext *context = eni->context;
    const char *created;
    int r;

    r = intents_get(context->intents, eni->desired->network, time_realtime(), &created);
    if (r < 0)
        return r;
    *ret = intents_addresses(context->intents, eni->desired->network, &eni->allocation) &&
           allocation_serves(&eni->allocation, eni->desired);
    return *ret ? allocator_take(context->allocator, eni->desired, &eni->allocation) : 0;
}

static void eni_allocate(Eni *eni)
{
    int r;

    eni_set_state(eni, ENI_STATE_ALLOCATING);
    eni->allocator_request = allocator_request_free(eni->allocator_request);
    r = allocator_get(eni->context->allocator, eni->desired, on_allocated, eni, &eni->allocator_request);
    if (r < 0)
        eni_fail_errno(eni, r);
}

int eni_prepare(Eni *eni)
{
    const EniContext *context = eni->context;
    Allocation allocation;
    bool recalled = false;
    int r;

    if (!(eni->steps & STEP_CREATE) || eni->desired->ip_allocation != IP_ALLOCATION_SUBNET_START)
        return 0;
    r = eni_recall_addresses(eni, &recalled);
    if (r < 0 || recalled)
        return r;
    r = allocator_try(context->allocator, eni->desired, &allocation);
    if (r == 0)
        r = intents_set_addresses(context->intents, eni->desired->network, &allocation);
    return r == -ENOMEM ? r : 0;
}

void eni_create(Eni *eni)
{
    bool recalled = false;
    int r = 0;

    eni->allocation = ALLOCATION_NULL;
    if (eni->desired->ip_allocation == IP_ALLOCATION_SUBNET_START)
        r = eni_recall_addresses(eni, &recalled);
    if (r < 0)
        eni_fail_errno(eni, r);
    else if (eni->desired->ip_allocation == IP_ALLOCATION_SUBNET_START && !recalled)
        eni_allocate(eni);
    else
        eni_send_create(eni);
}

/* ------------------------------------------------------------ lifecycle */

int eni_new(Eni **ret, const EniContext *context, const EniPlan *plan)
{
    _cleanup_(eni_freep) Eni *eni = NULL;
    int r;

    eni = calloc(1, sizeof(*eni));
    if (!eni)
        return -ENOMEM;
    *eni = (Eni){
        .context = context,
        .desired = plan->desired,
        .steps = plan->steps,
        .device_index = plan->device_index,
        .adopted = plan->observed != NULL,
    };
    if (plan->observed) {
        r = ec2_network_interface_copy(plan->observed, &eni->record);
        if (r < 0)
            return r;
        eni->exists = eni->seen = true;
    }

    *ret = TAKE_PTR(eni);
    return 0;
}

Eni *eni_free(Eni *eni)
{
    if (!eni)
        return NULL;

    eni_cancel(eni);
    removal_free(eni->surplus);
    removal_free(eni->removal);
    ec2_network_interface_done(&eni->record);
    free(eni->last_try);
    free(eni->error);
    return mfree(eni);
}

void eni_start(Eni *eni)
{
    assert(eni->state == ENI_STATE_NEW);

    if (eni->steps & STEP_CREATE) {
        eni_create(eni);
        return;
    }

    eni_emit(eni, ENI_EVENT_CREATED);
    if (eni->state != ENI_STATE_NEW)
        return;
    if (eni->steps & STEP_ATTACH) {
        eni_attach(eni);
        return;
    }
    eni_emit(eni, ENI_EVENT_ATTACHED);
    if (eni->state == ENI_STATE_NEW)
        eni_modify(eni);
}

void eni_give_up(Eni *eni, const char *why)
{
    if (eni->state != ENI_STATE_REMOVING && eni->state != ENI_STATE_FAILED)
        eni_fail(eni, NULL, strdup(why));
}

EniState eni_state(const Eni *eni)
{
    return eni->state;
}

const DesiredEni *eni_desired(const Eni *eni)
{
    return eni->desired;
}

const Ec2NetworkInterface *eni_record(const Eni *eni)
{
    return eni->exists ? &eni->record : NULL;
}

unsigned eni_device_index(const Eni *eni)
{
    return eni->device_index;
}

bool eni_is_adopted(const Eni *eni)
{
    return eni->adopted;
}

const char *eni_error(const Eni *eni)
{
    return eni->error;
}

const CallFields *eni_failed_call(const Eni *eni)
{
    return &eni->failed_call;
}
