#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What EC2 has told of a node, judged. No calls are made here. */

#include "aws/call.h"
#include "doctor-report.h"
#include "plan/model.h"
#include "util/macro.h"

/* Answers that are asked for besides those of a boot. */
typedef struct CloudLookup {
    bool answered;
    AwsRecords records; /* of an answer that was no error */
} CloudLookup;

typedef struct Cloud {
    const Facts *facts;
    const Desired *desired;
    const Plan *plan;                /* NULL: there is none */
    const CloudLookup *reservations; /* for each of desired: GetSubnetCidrReservations of its subnet */
    const CloudLookup *groups;       /* DescribeSecurityGroups of all that are configured */
    bool registration;
} Cloud;

/** cloud_report_metadata_options() - version 1 of IMDS, and the hop limit */
void cloud_report_metadata_options(const Ec2Instance *instance, DoctorReport *report);

/** cloud_report_clock() - how far this host's clock is from AWS's */
void cloud_report_clock(const Aws *aws, DoctorReport *report);

/**
 * cloud_report_networks() - which interfaces this node should have
 * @desired: NULL when it could not be decided
 * @errors: of the decision and of the plan, or NULL
 */
void cloud_report_networks(const Desired *desired, const char *errors, DoctorReport *report);

/** cloud_report_slots() - whether the instance has room for the interfaces that are wanted */
void cloud_report_slots(const Cloud *cloud, DoctorReport *report);

/** cloud_report_subnets() - free addresses, and what is reserved for pods */
void cloud_report_subnets(const Cloud *cloud, DoctorReport *report);

/** cloud_report_groups() - whether the security groups are there, in the VPC */
void cloud_report_groups(const Cloud *cloud, DoctorReport *report);
