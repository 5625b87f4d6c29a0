#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Desired against observed: what is to be done. Pure. */

#include "plan/model.h"
#include "util/buf.h"

/**
 * plan_compute() - steps that make EC2 as desired
 * @errors: why it cannot be done: attachment limit, a device index another interface holds, …
 *
 * An interface tagged as ours with the same network and subnet is adopted whatever its device index;
 * of two such the attached one, then the older. Device indexes on automatic are the lowest free ones
 * of their card, in order of position, never 0.
 *
 * Return: 0; -EINVAL with errors; -ENOMEM.
 */
int plan_compute(const Facts *facts, const Desired *desired, Plan **ret, Buf *errors);
Plan *plan_free(Plan *plan);

/** plan_modifications() - the StepFlags that make an interface attached to this instance as desired */
unsigned plan_modifications(const DesiredEni *desired, const Ec2NetworkInterface *observed);

/** plan_is_empty() - nothing to do in EC2 */
bool plan_is_empty(const Plan *plan);

DEFINE_CLEANUP(Plan, plan_free)
