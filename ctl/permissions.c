/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The actions of AWS that the daemon uses, in one table that the policy is printed from and that the
 * doctor goes through, so that the two cannot differ.
 *
 * What an action can be limited to is AWS's to say: Service Authorization Reference, "Actions,
 * resources, and condition keys for Amazon EC2" and the same "for Amazon EC2 Auto Scaling" (resource
 * types with * are those that every statement must cover):
 *
 *   CreateNetworkInterface           network-interface* (aws:RequestTag), subnet*, security-group;
 *                                    and ec2:CreateTags, because tags are in the call
 *   CreateTags                       ec2:CreateAction says by which call the resource is being made
 *   AttachNetworkInterface           instance* (ec2:InstanceID), network-interface* (aws:ResourceTag)
 *   DetachNetworkInterface           the same
 *   ModifyNetworkInterfaceAttribute  network-interface* (aws:ResourceTag), instance, security-group;
 *                                    not by ec2:Attribute, which knows no attribute of several parts
 *                                    such as Attachment (EC2 User Guide, "Condition keys for EC2")
 *   DeleteNetworkInterface, AssignPrivateIpAddresses, UnassignPrivateIpAddresses, AssignIpv6Addresses,
 *   UnassignIpv6Addresses            network-interface* (aws:ResourceTag)
 *   CompleteLifecycleAction, RecordLifecycleActionHeartbeat
 *                                    autoScalingGroup*
 *   Describe…, GetSubnetCidrReservations
 *                                    nothing: "*" only
 */

#include "permissions.h"

#define EC2         AWS_SERVICE_EC2
#define AUTOSCALING AWS_SERVICE_AUTOSCALING

const Permission permissions[] = {
    {EC2, "DescribeInstances", PART_DESCRIBE, 0, "reading this instance's tags and interfaces"},
    {EC2, "DescribeInstanceTypes", PART_DESCRIBE, 0, "reading the limits of the instance type"},
    {EC2, "DescribeNetworkInterfaces", PART_DESCRIBE, 0, "finding the interfaces that are there already"},
    {EC2, "DescribeSubnets", PART_DESCRIBE, 0, "reading the subnets of the VPC"},
    {EC2, "GetSubnetCidrReservations", PART_DESCRIBE, NEED_SUBNET_START,
     "passing over what is reserved in a subnet"},
    {AUTOSCALING, "DescribeAutoScalingGroups", PART_DESCRIBE, NEED_GROUP, "reading the group's tags"},
    {AUTOSCALING, "DescribeLifecycleHooks", PART_DESCRIBE, NEED_LIFECYCLE, "finding the launching hook"},
    {EC2, "CreateNetworkInterface", PART_CREATE, 0, "making an interface"},
    {EC2, "CreateNetworkInterface", PART_CREATE_IN, 0, "making an interface"},
    {EC2, "CreateTags", PART_TAG, 0, "tagging an interface in the call that makes it"},
    {EC2, "AttachNetworkInterface", PART_OWN, 0, "attaching an interface"},
    {EC2, "AttachNetworkInterface", PART_OWN_INSTANCE, 0, "attaching an interface"},
    {EC2, "ModifyNetworkInterfaceAttribute", PART_OWN, 0, "having it deleted with its instance"},
    {EC2, "ModifyNetworkInterfaceAttribute", PART_OWN_INSTANCE, 0, "having it deleted with its instance"},
    {EC2, "ModifyNetworkInterfaceAttribute", PART_GROUPS, 0, "setting its security groups"},
    {EC2, "DetachNetworkInterface", PART_OWN, 0, "removing an interface that is not wanted any more"},
    {EC2, "DetachNetworkInterface", PART_OWN_INSTANCE, 0,
     "removing an interface that is not wanted any more"},
    {EC2, "DeleteNetworkInterface", PART_OWN, 0, "removing an interface that is not wanted any more"},
    {EC2, "DeleteNetworkInterface", PART_SWEEP, NEED_SWEEP, "deleting what vanished instances left"},
    {EC2, "AssignPrivateIpAddresses", PART_OWN, NEED_REGISTRATION, "making a pod's address routable"},
    {EC2, "UnassignPrivateIpAddresses", PART_OWN, NEED_REGISTRATION, "giving a pod's address back"},
    {EC2, "AssignIpv6Addresses", PART_OWN, NEED_REGISTRATION | NEED_IPV6,
     "making a pod's IPv6 address routable"},
    {EC2, "UnassignIpv6Addresses", PART_OWN, NEED_REGISTRATION | NEED_IPV6,
     "giving a pod's IPv6 address back"},
    /* IPv6 knows no AllowReassignment: taken there, given here, and put back there if that fails. */
    {EC2, "AssignIpv6Addresses", PART_MOVE, NEED_REGISTRATION | NEED_IPV6 | NEED_REASSIGN,
     "moving an IPv6 address here"},
    {EC2, "UnassignIpv6Addresses", PART_MOVE, NEED_REGISTRATION | NEED_IPV6 | NEED_REASSIGN,
     "moving an IPv6 address here"},
    {AUTOSCALING, "CompleteLifecycleAction", PART_LIFECYCLE, NEED_LIFECYCLE, "ending the launching hook"},
    {AUTOSCALING, "RecordLifecycleActionHeartbeat", PART_LIFECYCLE, NEED_LIFECYCLE,
     "keeping the launching hook waiting"},
};

const size_t n_permissions = ARRAY_SIZE(permissions);

static bool uses_subnet_start(const NetworkConfig *network)
{
    return network->ip_allocation == IP_ALLOCATION_SUBNET_START;
}

static bool uses_ipv6(const NetworkConfig *network)
{
    return network->ipv6 != IPV6_NO;
}

/* Whether some network has it by the file, or may have it by a tag that nothing in the file overrules. */
static bool any_network(const Config *config, const char *key, bool (*test)(const NetworkConfig *network))
{
    if (config->n_networks == 0)
        return config->tags || test(&config->defaults);

    for (size_t i = 0; i < config->n_networks; i++) {
        const NetworkConfig *network = &config->networks[i];

        if (network_config_has(network, key) ? test(network) : config->tags || test(&config->defaults))
            return true;
    }
    return false;
}

unsigned permissions_needed(const Config *config, bool registration)
{
    bool lifecycle = !streq(config->lifecycle_hook, "none");
    unsigned needs = 0;

    if (any_network(config, "ip_allocation", uses_subnet_start))
        needs |= NEED_SUBNET_START;
    if (any_network(config, "ipv6", uses_ipv6))
        needs |= NEED_IPV6;
    if (lifecycle)
        needs |= NEED_LIFECYCLE;
    if (lifecycle || config->tags)
        needs |= NEED_GROUP;
    if (config->sweep_leaked)
        needs |= NEED_SWEEP;
    if (config->allow_reassign)
        needs |= NEED_REASSIGN;
    if (registration)
        needs |= NEED_REGISTRATION;
    return needs;
}

bool permission_is_needed(const Permission *permission, unsigned needs)
{
    return (permission->needs & ~needs) == 0;
}

const char *permission_prefix(const Permission *permission)
{
    return permission->service == AWS_SERVICE_EC2 ? "ec2" : "autoscaling";
}
