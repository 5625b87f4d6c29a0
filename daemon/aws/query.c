/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Actions to parameters of the Query API, and those to the body of a POST.
 *
 * Names are the API reference's; lists are numbered from 1, with ".member" between in Auto Scaling
 * (the query protocol) and without in EC2 (the ec2 protocol).
 *
 * The functions read as lists of parameters because errors are kept in the Builder: after the first
 * failure every further one does nothing, and builder_finish() tells.
 */

#include "aws/codec.h"
#include "util/buf.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define EC2_VERSION         "2016-11-15"
#define AUTOSCALING_VERSION "2011-01-01"
/* The most that EC2 gives in one page. Asking for pages is also what EC2 limits least. */
#define EC2_MAX_RESULTS "1000"
#define KEY_MAX         96

typedef struct Builder {
    AwsQuery query;
    int error;
} Builder;

void aws_query_done(AwsQuery *query)
{
    keyvalue_list_done(&query->parameters);
}

/* ------------------------------------------------------------------ builder */

static void add(Builder *builder, const char *key, const char *value)
{
    if (builder->error >= 0)
        builder->error = keyvalue_list_append(&builder->query.parameters, key, value);
}

/* An absent value is not sent. */
static void add_if(Builder *builder, const char *key, const char *value)
{
    if (value)
        add(builder, key, value);
}

static void add_bool(Builder *builder, const char *key, bool value)
{
    add(builder, key, value ? "true" : "false");
}

static void add_unsigned(Builder *builder, const char *key, unsigned value)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", value);
    add(builder, key, text);
}

/* format has one %zu, for the number of the item, from 1. */
static void add_nth(Builder *builder, const char *key_format, size_t i, const char *value) _printf_(2, 0);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void add_nth(Builder *builder, const char *key_format, size_t i, const char *value)
{
    char key[KEY_MAX];

    (void)snprintf(key, sizeof(key), key_format, i + 1);
    add(builder, key, value);
}

static void add_addresses(Builder *builder, const char *key_format, const InAddr *addresses, size_t n)
{
    char text[IN_ADDR_TEXT];

    for (size_t i = 0; i < n; i++)
        add_nth(builder, key_format, i, in_addr_format(&addresses[i], text));
}

static void add_strings(Builder *builder, const char *key_format, const StrList *list)
{
    for (size_t i = 0; list && i < list->n; i++)
        add_nth(builder, key_format, i, list->items[i]);
}
#pragma GCC diagnostic pop

static void add_filters(Builder *builder, const Ec2Filter *filters)
{
    char key[KEY_MAX];

    for (size_t i = 0; filters && filters[i].name; i++) {
        add_nth(builder, "Filter.%zu.Name", i, filters[i].name);
        for (size_t j = 0; filters[i].values[j]; j++) {
            (void)snprintf(key, sizeof(key), "Filter.%zu.Value.%zu", i + 1, j + 1);
            add(builder, key, filters[i].values[j]);
        }
    }
}

static Builder builder_start(AwsService service, const char *action)
{
    Builder builder = {.query = {.service = service, .action = action}};

    add(&builder, "Action", action);
    add(&builder, "Version", service == AWS_SERVICE_EC2 ? EC2_VERSION : AUTOSCALING_VERSION);
    return builder;
}

static int builder_finish(Builder *builder, AwsQuery *ret)
{
    if (builder->error < 0) {
        aws_query_done(&builder->query);
        return builder->error;
    }
    *ret = builder->query;
    return 0;
}

/* ------------------------------------------------------------------ EC2: network interfaces */

static void add_tags(Builder *builder, const char *resource_type, const KeyValueList *tags)
{
    if (!tags || tags->n == 0)
        return;
    add(builder, "TagSpecification.1.ResourceType", resource_type);
    for (size_t i = 0; i < tags->n; i++) {
        add_nth(builder, "TagSpecification.1.Tag.%zu.Key", i, tags->items[i].key);
        add_nth(builder, "TagSpecification.1.Tag.%zu.Value", i, tags->items[i].value);
    }
}

int ec2_query_create_network_interface(const Ec2CreateNetworkInterface *args, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "CreateNetworkInterface");
    char text[IN_ADDR_TEXT];

    assert(args->n_ipv6_addresses == 0 || args->ipv6_address_count == 0);

    add(&builder, "SubnetId", args->subnet_id);
    add_if(&builder, "Description", args->description);
    add_strings(&builder, "SecurityGroupId.%zu", args->group_ids);
    if (args->private_ip)
        add(&builder, "PrivateIpAddress", in_addr_format(args->private_ip, text));
    for (size_t i = 0; i < args->n_ipv6_addresses; i++)
        add_nth(&builder, "Ipv6Addresses.%zu.Ipv6Address", i, in_addr_format(&args->ipv6_addresses[i], text));
    if (args->ipv6_address_count > 0)
        add_unsigned(&builder, "Ipv6AddressCount", args->ipv6_address_count);
    add_tags(&builder, "network-interface", args->tags);
    add_if(&builder, "ClientToken", args->client_token);
    return builder_finish(&builder, ret);
}

int ec2_query_attach_network_interface(const Ec2AttachNetworkInterface *args, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "AttachNetworkInterface");

    add(&builder, "NetworkInterfaceId", args->network_interface_id);
    add(&builder, "InstanceId", args->instance_id);
    add_unsigned(&builder, "DeviceIndex", args->device_index);
    add_unsigned(&builder, "NetworkCardIndex", args->network_card_index);
    return builder_finish(&builder, ret);
}

int ec2_query_detach_network_interface(const char *attachment_id, bool force, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "DetachNetworkInterface");

    add(&builder, "AttachmentId", attachment_id);
    if (force)
        add_bool(&builder, "Force", true);
    return builder_finish(&builder, ret);
}

int ec2_query_delete_network_interface(const char *network_interface_id, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "DeleteNetworkInterface");

    add(&builder, "NetworkInterfaceId", network_interface_id);
    return builder_finish(&builder, ret);
}

int ec2_query_modify_delete_on_termination(const char *network_interface_id, const char *attachment_id,
                                           bool value, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "ModifyNetworkInterfaceAttribute");

    add(&builder, "NetworkInterfaceId", network_interface_id);
    add(&builder, "Attachment.AttachmentId", attachment_id);
    add_bool(&builder, "Attachment.DeleteOnTermination", value);
    return builder_finish(&builder, ret);
}

int ec2_query_modify_source_dest_check(const char *network_interface_id, bool value, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "ModifyNetworkInterfaceAttribute");

    add(&builder, "NetworkInterfaceId", network_interface_id);
    add_bool(&builder, "SourceDestCheck.Value", value);
    return builder_finish(&builder, ret);
}

int ec2_query_modify_groups(const char *network_interface_id, const StrList *group_ids, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "ModifyNetworkInterfaceAttribute");

    add(&builder, "NetworkInterfaceId", network_interface_id);
    add_strings(&builder, "SecurityGroupId.%zu", group_ids);
    return builder_finish(&builder, ret);
}

/* ------------------------------------------------------------------ EC2: addresses */

int ec2_query_assign_private_ip_addresses(const char *network_interface_id, const InAddr *addresses, size_t n,
                                          bool allow_reassignment, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "AssignPrivateIpAddresses");

    add(&builder, "NetworkInterfaceId", network_interface_id);
    add_addresses(&builder, "PrivateIpAddress.%zu", addresses, n);
    add_bool(&builder, "AllowReassignment", allow_reassignment);
    return builder_finish(&builder, ret);
}

int ec2_query_unassign_private_ip_addresses(const char *network_interface_id, const InAddr *addresses,
                                            size_t n, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "UnassignPrivateIpAddresses");

    add(&builder, "NetworkInterfaceId", network_interface_id);
    add_addresses(&builder, "PrivateIpAddress.%zu", addresses, n);
    return builder_finish(&builder, ret);
}

int ec2_query_assign_ipv6_addresses(const char *network_interface_id, const InAddr *addresses, size_t n,
                                    AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "AssignIpv6Addresses");

    add(&builder, "NetworkInterfaceId", network_interface_id);
    add_addresses(&builder, "Ipv6Addresses.%zu", addresses, n);
    return builder_finish(&builder, ret);
}

int ec2_query_unassign_ipv6_addresses(const char *network_interface_id, const InAddr *addresses, size_t n,
                                      AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "UnassignIpv6Addresses");

    add(&builder, "NetworkInterfaceId", network_interface_id);
    add_addresses(&builder, "Ipv6Addresses.%zu", addresses, n);
    return builder_finish(&builder, ret);
}

/* ------------------------------------------------------------------ EC2: descriptions */

/* MaxResults and a list of ids exclude each other, so only filtered descriptions ask for pages. */
static int describe_filtered(const char *action, const Ec2Filter *filters, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, action);

    add_filters(&builder, filters);
    add(&builder, "MaxResults", EC2_MAX_RESULTS);
    return builder_finish(&builder, ret);
}

int ec2_query_describe_network_interfaces(const Ec2Filter *filters, AwsQuery *ret)
{
    return describe_filtered("DescribeNetworkInterfaces", filters, ret);
}

int ec2_query_describe_instances_filtered(const Ec2Filter *filters, AwsQuery *ret)
{
    return describe_filtered("DescribeInstances", filters, ret);
}

int ec2_query_describe_subnets(const Ec2Filter *filters, AwsQuery *ret)
{
    return describe_filtered("DescribeSubnets", filters, ret);
}

int ec2_query_describe_security_groups(const Ec2Filter *filters, AwsQuery *ret)
{
    return describe_filtered("DescribeSecurityGroups", filters, ret);
}

int ec2_query_describe_network_interface(const char *network_interface_id, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "DescribeNetworkInterfaces");

    add(&builder, "NetworkInterfaceId.1", network_interface_id);
    return builder_finish(&builder, ret);
}

int ec2_query_describe_instances(const char *const *instance_ids, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "DescribeInstances");

    for (size_t i = 0; instance_ids[i]; i++)
        add_nth(&builder, "InstanceId.%zu", i, instance_ids[i]);
    return builder_finish(&builder, ret);
}

int ec2_query_describe_instance_types(const char *instance_type, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "DescribeInstanceTypes");

    add(&builder, "InstanceType.1", instance_type);
    return builder_finish(&builder, ret);
}

int ec2_query_get_subnet_cidr_reservations(const char *subnet_id, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_EC2, "GetSubnetCidrReservations");

    add(&builder, "SubnetId", subnet_id);
    return builder_finish(&builder, ret);
}

/* ------------------------------------------------------------------ Auto Scaling */

int autoscaling_query_describe_auto_scaling_groups(const char *group, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_AUTOSCALING, "DescribeAutoScalingGroups");

    add(&builder, "AutoScalingGroupNames.member.1", group);
    return builder_finish(&builder, ret);
}

int autoscaling_query_describe_lifecycle_hooks(const char *group, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_AUTOSCALING, "DescribeLifecycleHooks");

    add(&builder, "AutoScalingGroupName", group);
    return builder_finish(&builder, ret);
}

int autoscaling_query_complete_lifecycle_action(const char *group, const char *hook, const char *instance_id,
                                                const char *result, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_AUTOSCALING, "CompleteLifecycleAction");

    add(&builder, "AutoScalingGroupName", group);
    add(&builder, "LifecycleHookName", hook);
    add(&builder, "InstanceId", instance_id);
    add(&builder, "LifecycleActionResult", result);
    return builder_finish(&builder, ret);
}

int autoscaling_query_record_lifecycle_action_heartbeat(const char *group, const char *hook,
                                                        const char *instance_id, AwsQuery *ret)
{
    Builder builder = builder_start(AWS_SERVICE_AUTOSCALING, "RecordLifecycleActionHeartbeat");

    add(&builder, "AutoScalingGroupName", group);
    add(&builder, "LifecycleHookName", hook);
    add(&builder, "InstanceId", instance_id);
    return builder_finish(&builder, ret);
}

/* ------------------------------------------------------------------ body */

int aws_query_set_page(AwsQuery *query, const char *next_token)
{
    return keyvalue_list_set(&query->parameters, "NextToken", next_token);
}

int aws_query_set_dry_run(AwsQuery *query)
{
    int r;

    assert(query->service == AWS_SERVICE_EC2);

    r = keyvalue_list_set(&query->parameters, "DryRun", "true");
    if (r == 0)
        query->dry_run = true;
    return r;
}

/* RFC 3986, 2.3: these stand for themselves; everything else is %XX, space included. */
static int append_escaped(Buf *buf, const char *s)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    size_t n;
    int r;

    while (*s) {
        n = strspn(s, unreserved);
        r = buf_append(buf, s, n);
        s += n;
        if (r >= 0 && *s)
            r = buf_printf(buf, "%%%02X", (unsigned char)*s++);
        if (r < 0)
            return r;
    }
    return 0;
}

char *aws_query_encode(const AwsQuery *query)
{
    _cleanup_buf_ Buf buf = BUF_NULL;

    for (size_t i = 0; i < query->parameters.n; i++) {
        const KeyValue *parameter = &query->parameters.items[i];

        if ((i > 0 && buf_putc(&buf, '&') < 0) || append_escaped(&buf, parameter->key) < 0 ||
            buf_putc(&buf, '=') < 0 || append_escaped(&buf, parameter->value) < 0)
            return NULL;
    }
    return buf_take(&buf);
}
