#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* EC2 and Auto Scaling Query API: actions to parameters, XML to records. Pure. */

#include "aws/records.h"
#include "util/keyvalue.h"
#include "util/macro.h"

typedef enum AwsService {
    AWS_SERVICE_EC2,         /* API version 2016-11-15 */
    AWS_SERVICE_AUTOSCALING, /* API version 2011-01-01 */
    _AWS_SERVICE_MAX,
} AwsService;

/* One action with its parameters, in the order they are sent. Action and Version are included. */
typedef struct AwsQuery {
    AwsService service;
    const char *action; /* static */
    KeyValueList parameters;
    bool dry_run; /* see aws_query_set_dry_run() */
} AwsQuery;

/* An error as the service wrote it. */
typedef struct AwsErrorReply {
    char *code;
    char *message;
    char *request_id;
} AwsErrorReply;

/* A Filter of a Describe action: any of the values. Terminated by a NULL name. */
typedef struct Ec2Filter {
    const char *name;
    const char *const *values; /* NULL-terminated */
} Ec2Filter;

typedef struct Ec2CreateNetworkInterface {
    const char *subnet_id;
    const char *description;
    const StrList *group_ids;
    const InAddr *private_ip;     /* or NULL: EC2 chooses */
    const InAddr *ipv6_addresses; /* n_ipv6_addresses of them, or */
    size_t n_ipv6_addresses;
    unsigned ipv6_address_count; /* this many of EC2's choice; 0: none. Not together with the above */
    const KeyValueList *tags;
    const char *client_token;
} Ec2CreateNetworkInterface;

typedef struct Ec2AttachNetworkInterface {
    const char *network_interface_id;
    const char *instance_id;
    unsigned device_index;
    unsigned network_card_index;
} Ec2AttachNetworkInterface;

/** aws_query_done() - free the parameters */
void aws_query_done(AwsQuery *query);

/*
 * One function an action; the names are those of the API reference. Each writes *ret on success only,
 * to be released with aws_query_done(). Return: 0 or -ENOMEM.
 */
int ec2_query_create_network_interface(const Ec2CreateNetworkInterface *args, AwsQuery *ret);
int ec2_query_attach_network_interface(const Ec2AttachNetworkInterface *args, AwsQuery *ret);
int ec2_query_detach_network_interface(const char *attachment_id, bool force, AwsQuery *ret);
int ec2_query_delete_network_interface(const char *network_interface_id, AwsQuery *ret);
/* ModifyNetworkInterfaceAttribute takes one attribute a call, hence three functions. */
int ec2_query_modify_delete_on_termination(const char *network_interface_id, const char *attachment_id,
                                           bool value, AwsQuery *ret);
int ec2_query_modify_source_dest_check(const char *network_interface_id, bool value, AwsQuery *ret);
int ec2_query_modify_groups(const char *network_interface_id, const StrList *group_ids, AwsQuery *ret);
int ec2_query_assign_private_ip_addresses(const char *network_interface_id, const InAddr *addresses, size_t n,
                                          bool allow_reassignment, AwsQuery *ret);
int ec2_query_unassign_private_ip_addresses(const char *network_interface_id, const InAddr *addresses,
                                            size_t n, AwsQuery *ret);
int ec2_query_assign_ipv6_addresses(const char *network_interface_id, const InAddr *addresses, size_t n,
                                    AwsQuery *ret);
int ec2_query_unassign_ipv6_addresses(const char *network_interface_id, const InAddr *addresses, size_t n,
                                      AwsQuery *ret);
int ec2_query_describe_network_interfaces(const Ec2Filter *filters, AwsQuery *ret);
int ec2_query_describe_network_interface(const char *network_interface_id, AwsQuery *ret);
int ec2_query_describe_instances(const char *const *instance_ids, AwsQuery *ret);
int ec2_query_describe_instances_filtered(const Ec2Filter *filters, AwsQuery *ret);
int ec2_query_describe_subnets(const Ec2Filter *filters, AwsQuery *ret);
int ec2_query_describe_instance_types(const char *instance_type, AwsQuery *ret);
int ec2_query_describe_security_groups(const Ec2Filter *filters, AwsQuery *ret);
int ec2_query_get_subnet_cidr_reservations(const char *subnet_id, AwsQuery *ret);
int autoscaling_query_describe_auto_scaling_groups(const char *group, AwsQuery *ret);
int autoscaling_query_describe_lifecycle_hooks(const char *group, AwsQuery *ret);
int autoscaling_query_complete_lifecycle_action(const char *group, const char *hook, const char *instance_id,
                                                const char *result, AwsQuery *ret);
int autoscaling_query_record_lifecycle_action_heartbeat(const char *group, const char *hook,
                                                        const char *instance_id, AwsQuery *ret);

/** aws_query_set_page() - ask for the page that the token names; 0 or -ENOMEM */
int aws_query_set_page(AwsQuery *query, const char *next_token);

/**
 * aws_query_set_dry_run() - ask only whether the action would be allowed, without carrying it out
 *
 * For EC2's actions but the four that assign and unassign addresses, which have no such parameter; Auto
 * Scaling has none at all. EC2 answers 412 DryRunOperation when the action would be allowed, which
 * aws_call() takes for success, and UnauthorizedOperation when not (EC2 API Reference, "Common query
 * parameters").
 *
 * Return: 0 or -ENOMEM.
 */
int aws_query_set_dry_run(AwsQuery *query);

/** aws_query_encode() - the body: application/x-www-form-urlencoded, RFC 3986 escapes; freed by the caller;
 * NULL when out of memory */
char *aws_query_encode(const AwsQuery *query);

/**
 * aws_decode_reply() - the XML of a 200 to the records of that action
 * @records: what it told is appended (a further page adds to the earlier ones); next_token and request_id
 * replaced
 *
 * No DTD, no entities but XML's own five, no more than 32 levels, 10,000 items of a kind.
 *
 * Return: 0; -EBADMSG when it is not the reply of that action, with records as they were; -ENOMEM.
 */
int aws_decode_reply(AwsService service, const char *action, const char *xml, size_t n, AwsRecords *records);

/**
 * aws_decode_error() - the XML of a 4xx or 5xx
 *
 * Return: 0 with *ret set (release with aws_error_reply_done()); -EBADMSG when it is not an AWS error;
 * -ENOMEM.
 */
int aws_decode_error(const char *xml, size_t n, AwsErrorReply *ret);

/** aws_error_reply_done() - free the strings */
void aws_error_reply_done(AwsErrorReply *error);

#define _cleanup_aws_query_ _cleanup_(aws_query_done)
