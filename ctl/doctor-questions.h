#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Which question tells whether an action is allowed. */

#include "doctor-iam.h"
#include "plan/model.h"

/** questions_ask_reads() - what needs nothing but the instance's metadata; 0 or -ENOMEM */
int questions_ask_reads(IamTrials *trials, const Metadata *metadata);

/**
 * questions_ask_rest() - EC2's others, once it is known what this node has and should have
 *
 * Return: 0, -ENOMEM, -EIO when libcrypto refuses.
 */
int questions_ask_rest(IamTrials *trials, const Facts *facts, const Desired *desired);

/**
 * questions_ask_group() - those of Auto Scaling
 * @group: the instance's, or NULL: in none
 */
int questions_ask_group(IamTrials *trials, const Metadata *metadata, const char *group);
