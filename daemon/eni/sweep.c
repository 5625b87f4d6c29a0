/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sweeping. An instance that is terminated between Create and DeleteOnTermination, or by force, leaves
 * an `available` interface with its id in a tag. Nobody else deletes those, and a subnet or security
 * group with one in it cannot be deleted. So every node of the group, once it is ready itself, looks
 * for interfaces whose instance is gone.
 *
 * Deleting what another node is about to attach would be worse than any leak, hence two conditions:
 * the instance must be unknown or terminated according to EC2, and the interface must be older than
 * any boot takes. Other nodes may sweep at the same time; NotFound is success.
 */

#include "eni/sweep.h"
#include "eni/explain.h"
#include "eni/removal.h"
#include "plan/model.h"
#include "util/log.h"
#include "util/message-ids.h"
#include <errno.h>

#define SWEEP_AGE  (10 * USEC_PER_MINUTE)
#define SWEEP_TIME (2 * USEC_PER_MINUTE)

/* A filter takes this many values (EC2 API Reference, DescribeInstances). */
#define FILTER_VALUES_MAX 200

struct Sweep {
    Aws *aws;
    sd_event *event;
    AwsRecords leftovers;
    usec_t deadline;
    SweepHandler handler;
    void *userdata;
    AwsCall *call;
    Removal *removal;
    size_t next; /* of leftovers: one is deleted after the other, in no hurry */
    StrList owners;
    size_t n_asked; /* of owners */
    StrList alive;
};

Sweep *sweep_free(Sweep *sweep)
{
    if (!sweep)
        return NULL;

    removal_free(sweep->removal);
    aws_call_free(sweep->call);
    strlist_done(&sweep->owners);
    strlist_done(&sweep->alive);
    aws_records_done(&sweep->leftovers);
    sd_event_unref(sweep->event);
    return mfree(sweep);
}

static bool is_old(const Ec2NetworkInterface *eni, usec_t now)
{
    const char *created = keyvalue_list_get(&eni->tags, TAG_CREATED);
    usec_t usec;

    return created && time_parse_iso8601(created, &usec) == 0 && time_add(usec, SWEEP_AGE) <= now;
}

static void sweep_next(Sweep *sweep);

static void on_removed(const AwsError *error, void *userdata)
{
    Sweep *sweep = userdata;
    const Ec2NetworkInterface *eni = &sweep->leftovers.network_interfaces[sweep->next++];
    LogField fields[] = {{"ENI_ID", eni->network_interface_id}, {"SUBNET_ID", eni->subnet_id}};

    if (error)
        explain_log(LOG_WARNING, error, "deleting an interface that a vanished instance left");
    else
        log_full(LOG_NOTICE, 0, MESSAGE_ENI_LEAKED, fields, ARRAY_SIZE(fields),
                 "Deleted %s, left behind by %s", eni->network_interface_id,
                 keyvalue_list_get(&eni->tags, TAG_INSTANCE_ID));
    sweep->removal = removal_free(sweep->removal);
    sweep_next(sweep);
}

static void sweep_next(Sweep *sweep)
{
    for (; sweep->next < sweep->leftovers.n_network_interfaces; sweep->next++) {
        const Ec2NetworkInterface *eni = &sweep->leftovers.network_interfaces[sweep->next];
        RemovalArgs args = {
            .aws = sweep->aws,
            .event = sweep->event,
            .network_interface_id = eni->network_interface_id,
            .deadline = sweep->deadline,
        };

        if (strlist_contains(&sweep->alive, keyvalue_list_get(&eni->tags, TAG_INSTANCE_ID)))
            continue;
        if (removal_start(&args, on_removed, sweep, &sweep->removal) == 0)
            return;
    }
    sweep->handler(sweep->userdata);
}

static int sweep_ask(Sweep *sweep);

static void on_instances(const AwsReply *reply, void *userdata)
{
    Sweep *sweep = userdata;
    const AwsRecords *records = reply->records;
    int r = 0;

    if (reply->error) {
        explain_log(LOG_WARNING, reply->error, "looking for the owners of leaked interfaces");
        sweep->handler(sweep->userdata);
        return;
    }

    for (size_t i = 0; r == 0 && i < records->n_instances; i++)
        if (!streq_ptr(records->instances[i].state, "terminated"))
            r = strlist_append(&sweep->alive, records->instances[i].instance_id);
    sweep->call = aws_call_free(sweep->call);
    if (r == 0 && sweep->n_asked < sweep->owners.n)
        r = sweep_ask(sweep);
    else if (r == 0)
        sweep_next(sweep);
    if (r < 0) {
        log_warning_errno(r, "Cannot look for leaked interfaces: %m");
        sweep->handler(sweep->userdata);
    }
}

/* Drops the young ones; the rest name the instances to ask for. */
static int sweep_collect(Sweep *sweep, usec_t now)
{
    AwsRecords *leftovers = &sweep->leftovers;
    size_t n = 0;
    int r;

    for (size_t i = 0; i < leftovers->n_network_interfaces; i++) {
        Ec2NetworkInterface *eni = &leftovers->network_interfaces[i];
        const char *owner = keyvalue_list_get(&eni->tags, TAG_INSTANCE_ID);

        if (!owner || !is_old(eni, now)) {
            ec2_network_interface_done(eni);
            *eni = (Ec2NetworkInterface){0};
            continue;
        }
        r = strlist_contains(&sweep->owners, owner) ? 0 : strlist_append(&sweep->owners, owner);
        if (r < 0)
            return r;
        if (n != i) {
            leftovers->network_interfaces[n] = *eni;
            *eni = (Ec2NetworkInterface){0};
        }
        n++;
    }
    leftovers->n_network_interfaces = n;
    return 0;
}

/* By filter, not by id: an unknown id fails a call by ids as a whole. */
static int sweep_ask(Sweep *sweep)
{
    const char *values[FILTER_VALUES_MAX + 1] = {0};
    const Ec2Filter filters[] = {{"instance-id", values}, {NULL, NULL}};
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    for (size_t n = 0; n < FILTER_VALUES_MAX && sweep->n_asked < sweep->owners.n; n++)
        values[n] = sweep->owners.items[sweep->n_asked++];

    r = ec2_query_describe_instances_filtered(filters, &query);
    if (r < 0)
        return r;
    return aws_call(sweep->aws, &query, sweep->deadline, 0, on_instances, sweep, &sweep->call);
}

int sweep_start(Sweep **ret, Aws *aws, sd_event *event, AwsRecords *leftovers_take, usec_t now,
                SweepHandler handler, void *userdata)
{
    _cleanup_(sweep_freep) Sweep *sweep = NULL;
    int r;

    sweep = calloc(1, sizeof(*sweep));
    if (!sweep)
        return -ENOMEM;
    *sweep = (Sweep){
        .aws = aws,
        .event = sd_event_ref(event),
        .leftovers = *leftovers_take,
        .deadline = time_add(time_monotonic(), SWEEP_TIME),
        .handler = handler,
        .userdata = userdata,
    };
    *leftovers_take = AWS_RECORDS_NULL;

    r = sweep_collect(sweep, now);
    if (r < 0)
        return r;
    if (sweep->owners.n == 0)
        return SWEEP_E_NOTHING;
    r = sweep_ask(sweep);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(sweep);
    return 0;
}
