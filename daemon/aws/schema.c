/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The replies of EC2 and Auto Scaling, element by element, as the API reference has them.
 *
 * A table lists what is wanted of one element's children; decode.c walks document and tables
 * together. What AWS adds later is not listed and so ignored. A text that is not of its type makes
 * the whole reply unusable: a number that cannot be read must not pass for 0.
 *
 * A record without its id would be useless and dangerous to everyone above; finish() refuses it.
 */

#include "aws/schema.h"
#include <errno.h>
#include <limits.h>

#define LEAF(_element, _type, _field, _convert)                                                              \
    {                                                                                                        \
        .element = (_element), .kind = FIELD_LEAF, .offset = offsetof(_type, _field), .convert = (_convert)  \
    }
#define GROUP(_element, _fields)                                                                             \
    {                                                                                                        \
        .element = (_element), .kind = FIELD_GROUP, .fields = (_fields)                                      \
    }
#define MEMBER(_element, _type, _field, _fields)                                                             \
    {                                                                                                        \
        .element = (_element), .kind = FIELD_GROUP, .offset = offsetof(_type, _field), .fields = (_fields)   \
    }
#define ITEM(_element, _type, _items, _fields, _finish)                                                      \
    {                                                                                                        \
        .element = (_element), .kind = FIELD_ITEM, .offset = offsetof(_type, _items),                        \
        .n_offset = offsetof(_type, n_##_items), .size = sizeof(*((_type *)NULL)->_items),                   \
        .fields = (_fields), .finish = (_finish),                                                            \
    }
#define TAG_ITEM(_element, _fields)                                                                          \
    {                                                                                                        \
        .element = (_element), .kind = FIELD_ITEM, .offset = offsetof(KeyValueList, items),                  \
        .n_offset = offsetof(KeyValueList, n), .size = sizeof(KeyValue), .fields = (_fields),                \
        .finish = finish_tag,                                                                                \
    }
#define END                                                                                                  \
    {                                                                                                        \
        .element = NULL                                                                                      \
    }

/* ------------------------------------------------------------------ texts to values */

/* The first one stands: a reply that says something twice cannot make us leak or waver. */
static int convert_string(const char *text, void *at)
{
    char **field = at;

    if (*field)
        return 0;
    *field = strdup(text);
    return *field ? 0 : -ENOMEM;
}

static int convert_unsigned(const char *text, void *at)
{
    unsigned long value;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return -EBADMSG;
    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || *end || value > UINT_MAX)
        return -EBADMSG;
    *(unsigned *)at = (unsigned)value;
    return 0;
}

static int convert_seconds(const char *text, void *at)
{
    unsigned value = 0;
    int r;

    r = convert_unsigned(text, &value);
    if (r < 0)
        return r;
    *(usec_t *)at = value * USEC_PER_SEC;
    return 0;
}

static int convert_bool(const char *text, void *at)
{
    if (!streq(text, "true") && !streq(text, "false"))
        return -EBADMSG;
    *(bool *)at = streq(text, "true");
    return 0;
}

static int convert_mac(const char *text, void *at)
{
    return mac_addr_parse(text, at) < 0 ? -EBADMSG : 0;
}

static int convert_address(const char *text, void *at)
{
    return in_addr_parse(text, at) < 0 ? -EBADMSG : 0;
}

static int convert_prefix(const char *text, void *at)
{
    return in_prefix_parse(text, at) < 0 ? -EBADMSG : 0;
}

static int convert_explicit(const char *text, void *at)
{
    *(bool *)at = streq(text, "explicit");
    return 0;
}

static int convert_associated(const char *text, void *at)
{
    *(bool *)at = streq(text, "associated");
    return 0;
}

static int convert_to_list(const char *text, void *at)
{
    StrList *list = at;

    return list->n < SCHEMA_ITEMS_MAX ? strlist_append(list, text) : -EBADMSG;
}

/* nextToken is there but empty on the last page. */
static int convert_token(const char *text, void *at)
{
    return text[0] ? convert_string(text, at) : 0;
}

/* ------------------------------------------------------------------ tags */

static int finish_tag(void *record)
{
    KeyValue *tag = record;

    if (!tag->key)
        return -EBADMSG;
    return tag->value ? 0 : replace_string(&tag->value, "");
}

static const Field tag_fields[] = {
    LEAF("key", KeyValue, key, convert_string),
    LEAF("value", KeyValue, value, convert_string),
    END,
};
static const Field tag_set[] = {TAG_ITEM("item", tag_fields), END};

/* ------------------------------------------------------------------ network interfaces */

static int finish_network_interface(void *record)
{
    return ((const Ec2NetworkInterface *)record)->network_interface_id ? 0 : -EBADMSG;
}

static int finish_private_ip(void *record)
{
    return in_addr_is_set(&((const Ec2PrivateIp *)record)->address) ? 0 : -EBADMSG;
}

static int finish_address(void *record)
{
    return in_addr_is_set(record) ? 0 : -EBADMSG;
}

static int finish_prefix(void *record)
{
    return in_prefix_is_set(record) ? 0 : -EBADMSG;
}

static const Field group_fields[] = {LEAF("groupId", Ec2NetworkInterface, group_ids, convert_to_list), END};
static const Field group_set[] = {GROUP("item", group_fields), END};

static const Field attachment_fields[] = {
    LEAF("attachmentId", Ec2Attachment, attachment_id, convert_string),
    LEAF("instanceId", Ec2Attachment, instance_id, convert_string),
    LEAF("status", Ec2Attachment, status, convert_string),
    LEAF("deviceIndex", Ec2Attachment, device_index, convert_unsigned),
    LEAF("networkCardIndex", Ec2Attachment, network_card_index, convert_unsigned),
    LEAF("deleteOnTermination", Ec2Attachment, delete_on_termination, convert_bool),
    END,
};

static const Field private_ip_fields[] = {
    LEAF("privateIpAddress", Ec2PrivateIp, address, convert_address),
    LEAF("primary", Ec2PrivateIp, primary, convert_bool),
    END,
};
static const Field private_ip_set[] = {
    ITEM("item", Ec2NetworkInterface, private_ips, private_ip_fields, finish_private_ip),
    END,
};

static const Field ipv6_address_fields[] = {
    {.element = "ipv6Address", .kind = FIELD_LEAF, .convert = convert_address},
    END,
};
static const Field ipv6_address_set[] = {
    ITEM("item", Ec2NetworkInterface, ipv6_addresses, ipv6_address_fields, finish_address),
    END,
};

static const Field ipv4_prefix_fields[] = {
    {.element = "ipv4Prefix", .kind = FIELD_LEAF, .convert = convert_prefix},
    END,
};
static const Field ipv4_prefix_set[] = {
    ITEM("item", Ec2NetworkInterface, prefixes, ipv4_prefix_fields, finish_prefix),
    END,
};
static const Field ipv6_prefix_fields[] = {
    {.element = "ipv6Prefix", .kind = FIELD_LEAF, .convert = convert_prefix},
    END,
};
static const Field ipv6_prefix_set[] = {
    ITEM("item", Ec2NetworkInterface, prefixes, ipv6_prefix_fields, finish_prefix),
    END,
};

/* NetworkInterface and, with less in it, InstanceNetworkInterface. */
static const Field network_interface_fields[] = {
    LEAF("networkInterfaceId", Ec2NetworkInterface, network_interface_id, convert_string),
    LEAF("subnetId", Ec2NetworkInterface, subnet_id, convert_string),
    LEAF("vpcId", Ec2NetworkInterface, vpc_id, convert_string),
    LEAF("availabilityZone", Ec2NetworkInterface, availability_zone, convert_string),
    LEAF("description", Ec2NetworkInterface, description, convert_string),
    LEAF("status", Ec2NetworkInterface, status, convert_string),
    LEAF("interfaceType", Ec2NetworkInterface, interface_type, convert_string),
    LEAF("macAddress", Ec2NetworkInterface, mac, convert_mac),
    LEAF("sourceDestCheck", Ec2NetworkInterface, source_dest_check, convert_bool),
    GROUP("groupSet", group_set),
    MEMBER("attachment", Ec2NetworkInterface, attachment, attachment_fields),
    GROUP("privateIpAddressesSet", private_ip_set),
    GROUP("ipv6AddressesSet", ipv6_address_set),
    GROUP("ipv4PrefixSet", ipv4_prefix_set),
    GROUP("ipv6PrefixSet", ipv6_prefix_set),
    MEMBER("tagSet", Ec2NetworkInterface, tags, tag_set),
    END,
};

static const Field network_interface_set[] = {
    ITEM("item", AwsRecords, network_interfaces, network_interface_fields, finish_network_interface),
    END,
};

/* ------------------------------------------------------------------ instances */

/* DescribeInstances leaves out of an interface what the instance around it tells. */
static int finish_instance(void *record)
{
    Ec2Instance *instance = record;
    int r;

    if (!instance->instance_id)
        return -EBADMSG;

    for (size_t i = 0; i < instance->n_network_interfaces; i++) {
        Ec2NetworkInterface *eni = &instance->network_interfaces[i];

        if (eni->attachment.attachment_id && !eni->attachment.instance_id) {
            r = replace_string(&eni->attachment.instance_id, instance->instance_id);
            if (r < 0)
                return r;
        }
        if (!eni->availability_zone) {
            r = replace_string(&eni->availability_zone, instance->availability_zone);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static const Field placement_fields[] = {
    LEAF("availabilityZone", Ec2Instance, availability_zone, convert_string),
    END,
};
static const Field instance_state_fields[] = {LEAF("name", Ec2Instance, state, convert_string), END};
static const Field instance_interface_set[] = {
    ITEM("item", Ec2Instance, network_interfaces, network_interface_fields, finish_network_interface),
    END,
};

static const Field metadata_options_fields[] = {
    LEAF("httpTokens", Ec2Instance, metadata_tokens, convert_string),
    LEAF("httpPutResponseHopLimit", Ec2Instance, metadata_hop_limit, convert_unsigned),
    END,
};

static const Field instance_fields[] = {
    LEAF("instanceId", Ec2Instance, instance_id, convert_string),
    LEAF("instanceType", Ec2Instance, instance_type, convert_string),
    LEAF("subnetId", Ec2Instance, subnet_id, convert_string),
    LEAF("vpcId", Ec2Instance, vpc_id, convert_string),
    GROUP("placement", placement_fields),
    GROUP("instanceState", instance_state_fields),
    GROUP("metadataOptions", metadata_options_fields),
    GROUP("networkInterfaceSet", instance_interface_set),
    MEMBER("tagSet", Ec2Instance, tags, tag_set),
    END,
};
static const Field instance_set[] = {ITEM("item", AwsRecords, instances, instance_fields, finish_instance),
                                     END};
static const Field reservation_item[] = {GROUP("instancesSet", instance_set), END};
static const Field reservation_set[] = {GROUP("item", reservation_item), END};

/* ------------------------------------------------------------------ subnets */

typedef struct Association {
    InPrefix cidr;
    bool associated;
} Association;
_Static_assert(sizeof(Association) <= SCHEMA_SCRATCH_MAX, "the scratch record is too small");

/* A subnet keeps telling the CIDR blocks it once had, with another state. */
static void merge_association(void *record, const void *scratch)
{
    const Association *association = scratch;
    Ec2Subnet *subnet = record;

    if (association->associated && !in_prefix_is_set(&subnet->ipv6_cidr_block))
        subnet->ipv6_cidr_block = association->cidr;
}

static int finish_subnet(void *record)
{
    return ((const Ec2Subnet *)record)->subnet_id ? 0 : -EBADMSG;
}

static const Field association_state_fields[] = {LEAF("state", Association, associated, convert_associated),
                                                 END};
static const Field association_fields[] = {
    LEAF("ipv6CidrBlock", Association, cidr, convert_prefix),
    GROUP("ipv6CidrBlockState", association_state_fields),
    END,
};
static const Field association_set[] = {
    {.element = "item", .kind = FIELD_MERGE, .fields = association_fields, .merge = merge_association},
    END,
};

static const Field subnet_fields[] = {
    LEAF("subnetId", Ec2Subnet, subnet_id, convert_string),
    LEAF("vpcId", Ec2Subnet, vpc_id, convert_string),
    LEAF("availabilityZone", Ec2Subnet, availability_zone, convert_string),
    LEAF("availabilityZoneId", Ec2Subnet, availability_zone_id, convert_string),
    LEAF("cidrBlock", Ec2Subnet, cidr_block, convert_prefix),
    LEAF("availableIpAddressCount", Ec2Subnet, available_ip_address_count, convert_unsigned),
    GROUP("ipv6CidrBlockAssociationSet", association_set),
    MEMBER("tagSet", Ec2Subnet, tags, tag_set),
    END,
};
static const Field subnet_set[] = {ITEM("item", AwsRecords, subnets, subnet_fields, finish_subnet), END};

static int finish_cidr_reservation(void *record)
{
    return in_prefix_is_set(&((const Ec2SubnetCidrReservation *)record)->cidr) ? 0 : -EBADMSG;
}

static const Field cidr_reservation_fields[] = {
    LEAF("subnetId", Ec2SubnetCidrReservation, subnet_id, convert_string),
    LEAF("cidr", Ec2SubnetCidrReservation, cidr, convert_prefix),
    LEAF("reservationType", Ec2SubnetCidrReservation, is_explicit, convert_explicit),
    END,
};
static const Field cidr_reservation_set[] = {
    ITEM("item", AwsRecords, reservations, cidr_reservation_fields, finish_cidr_reservation),
    END,
};

/* ------------------------------------------------------------------ security groups */

static int finish_security_group(void *record)
{
    return ((const Ec2SecurityGroup *)record)->group_id ? 0 : -EBADMSG;
}

static const Field security_group_fields[] = {
    LEAF("groupId", Ec2SecurityGroup, group_id, convert_string),
    LEAF("groupName", Ec2SecurityGroup, group_name, convert_string),
    LEAF("vpcId", Ec2SecurityGroup, vpc_id, convert_string),
    END,
};
static const Field security_group_set[] = {
    ITEM("item", AwsRecords, security_groups, security_group_fields, finish_security_group),
    END,
};

/* ------------------------------------------------------------------ instance types */

static int finish_instance_type(void *record)
{
    return ((const Ec2InstanceType *)record)->instance_type ? 0 : -EBADMSG;
}

typedef __typeof__(*((Ec2InstanceType *)NULL)->network_cards) NetworkCard;

static const Field network_card_fields[] = {
    LEAF("networkCardIndex", NetworkCard, network_card_index, convert_unsigned),
    LEAF("maximumNetworkInterfaces", NetworkCard, maximum_network_interfaces, convert_unsigned),
    END,
};
static const Field network_card_set[] = {
    ITEM("item", Ec2InstanceType, network_cards, network_card_fields, NULL),
    END,
};
static const Field network_info_fields[] = {
    LEAF("maximumNetworkInterfaces", Ec2InstanceType, maximum_network_interfaces, convert_unsigned),
    LEAF("maximumNetworkCards", Ec2InstanceType, maximum_network_cards, convert_unsigned),
    LEAF("ipv4AddressesPerInterface", Ec2InstanceType, ipv4_addresses_per_interface, convert_unsigned),
    LEAF("ipv6AddressesPerInterface", Ec2InstanceType, ipv6_addresses_per_interface, convert_unsigned),
    GROUP("networkCards", network_card_set),
    END,
};
static const Field instance_type_fields[] = {
    LEAF("instanceType", Ec2InstanceType, instance_type, convert_string),
    GROUP("networkInfo", network_info_fields),
    END,
};
static const Field instance_type_set[] = {
    ITEM("item", AwsRecords, instance_types, instance_type_fields, finish_instance_type),
    END,
};

/* ------------------------------------------------------------------ assigned addresses */

static const Field assigned_ipv4_fields[] = {
    {.element = "privateIpAddress", .kind = FIELD_LEAF, .convert = convert_address},
    END,
};
static const Field assigned_ipv4_set[] = {
    ITEM("item", AwsRecords, assigned, assigned_ipv4_fields, finish_address),
    END,
};

/* Here the item itself is the address: an array whose records are a leaf each. */
static const Field assigned_ipv6_set[] = {
    {
        .element = "item",
        .kind = FIELD_ITEM,
        .offset = offsetof(AwsRecords, assigned),
        .n_offset = offsetof(AwsRecords, n_assigned),
        .size = sizeof(InAddr),
        .convert = convert_address,
        .finish = finish_address,
    },
    END,
};

/* ------------------------------------------------------------------ Auto Scaling */

static int finish_group(void *record)
{
    return ((const AutoScalingGroup *)record)->name ? 0 : -EBADMSG;
}

static int finish_autoscaling_instance(void *record)
{
    return ((const AutoScalingInstance *)record)->instance_id ? 0 : -EBADMSG;
}

static int finish_hook(void *record)
{
    const AutoScalingLifecycleHook *hook = record;

    return hook->name && hook->transition ? 0 : -EBADMSG;
}

static const Field group_tag_fields[] = {
    LEAF("Key", KeyValue, key, convert_string),
    LEAF("Value", KeyValue, value, convert_string),
    END,
};
static const Field group_tag_set[] = {TAG_ITEM("member", group_tag_fields), END};
static const Field group_instance_fields[] = {
    LEAF("InstanceId", AutoScalingInstance, instance_id, convert_string),
    LEAF("LifecycleState", AutoScalingInstance, lifecycle_state, convert_string),
    END,
};
static const Field group_instance_set[] = {
    ITEM("member", AutoScalingGroup, instances, group_instance_fields, finish_autoscaling_instance),
    END,
};
static const Field autoscaling_group_fields[] = {
    LEAF("AutoScalingGroupName", AutoScalingGroup, name, convert_string),
    GROUP("Instances", group_instance_set),
    MEMBER("Tags", AutoScalingGroup, tags, group_tag_set),
    END,
};
static const Field autoscaling_group_set[] = {
    ITEM("member", AwsRecords, groups, autoscaling_group_fields, finish_group),
    END,
};
static const Field describe_groups_result[] = {
    GROUP("AutoScalingGroups", autoscaling_group_set),
    LEAF("NextToken", AwsRecords, next_token, convert_token),
    END,
};

static const Field hook_fields[] = {
    LEAF("LifecycleHookName", AutoScalingLifecycleHook, name, convert_string),
    LEAF("LifecycleTransition", AutoScalingLifecycleHook, transition, convert_string),
    LEAF("HeartbeatTimeout", AutoScalingLifecycleHook, heartbeat_timeout, convert_seconds),
    END,
};
static const Field hook_set[] = {ITEM("member", AwsRecords, hooks, hook_fields, finish_hook), END};
static const Field describe_hooks_result[] = {GROUP("LifecycleHooks", hook_set), END};

static const Field response_metadata[] = {LEAF("RequestId", AwsRecords, request_id, convert_string), END};

/* ------------------------------------------------------------------ actions */

#define EC2_REQUEST_ID LEAF("requestId", AwsRecords, request_id, convert_string)
#define EC2_NEXT_TOKEN LEAF("nextToken", AwsRecords, next_token, convert_token)
#define METADATA       GROUP("ResponseMetadata", response_metadata)

static const Field plain_reply[] = {EC2_REQUEST_ID, END};
static const Field create_reply[] = {
    EC2_REQUEST_ID,
    ITEM("networkInterface", AwsRecords, network_interfaces, network_interface_fields,
         finish_network_interface),
    END,
};
static const Field attach_reply[] = {
    EC2_REQUEST_ID,
    LEAF("attachmentId", AwsRecords, attachment_id, convert_string),
    LEAF("networkCardIndex", AwsRecords, network_card_index, convert_unsigned),
    END,
};
static const Field assign_ipv4_reply[] = {
    EC2_REQUEST_ID,
    GROUP("assignedPrivateIpAddressesSet", assigned_ipv4_set),
    END,
};
static const Field assign_ipv6_reply[] = {
    EC2_REQUEST_ID,
    GROUP("assignedIpv6Addresses", assigned_ipv6_set),
    END,
};
static const Field network_interfaces_reply[] = {
    EC2_REQUEST_ID,
    EC2_NEXT_TOKEN,
    GROUP("networkInterfaceSet", network_interface_set),
    END,
};
static const Field instances_reply[] = {
    EC2_REQUEST_ID,
    EC2_NEXT_TOKEN,
    GROUP("reservationSet", reservation_set),
    END,
};
static const Field subnets_reply[] = {EC2_REQUEST_ID, EC2_NEXT_TOKEN, GROUP("subnetSet", subnet_set), END};
static const Field instance_types_reply[] = {
    EC2_REQUEST_ID,
    EC2_NEXT_TOKEN,
    GROUP("instanceTypeSet", instance_type_set),
    END,
};
static const Field reservations_reply[] = {
    EC2_REQUEST_ID,
    EC2_NEXT_TOKEN,
    GROUP("subnetIpv4CidrReservationSet", cidr_reservation_set),
    GROUP("subnetIpv6CidrReservationSet", cidr_reservation_set),
    END,
};
static const Field security_groups_reply[] = {
    EC2_REQUEST_ID,
    EC2_NEXT_TOKEN,
    GROUP("securityGroupInfo", security_group_set),
    END,
};
static const Field groups_reply[] = {GROUP("DescribeAutoScalingGroupsResult", describe_groups_result),
                                     METADATA, END};
static const Field hooks_reply[] = {GROUP("DescribeLifecycleHooksResult", describe_hooks_result), METADATA,
                                    END};
static const Field lifecycle_reply[] = {METADATA, END};

const Field *schema_reply(AwsService service, const char *action)
{
    static const struct {
        AwsService service;
        const char *action;
        const Field *fields;
    } rows[] = {
        {AWS_SERVICE_EC2, "CreateNetworkInterface", create_reply},
        {AWS_SERVICE_EC2, "AttachNetworkInterface", attach_reply},
        {AWS_SERVICE_EC2, "DetachNetworkInterface", plain_reply},
        {AWS_SERVICE_EC2, "DeleteNetworkInterface", plain_reply},
        {AWS_SERVICE_EC2, "ModifyNetworkInterfaceAttribute", plain_reply},
        {AWS_SERVICE_EC2, "AssignPrivateIpAddresses", assign_ipv4_reply},
        {AWS_SERVICE_EC2, "UnassignPrivateIpAddresses", plain_reply},
        {AWS_SERVICE_EC2, "AssignIpv6Addresses", assign_ipv6_reply},
        {AWS_SERVICE_EC2, "UnassignIpv6Addresses", plain_reply},
        {AWS_SERVICE_EC2, "DescribeNetworkInterfaces", network_interfaces_reply},
        {AWS_SERVICE_EC2, "DescribeInstances", instances_reply},
        {AWS_SERVICE_EC2, "DescribeSubnets", subnets_reply},
        {AWS_SERVICE_EC2, "DescribeInstanceTypes", instance_types_reply},
        {AWS_SERVICE_EC2, "DescribeSecurityGroups", security_groups_reply},
        {AWS_SERVICE_EC2, "GetSubnetCidrReservations", reservations_reply},
        {AWS_SERVICE_AUTOSCALING, "DescribeAutoScalingGroups", groups_reply},
        {AWS_SERVICE_AUTOSCALING, "DescribeLifecycleHooks", hooks_reply},
        {AWS_SERVICE_AUTOSCALING, "CompleteLifecycleAction", lifecycle_reply},
        {AWS_SERVICE_AUTOSCALING, "RecordLifecycleActionHeartbeat", lifecycle_reply},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].service == service && streq(rows[i].action, action))
            return rows[i].fields;
    return NULL;
}

/* EC2: Response/Errors/Error and RequestID; Auto Scaling: ErrorResponse/Error and RequestId. */
static const Field error_fields[] = {
    LEAF("Code", AwsErrorReply, code, convert_string),
    LEAF("Message", AwsErrorReply, message, convert_string),
    END,
};
static const Field error_list[] = {GROUP("Error", error_fields), END};
static const Field ec2_error[] = {
    GROUP("Errors", error_list),
    LEAF("RequestID", AwsErrorReply, request_id, convert_string),
    END,
};
static const Field autoscaling_error[] = {
    GROUP("Error", error_fields),
    LEAF("RequestId", AwsErrorReply, request_id, convert_string),
    END,
};

const Field *schema_error(const char *root)
{
    if (streq(root, "Response"))
        return ec2_error;
    if (streq(root, "ErrorResponse"))
        return autoscaling_error;
    return NULL;
}
