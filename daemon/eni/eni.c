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
 * repeated blindly, since its ClientToken makes it idempotent. Attach is not: when its reply was lost,
 * or EC2 says that the index or the interface is in use, EC2 is asked who is where (looking), and only
 * what is true then decides: attached to us is success, not attached is attached again, at the next
 * free device index when another interface holds ours.
 *
 * Looking may answer with what was true a moment ago (EC2 is eventually consistent), so looks that
 * lead nowhere are followed by growing pauses, until the deadline.
 *
 * Failing ends in eni_fail(): what this run created or attached is removed first, so that no failure
 * leaves an interface behind that nobody owns. What was attached before this run is left alone: pods
 * may be using it.
 */

#include "eni/eni.h"
#include "eni/create.h"
#include "eni/explain.h"
#include "eni/removal.h"
#include "util/buf.h"
#include "util/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define CREATE_MAX      3                     /* interfaces made for one network in one run */
#define LOOK_PAUSE_MIN  (250 * USEC_PER_MSEC) /* doubled with every look */
#define LOOK_PAUSE_MAX  (8 * USEC_PER_SEC)
#define REMOVAL_TIME    (60 * USEC_PER_SEC)
#define N_MODIFICATIONS 3

typedef enum LookReason {
    LOOK_LOST_REPLY, /* of Attach */
    LOOK_INDEX_IN_USE,
    LOOK_ENI_IN_USE,
    LOOK_DEVICE, /* the kernel has no device */
} LookReason;

struct Eni {
    const EniContext *context;
    const DesiredEni *desired;
    EniState state;
    unsigned steps; /* StepFlags still to be done */
    unsigned device_index;
    bool adopted;
    bool attached_here; /* in this run: may be taken away again on failure */
    bool exists;        /* record is valid */
    bool seen;          /* by EC2's every part: eventual consistency is over */
    bool maybe_created; /* Create was sent, and nobody knows what became of it */
    Ec2NetworkInterface record;
    unsigned n_created;
    unsigned n_looks;
    LookReason look_reason;
    Allocation allocation;
    AllocatorRequest *allocator_request;
    AwsCall *call;
    AwsCall *modifications[N_MODIFICATIONS];
    unsigned n_modifying;
    sd_event_source *timer;
    Removal *removal;
    char *last_try; /* of an Attach whose outcome had to be looked for; or NULL */
    char *error;
};

static void eni_attach(Eni *eni);
static void eni_create(Eni *eni);
static void eni_modify(Eni *eni);

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

static void eni_set_state(Eni *eni, EniState state)
{
    assert(edges[eni->state] & 1U << state);

    log_debug("%s: interface %s -> %s", eni->desired->network, state_names[eni->state], state_names[state]);
    eni->state = state;
}

static void eni_emit(Eni *eni, EniEventType event)
{
    eni->context->handler(eni, event, eni->context->userdata);
}

/* Its ClientToken would name an interface that is no more. */
static void eni_forget_intent(Eni *eni)
{
    intents_drop(eni->context->intents, eni->desired->network);
    (void)intents_commit(eni->context->intents);
}

/* Stops whatever is under way. */
static void eni_cancel(Eni *eni)
{
    eni->timer = sd_event_source_disable_unref(eni->timer);
    eni->allocator_request = allocator_request_free(eni->allocator_request);
    eni->call = aws_call_free(eni->call);
    for (size_t i = 0; i < ARRAY_SIZE(eni->modifications); i++)
        eni->modifications[i] = aws_call_free(eni->modifications[i]);
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

static void eni_on_removed(const AwsError *error, void *userdata)
{
    Eni *eni = userdata;

    if (error) {
        _cleanup_(freep) char *text = explain_error(error, "it could not be removed again");

        eni_note_left_behind(eni, text ?: "out of memory");
    }
    eni_finish_failed(eni);
}

/*
 * The only way to end badly. The text is taken; NULL is out of memory. May be called with a call's
 * error still in use by the caller: nothing is freed that the handler up the stack needs.
 */
static void eni_fail(Eni *eni, char *text_take)
{
    RemovalArgs args = {
        .aws = eni->context->aws,
        .event = eni->context->event,
        .network_interface_id = eni->exists ? eni->record.network_interface_id : NULL,
        .network = eni->desired->network, /* a Create may have been carried out unnoticed */
        .attachment_id = eni->record.attachment.attachment_id,
        .instance_id = eni->context->instance_id, /* and an Attach */
        .deadline = time_add(time_monotonic(), REMOVAL_TIME),
    };
    int r;

    free(eni->error);
    eni->error = text_take;
    eni_cancel(eni);

    if (!eni->exists && !eni->maybe_created) {
        eni_finish_failed(eni);
        return;
    }
    if (eni->exists && eni->record.attachment.attachment_id && !eni->attached_here) {
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

_printf_(2, 3) static void eni_fail_text(Eni *eni, const char *format, ...)
{
    char *text = NULL;
    va_list ap;

    va_start(ap, format);
    if (vasprintf(&text, format, ap) < 0)
        text = NULL;
    va_end(ap);
    eni_fail(eni, text);
}

static void eni_fail_errno(Eni *eni, int r)
{
    eni_fail_text(eni, "network %s: %s", eni->desired->network, strerror(-r));
}

_printf_(3, 4) static void eni_fail_call(Eni *eni, const AwsError *error, const char *format, ...)
{
    _cleanup_(freep) char *what = NULL;
    va_list ap;
    int r;

    va_start(ap, format);
    r = vasprintf(&what, format, ap);
    va_end(ap);
    eni_fail(eni, explain_error(error, r < 0 ? "" : what));
}

/* ------------------------------------------------------------ modify */

static void eni_check_modified(Eni *eni)
{
    if (eni->n_modifying > 0)
        return;
    eni->steps = 0;
    eni_set_state(eni, ENI_STATE_READY);
    eni_emit(eni, ENI_EVENT_READY);
}

static void on_modified(const AwsReply *reply, void *userdata)
{
    Eni *eni = userdata;

    if (reply->error) {
        eni_fail_call(eni, reply->error, "setting an attribute of %s (network %s)",
                      eni->record.network_interface_id, eni->desired->network);
        return;
    }
    eni->n_modifying--;
    eni_check_modified(eni);
}

static int eni_send_modification(Eni *eni, StepFlags step)
{
    const char *id = eni->record.network_interface_id;
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    if (step == STEP_MODIFY_GROUPS)
        r = ec2_query_modify_groups(id, &eni->desired->group_ids, &query);
    else if (step == STEP_MODIFY_SOURCE_DEST_CHECK)
        r = ec2_query_modify_source_dest_check(id, eni->desired->source_dest_check, &query);
    else
        r = ec2_query_modify_delete_on_termination(id, eni->record.attachment.attachment_id, true, &query);
    if (r < 0)
        return r;

    r = aws_call(eni->context->aws, &query, eni->context->deadline, AWS_CALL_RETRY_NOT_FOUND, on_modified,
                 eni, &eni->modifications[eni->n_modifying]);
    if (r < 0)
        return r;
    eni->n_modifying++;
    return 0;
}

/* One attribute a call (ModifyNetworkInterfaceAttribute), all of them at once. */
static void eni_modify(Eni *eni)
{
    static const StepFlags steps[N_MODIFICATIONS] = {
        STEP_MODIFY_GROUPS,
        STEP_MODIFY_DELETE_ON_TERMINATION,
        STEP_MODIFY_SOURCE_DEST_CHECK,
    };
    int r;

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

/* ------------------------------------------------------------ look */

static const Ec2NetworkInterface *records_find_index(const AwsRecords *records, unsigned card, unsigned index)
{
    for (size_t i = 0; i < records->n_network_interfaces; i++) {
        const Ec2Attachment *attachment = &records->network_interfaces[i].attachment;

        if (attachment->attachment_id && attachment->network_card_index == card &&
            attachment->device_index == index)
            return &records->network_interfaces[i];
    }
    return NULL;
}

static int eni_set_attachment(Eni *eni, const char *attachment_id, unsigned device_index)
{
    int r;

    r = replace_string(&eni->record.attachment.attachment_id, attachment_id);
    if (r < 0)
        return r;
    eni->record.attachment.device_index = device_index;
    eni->record.attachment.network_card_index = eni->desired->network_card;
    eni->device_index = device_index;
    return 0;
}

/* It is attached to this instance. What is left to be modified is done whoever asked. */
static void eni_on_seen_attached(Eni *eni, const Ec2Attachment *attachment)
{
    int r;

    r = eni_set_attachment(eni, attachment->attachment_id, attachment->device_index);
    if (r < 0) {
        eni_fail_errno(eni, r);
        return;
    }
    if (eni->look_reason == LOOK_DEVICE) {
        eni_emit(eni, ENI_EVENT_PRESENT);
    } else {
        eni->attached_here = true;
        eni->n_looks = 0;
        eni_emit(eni, ENI_EVENT_ATTACHED);
    }
    if (eni->state == ENI_STATE_LOOKING)
        eni_modify(eni);
}

/* Another interface holds our device index: take the next one, unless the configuration names it. */
static void eni_on_index_taken(Eni *eni, const AwsRecords *records, const Ec2NetworkInterface *holder)
{
    const DesiredEni *desired = eni->desired;

    if (desired->device_index >= 0) {
        eni_fail_text(eni,
                      "network %s: device index %u of network card %u is held by %s, which is not ours; set "
                      "device_index of [network %s] to another one or to auto",
                      desired->network, eni->device_index, desired->network_card,
                      holder->network_interface_id, desired->network);
        return;
    }

    for (size_t i = 0; i < records->n_network_interfaces; i++) {
        const Ec2Attachment *attachment = &records->network_interfaces[i].attachment;

        if (attachment->attachment_id)
            device_indexes_take(eni->context->indexes, attachment->network_card_index,
                                attachment->device_index);
    }
    if (device_indexes_next(eni->context->indexes, desired->network_card, &eni->device_index) < 0) {
        eni_fail_text(eni, "network %s: no device index is free on network card %u", desired->network,
                      desired->network_card);
        return;
    }
    log_notice("Network %s: the device index is held by %s, which is not ours; trying %u", desired->network,
               holder->network_interface_id, eni->device_index);
    eni_attach(eni);
}

static void eni_look_for(Eni *eni, LookReason reason);

static int on_look_pause_over(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
    Eni *eni = userdata;

    eni->timer = sd_event_source_disable_unref(eni->timer);
    eni_attach(eni);
    return 0;
}

/* Not attached as far as EC2 tells: attach again, but not in a tight circle. */
static void eni_attach_later(Eni *eni)
{
    static const char *const why[] = {
        [LOOK_LOST_REPLY] = "the answers to AttachNetworkInterface do not arrive",
        [LOOK_INDEX_IN_USE] = "EC2 calls the device index taken and shows no interface there",
        [LOOK_ENI_IN_USE] = "EC2 calls it attached, but does not show it at this instance",
        [LOOK_DEVICE] = "it was detached",
    };
    unsigned doublings = MIN(eni->n_looks - 1, 5U);
    usec_t pause = MIN(LOOK_PAUSE_MIN << doublings, LOOK_PAUSE_MAX);
    int r;

    if (time_add(time_monotonic(), pause) >= eni->context->deadline) {
        eni_fail_text(eni, "network %s: %s could not be attached before boot_timeout: %s",
                      eni->desired->network, eni->record.network_interface_id,
                      eni->last_try ?: why[eni->look_reason]);
        return;
    }
    eni_set_state(eni, ENI_STATE_PAUSING);
    r = sd_event_add_time_relative(eni->context->event, &eni->timer, CLOCK_MONOTONIC, pause, 0,
                                   on_look_pause_over, eni);
    if (r < 0) {
        eni_fail_errno(eni, r);
        return;
    }
    (void)sd_event_source_set_description(eni->timer, "eni-look-pause");
}

static void on_looked(const AwsReply *reply, void *userdata)
{
    Eni *eni = userdata;
    const Ec2NetworkInterface *self, *holder;

    if (reply->error) {
        eni_fail_call(eni, reply->error, "looking for %s (network %s)", eni->record.network_interface_id,
                      eni->desired->network);
        return;
    }

    self = aws_records_find_interface(reply->records, eni->record.network_interface_id);
    if (self && ec2_attachment_holds(&self->attachment)) {
        eni_on_seen_attached(eni, &self->attachment);
        return;
    }

    holder = records_find_index(reply->records, eni->desired->network_card, eni->device_index);
    if (holder && holder != self) {
        eni_on_index_taken(eni, reply->records, holder);
        return;
    }
    if (eni->look_reason == LOOK_DEVICE)
        log_warning("Network %s: %s is not attached any more; attaching it again", eni->desired->network,
                    eni->record.network_interface_id);
    eni->record.attachment.attachment_id = mfree(eni->record.attachment.attachment_id);
    eni->steps |= STEP_MODIFY_DELETE_ON_TERMINATION; /* it is an attribute of the attachment */
    eni_attach_later(eni);
}

static void eni_look_for(Eni *eni, LookReason reason)
{
    const char *const ids[] = {eni->context->instance_id, NULL};
    const Ec2Filter filters[] = {{"attachment.instance-id", ids}, {NULL, NULL}};
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    eni->look_reason = reason;
    eni->n_looks++;
    eni_set_state(eni, ENI_STATE_LOOKING);
    eni->call = aws_call_free(eni->call);
    r = ec2_query_describe_network_interfaces(filters, &query);
    if (r == 0)
        r = aws_call(eni->context->aws, &query, eni->context->deadline, 0, on_looked, eni, &eni->call);
    if (r < 0)
        eni_fail_errno(eni, r);
}

void eni_look(Eni *eni)
{
    assert(eni->state == ENI_STATE_READY || eni->state == ENI_STATE_MODIFYING);

    eni_cancel(eni);
    eni_look_for(eni, LOOK_DEVICE);
}

/* ------------------------------------------------------------ attach */

/* Its id is unknown to EC2 for longer than eventual consistency explains: somebody deleted it. */
static void eni_on_vanished(Eni *eni, const AwsError *error)
{
    if (eni->n_created >= CREATE_MAX) {
        eni->exists = false;
        eni_forget_intent(eni);
        eni_fail_call(eni, error, "network %s: its interface vanished %u times, the last was %s",
                      eni->desired->network, eni->n_created, eni->record.network_interface_id);
        return;
    }

    log_warning("Network %s: %s vanished before it was attached; creating another one", eni->desired->network,
                eni->record.network_interface_id);
    eni_emit(eni, ENI_EVENT_LOST);
    if (eni->state != ENI_STATE_ATTACHING)
        return;
    intents_drop(eni->context->intents, eni->desired->network);
    eni->exists = eni->seen = eni->adopted = false;
    eni->steps = 0; /* on_created() says what a new one needs */
    ec2_network_interface_done(&eni->record);
    eni->record = (Ec2NetworkInterface){0};
    eni->call = aws_call_free(eni->call);
    eni_create(eni);
}

static void eni_on_attach_failed(Eni *eni, const AwsError *error)
{
    switch (error->class) {
    case AWS_ERROR_INDEX_IN_USE: eni_look_for(eni, LOOK_INDEX_IN_USE); return;
    case AWS_ERROR_ENI_IN_USE: eni_look_for(eni, LOOK_ENI_IN_USE); return;
    case AWS_ERROR_NOT_FOUND:
        /* InvalidInstanceID.NotFound is of the same class, and the interface is still there. */
        if (strncmp(error->code, "InvalidNetworkInterface", strlen("InvalidNetworkInterface")) == 0) {
            eni_on_vanished(eni, error);
            return;
        }
        break;
    case AWS_ERROR_NONE:
    case AWS_ERROR_TRANSIENT:
    case AWS_ERROR_THROTTLED:
    case AWS_ERROR_EXPIRED:
    case AWS_ERROR_ADDRESS_IN_USE:
    case AWS_ERROR_ADDRESS_LIMIT:
    case AWS_ERROR_ATTACH_LIMIT:
    case AWS_ERROR_SUBNET_FULL:
    case AWS_ERROR_DENIED:
    case AWS_ERROR_FINAL: break;
    }

    if (error->ambiguous && time_monotonic() < eni->context->deadline) {
        free(eni->last_try);
        eni->last_try = explain_error(error, "its last try");
        eni_look_for(eni, LOOK_LOST_REPLY);
        return;
    }
    eni_fail_call(eni, error, "attaching %s (network %s) at device index %u",
                  eni->record.network_interface_id, eni->desired->network, eni->device_index);
}

static void on_attached(const AwsReply *reply, void *userdata)
{
    Eni *eni = userdata;
    int r;

    if (reply->error) {
        eni_on_attach_failed(eni, reply->error);
        return;
    }

    r = eni_set_attachment(eni, reply->records->attachment_id, eni->device_index);
    if (r < 0) {
        eni_fail_errno(eni, r);
        return;
    }
    eni->attached_here = eni->seen = true;
    eni->n_looks = 0;
    eni_emit(eni, ENI_EVENT_ATTACHED);
    if (eni->state == ENI_STATE_ATTACHING)
        eni_modify(eni);
}

static void eni_attach(Eni *eni)
{
    Ec2AttachNetworkInterface args = {
        .network_interface_id = eni->record.network_interface_id,
        .instance_id = eni->context->instance_id,
        .device_index = eni->device_index,
        .network_card_index = eni->desired->network_card,
    };
    /* A new one may be unknown to a part of EC2 yet; one that was seen and is not found has vanished. */
    unsigned flags = AWS_CALL_NO_BLIND_RETRY | (eni->seen ? 0 : AWS_CALL_RETRY_NOT_FOUND);
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    eni_set_state(eni, ENI_STATE_ATTACHING);
    eni->call = aws_call_free(eni->call);
    r = ec2_query_attach_network_interface(&args, &query);
    if (r == 0)
        r = aws_call(eni->context->aws, &query, eni->context->deadline, flags, on_attached, eni, &eni->call);
    if (r < 0)
        eni_fail_errno(eni, r);
}

/* ------------------------------------------------------------ create */

static void eni_allocate(Eni *eni);

static void on_created(const AwsReply *reply, void *userdata)
{
    Eni *eni = userdata;
    const AwsError *error = reply->error;

    eni->maybe_created = error && error->ambiguous;
    if (error && error->class == AWS_ERROR_ADDRESS_IN_USE &&
        eni->desired->ip_allocation == IP_ALLOCATION_SUBNET_START) {
        allocator_refused(eni->context->allocator, eni->desired->subnet_id);
        eni->call = aws_call_free(eni->call);
        eni_allocate(eni);
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
    } else if (r == -ENOSPC) {
        eni_fail_text(eni,
                      "network %s: no address is free in %s outside its reservations; free some, or use "
                      "another subnet",
                      eni->desired->network, eni->desired->subnet_id);
    } else if (r < 0) {
        eni_fail_errno(eni, r);
    } else {
        eni->allocation = *allocation;
        eni->allocator_request = allocator_request_free(eni->allocator_request);
        eni_send_create(eni);
    }
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

static void eni_create(Eni *eni)
{
    if (eni->desired->ip_allocation == IP_ALLOCATION_SUBNET_START)
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
        eni_fail(eni, strdup(why));
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
