/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How each permission is tried. Nothing that is asked here can change anything:
 *
 *   DryRun       of EC2's actions: EC2 checks the permission, with the real resources and tags, and ends
 *                there. Creating is tried with the daemon's own request, once for each interface wanted,
 *                so that a scoped policy, a wrong subnet and a wrong group show as well.
 *   what reads   may as well be done.
 *   what cannot  the four actions on addresses and those on lifecycle hooks have no DryRun. They are
 *   be done      asked for something that AWS never does: the first address of a subnet cannot be
 *                assigned to anything (VPC User Guide, "Subnet CIDR blocks"), and a hook by a name that
 *                no group has cannot be completed. Who lacks the permission is told that first.
 *
 * What is done to an interface can be tried on one of this node's own only: a policy scoped by tags
 * rightly refuses any other.
 */

#include "doctor-questions.h"
#include "eni/create.h"
#include <errno.h>
#include <stdio.h>

#define NO_SUCH_HOOK "multus-eks-doctor-no-such-hook"

/* No interface is made at this time, so the client token is of no real request. */
#define NEVER "1970-01-01T00:00:00Z"

/* Does nothing after the first failure. */
#define TRY(_r, _trials, _kind, _what, _make)                                                                \
    do {                                                                                                     \
        AwsQuery query_ = {0}, *out = &query_;                                                               \
        if ((_r) == 0)                                                                                       \
            (_r) = (_make);                                                                                  \
        if ((_r) == 0)                                                                                       \
            (_r) = iam_try((_trials), (_kind), (_what), out);                                                \
    } while (0)

int questions_ask_reads(IamTrials *trials, const Metadata *metadata)
{
    const char *const instances[] = {metadata->instance_id, NULL}, *const vpcs[] = {metadata->vpc_id, NULL};
    const Ec2Filter attached[] = {{"attachment.instance-id", instances}, {NULL, NULL}};
    const Ec2Filter of_vpc[] = {{"vpc-id", vpcs}, {NULL, NULL}};
    int r = 0;

    TRY(r, trials, TRIAL_DRY_RUN, "", ec2_query_describe_instances(instances, out));
    TRY(r, trials, TRIAL_DRY_RUN, "", ec2_query_describe_instance_types(metadata->instance_type, out));
    TRY(r, trials, TRIAL_DRY_RUN, "", ec2_query_describe_network_interfaces(attached, out));
    TRY(r, trials, TRIAL_DRY_RUN, "", ec2_query_describe_subnets(of_vpc, out));
    return r;
}

static int start_creates(IamTrials *trials, const char *instance_id, const Desired *desired)
{
    int r = 0;

    iam_not_tried(trials, AWS_SERVICE_EC2, "CreateTags", "not known before making an interface is allowed");
    for (size_t i = 0; r == 0 && i < desired->n_enis; i++) {
        const DesiredEni *eni = &desired->enis[i];
        const CreateArgs args = {.desired = eni, .instance_id = instance_id, .created = NEVER};
        char what[128];

        (void)snprintf(what, sizeof(what), "%s in %s", eni->ifname, eni->subnet_id);
        TRY(r, trials, TRIAL_DRY_RUN, what, create_query(&args, out));
    }
    if (desired->n_enis == 0) {
        iam_not_tried(trials, AWS_SERVICE_EC2, "CreateNetworkInterface", "no network is configured");
        iam_not_tried(trials, AWS_SERVICE_EC2, "CreateTags", "no network is configured");
    }
    return r;
}

static const Ec2Subnet *subnet_of(const Facts *facts, const Ec2NetworkInterface *eni)
{
    for (size_t i = 0; i < facts->n_subnets; i++)
        if (streq_ptr(facts->subnets[i].subnet_id, eni->subnet_id))
            return &facts->subnets[i];
    return NULL;
}

/* An attached interface of this node's own; with IPv6, if that is asked for. */
static const Ec2NetworkInterface *find_own(const Facts *facts, bool with_ipv6)
{
    for (size_t i = 0; i < facts->n_enis; i++) {
        const Ec2NetworkInterface *eni = &facts->enis[i];
        const Ec2Subnet *subnet = subnet_of(facts, eni);

        if (streq_ptr(keyvalue_list_get(&eni->tags, TAG_INSTANCE_ID), facts->metadata->instance_id) &&
            streq_ptr(eni->attachment.instance_id, facts->metadata->instance_id) && subnet &&
            (!with_ipv6 || in_prefix_is_set(&subnet->ipv6_cidr_block)))
            return eni;
    }
    return NULL;
}

/* EC2 assigns the first address of a subnet to nobody. */
static int start_addresses(IamTrials *trials, const Facts *facts, const Ec2NetworkInterface *own)
{
    const Ec2NetworkInterface *own6 = find_own(facts, true);
    const char *id = own->network_interface_id;
    InAddr first = in_prefix_first(&subnet_of(facts, own)->cidr_block);
    int r = 0;

    TRY(r, trials, TRIAL_IMPOSSIBLE, id, ec2_query_assign_private_ip_addresses(id, &first, 1, false, out));
    TRY(r, trials, TRIAL_IMPOSSIBLE, id, ec2_query_unassign_private_ip_addresses(id, &first, 1, out));
    if (!own6) {
        iam_not_tried(trials, AWS_SERVICE_EC2, "AssignIpv6Addresses", "no interface of this node has IPv6");
        iam_not_tried(trials, AWS_SERVICE_EC2, "UnassignIpv6Addresses", "no interface of this node has IPv6");
        return r;
    }
    id = own6->network_interface_id;
    first = in_prefix_first(&subnet_of(facts, own6)->ipv6_cidr_block);
    TRY(r, trials, TRIAL_IMPOSSIBLE, id, ec2_query_assign_ipv6_addresses(id, &first, 1, out));
    TRY(r, trials, TRIAL_IMPOSSIBLE, id, ec2_query_unassign_ipv6_addresses(id, &first, 1, out));
    return r;
}

static int start_own(IamTrials *trials, const Facts *facts)
{
    static const char *const actions[] = {
        "AttachNetworkInterface", "ModifyNetworkInterfaceAttribute", "DetachNetworkInterface",
        "DeleteNetworkInterface", "AssignPrivateIpAddresses",        "UnassignPrivateIpAddresses",
        "AssignIpv6Addresses",    "UnassignIpv6Addresses",
    };
    const Ec2NetworkInterface *own = find_own(facts, false);
    const char *id = own ? own->network_interface_id : NULL;
    int r = 0;

    if (!own) {
        for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
            iam_not_tried(trials, AWS_SERVICE_EC2, actions[i],
                          "can be tried on an interface of this node's own only, and there is none yet");
        return 0;
    }

    TRY(r, trials, TRIAL_DRY_RUN, id,
        ec2_query_attach_network_interface(&(Ec2AttachNetworkInterface){id, facts->metadata->instance_id,
                                                                        own->attachment.device_index,
                                                                        own->attachment.network_card_index},
                                           out));
    TRY(r, trials, TRIAL_DRY_RUN, id,
        ec2_query_modify_delete_on_termination(id, own->attachment.attachment_id, true, out));
    TRY(r, trials, TRIAL_DRY_RUN, id,
        ec2_query_detach_network_interface(own->attachment.attachment_id, false, out));
    TRY(r, trials, TRIAL_DRY_RUN, id, ec2_query_delete_network_interface(id, out));
    return r == 0 ? start_addresses(trials, facts, own) : r;
}

int questions_ask_group(IamTrials *trials, const Metadata *metadata, const char *group)
{
    const char *instance_id = metadata->instance_id;
    static const char *const actions[] = {"DescribeAutoScalingGroups", "DescribeLifecycleHooks",
                                          "CompleteLifecycleAction", "RecordLifecycleActionHeartbeat"};
    int r = 0;

    if (!group) {
        for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
            iam_not_tried(trials, AWS_SERVICE_AUTOSCALING, actions[i],
                          "this node is in no Auto Scaling group");
        return 0;
    }
    TRY(r, trials, TRIAL_READ, group, autoscaling_query_describe_auto_scaling_groups(group, out));
    TRY(r, trials, TRIAL_READ, group, autoscaling_query_describe_lifecycle_hooks(group, out));
    TRY(r, trials, TRIAL_IMPOSSIBLE, group,
        autoscaling_query_complete_lifecycle_action(group, NO_SUCH_HOOK, instance_id, "CONTINUE", out));
    TRY(r, trials, TRIAL_IMPOSSIBLE, group,
        autoscaling_query_record_lifecycle_action_heartbeat(group, NO_SUCH_HOOK, instance_id, out));
    return r;
}

int questions_ask_rest(IamTrials *trials, const Facts *facts, const Desired *desired)
{
    int r = 0;

    if (facts->n_subnets > 0)
        TRY(r, trials, TRIAL_DRY_RUN, facts->subnets[0].subnet_id,
            ec2_query_get_subnet_cidr_reservations(facts->subnets[0].subnet_id, out));
    if (r == 0)
        r = start_creates(trials, facts->metadata->instance_id, desired);
    return r == 0 ? start_own(trials, facts) : r;
}
