/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The cloud side of a node. It begins as a boot does, with the daemon's own code: IMDS, then what EC2 and
 * Auto Scaling know, then the decision. Meanwhile permissions are tried, those that need nothing else at
 * once, so that a refusal which keeps the rest from being known is told by its name all the same.
 *
 * Everything is asked for first and reported afterwards, so that the report is in the same order in
 * every run.
 */

#include "doctor-cloud.h"
#include "doctor-questions.h"
#include "doctor.h"
#include "eni/gather.h"
#include "permissions.h"
#include "plan/desired.h"
#include "plan/diff.h"
#include "util/message-ids.h"
#include <errno.h>
#include <stdio.h>

typedef struct AwsCheck AwsCheck;

typedef struct Lookup {
    AwsCheck *check;
    CloudLookup *result;
    AwsCall *call;
} Lookup;

struct AwsCheck {
    Doctor *doctor;
    usec_t deadline;
    sd_event *event;
    Gather *gather;
    IamTrials *trials;
    bool gathered; /* or failed to */
    Desired *desired;
    Plan *plan;
    Buf notes;
    Buf errors;
    CloudLookup reservations[CONFIG_NETWORK_MAX];
    CloudLookup groups;
    Lookup lookups[CONFIG_NETWORK_MAX + 1];
    size_t n_lookups;
    size_t n_pending;
};

static void aws_check_done(AwsCheck *check)
{
    for (size_t i = 0; i < check->n_lookups; i++)
        aws_call_free(check->lookups[i].call);
    iam_trials_free(check->trials);
    for (size_t i = 0; i < ARRAY_SIZE(check->reservations); i++)
        aws_records_done(&check->reservations[i].records);
    aws_records_done(&check->groups.records);
    plan_free(check->plan);
    desired_free(check->desired);
    gather_free(check->gather);
    buf_done(&check->notes);
    buf_done(&check->errors);
    sd_event_unref(check->event);
}

static void end_when_idle(AwsCheck *check)
{
    if (check->gathered && check->n_pending == 0 && (!check->trials || iam_trials_are_idle(check->trials)))
        (void)sd_event_exit(check->event, 0);
}

static void on_trials_idle(void *userdata)
{
    end_when_idle(userdata);
}

/* ------------------------------------------------------------ asking */

static void on_lookup(const AwsReply *reply, void *userdata)
{
    Lookup *lookup = userdata;
    AwsCheck *check = lookup->check;

    if (!reply->error) {
        lookup->result->answered = true;
        lookup->result->records = *reply->records;
        *reply->records = AWS_RECORDS_NULL;
    }
    lookup->call = aws_call_free(lookup->call);
    check->n_pending--;
    end_when_idle(check);
}

static int look_up(AwsCheck *check, AwsQuery *query_take, CloudLookup *result)
{
    Lookup *lookup = &check->lookups[check->n_lookups];
    int r;

    *lookup = (Lookup){.check = check, .result = result};
    r = aws_call(gather_aws(check->gather), query_take, check->deadline, 0, on_lookup, lookup, &lookup->call);
    if (r < 0)
        return r;
    check->n_lookups++;
    check->n_pending++;
    return 0;
}

static int look_up_groups(AwsCheck *check)
{
    _cleanup_strlist_ StrList ids = STRLIST_NULL;
    _cleanup_(freep) const char **values = NULL;
    Ec2Filter filters[] = {{"group-id", NULL}, {NULL, NULL}};
    AwsQuery query;
    int r = 0;

    for (size_t i = 0; i < check->desired->n_enis; i++)
        for (size_t j = 0; r == 0 && j < check->desired->enis[i].group_ids.n; j++)
            if (!strlist_contains(&ids, check->desired->enis[i].group_ids.items[j]))
                r = strlist_append(&ids, check->desired->enis[i].group_ids.items[j]);
    if (r < 0 || ids.n == 0)
        return r;

    values = calloc(ids.n + 1, sizeof(*values));
    if (!values)
        return -ENOMEM;
    for (size_t i = 0; i < ids.n; i++)
        values[i] = ids.items[i];
    filters[0].values = values;
    r = ec2_query_describe_security_groups(filters, &query);
    return r == 0 ? look_up(check, &query, &check->groups) : r;
}

static int look_up_reservations(AwsCheck *check)
{
    AwsQuery query;
    int r = 0;

    for (size_t i = 0; r == 0 && i < MIN(check->desired->n_enis, ARRAY_SIZE(check->reservations)); i++) {
        r = ec2_query_get_subnet_cidr_reservations(check->desired->enis[i].subnet_id, &query);
        if (r == 0)
            r = look_up(check, &query, &check->reservations[i]);
    }
    return r;
}

static void on_metadata(AwsCheck *check)
{
    unsigned needs = permissions_needed(check->doctor->config, check->doctor->registration);

    if (iam_trials_new(&check->trials, gather_aws(check->gather), needs, check->deadline, on_trials_idle,
                       check) == 0)
        (void)questions_ask_reads(check->trials, gather_metadata(check->gather));
}

static void on_observed(AwsCheck *check)
{
    const Facts *facts = &gather_observation(check->gather)->facts;

    if (desired_compute(facts, &check->desired, &check->notes, &check->errors) < 0)
        return;
    (void)plan_compute(facts, check->desired, &check->plan, &check->errors);
    (void)look_up_groups(check);
    (void)look_up_reservations(check);
    if (check->trials)
        (void)questions_ask_rest(check->trials, facts, check->desired);
}

/* The instance's tags say, which may have been read although something else could not. */
static const char *group_of(const Gather *gather)
{
    const Observation *observation = gather_observation(gather);

    return observation ? keyvalue_list_get(&observation->facts.instance->tags, TAG_ASG_NAME)
                       : gather_group(gather);
}

static void on_gathered(Gather *gather, GatherEvent event, void *userdata)
{
    AwsCheck *check = userdata;

    switch (event) {
    case GATHER_EVENT_METADATA: on_metadata(check); return;
    case GATHER_EVENT_OBSERVED: on_observed(check); break;
    case GATHER_EVENT_FAILED: break;
    }
    if (check->trials && (event == GATHER_EVENT_OBSERVED || gather_group(gather)))
        (void)questions_ask_group(check->trials, gather_metadata(gather), group_of(gather));
    check->gathered = true;
    end_when_idle(check);
}

/* ------------------------------------------------------------ reporting */

static const char *failure(const AwsCheck *check)
{
    const char *error = check->gather ? gather_error(check->gather) : NULL;

    return error ? error : "out of memory";
}

static bool failed_with(const AwsCheck *check, const char *message_id)
{
    return check->gather && gather_error(check->gather) &&
           streq(gather_message_id(check->gather), message_id);
}

/* The token is asked for together with what comes first, which has no part in its failure. */
static const char *imds_failure(const AwsCheck *check)
{
    const char *text = failure(check), *token = strstr(text, "PUT api/token");

    return token ? token : text;
}

/* Returns whether anything can be said of AWS. */
static bool report_imds(const AwsCheck *check)
{
    DoctorReport *report = check->doctor->report;
    const Metadata *metadata = check->gather ? gather_metadata(check->gather) : NULL;

    if (!metadata) {
        doctor_add(
            report, DOCTOR_FAIL, "imds",
            "The metadata service must be on, and reachable from the host: look at the instance's metadata "
            "options (HttpEndpoint enabled), at firewall rules and the route to 169.254.169.254:\n"
            "  ip route get 169.254.169.254\n"
            "  curl -sS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
            "http://169.254.169.254/latest/api/token",
            "%.*s", (int)strcspn(imds_failure(check), ";"), imds_failure(check));
        return false;
    }
    doctor_ok(report, "imds", "%s, %s in %s", metadata->instance_id, metadata->instance_type,
              metadata->availability_zone);

    if (failed_with(check, MESSAGE_NO_ROLE)) {
        doctor_add(report, DOCTOR_FAIL, "role",
                   "Give the instance a profile with the node's role, and the launch template for those to "
                   "come. This prints the policy that the role needs:\n  multus-eksctl policy",
                   "the instance has no IAM role");
        doctor_add_detail(report, failure(check));
        return false;
    }
    doctor_ok(report, "role", "%s", gather_role(check->gather) ? gather_role(check->gather) : "there is one");
    return true;
}

static void report_observation(const AwsCheck *check)
{
    Cloud cloud = {
        .facts = &gather_observation(check->gather)->facts,
        .desired = check->desired,
        .plan = check->plan,
        .reservations = check->reservations,
        .groups = &check->groups,
        .registration = check->doctor->registration,
    };

    cloud_report_metadata_options(cloud.facts->instance, check->doctor->report);
    cloud_report_networks(check->desired, check->errors.data, check->doctor->report);
    if (!check->desired)
        return;
    cloud_report_slots(&cloud, check->doctor->report);
    cloud_report_subnets(&cloud, check->doctor->report);
    cloud_report_groups(&cloud, check->doctor->report);
}

static void report_aws(const AwsCheck *check)
{
    bool denied = failed_with(check, MESSAGE_AWS_DENIED), observed = gather_observation(check->gather);

    cloud_report_clock(gather_aws(check->gather), check->doctor->report);
    if (observed) {
        report_observation(check);
    } else {
        doctor_add(
            check->doctor->report, DOCTOR_FAIL, "aws",
            denied ? "The role does not allow it; see the checks of the single actions."
                   : "Look at [aws] in the configuration (region, endpoints, proxy, ca_file), at the route "
                     "and the security groups of the primary interface, and at the VPC's endpoints.",
            "failed: %.*s", (int)strcspn(failure(check), ":"), failure(check));
        doctor_add_detail(check->doctor->report, denied ? NULL : failure(check));
    }
    if (check->trials)
        iam_trials_report(check->trials, check->doctor->report,
                          observed ? NULL : (denied ? "not known without the above" : "AWS does not answer"));
}

void doctor_check_aws(Doctor *doctor)
{
    _cleanup_(aws_check_done) AwsCheck check = {
        .doctor = doctor,
        .deadline = time_add(time_monotonic(), doctor->timeout),
    };
    int r;

    if (!doctor->config) {
        doctor_skip(doctor->report, "aws", "not asked: the configuration is not valid");
        return;
    }
    r = sd_event_new(&check.event);
    if (r >= 0)
        r = gather_start(&check.gather, check.event, doctor->config, check.deadline, on_gathered, &check);
    if (r >= 0)
        r = sd_event_loop(check.event);
    if (r < 0) {
        doctor_add(doctor->report, DOCTOR_FAIL, "aws", "Try again.", "cannot ask: %s", strerror(-r));
        return;
    }
    if (report_imds(&check))
        report_aws(&check);
}
