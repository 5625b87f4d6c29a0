/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every encoder of aws/codec with every argument, for a judge that knows AWS's models: on stdout one
 * JSON object a line, with a name for the case, the service, and the body as it would be sent.
 */

#include "aws/codec.h"
#include <jansson.h>
#include <stdio.h>

static int failures;

static void print(const char *name, int r, AwsQuery *query)
{
    _cleanup_(freep) char *body = r >= 0 ? aws_query_encode(query) : NULL;
    json_t *line;

    if (!body) {
        failures++;
        return;
    }
    line = json_pack("{s:s, s:s, s:s, s:s}", "name", name, "service",
                     query->service == AWS_SERVICE_EC2 ? "ec2" : "autoscaling", "action", query->action,
                     "body", body);
    (void)json_dumpf(line, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(line);
    aws_query_done(query);
}

#define PRINT(_call)                                                                                         \
    ({                                                                                                       \
        AwsQuery query_ = {0};                                                                               \
        AwsQuery *out = &query_;                                                                             \
        int r_ = (_call);                                                                                    \
        print(#_call, r_, out);                                                                              \
    })

static void print_create(const InAddr *ipv4, const InAddr *ipv6)
{
    static char *groups[] = {(char *)"sg-1", (char *)"sg-2"};
    static KeyValue tags[] = {
        {(char *)"node.k8s.amazonaws.com/no_manage", (char *)"true"},
        {(char *)"Name", (char *)"a b&c=d+e ü~"},
    };
    StrList group_ids = {.items = groups, .n = ARRAY_SIZE(groups)};
    KeyValueList tag_list = {.items = tags, .n = ARRAY_SIZE(tags)};
    Ec2CreateNetworkInterface all = {
        .subnet_id = "subnet-1",
        .description = "what it is",
        .group_ids = &group_ids,
        .private_ip = ipv4,
        .ipv6_addresses = ipv6,
        .n_ipv6_addresses = 2,
        .tags = &tag_list,
        .client_token = "0123456789abcdef",
    };
    Ec2CreateNetworkInterface count = {.subnet_id = "subnet-1", .ipv6_address_count = 1};
    Ec2CreateNetworkInterface least = {.subnet_id = "subnet-1"};

    PRINT(ec2_query_create_network_interface(&all, out));
    PRINT(ec2_query_create_network_interface(&count, out));
    PRINT(ec2_query_create_network_interface(&least, out));
    PRINT(ec2_query_modify_groups("eni-1", &group_ids, out));
}

static void print_describe(void)
{
    static const char *const ids[] = {"i-1", "i-2", NULL}, *const none[] = {NULL};
    static const Ec2Filter filters[] = {{"tag:multus-eks:instance-id", ids}, {"status", ids}, {NULL, NULL}};
    static const Ec2Filter no_filters[] = {{NULL, none}};
    AwsQuery page = {0}, dry_run = {0};

    PRINT(ec2_query_describe_network_interfaces(filters, out));
    PRINT(ec2_query_describe_network_interfaces(no_filters, out));
    PRINT(ec2_query_describe_network_interface("eni-1", out));
    PRINT(ec2_query_describe_instances(ids, out));
    PRINT(ec2_query_describe_instances_filtered(filters, out));
    PRINT(ec2_query_describe_subnets(filters, out));
    PRINT(ec2_query_describe_security_groups(filters, out));
    PRINT(ec2_query_describe_instance_types("m5.large", out));
    PRINT(ec2_query_get_subnet_cidr_reservations("subnet-1", out));
    PRINT(autoscaling_query_describe_auto_scaling_groups("group", out));
    PRINT(autoscaling_query_describe_lifecycle_hooks("group", out));

    if (ec2_query_describe_subnets(filters, &page) < 0 || aws_query_set_page(&page, "a/b+c==") < 0)
        failures++;
    print("aws_query_set_page()", 0, &page);

    if (ec2_query_describe_instances(ids, &dry_run) < 0 || aws_query_set_dry_run(&dry_run) < 0)
        failures++;
    print("aws_query_set_dry_run()", 0, &dry_run);
}

int main(void)
{
    InAddr ipv4[2], ipv6[2];

    if (in_addr_parse("10.0.0.5", &ipv4[0]) < 0 || in_addr_parse("10.0.0.6", &ipv4[1]) < 0 ||
        in_addr_parse("2001:db8::5", &ipv6[0]) < 0 || in_addr_parse("2001:db8::6", &ipv6[1]) < 0)
        return 1;

    print_create(ipv4, ipv6);
    print_describe();
    PRINT(ec2_query_attach_network_interface(&(Ec2AttachNetworkInterface){"eni-1", "i-1", 2, 1}, out));
    PRINT(ec2_query_detach_network_interface("eni-attach-1", true, out));
    PRINT(ec2_query_delete_network_interface("eni-1", out));
    PRINT(ec2_query_modify_delete_on_termination("eni-1", "eni-attach-1", true, out));
    PRINT(ec2_query_modify_source_dest_check("eni-1", false, out));
    PRINT(ec2_query_assign_private_ip_addresses("eni-1", ipv4, 2, true, out));
    PRINT(ec2_query_unassign_private_ip_addresses("eni-1", ipv4, 2, out));
    PRINT(ec2_query_assign_ipv6_addresses("eni-1", ipv6, 2, out));
    PRINT(ec2_query_unassign_ipv6_addresses("eni-1", ipv6, 2, out));
    PRINT(autoscaling_query_complete_lifecycle_action("group", "hook", "i-1", "CONTINUE", out));
    PRINT(autoscaling_query_record_lifecycle_action_heartbeat("group", "hook", "i-1", out));
    return failures > 0;
}
