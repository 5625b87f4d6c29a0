#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Which actions of AWS the daemon uses with a configuration, and what each may be limited to. */

#include "aws/codec.h"
#include "input/config.h"
#include "util/macro.h"

/* What a configuration makes necessary, or a tag may. */
typedef enum PermissionNeeds {
    NEED_SUBNET_START = 1 << 0, /* ip_allocation = subnet-start */
    NEED_GROUP = 1 << 1,        /* tags of the Auto Scaling group, or its lifecycle hook */
    NEED_LIFECYCLE = 1 << 2,
    NEED_SWEEP = 1 << 3,
    NEED_IPV6 = 1 << 4,
    NEED_REASSIGN = 1 << 5,
    NEED_REGISTRATION = 1 << 6,
} PermissionNeeds;

/* A statement of the policy: actions that are limited in the same way. */
typedef enum PermissionPart {
    PART_DESCRIBE,     /* reading; AWS lets nothing be limited there */
    PART_CREATE,       /* the new interface, by its tags */
    PART_CREATE_IN,    /* the subnet and the security groups it is made in */
    PART_TAG,          /* its tags, at its creation only */
    PART_OWN,          /* an interface whose tag names the instance that asks */
    PART_OWN_INSTANCE, /* the instance that asks */
    PART_GROUPS,       /* security groups given to an interface */
    PART_SWEEP,        /* what vanished instances of a node group left */
    PART_MOVE,         /* an address on an interface of another node */
    PART_LIFECYCLE,    /* the Auto Scaling group */
    _PART_MAX,
} PermissionPart;

/* An action in one part; the same action may be in several. */
typedef struct Permission {
    AwsService service;
    const char *action;
    PermissionPart part;
    unsigned needs;      /* PermissionNeeds, all of them: else nobody uses it */
    const char *purpose; /* "making a network interface" */
} Permission;

extern const Permission permissions[];
extern const size_t n_permissions;

/**
 * permissions_needed() - what a configuration makes necessary
 * @registration: pods of this node have their addresses registered
 *
 * What a tag of the group or the instance may turn on counts as needed, unless tags = no or a named
 * network decides it.
 *
 * Return: PermissionNeeds.
 */
unsigned permissions_needed(const Config *config, bool registration);

/** permission_is_needed() - whether the daemon uses it with these needs */
bool permission_is_needed(const Permission *permission, unsigned needs);

/** permission_prefix() - "ec2" or "autoscaling", as in "ec2:CreateTags" */
const char *permission_prefix(const Permission *permission);
