/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Attaching one interface. Attach is not idempotent: when its reply was lost, or EC2 says that the index
 * or the interface is in use, EC2 is asked who is where (looking), and only what is true then decides:
 * attached to us is success, not attached is attached again, at the next free device index when another
 * interface holds ours; unless that one is of an earlier run and the same network: then it is adopted.
 *
 * Looking may answer with what was true a moment ago (EC2 is eventually consistent), so looks that
 * lead nowhere are followed by growing pauses, until the deadline.
 */

#include "eni/eni-private.h"
#include "eni/explain.h"
#include "plan/diff.h"
#include "util/log.h"
#include <errno.h>
#include <stdio.h>

#define LOOK_PAUSE_MIN (250 * USEC_PER_MSEC) /* doubled with every look */
#define LOOK_PAUSE_MAX (8 * USEC_PER_SEC)

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
    eni->record.attachment.delete_on_termination = false; /* of every new attachment */
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
    eni->record.attachment.delete_on_termination = attachment->delete_on_termination;
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

static void on_surplus_removed(const AwsError *error, void *userdata)
{
    Eni *eni = userdata;
    _cleanup_(freep) char *what = NULL;

    if (error &&
        asprintf(&what, "%s stays until the next start of multus-eksd, though %s serves network %s",
                 removal_eni_id(eni->surplus), eni->record.network_interface_id, eni->desired->network) < 0)
        what = NULL;
    if (error)
        explain_log(LOG_WARNING, error, what ?: "deleting an interface that is not needed");
    eni->surplus = removal_free(eni->surplus);
    if (eni->state == ENI_STATE_MODIFYING)
        eni_check_modified(eni);
}

/* What this one was until now is deleted; no failure of that is the network's. */
static int eni_remove_surplus(Eni *eni)
{
    RemovalArgs args = {
        .aws = eni->context->aws,
        .event = eni->context->event,
        .network_interface_id = eni->record.network_interface_id,
        .unseen = !eni->seen,
        .deadline = time_add(time_monotonic(), REMOVAL_TIME),
    };

    eni_forget_intent(eni);
    return removal_start(&args, on_surplus_removed, eni, &eni->surplus);
}

/* The holder becomes this one, as if the plan had known of it. */
static int eni_replace(Eni *eni, const Ec2NetworkInterface *holder)
{
    Ec2NetworkInterface copy;
    int r;

    r = ec2_network_interface_copy(holder, &copy);
    if (r < 0)
        return r;
    r = eni_remove_surplus(eni);
    if (r < 0) {
        ec2_network_interface_done(&copy);
        return r;
    }
    ec2_network_interface_done(&eni->record);
    eni->record = copy;
    eni->device_index = holder->attachment.device_index;
    eni->steps = plan_modifications(eni->desired, holder);
    eni->adopted = eni->seen = true;
    eni->attached_here = false;
    return 0;
}

/*
 * Our device index is held by an interface that an earlier run has made for this very network, and of
 * which nothing told when the plan was made: that one is taken, and what was made since is deleted.
 */
static void eni_adopt(Eni *eni, const Ec2NetworkInterface *holder)
{
    int r;

    log_notice("Network %s: %s of an earlier run is attached already, and serves it instead of %s",
               eni->desired->network, holder->network_interface_id, eni->record.network_interface_id);
    eni_emit(eni, ENI_EVENT_LOST);
    if (eni->state != ENI_STATE_LOOKING)
        return;
    r = eni_replace(eni, holder);
    if (r < 0) {
        eni_fail_errno(eni, r);
        return;
    }
    eni_emit(eni, ENI_EVENT_CREATED);
    if (eni->state == ENI_STATE_LOOKING)
        eni_emit(eni, ENI_EVENT_ATTACHED);
    if (eni->state == ENI_STATE_LOOKING)
        eni_modify(eni);
}

static bool is_ours(const Eni *eni, const Ec2NetworkInterface *holder)
{
    return streq_ptr(keyvalue_list_get(&holder->tags, TAG_INSTANCE_ID), eni->context->instance_id);
}

static bool serves(const Eni *eni, const Ec2NetworkInterface *holder)
{
    return is_ours(eni, holder) && streq_ptr(holder->subnet_id, eni->desired->subnet_id) &&
           streq_ptr(keyvalue_list_get(&holder->tags, TAG_NETWORK), eni->desired->network);
}

/* Another interface holds our device index: take the next one, unless the configuration names it. */
static void eni_on_index_taken(Eni *eni, const AwsRecords *records, const Ec2NetworkInterface *holder)
{
    const DesiredEni *desired = eni->desired;
    const char *whose = is_ours(eni, holder) ? "another network's" : "not ours";

    if (ec2_attachment_holds(&holder->attachment) && serves(eni, holder)) {
        eni_adopt(eni, holder);
        return;
    }
    if (desired->device_index >= 0) {
        eni_fail_text(eni,
                      "network %s: device index %u of network card %u is held by %s, which is %s; set "
                      "device_index of [network %s] to another one or to auto",
                      desired->network, eni->device_index, desired->network_card,
                      holder->network_interface_id, whose, desired->network);
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
    log_notice("Network %s: the device index is held by %s, which is %s; trying %u", desired->network,
               holder->network_interface_id, whose, eni->device_index);
    eni_attach(eni);
}

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

void eni_look_for(Eni *eni, LookReason reason)
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
    eni->seen = true; /* EC2 had the time to hear of it: not found is gone */
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

void eni_attach(Eni *eni)
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
