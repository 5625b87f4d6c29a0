#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Facts for tests of the plan: one node in zone a of a VPC with six subnets. */

#include "plan/model.h"

#define VPC_INSTANCE "i-0000000000000001"
#define VPC_ENIS_MAX 64

/*
 * subnet-a1 .. subnet-a3 are in zone a, subnet-b1 .. subnet-b3 in zone b; subnet-a2 and subnet-b2 have
 * IPv6. The instance has its primary interface, eni-primary, at index 0 and nothing else.
 */
typedef struct Vpc {
    Config *config;
    Metadata metadata;
    Ec2Instance instance;
    Ec2Subnet subnets[6];
    Ec2NetworkInterface enis[VPC_ENIS_MAX];
    size_t n_enis;
    KeyValueList asg_tags;
    Facts facts;
} Vpc;

void vpc_init(Vpc *vpc, const char *config_text);
void vpc_done(Vpc *vpc);

/** vpc_tag() - tag the instance, the group (which makes it one), or subnet "subnet-a1" … */
void vpc_tag(Vpc *vpc, const char *what, const char *key, const char *value);

/** vpc_add_eni() - an interface; instance_id NULL: available; network NULL: not tagged as ours */
Ec2NetworkInterface *vpc_add_eni(Vpc *vpc, const char *id, const char *subnet_id, const char *network,
                                 const char *instance_id, unsigned index);
