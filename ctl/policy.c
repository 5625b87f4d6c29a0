/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multus-eksctl policy: the least that the node's role must be allowed, for a configuration. Asks nobody.
 *
 * One role serves all nodes of a group, so "its own" cannot be written as an id. It is written as a
 * variable (IAM User Guide, "IAM policy elements: Variables and tags": in ARN operators of Condition,
 * any key of the request that has one value):
 *
 *   ec2:SourceInstanceARN   is there whenever an instance's role asks, and names that instance;
 *   ${ec2:InstanceID}       is the instance that a request is about;
 *   ${aws:ResourceTag/multus-eks:instance-id}, ${aws:RequestTag/…}
 *                           is the owner by which the daemon tags every interface in the call that makes
 *                           it. ec2:CreateTags is allowed within that call alone, so that no role can
 *                           make an interface its own afterwards.
 *
 * A key that a resource does not have makes a statement not match it; therefore the parts, each with the
 * one kind of resource that its conditions are for.
 */

#include "ctl.h"
#include "permissions.h"
#include "plan/model.h"
#include "util/json.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define SOURCE_INSTANCE "ec2:SourceInstanceARN"

typedef struct PolicyCommand {
    const Config *config;
    const char *partition; /* "aws" */
    unsigned needs;
} PolicyCommand;

static void print_help(void)
{
    puts(
        "usage: multus-eksctl policy [OPTION...]\n"
        "\n"
        "Print the IAM policy that the node's role needs for a configuration, as JSON. What a tag may turn "
        "on\n"
        "is in it, unless [discovery] tags = no; with that, subnets and security groups are named as well.\n"
        "\n"
        "Options:\n"
        "  --config FILE       configuration instead of " CONFIG_FILE
        "\n"
        "  --partition NAME    aws, aws-cn, aws-us-gov …; default: that of [aws] region, else aws\n"
        "  --no-registration   without what registers pod addresses\n"
        "  -h, --help          show this text\n"
        "\n"
        "  multus-eksctl policy >policy.json\n"
        "  aws iam put-role-policy --role-name ROLE --policy-name multus-eks --policy-document "
        "file://policy.json\n"
        "\n"
        "Exit status: 0 printed, 1 the configuration cannot be read, 2 wrong usage.");
}

/* ------------------------------------------------------------ pieces */

/* {"operator": {"key": "value"}} added to a condition. */
static void add_condition(json_t *condition, const char *operator, const char * key, json_t *value_take)
{
    json_t *keys = json_object_get(condition, operator);

    if (!keys) {
        keys = json_object();
        (void)json_object_set_new(condition, operator, keys);
    }
    (void)json_object_set_new(keys, key, value_take);
}

static json_t *ec2_arn(const PolicyCommand *command, const char *kind, const char *id)
{
    return json_sprintf("arn:%s:ec2:*:*:%s/%s", command->partition, kind, id);
}

/* The instance that asks is the one that this variable names. */
static void add_source_instance(const PolicyCommand *command, json_t *condition, const char *variable)
{
    char id[128];

    (void)snprintf(id, sizeof(id), "${%s}", variable);
    add_condition(condition, "ArnEquals", SOURCE_INSTANCE, ec2_arn(command, "instance", id));
}

/* What a network has of a list: its own, or that of [network]. */
static const StrList *list_of(const Config *config, const NetworkConfig *network, const char *key,
                              const StrList *own, const StrList *inherited)
{
    return network == &config->defaults || network_config_has(network, key) ? own : inherited;
}

static void add_ids(const PolicyCommand *command, json_t *resources, const char *kind, const StrList *ids)
{
    for (size_t i = 0; i < ids->n; i++) {
        json_t *arn = ec2_arn(command, kind, ids->items[i]);
        size_t at = 0;

        while (at < json_array_size(resources) && !json_equal(json_array_get(resources, at), arn))
            at++;
        if (at == json_array_size(resources))
            (void)json_array_append(resources, arn);
        json_decref(arn);
    }
}

/* All of a kind; only those of the file where nothing else can name any. */
static void add_resources(const PolicyCommand *command, json_t *resources, const char *kind, bool groups)
{
    const Config *config = command->config;
    size_t n = config->n_networks > 0 ? config->n_networks : 1;
    _cleanup_json_ json_t *named = json_array();

    for (size_t i = 0; i < n; i++) {
        const NetworkConfig *network = config->n_networks > 0 ? &config->networks[i] : &config->defaults;
        const StrList *ids =
            groups ? list_of(config, network, "security_groups", &network->security_groups,
                             &config->defaults.security_groups)
                   : list_of(config, network, "subnets", &network->subnets, &config->defaults.subnets);

        if (config->tags || ids->n == 0) {
            (void)json_array_append_new(resources, ec2_arn(command, kind, "*"));
            return;
        }
        add_ids(command, named, kind, ids);
    }
    (void)json_array_extend(resources, named);
}

/* ------------------------------------------------------------ statements */

static const char *const part_sids[_PART_MAX] = {
    [PART_DESCRIBE] = "Describe",           [PART_CREATE] = "CreateInterface",
    [PART_CREATE_IN] = "CreateInterfaceIn", [PART_TAG] = "TagInterfaceAtCreation",
    [PART_OWN] = "OwnInterfaces",           [PART_OWN_INSTANCE] = "OwnInstance",
    [PART_GROUPS] = "SetSecurityGroups",    [PART_SWEEP] = "DeleteLeftInterfaces",
    [PART_MOVE] = "MoveIpv6Addresses",      [PART_LIFECYCLE] = "LifecycleHook",
};

static void add_scope(const PolicyCommand *command, PermissionPart part, json_t *resources, json_t *condition)
{
    json_t *any_eni = ec2_arn(command, "network-interface", "*");

    switch (part) {
    case PART_DESCRIBE: (void)json_array_append_new(resources, json_string("*")); break;
    case PART_CREATE:
        (void)json_array_append(resources, any_eni);
        add_condition(condition, "StringEquals", "aws:RequestTag/" TAG_NO_MANAGE, json_string("true"));
        add_source_instance(command, condition, "aws:RequestTag/" TAG_INSTANCE_ID);
        break;
    case PART_CREATE_IN:
        add_resources(command, resources, "subnet", false);
        add_resources(command, resources, "security-group", true);
        break;
    case PART_TAG:
        (void)json_array_append(resources, any_eni);
        add_condition(condition, "StringEquals", "ec2:CreateAction", json_string("CreateNetworkInterface"));
        break;
    case PART_OWN:
        (void)json_array_append(resources, any_eni);
        add_source_instance(command, condition, "aws:ResourceTag/" TAG_INSTANCE_ID);
        break;
    case PART_OWN_INSTANCE:
        (void)json_array_append_new(resources, ec2_arn(command, "instance", "*"));
        add_source_instance(command, condition, "ec2:InstanceID");
        break;
    case PART_GROUPS: add_resources(command, resources, "security-group", true); break;
    case PART_SWEEP: /* the daemon looks at those of its node group only, and needs that tag for it */
        (void)json_array_append(resources, any_eni);
        add_condition(condition, "StringLike", "aws:ResourceTag/" TAG_INSTANCE_ID, json_string("i-*"));
        add_condition(condition, "StringLike", "aws:ResourceTag/" TAG_NODEGROUP, json_string("?*"));
        break;
    case PART_MOVE:
        (void)json_array_append(resources, any_eni);
        add_condition(condition, "StringLike", "aws:ResourceTag/" TAG_INSTANCE_ID, json_string("i-*"));
        break;
    case PART_LIFECYCLE: /* the group of a node is known to the node alone */
        (void)json_array_append_new(
            resources, json_sprintf("arn:%s:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*",
                                    command->partition));
        break;
    case _PART_MAX: assert(false);
    }
    json_decref(any_eni);
}

static json_t *actions_of(const PolicyCommand *command, PermissionPart part)
{
    json_t *actions = json_array();

    for (size_t i = 0; i < n_permissions; i++)
        if (permissions[i].part == part && permission_is_needed(&permissions[i], command->needs))
            (void)json_array_append_new(
                actions, json_sprintf("%s:%s", permission_prefix(&permissions[i]), permissions[i].action));
    return actions;
}

static json_t *make_policy(const PolicyCommand *command)
{
    json_t *statements = json_array();

    for (PermissionPart part = 0; part < _PART_MAX; part++) {
        json_t *actions = actions_of(command, part), *resources = json_array(), *condition = json_object();
        json_t *statement;

        add_scope(command, part, resources, condition);
        statement = json_pack("{s:s, s:s, s:O, s:O}", "Sid", part_sids[part], "Effect", "Allow", "Action",
                              actions, "Resource", resources);
        if (json_object_size(condition) > 0)
            (void)json_object_set(statement, "Condition", condition);
        if (json_array_size(actions) > 0)
            (void)json_array_append(statements, statement);
        json_decref(statement);
        json_decref(actions);
        json_decref(resources);
        json_decref(condition);
    }
    return json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", statements);
}

/* ------------------------------------------------------------ command line */

/* AWS General Reference, "Amazon Resource Names": the partition follows from the Region's name. */
static const char *partition_of(const char *region)
{
    if (region && strncmp(region, "cn-", strlen("cn-")) == 0)
        return "aws-cn";
    if (region && strncmp(region, "us-gov-", strlen("us-gov-")) == 0)
        return "aws-us-gov";
    return "aws";
}

static bool partition_is_valid(const char *name)
{
    return strncmp(name, "aws", strlen("aws")) == 0 &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

static int print_policy(const char *config_path, const char *partition, bool registration)
{
    _cleanup_(config_freep) Config *config = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;
    _cleanup_json_ json_t *policy = NULL;
    PolicyCommand command;
    int r;

    r = config_load(config_path, &config, &errors);
    if (r < 0) {
        if (errors.data)
            fputs(errors.data, stderr);
        else
            fprintf(stderr, "%s: %s\n", config_path, strerror(-r));
        return CTL_EXIT_FAILED;
    }

    command = (PolicyCommand){
        .config = config,
        .partition = partition ? partition : partition_of(config->region),
        .needs = permissions_needed(config, registration),
    };
    policy = make_policy(&command);
    if (!policy || json_dumpf(policy, stdout, JSON_INDENT(2)) < 0) {
        fputs("multus-eksctl policy: out of memory\n", stderr);
        return CTL_EXIT_FAILED;
    }
    fputc('\n', stdout);
    return CTL_EXIT_OK;
}

int ctl_policy(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"partition", required_argument, NULL, 'p'},
        {"no-registration", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *config_path = CONFIG_FILE, *partition = NULL;
    bool registration = true;
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
        switch (c) {
        case 'c': config_path = optarg; break;
        case 'p': partition = optarg; break;
        case 'n': registration = false; break;
        case 'h': print_help(); return CTL_EXIT_OK;
        default: return ctl_try_help(argv[0]);
        }
    if (optind < argc)
        return ctl_unexpected(argv[0], argv[optind]);
    if (partition && !partition_is_valid(partition)) {
        fprintf(stderr, "%s: '%s' is no partition; such as aws, aws-cn, aws-us-gov\n", argv[0], partition);
        return ctl_try_help(argv[0]);
    }
    return print_policy(config_path, partition, registration);
}
