#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What EC2 and Auto Scaling tell, as plain data named after the API reference's data types. */

#include "util/inaddr.h"
#include "util/keyvalue.h"
#include "util/macro.h"
#include "util/strlist.h"
#include "util/time.h"

/* NetworkInterfaceAttachment, InstanceNetworkInterfaceAttachment */
typedef struct Ec2Attachment {
    char *attachment_id; /* NULL: not attached */
    char *instance_id;   /* NULL when another account's service owns the instance */
    char *status;        /* attaching, attached, detaching, detached */
    unsigned device_index;
    unsigned network_card_index;
    bool delete_on_termination;
} Ec2Attachment;

typedef struct Ec2PrivateIp {
    InAddr address;
    bool primary;
} Ec2PrivateIp;

/* NetworkInterface and InstanceNetworkInterface: what is absent is NULL or empty. */
typedef struct Ec2NetworkInterface {
    char *network_interface_id;
    char *subnet_id;
    char *vpc_id;
    char *availability_zone;
    char *description;
    char *status; /* available, associated, attaching, in-use, detaching, pending */
    char *interface_type;
    MacAddr mac;
    Ec2PrivateIp *private_ips; /* primary first, as AWS lists them */
    size_t n_private_ips;
    InAddr *ipv6_addresses;
    size_t n_ipv6_addresses;
    InPrefix *prefixes; /* delegated to it, IPv4 and IPv6 */
    size_t n_prefixes;
    StrList group_ids;
    bool source_dest_check;
    Ec2Attachment attachment;
    KeyValueList tags; /* never told inside DescribeInstances */
} Ec2NetworkInterface;

typedef struct Ec2Instance {
    char *instance_id;
    char *instance_type;
    char *subnet_id;
    char *vpc_id;
    char *availability_zone;
    char *state; /* pending, running, shutting-down, terminated, stopping, stopped */
    /* MetadataOptions: what IMDS itself does not tell. */
    char *metadata_tokens;       /* required: version 2 only; optional; NULL: not told */
    unsigned metadata_hop_limit; /* of the reply with the token; 0: not told */
    Ec2NetworkInterface *network_interfaces;
    size_t n_network_interfaces;
    KeyValueList tags;
} Ec2Instance;

typedef struct Ec2Subnet {
    char *subnet_id;
    char *vpc_id;
    char *availability_zone;
    char *availability_zone_id;
    InPrefix cidr_block;
    InPrefix ipv6_cidr_block; /* the associated one, or none */
    unsigned available_ip_address_count;
    KeyValueList tags;
} Ec2Subnet;

/* SubnetCidrReservation */
typedef struct Ec2SubnetCidrReservation {
    char *subnet_id;
    InPrefix cidr;
    bool is_explicit; /* type explicit: EC2 hands out nothing from it; prefix otherwise */
} Ec2SubnetCidrReservation;

/* SecurityGroup, without its rules */
typedef struct Ec2SecurityGroup {
    char *group_id;
    char *group_name;
    char *vpc_id;
} Ec2SecurityGroup;

/* NetworkInfo of DescribeInstanceTypes */
typedef struct Ec2InstanceType {
    char *instance_type;
    unsigned maximum_network_interfaces;
    unsigned maximum_network_cards;
    unsigned ipv4_addresses_per_interface;
    unsigned ipv6_addresses_per_interface;
    struct {
        unsigned network_card_index;
        unsigned maximum_network_interfaces;
    } * network_cards;
    size_t n_network_cards;
} Ec2InstanceType;

/* Instance of an Auto Scaling group */
typedef struct AutoScalingInstance {
    char *instance_id;
    char *lifecycle_state; /* Pending, Pending:Wait, InService, … */
} AutoScalingInstance;

typedef struct AutoScalingGroup {
    char *name;
    AutoScalingInstance *instances;
    size_t n_instances;
    KeyValueList tags;
} AutoScalingGroup;

typedef struct AutoScalingLifecycleHook {
    char *name;
    char *transition; /* autoscaling:EC2_INSTANCE_LAUNCHING, … */
    usec_t heartbeat_timeout;
} AutoScalingLifecycleHook;

/* Everything one reply (or all pages of one) told. Only what the action returns is filled in. */
typedef struct AwsRecords {
    Ec2NetworkInterface *network_interfaces; /* DescribeNetworkInterfaces; CreateNetworkInterface: one */
    size_t n_network_interfaces;
    Ec2Instance *instances;
    size_t n_instances;
    Ec2Subnet *subnets;
    size_t n_subnets;
    Ec2SubnetCidrReservation *reservations;
    size_t n_reservations;
    Ec2SecurityGroup *security_groups;
    size_t n_security_groups;
    Ec2InstanceType *instance_types;
    size_t n_instance_types;
    AutoScalingGroup *groups;
    size_t n_groups;
    AutoScalingLifecycleHook *hooks;
    size_t n_hooks;
    InAddr *assigned; /* AssignPrivateIpAddresses, AssignIpv6Addresses */
    size_t n_assigned;
    char *attachment_id;         /* AttachNetworkInterface */
    unsigned network_card_index; /* AttachNetworkInterface */
    char *next_token;            /* more pages; aws/call follows it by itself */
    char *request_id;
} AwsRecords;

#define AWS_RECORDS_NULL ((AwsRecords){0})

/** aws_records_done() - free everything; the struct is empty and usable afterwards */
void aws_records_done(AwsRecords *records);

/** ec2_network_interface_done(), ec2_instance_done(), … - free the fields of one record */
void ec2_network_interface_done(Ec2NetworkInterface *eni);
void ec2_instance_done(Ec2Instance *instance);
void ec2_subnet_done(Ec2Subnet *subnet);

/** ec2_network_interface_copy() - deep copy; *ret is written on success only; 0 or -ENOMEM */
int ec2_network_interface_copy(const Ec2NetworkInterface *eni, Ec2NetworkInterface *ret);

/** aws_records_find_interface() - the network interface of that id, or NULL */
const Ec2NetworkInterface *aws_records_find_interface(const AwsRecords *records, const char *id);

/** ec2_attachment_holds() - whether there is one that is not on its way out */
bool ec2_attachment_holds(const Ec2Attachment *attachment);

#define _cleanup_aws_records_ _cleanup_(aws_records_done)
