/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Observing EC2 takes two rounds, each of parallel calls, because the boot waits for it:
 *
 *   1. the instance (its tags, what is attached), the VPC's subnets, the limits of its type: all
 *      known by id from IMDS;
 *   2. the Auto Scaling group, which only the instance's tags name, and the interfaces: ours, and those
 *      that vanished instances of the group may have left, which the sweep is for.
 *
 * Ours are asked for by their tag, whatever their status: an Attach that a killed predecessor of this
 * daemon sent may be carried out at any moment, so that asked for by status an interface could be in
 * neither answer. On an instance where no run has made anything yet there are none, and the call is
 * saved; should the memory of that have been lost, the list of what was left holds those of ours that
 * are available. EC2's answers to Describe are eventually consistent; what is missing here is found
 * again by its ClientToken or when its device index turns out to be taken.
 *
 * Where file, instance and subnets name a network with subnet-start already, the lists that its address
 * is chosen by are asked for in the second round too, so that the choice costs no third. It is a guess: the
 * group's tags may say otherwise, then the allocator asks for what is missing; and so it does when the
 * lists cannot be had, to fail where it belongs.
 *
 * The first error cancels the rest and is reported once.
 */

#include "eni/observe.h"
#include "eni/explain.h"
#include "plan/desired.h"
#include "util/log.h"
#include <errno.h>

typedef enum ObservePart {
    OBSERVE_INSTANCE,
    OBSERVE_SUBNETS,
    OBSERVE_INSTANCE_TYPE,
    OBSERVE_GROUP,
    OBSERVE_OURS,
    OBSERVE_LEFTOVERS,
    _OBSERVE_PART_MAX,
} ObservePart;

/* One call; knows its owner so that the handler finds both. */
typedef struct ObserveCall {
    Observe *observe;
    ObservePart part;
    AwsCall *call;
} ObserveCall;

struct Observe {
    Aws *aws;
    const Metadata *metadata;
    const Config *config;
    usec_t deadline;
    bool fresh;
    bool want_lists;
    ObserveHandler handler;
    void *userdata;
    Observation *observation;
    ObserveCall calls[_OBSERVE_PART_MAX];
    Lists *lists;
    unsigned n_pending;
    bool second_round;
};

static const char *part_what(ObservePart part)
{
    static const char *const what[] = {
        [OBSERVE_INSTANCE] = "reading this instance's tags and interfaces",
        [OBSERVE_SUBNETS] = "reading the subnets of the VPC",
        [OBSERVE_INSTANCE_TYPE] = "reading the limits of the instance type",
        [OBSERVE_GROUP] = "reading the tags of the Auto Scaling group",
        [OBSERVE_OURS] = "reading the interfaces of this instance",
        [OBSERVE_LEFTOVERS] = "reading the interfaces left over",
    };

    return what[part];
}

Observation *observation_free(Observation *observation)
{
    if (!observation)
        return NULL;

    aws_records_done(&observation->instances);
    aws_records_done(&observation->subnets);
    aws_records_done(&observation->instance_types);
    aws_records_done(&observation->groups);
    aws_records_done(&observation->enis);
    aws_records_done(&observation->leftovers);
    subnet_lists_done(&observation->lists);
    return mfree(observation);
}

static void observe_cancel(Observe *observe)
{
    observe->lists = lists_free(observe->lists);
    for (size_t i = 0; i < ARRAY_SIZE(observe->calls); i++)
        observe->calls[i].call = aws_call_free(observe->calls[i].call);
}

Observe *observe_free(Observe *observe)
{
    if (!observe)
        return NULL;

    observe_cancel(observe);
    observation_free(observe->observation);
    return mfree(observe);
}

static void observe_fail(Observe *observe, const AwsError *error, ObservePart part)
{
    observe->lists = lists_free(observe->lists);
    /* The error belongs to the call of this part, which therefore outlives the handler. */
    for (size_t i = 0; i < ARRAY_SIZE(observe->calls); i++)
        if (i != part)
            observe->calls[i].call = aws_call_free(observe->calls[i].call);
    observe->handler(NULL, error, part_what(part), observe->userdata);
}

/* -ENOENT is an instance that EC2 does not know, which it may also say by an empty list. */
static void observe_fail_local(Observe *observe, int r, ObservePart part)
{
    AwsError error = {
        .class = r == -ENOENT ? AWS_ERROR_NOT_FOUND : AWS_ERROR_FINAL,
        .error = r,
        .action = part == OBSERVE_INSTANCE ? "DescribeInstances" : "",
        .code = r == -ENOENT ? "InvalidInstanceID.NotFound" : "",
        .message = r == -ENOENT ? "EC2 does not know this instance" : strerror(-r),
        .request_id = "",
    };

    observe_cancel(observe);
    observe->handler(NULL, &error, part_what(part), observe->userdata);
}

/* Moves all records of one list into another. */
static int records_move_eni(AwsRecords *to, Ec2NetworkInterface *eni)
{
    Ec2NetworkInterface *enis;

    enis = reallocarray(to->network_interfaces, to->n_network_interfaces + 1, sizeof(*enis));
    if (!enis)
        return -ENOMEM;
    to->network_interfaces = enis;
    enis[to->n_network_interfaces++] = *eni;
    *eni = (Ec2NetworkInterface){0};
    return 0;
}

static int on_ours(Observe *observe, AwsRecords *records)
{
    int r;

    for (size_t i = 0; i < records->n_network_interfaces; i++) {
        Ec2NetworkInterface *eni = &records->network_interfaces[i];

        if (aws_records_find_interface(&observe->observation->enis, eni->network_interface_id))
            continue;
        r = records_move_eni(&observe->observation->enis, eni);
        if (r < 0)
            return r;
    }
    return 0;
}

static int on_leftovers(Observe *observe, AwsRecords *records)
{
    Observation *observation = observe->observation;
    int r;

    for (size_t i = 0; i < records->n_network_interfaces; i++) {
        Ec2NetworkInterface *eni = &records->network_interfaces[i];
        const char *owner = keyvalue_list_get(&eni->tags, TAG_INSTANCE_ID);

        if (!owner || !streq(owner, observe->metadata->instance_id))
            r = owner ? records_move_eni(&observation->leftovers, eni) : 0;
        else if (aws_records_find_interface(&observation->enis, eni->network_interface_id))
            r = 0;
        else
            r = records_move_eni(&observation->enis, eni);
        if (r < 0)
            return r;
    }
    return 0;
}

static int on_instance(Observe *observe, AwsRecords *records)
{
    if (records->n_instances != 1)
        return -ENOENT;
    observe->observation->instances = *records;
    *records = AWS_RECORDS_NULL;
    return 0;
}

static int on_group(Observe *observe, AwsRecords *records)
{
    Observation *observation = observe->observation;

    observation->groups = *records;
    *records = AWS_RECORDS_NULL;
    if (observation->groups.n_groups == 0)
        return 0; /* detached or deleted meanwhile, or not shown yet: facts.group_unknown */

    for (size_t i = 0; i < observation->groups.groups[0].n_instances; i++) {
        const AutoScalingInstance *instance = &observation->groups.groups[0].instances[i];

        if (streq_ptr(instance->instance_id, observe->metadata->instance_id))
            observation->lifecycle_state = instance->lifecycle_state;
    }
    return 0;
}

static int observe_take(Observe *observe, ObservePart part, AwsRecords *records)
{
    switch (part) {
    case OBSERVE_INSTANCE: return on_instance(observe, records);
    case OBSERVE_SUBNETS:
        observe->observation->subnets = *records;
        *records = AWS_RECORDS_NULL;
        return 0;
    case OBSERVE_INSTANCE_TYPE:
        observe->observation->instance_types = *records;
        *records = AWS_RECORDS_NULL;
        return 0;
    case OBSERVE_GROUP: return on_group(observe, records);
    case OBSERVE_OURS: return on_ours(observe, records);
    case OBSERVE_LEFTOVERS: return on_leftovers(observe, records);
    case _OBSERVE_PART_MAX: break;
    }
    assert(false);
    return 0;
}

static int observe_second_round(Observe *observe);
static void observe_finish(Observe *observe);

/* One answer less is awaited. */
static void observe_check_round(Observe *observe)
{
    int r;

    if (--observe->n_pending > 0)
        return;
    if (observe->second_round) {
        observe_finish(observe);
        return;
    }
    r = observe_second_round(observe);
    if (r < 0)
        observe_fail_local(observe, r, OBSERVE_OURS);
}

static void on_reply(const AwsReply *reply, void *userdata)
{
    ObserveCall *call = userdata;
    Observe *observe = call->observe;
    int r;

    if (reply->error && call->part == OBSERVE_INSTANCE_TYPE) {
        /* The limits only let a plan fail early; EC2 keeps them all the same. */
        explain_log(LOG_WARNING, reply->error, "reading the limits of the instance type; going on without");
    } else if (reply->error) {
        observe_fail(observe, reply->error, call->part);
        return;
    }

    r = reply->error ? 0 : observe_take(observe, call->part, reply->records);
    call->call = aws_call_free(call->call);
    if (r < 0) {
        observe_fail_local(observe, r, call->part);
        return;
    }

    observe_check_round(observe);
}

static void on_lists(const AwsError *error, SubnetLists *lists, void *userdata)
{
    Observe *observe = userdata;

    if (error) {
        log_debug("The lists of the subnets cannot be had yet: %s", error->code);
    } else {
        observe->observation->lists = *lists;
        *lists = SUBNET_LISTS_NULL;
    }
    observe->lists = lists_free(observe->lists);
    observe_check_round(observe);
}

static int observe_send(Observe *observe, ObservePart part, AwsQuery *query_take)
{
    ObserveCall *call = &observe->calls[part];
    int r;

    *call = (ObserveCall){.observe = observe, .part = part};
    r = aws_call(observe->aws, query_take, observe->deadline,
                 part == OBSERVE_INSTANCE ? AWS_CALL_RETRY_NOT_FOUND : 0, on_reply, call, &call->call);
    if (r < 0)
        return r;
    observe->n_pending++;
    return 0;
}

static int observe_send_filtered(Observe *observe, ObservePart part, const Ec2Filter *filters,
                                 int (*encode)(const Ec2Filter *filters, AwsQuery *ret))
{
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    r = encode(filters, &query);
    if (r < 0)
        return r;
    return observe_send(observe, part, &query);
}

static int observe_first_round(Observe *observe)
{
    const char *const ids[] = {observe->metadata->instance_id, NULL};
    const char *const vpcs[] = {observe->metadata->vpc_id, NULL};
    const Ec2Filter filters[] = {{"vpc-id", vpcs}, {NULL, NULL}};
    _cleanup_aws_query_ AwsQuery instances = {0};
    _cleanup_aws_query_ AwsQuery types = {0};
    int r;

    r = ec2_query_describe_instances(ids, &instances);
    if (r == 0)
        r = ec2_query_describe_instance_types(observe->metadata->instance_type, &types);
    if (r == 0)
        r = observe_send(observe, OBSERVE_INSTANCE, &instances);
    if (r == 0)
        r = observe_send_filtered(observe, OBSERVE_SUBNETS, filters, ec2_query_describe_subnets);
    if (r == 0)
        r = observe_send(observe, OBSERVE_INSTANCE_TYPE, &types);
    return r;
}

static int observe_send_ours(Observe *observe)
{
    const char *const ids[] = {observe->metadata->instance_id, NULL};
    const Ec2Filter filters[] = {{"tag:" TAG_INSTANCE_ID, ids}, {NULL, NULL}};

    return observe_send_filtered(observe, OBSERVE_OURS, filters, ec2_query_describe_network_interfaces);
}

static int observe_send_leftovers(Observe *observe, const char *group)
{
    const char *const available[] = {"available", NULL};
    const char *const groups[] = {group, NULL};
    const Ec2Filter filters[] = {{"status", available}, {"tag:" TAG_NODEGROUP, groups}, {NULL, NULL}};

    return observe_send_filtered(observe, OBSERVE_LEFTOVERS, filters, ec2_query_describe_network_interfaces);
}

static int observe_send_group(Observe *observe, const char *group)
{
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    r = autoscaling_query_describe_auto_scaling_groups(group, &query);
    return r < 0 ? r : observe_send(observe, OBSERVE_GROUP, &query);
}

/* Where an address will have to be chosen, as far as can be said without the group's tags. */
static int guess_subnets(const Observe *observe, StrList *ret)
{
    const Observation *observation = observe->observation;
    _cleanup_(desired_freep) Desired *desired = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;
    Facts facts = {
        .config = observe->config,
        .metadata = observe->metadata,
        .instance = &observation->instances.instances[0],
        .subnets = observation->subnets.subnets,
        .n_subnets = observation->subnets.n_subnets,
    };
    int r;

    r = desired_compute(&facts, &desired, NULL, &errors);
    if (r == -EINVAL)
        return 0; /* the group may put it right */
    for (size_t i = 0; r == 0 && i < desired->n_enis; i++)
        if (desired->enis[i].ip_allocation == IP_ALLOCATION_SUBNET_START &&
            !strlist_contains(ret, desired->enis[i].subnet_id))
            r = strlist_append(ret, desired->enis[i].subnet_id);
    return r;
}

/* One whose interfaces are there needs none; how many there are is the instance's own word. */
static int observe_send_lists(Observe *observe)
{
    _cleanup_strlist_ StrList subnets = STRLIST_NULL;
    int r;

    if (!observe->want_lists)
        return 0;
    r = guess_subnets(observe, &subnets);
    if (r < 0 || subnets.n == 0)
        return r;
    if (observe->observation->instances.instances[0].n_network_interfaces > subnets.n)
        return 0;
    r = lists_fetch(&observe->lists, observe->aws, &subnets, observe->deadline, on_lists, observe);
    if (r == 0)
        observe->n_pending++;
    return r;
}

static int observe_second_round(Observe *observe)
{
    const Config *config = observe->config;
    const Ec2Instance *instance = &observe->observation->instances.instances[0];
    const char *group = keyvalue_list_get(&instance->tags, TAG_ASG_NAME);
    bool sweep = group && config->sweep_leaked;
    int r = 0;

    observe->second_round = true;
    if (group && (config->tags || !streq(config->lifecycle_hook, "none")))
        r = observe_send_group(observe, group);
    if (r == 0 && (!observe->fresh || instance->n_network_interfaces > 1 || !sweep))
        r = observe_send_ours(observe);
    if (r == 0 && sweep)
        r = observe_send_leftovers(observe, group);
    return r == 0 ? observe_send_lists(observe) : r;
}

static void observe_finish(Observe *observe)
{
    Observation *observation = observe->observation;
    bool has_group = observe_group(observe);

    observation->facts = (Facts){
        .config = observe->config,
        .metadata = observe->metadata,
        .instance = &observation->instances.instances[0],
        .asg_tags = observe->config->tags && observation->groups.n_groups > 0
                        ? &observation->groups.groups[0].tags
                        : NULL,
        .group_unknown = has_group && observe->config->tags && observation->groups.n_groups == 0,
        .subnets = observation->subnets.subnets,
        .n_subnets = observation->subnets.n_subnets,
        .instance_type = observation->instance_types.n_instance_types > 0
                             ? observation->instance_types.instance_types
                             : NULL,
        .enis = observation->enis.network_interfaces,
        .n_enis = observation->enis.n_network_interfaces,
    };

    log_debug("Observed %zu subnets, %zu interfaces of this instance, %zu left over by others",
              observation->subnets.n_subnets, observation->enis.n_network_interfaces,
              observation->leftovers.n_network_interfaces);
    observe->handler(TAKE_PTR(observe->observation), NULL, NULL, observe->userdata);
}

void observe_describe(const Observe *observe, Buf *text)
{
    const char *separator = "", *trouble = NULL;

    (void)buf_puts(text, "EC2 (");
    for (size_t i = 0; i < ARRAY_SIZE(observe->calls); i++) {
        if (!observe->calls[i].call)
            continue;
        trouble = trouble ?: aws_call_trouble(observe->calls[i].call);
        (void)buf_printf(text, "%s%s", separator, part_what((ObservePart)i));
        separator = ", ";
    }
    if (observe->lists)
        (void)buf_printf(text, "%sreading the addresses in use", separator);
    (void)buf_putc(text, ')');
    if (!trouble)
        return;
    (void)buf_printf(text, "; the last try: %s", trouble);
    /* It is a line of what systemd is told. */
    for (char *c = text->data; c && *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

const char *observe_group(const Observe *observe)
{
    const Observation *observation = observe->observation;

    if (!observation || observation->instances.n_instances == 0)
        return NULL;
    return keyvalue_list_get(&observation->instances.instances[0].tags, TAG_ASG_NAME);
}

int observe(const ObserveArgs *args, ObserveHandler handler, void *userdata, Observe **ret)
{
    _cleanup_(observe_freep) Observe *observe = NULL;
    int r;

    observe = calloc(1, sizeof(*observe));
    if (!observe)
        return -ENOMEM;
    *observe = (Observe){
        .aws = args->aws,
        .config = args->config,
        .metadata = args->metadata,
        .deadline = args->deadline,
        .fresh = args->fresh,
        .want_lists = args->lists,
        .handler = handler,
        .userdata = userdata,
        .observation = calloc(1, sizeof(Observation)),
    };
    if (!observe->observation)
        return -ENOMEM;

    r = observe_first_round(observe);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(observe);
    return 0;
}
