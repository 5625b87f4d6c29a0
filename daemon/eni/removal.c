/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Removing an interface: Detach, then Delete until EC2 agrees. DetachNetworkInterface returns before
 * the detachment is done, and there is no event to wait for; DeleteNetworkInterface then says
 * InvalidParameterValue "… is currently in use" (or InvalidNetworkInterface.InUse), which is the
 * cheapest way to learn that it is not over yet.
 *
 * Where an Attach was sent whose outcome is unknown, "in use" may also mean that it was carried out.
 * Then EC2 is asked where the interface is, and it is detached if it is at this instance.
 *
 * Likewise a Create whose outcome is unknown: the tags were in the request, so what it has made carries
 * them from the first moment and is found by them. EC2 is eventually consistent: an answer without it
 * may only be an early one, so it is looked for again, for a while. What is not shown by then may not
 * exist; that nobody knows is for the caller to say. Likewise "not found" is believed at once only of
 * what EC2 has shown before.
 *
 *   finding <-> pausing
 *      v
 *   deleting <- detaching
 *
 *   detaching -> deleting <-> pausing
 *        ^          v            ^
 *        +------ looking --------+
 */

#include "eni/removal.h"
#include "plan/model.h"
#include "util/log.h"
#include "util/time.h"
#include <errno.h>
#include <stdio.h>

/* Doubled each time. Detaching takes from one to some ten seconds, rarely minutes. */
#define PAUSE_MIN (250 * USEC_PER_MSEC)
#define PAUSE_MAX (8 * USEC_PER_SEC)

#define LAST_TRY_TIME USEC_PER_SEC

#define UNSEEN_TIME (15 * USEC_PER_SEC)

typedef enum RemovalState {
    REMOVAL_STATE_NEW,
    REMOVAL_STATE_FINDING, /* what was created, if anything */
    REMOVAL_STATE_DETACHING,
    REMOVAL_STATE_DELETING,
    REMOVAL_STATE_LOOKING, /* in use, and we do not know by whom */
    REMOVAL_STATE_PAUSING, /* still in use, or not shown yet: the same again after a pause */
    REMOVAL_STATE_DONE,
    _REMOVAL_STATE_MAX,
} RemovalState;

struct Removal {
    Aws *aws;
    sd_event *event;
    char *eni_id; /* NULL: to be found */
    char *network;
    char *attachment_id;
    char *instance_id;
    bool unseen;
    usec_t deadline;
    usec_t last_try; /* time enough before the deadline */
    usec_t unseen_until;
    usec_t pause; /* the last one */
    RemovalHandler handler;
    void *userdata;
    RemovalState state;
    AwsCall *call;
    sd_event_source *timer;
};

#define S(_state) (1U << REMOVAL_STATE_##_state)

static const unsigned edges[_REMOVAL_STATE_MAX] _unused_ = {
    [REMOVAL_STATE_NEW] = S(FINDING) | S(DETACHING) | S(DELETING),
    [REMOVAL_STATE_FINDING] = S(DELETING) | S(PAUSING) | S(DONE),
    [REMOVAL_STATE_DETACHING] = S(DELETING) | S(DONE),
    [REMOVAL_STATE_DELETING] = S(LOOKING) | S(PAUSING) | S(DONE),
    [REMOVAL_STATE_LOOKING] = S(DETACHING) | S(PAUSING) | S(DONE),
    [REMOVAL_STATE_PAUSING] = S(FINDING) | S(DELETING) | S(DONE),
    [REMOVAL_STATE_DONE] = 0,
};

#undef S

static void removal_set_state(Removal *removal, RemovalState state)
{
    static const char *const names[_REMOVAL_STATE_MAX] = {
        "new", "finding", "detaching", "deleting", "looking", "pausing", "done",
    };

    assert(edges[removal->state] & 1U << state);

    log_debug("Removal of %s: %s -> %s", removal->eni_id ?: "a lost interface", names[removal->state],
              names[state]);
    removal->state = state;
}

Removal *removal_free(Removal *removal)
{
    if (!removal)
        return NULL;

    sd_event_source_disable_unref(removal->timer);
    aws_call_free(removal->call);
    sd_event_unref(removal->event);
    free(removal->instance_id);
    free(removal->attachment_id);
    free(removal->network);
    free(removal->eni_id);
    return mfree(removal);
}

const char *removal_eni_id(const Removal *removal)
{
    return removal->eni_id;
}

static void removal_finish(Removal *removal, const AwsError *error)
{
    removal_set_state(removal, REMOVAL_STATE_DONE);
    removal->handler(error, removal->userdata);
}

static void removal_fail_text(Removal *removal, int r, const char *text)
{
    AwsError error = {
        .class = AWS_ERROR_FINAL,
        .error = r,
        .action = removal->eni_id ? "DeleteNetworkInterface" : "DescribeNetworkInterfaces",
        .code = "",
        .message = text,
        .request_id = "",
    };

    removal_finish(removal, &error);
}

static void removal_fail_local(Removal *removal, int r)
{
    removal_fail_text(removal, r, strerror(-r));
}

static int removal_find(Removal *removal);
static int removal_delete(Removal *removal);
static int removal_detach(Removal *removal);

static int on_pause_over(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
    Removal *removal = userdata;
    int r;

    removal->timer = sd_event_source_disable_unref(removal->timer);
    r = removal->eni_id ? removal_delete(removal) : removal_find(removal);
    if (r < 0)
        removal_fail_local(removal, r);
    return 0;
}

/* Not later than @until the same is tried again. */
static void removal_pause(Removal *removal, usec_t until)
{
    usec_t now = time_monotonic(), left = until > now ? until - now : 0;
    int r;

    removal->pause = MIN(MAX(2 * removal->pause, PAUSE_MIN), PAUSE_MAX);
    removal_set_state(removal, REMOVAL_STATE_PAUSING);
    r = sd_event_add_time_relative(removal->event, &removal->timer, CLOCK_MONOTONIC,
                                   MIN(removal->pause, left), 0, on_pause_over, removal);
    if (r < 0) {
        removal_fail_local(removal, r);
        return;
    }
    (void)sd_event_source_set_description(removal->timer, "removal-pause");
}

/* DeleteNetworkInterface has no code of its own for an interface that is still attached. */
static bool error_is_in_use(const AwsError *error)
{
    return error->class == AWS_ERROR_ENI_IN_USE || strstr(error->message, "in use");
}

/* EC2 has told where it is. */
static void removal_on_seen(Removal *removal, const Ec2Attachment *attachment)
{
    char text[128];
    int r;

    if (!ec2_attachment_holds(attachment)) {
        removal_pause(removal, removal->last_try);
        return;
    }
    if (!streq_ptr(attachment->instance_id, removal->instance_id)) {
        (void)snprintf(text, sizeof(text), "it is attached to %s, which is not this node",
                       attachment->instance_id ?: "another account's instance");
        removal_fail_text(removal, -EBUSY, text);
        return;
    }

    r = replace_string(&removal->attachment_id, attachment->attachment_id);
    if (r == 0)
        r = removal_detach(removal);
    if (r < 0)
        removal_fail_local(removal, r);
}

static void on_looked(const AwsReply *reply, void *userdata)
{
    Removal *removal = userdata;
    const AwsError *error = reply->error;
    const Ec2NetworkInterface *eni;

    if (error) {
        removal_finish(removal, error->class == AWS_ERROR_NOT_FOUND ? NULL : error);
        return;
    }
    eni = aws_records_find_interface(reply->records, removal->eni_id);
    if (eni)
        removal_on_seen(removal, &eni->attachment);
    else
        removal_pause(removal, removal->last_try);
}

static int removal_look(Removal *removal)
{
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    removal_set_state(removal, REMOVAL_STATE_LOOKING);
    removal->call = aws_call_free(removal->call);
    r = ec2_query_describe_network_interface(removal->eni_id, &query);
    if (r < 0)
        return r;
    return aws_call(removal->aws, &query, removal->deadline, 0, on_looked, removal, &removal->call);
}

static void on_deleted(const AwsReply *reply, void *userdata)
{
    Removal *removal = userdata;
    const AwsError *error = reply->error;
    int r;

    if (error && error->class == AWS_ERROR_NOT_FOUND && removal->unseen &&
        time_monotonic() < removal->unseen_until) {
        removal_pause(removal, removal->unseen_until);
        return;
    }

    removal->unseen = false;
    if (!error || error->class == AWS_ERROR_NOT_FOUND) {
        removal_finish(removal, NULL);
    } else if (!error_is_in_use(error) || time_monotonic() >= removal->last_try) {
        removal_finish(removal, error);
    } else if (removal->instance_id && !removal->attachment_id) {
        r = removal_look(removal);
        if (r < 0)
            removal_fail_local(removal, r);
    } else {
        removal_pause(removal, removal->last_try);
    }
}

static int removal_delete(Removal *removal)
{
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    removal_set_state(removal, REMOVAL_STATE_DELETING);
    removal->call = aws_call_free(removal->call);
    r = ec2_query_delete_network_interface(removal->eni_id, &query);
    if (r < 0)
        return r;
    return aws_call(removal->aws, &query, removal->deadline, 0, on_deleted, removal, &removal->call);
}

static void on_detached(const AwsReply *reply, void *userdata)
{
    Removal *removal = userdata;
    const AwsError *error = reply->error;
    int r;

    /* InvalidAttachmentID.NotFound: it is off already; IncorrectState: it is on its way off. */
    if (error && error->class != AWS_ERROR_NOT_FOUND && !streq(error->code, "IncorrectState")) {
        removal_finish(removal, error);
        return;
    }
    r = removal_delete(removal);
    if (r < 0)
        removal_fail_local(removal, r);
}

static int removal_detach(Removal *removal)
{
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    removal_set_state(removal, REMOVAL_STATE_DETACHING);
    removal->call = aws_call_free(removal->call);
    r = ec2_query_detach_network_interface(removal->attachment_id, false, &query);
    if (r < 0)
        return r;
    return aws_call(removal->aws, &query, removal->deadline, 0, on_detached, removal, &removal->call);
}

/* One that is attached is of another time: it is not what Create has just made. */
static const Ec2NetworkInterface *find_available(const AwsRecords *records)
{
    for (size_t i = 0; i < records->n_network_interfaces; i++)
        if (!records->network_interfaces[i].attachment.attachment_id)
            return &records->network_interfaces[i];
    return NULL;
}

/* Not shown (yet). */
static void removal_find_later(Removal *removal)
{
    if (time_monotonic() >= removal->unseen_until)
        removal_fail_text(
            removal, -ETIMEDOUT,
            "EC2 has shown none so far; one that shows up later is adopted by the next start of "
            "multus-eksd");
    else
        removal_pause(removal, removal->unseen_until);
}

static void on_found(const AwsReply *reply, void *userdata)
{
    Removal *removal = userdata;
    const Ec2NetworkInterface *found;
    int r;

    if (reply->error) {
        removal_finish(removal, reply->error);
        return;
    }
    found = find_available(reply->records);
    if (!found) {
        removal_find_later(removal);
        return;
    }
    r = replace_string(&removal->eni_id, found->network_interface_id);
    if (r == 0)
        r = removal_delete(removal);
    if (r < 0)
        removal_fail_local(removal, r);
}

static int removal_find(Removal *removal)
{
    const char *const instances[] = {removal->instance_id, NULL};
    const char *const networks[] = {removal->network, NULL};
    const Ec2Filter filters[] = {
        {"tag:" TAG_INSTANCE_ID, instances}, {"tag:" TAG_NETWORK, networks}, {NULL, NULL}};
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    removal_set_state(removal, REMOVAL_STATE_FINDING);
    removal->call = aws_call_free(removal->call);
    r = ec2_query_describe_network_interfaces(filters, &query);
    if (r < 0)
        return r;
    return aws_call(removal->aws, &query, removal->deadline, 0, on_found, removal, &removal->call);
}

int removal_start(const RemovalArgs *args, RemovalHandler handler, void *userdata, Removal **ret)
{
    _cleanup_(removal_freep) Removal *removal = NULL;
    int r;

    removal = calloc(1, sizeof(*removal));
    if (!removal)
        return -ENOMEM;
    *removal = (Removal){
        .aws = args->aws,
        .event = sd_event_ref(args->event),
        .unseen = args->unseen || !args->network_interface_id,
        .deadline = args->deadline,
        .last_try = args->deadline - MIN(args->deadline, LAST_TRY_TIME),
        .handler = handler,
        .userdata = userdata,
    };
    removal->unseen_until = MIN(removal->last_try, time_add(time_monotonic(), UNSEEN_TIME));
    r = replace_string(&removal->eni_id, args->network_interface_id);
    if (r == 0)
        r = replace_string(&removal->network, args->network);
    if (r == 0)
        r = replace_string(&removal->attachment_id, args->attachment_id);
    if (r == 0)
        r = replace_string(&removal->instance_id, args->instance_id);
    if (r < 0)
        return r;

    if (!removal->eni_id)
        r = removal_find(removal);
    else
        r = args->attachment_id ? removal_detach(removal) : removal_delete(removal);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(removal);
    return 0;
}
