#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The parts of "multus-eksctl doctor": each looks at one side of a node and adds what it found. */

#include "doctor-report.h"
#include "input/config.h"
#include "root.h"
#include "util/macro.h"
#include "util/time.h"

typedef struct Doctor {
    Root root;
    const char *socket_path; /* NULL: the usual one, below the root */
    usec_t timeout;          /* for all of IMDS and AWS together */
    bool registration;       /* pods of this node have their addresses registered */
    Config *config;          /* NULL when it is not valid */
    DoctorReport *report;
} Doctor;

/*
 * What an image has as well: files alone, nothing is asked of systemd or AWS.
 */

/** doctor_check_files() - what the package installs is there, is not hidden, and nobody else may change it */
void doctor_check_files(Doctor *doctor);

/** doctor_check_programs() - each starts, so that its libraries are there */
void doctor_check_programs(Doctor *doctor);

/** doctor_check_units() - the daemon is enabled, kubelet waits for it, its group and its catalog are there */
void doctor_check_units(Doctor *doctor);

/** doctor_check_managers() - others that would configure the interfaces of Multus networks */
void doctor_check_managers(Doctor *doctor);

/*
 * What only a node has.
 */

/** doctor_check_host() - the daemon, its links in the kernel and in the eyes of udev and networkd, the clock
 */
void doctor_check_host(Doctor *doctor);

/** doctor_check_drivers() - the kernel has the drivers for DPDK that the configuration names */
void doctor_check_drivers(Doctor *doctor);

/** doctor_check_routing() - tables and rules of others in the ranges that are ours */
void doctor_check_routing(Doctor *doctor);

/** doctor_check_aws() - IMDS, the role's permissions, the instance, subnets and security groups */
void doctor_check_aws(Doctor *doctor);

/** doctor_use_host_address() - whether an interface of the configuration has, or may have, routes of its own
 */
bool doctor_use_host_address(const Config *config);

/** doctor_rule_is_effective() - whether a udev rule file of ours is there and not hidden */
bool doctor_rule_is_effective(const Doctor *doctor, const char *name);

/** doctor_unit_is_enabled() - whether any target wants it */
bool doctor_unit_is_enabled(const Doctor *doctor, const char *unit);

#define DOCTOR_CLAIM_RULES "85-multus-eks.rules"
#define DOCTOR_QUIET_RULES "95-multus-eks-quiet.rules"
#define DOCTOR_NETWORK     "05-multus-eks.network"
