#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The role's permissions, by trying each. */

#include "aws/call.h"
#include "doctor-report.h"
#include "util/macro.h"

typedef struct IamTrials IamTrials;

typedef enum TrialKind {
    TRIAL_DRY_RUN,
    TRIAL_READ,
    TRIAL_IMPOSSIBLE, /* any answer but "not allowed" is a yes */
} TrialKind;

/* Called whenever none is under way any more. */
typedef void (*IamHandler)(void *userdata);

/**
 * iam_trials_new() - nothing is asked yet
 * @needs: PermissionNeeds: which actions
 */
int iam_trials_new(IamTrials **ret, Aws *aws, unsigned needs, usec_t deadline, IamHandler handler,
                   void *userdata);
IamTrials *iam_trials_free(IamTrials *trials);

/**
 * iam_try() - try an action; one that nothing needs is not tried
 * @what: it is tried on, for the report: "eth1 in subnet-1"; "" for nothing in particular
 * @query_take: emptied
 *
 * Return: 0 or -ENOMEM.
 */
int iam_try(IamTrials *trials, TrialKind kind, const char *what, AwsQuery *query_take);

/** iam_not_tried() - why an action is not */
void iam_not_tried(IamTrials *trials, AwsService service, const char *action, const char *why);

/** iam_trials_are_idle() - whether all that was started is answered */
bool iam_trials_are_idle(const IamTrials *trials);

/**
 * iam_trials_report() - a result for each action
 * @unreachable: why AWS does not answer, when that is so; nothing else is then said of what got no answer
 */
void iam_trials_report(const IamTrials *trials, DoctorReport *report, const char *unreachable);

DEFINE_CLEANUP(IamTrials, iam_trials_free)
