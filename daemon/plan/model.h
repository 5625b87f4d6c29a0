#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The vocabulary of the decision: what this node should have, what it has, what to do. */

#include "aws/records.h"
#include "input/config.h"
#include "input/metadata.h"
#include "util/inaddr.h"
#include "util/keyvalue.h"
#include "util/macro.h"
#include <net/if.h>

#define TAG_NO_MANAGE   "node.k8s.amazonaws.com/no_manage"
#define TAG_INSTANCE_ID "multus-eks:instance-id"
#define TAG_NETWORK     "multus-eks:network"
#define TAG_NODEGROUP   "multus-eks:nodegroup"
#define TAG_CREATED     "multus-eks:created"
#define TAG_ASG_NAME    "aws:autoscaling:groupName"
#define TAG_CLUSTER     "kubernetes.io/cluster/" /* and the cluster's name */

/* Everything the decision is made from. Borrowed pointers, all constant. */
typedef struct Facts {
    const Config *config;
    const Metadata *metadata;
    const Ec2Instance *instance;  /* with its tags and attached interfaces */
    const KeyValueList *asg_tags; /* NULL: no Auto Scaling group, or tags = no */
    bool group_unknown; /* tags = yes, and Auto Scaling did not show the group: its tags are not known */
    const Ec2Subnet *subnets; /* every subnet of the VPC, any zone */
    size_t n_subnets;
    const Ec2InstanceType *instance_type; /* NULL: limits unknown */
    const Ec2NetworkInterface *enis;      /* tagged as this instance's, wherever they are */
    size_t n_enis;
} Facts;

/* One network interface this node should have. Owns its strings. */
typedef struct DesiredEni {
    char *network; /* name of the section, or the interface's name where none is named */
    char ifname[IFNAMSIZ];
    unsigned position; /* 1 for eth1 … */
    int device_index;  /* -1: any free one */
    unsigned network_card;
    char *subnet_id;
    InPrefix cidr_block;
    InPrefix ipv6_cidr_block; /* or none */
    StrList group_ids;        /* empty: the VPC's default group */
    IpAllocation ip_allocation;
    bool ipv6;
    KeyValueList tags; /* all, but TAG_CREATED */
    bool source_dest_check;
    unsigned mtu;
    bool host_address;
    char *driver;
} DesiredEni;

typedef struct Desired {
    DesiredEni *enis;
    size_t n_enis;
    char *nodegroup; /* name of the Auto Scaling group, or NULL */
    char *cluster;   /* or NULL */
    StrList kept;    /* ids of attached interfaces that stay though nothing asks for them */
} Desired;

/* What to do about one wanted interface. Several bits in the order listed. */
typedef enum StepFlags {
    STEP_CREATE = 1 << 0,
    STEP_ATTACH = 1 << 1,
    STEP_MODIFY_GROUPS = 1 << 2,
    STEP_MODIFY_DELETE_ON_TERMINATION = 1 << 3,
    STEP_MODIFY_SOURCE_DEST_CHECK = 1 << 4,
} StepFlags;

typedef struct EniPlan {
    const DesiredEni *desired;
    const Ec2NetworkInterface *observed; /* adopted; NULL with STEP_CREATE */
    unsigned steps;                      /* StepFlags; 0: already as wanted */
    unsigned device_index;               /* to attach at, or where it is */
} EniPlan;

/* An interface of ours that nothing wants any more. */
typedef struct EniRemoval {
    const Ec2NetworkInterface *observed;
    bool detach;        /* before deleting */
    bool late;          /* it is being detached already, and nothing waits for it */
    const char *reason; /* static: "its network is no longer configured", … */
} EniRemoval;

/* Points into Facts and Desired, which must outlive it. */
typedef struct Plan {
    EniPlan *enis; /* one for each of Desired, same order */
    size_t n_enis;
    EniRemoval *removals;
    size_t n_removals;
} Plan;
