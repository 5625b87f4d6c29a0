/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Trying permissions: a row for each action, trials that belong to it, and what their answers mean. The
 * questions themselves are in doctor-questions.c.
 */

#include "doctor-iam.h"
#include "eni/explain.h"
#include "permissions.h"
#include <errno.h>
#include <stdio.h>

#define TRIALS_MAX 64
#define ROWS_MAX   32

typedef enum Outcome {
    OUTCOME_NONE,
    OUTCOME_ALLOWED,
    OUTCOME_UNKNOWN,  /* no answer that says anything of the permission */
    OUTCOME_OBJECTED, /* allowed, but it would fail for another reason */
    OUTCOME_DENIED,
} Outcome;

/* An action; the outcome is the worst of its trials, with that one's words. */
typedef struct Row {
    const Permission *permission;
    Outcome outcome;
    unsigned n;   /* trials that came to it */
    char *what;   /* of the first of them: "eth1 in subnet-1" */
    char *detail; /* what AWS said to it; where nothing was tried: why not */
} Row;

typedef struct Trial {
    IamTrials *trials;
    Row *row;
    TrialKind kind;
    char *what;
    AwsCall *call;
} Trial;

struct IamTrials {
    Aws *aws;
    usec_t deadline;
    IamHandler handler;
    void *userdata;
    Row rows[ROWS_MAX];
    size_t n_rows;
    Trial *list[TRIALS_MAX];
    size_t n_list;
    size_t n_pending;
};

static Row *find_row(IamTrials *trials, AwsService service, const char *action)
{
    for (size_t i = 0; i < trials->n_rows; i++)
        if (trials->rows[i].permission->service == service &&
            streq(trials->rows[i].permission->action, action))
            return &trials->rows[i];
    return NULL;
}

int iam_trials_new(IamTrials **ret, Aws *aws, unsigned needs, usec_t deadline, IamHandler handler,
                   void *userdata)
{
    IamTrials *trials = calloc(1, sizeof(*trials));

    if (!trials)
        return -ENOMEM;
    *trials = (IamTrials){.aws = aws, .deadline = deadline, .handler = handler, .userdata = userdata};
    for (size_t i = 0; i < n_permissions; i++) {
        const Permission *permission = &permissions[i];

        if (!permission_is_needed(permission, needs) ||
            find_row(trials, permission->service, permission->action))
            continue;
        assert(trials->n_rows < ROWS_MAX);
        trials->rows[trials->n_rows++] = (Row){.permission = permission};
    }
    *ret = trials;
    return 0;
}

IamTrials *iam_trials_free(IamTrials *trials)
{
    if (!trials)
        return NULL;
    for (size_t i = 0; i < trials->n_list; i++) {
        aws_call_free(trials->list[i]->call);
        free(trials->list[i]->what);
        free(trials->list[i]);
    }
    for (size_t i = 0; i < trials->n_rows; i++) {
        free(trials->rows[i].what);
        free(trials->rows[i].detail);
    }
    return mfree(trials);
}

bool iam_trials_are_idle(const IamTrials *trials)
{
    return trials->n_pending == 0;
}

/* ------------------------------------------------------------ answers */

static void row_record(Row *row, Outcome outcome, const char *what, char *detail_take)
{
    _cleanup_(freep) char *detail = detail_take;

    if (outcome == row->outcome)
        row->n++;
    if (outcome <= row->outcome)
        return;
    row->outcome = outcome;
    row->n = 1;
    (void)replace_string(&row->what, what);
    (void)replace_string(&row->detail, detail);
}

static Outcome judge(const Trial *trial, const AwsError *error)
{
    bool creating = streq(trial->row->permission->action, "CreateNetworkInterface");

    if (!error)
        return OUTCOME_ALLOWED;
    switch (error->class) {
    case AWS_ERROR_DENIED: return OUTCOME_DENIED;
    case AWS_ERROR_TRANSIENT:
    case AWS_ERROR_THROTTLED:
    case AWS_ERROR_EXPIRED: return OUTCOME_UNKNOWN;
    case AWS_ERROR_NOT_FOUND: return creating ? OUTCOME_OBJECTED : OUTCOME_UNKNOWN;
    case AWS_ERROR_NONE:
    case AWS_ERROR_ADDRESS_IN_USE:
    case AWS_ERROR_INDEX_IN_USE:
    case AWS_ERROR_ENI_IN_USE:
    case AWS_ERROR_ADDRESS_LIMIT:
    case AWS_ERROR_ATTACH_LIMIT:
    case AWS_ERROR_SUBNET_FULL:
    case AWS_ERROR_FINAL: break;
    }
    /* Without a status it was no answer of AWS. */
    if (error->status == 0 || trial->kind == TRIAL_READ)
        return OUTCOME_UNKNOWN;
    return creating ? OUTCOME_OBJECTED : OUTCOME_ALLOWED;
}

/* The tags of a new interface need a permission of their own, which AWS names when it is the one lacking. */
static void record_create(Trial *trial, Outcome outcome, const AwsError *error, char *detail_take)
{
    Row *tags = find_row(trial->trials, AWS_SERVICE_EC2, "CreateTags");

    if (outcome == OUTCOME_DENIED && tags && strstr(error->message, "ec2:CreateTags")) {
        row_record(trial->row, OUTCOME_ALLOWED, trial->what, NULL);
        row_record(tags, OUTCOME_DENIED, trial->what, detail_take);
        return;
    }
    if (outcome == OUTCOME_ALLOWED && tags)
        row_record(tags, OUTCOME_ALLOWED, trial->what, NULL);
    row_record(trial->row, outcome, trial->what, detail_take);
}

static void on_answer(const AwsReply *reply, void *userdata)
{
    Trial *trial = userdata;
    IamTrials *trials = trial->trials;
    Outcome outcome = judge(trial, reply->error);
    char *detail = NULL;

    if (outcome > OUTCOME_ALLOWED)
        detail = explain_error(reply->error, trial->row->permission->purpose);
    if (streq(trial->row->permission->action, "CreateNetworkInterface"))
        record_create(trial, outcome, reply->error, detail);
    else
        row_record(trial->row, outcome, trial->what, detail);

    trial->call = aws_call_free(trial->call);
    if (--trials->n_pending == 0)
        trials->handler(trials->userdata);
}

/* ------------------------------------------------------------ questions */

int iam_try(IamTrials *trials, TrialKind kind, const char *what, AwsQuery *query_take)
{
    _cleanup_aws_query_ AwsQuery query = *query_take;
    Row *row = find_row(trials, query.service, query.action);
    Trial *trial;
    int r = 0;

    *query_take = (AwsQuery){0};
    if (!row || trials->n_list == TRIALS_MAX)
        return 0;
    if (kind == TRIAL_DRY_RUN)
        r = aws_query_set_dry_run(&query);
    trial = calloc(1, sizeof(*trial));
    if (r < 0 || !trial) {
        free(trial);
        return -ENOMEM;
    }
    *trial = (Trial){.trials = trials, .row = row, .kind = kind, .what = strdup(what)};
    trials->list[trials->n_list++] = trial;

    r = aws_call(trials->aws, &query, trials->deadline, 0, on_answer, trial, &trial->call);
    if (r == 0)
        trials->n_pending++;
    return r;
}

void iam_not_tried(IamTrials *trials, AwsService service, const char *action, const char *why)
{
    Row *row = find_row(trials, service, action);

    if (row)
        (void)replace_string(&row->detail, why);
}

/* ------------------------------------------------------------ results */

/* "eth1 in subnet-1 and 2 more" */
static void describe(const Row *row, char ret[static 160])
{
    char more[32] = "";

    if (row->n > 1)
        (void)snprintf(more, sizeof(more), " and %u more", row->n - 1);
    (void)snprintf(ret, 160, "%s%s%s%s", row->permission->purpose, row->what && row->what[0] ? ", " : "",
                   row->what ? row->what : "", more);
}

/* AWS says when it is not for want of a permission but because of a ban, which no permission outweighs. */
static const char *advice_for_denied(const char *detail)
{
    if (strstr(detail, "explicit deny"))
        return "It is forbidden by a service control policy, a permissions boundary or a policy of the\n"
               "role; no further permission helps.";
    return "The node's role does not allow it. This prints the policy that the role needs:\n"
           "  multus-eksctl policy";
}

static void report_row(const Row *row, DoctorReport *report, const char *unreachable)
{
    const char *purpose = row->permission->purpose, *detail = row->detail ? row->detail : "not tried";
    char name[96], what[160];

    (void)snprintf(name, sizeof(name), "%s:%s", permission_prefix(row->permission), row->permission->action);
    describe(row, what);
    switch (row->outcome) {
    case OUTCOME_NONE:
        doctor_skip(report, name, "%s: %s", purpose, unreachable ? unreachable : detail);
        return;
    case OUTCOME_ALLOWED: doctor_ok(report, name, "allowed: %s", purpose); return;
    case OUTCOME_UNKNOWN:
        if (unreachable)
            doctor_skip(report, name, "%s: %s", purpose, unreachable);
        else
            doctor_add(report, DOCTOR_WARNING, name, "AWS did not say whether it is allowed. Try again.",
                       "not known: %s", what);
        break;
    case OUTCOME_OBJECTED:
        doctor_add(report, DOCTOR_FAIL, name, "It is allowed, but AWS would refuse it for another reason.",
                   "would fail: %s", what);
        break;
    case OUTCOME_DENIED:
        doctor_add(report, DOCTOR_FAIL, name, advice_for_denied(detail), "not allowed: %s", what);
        break;
    }
    doctor_add_detail(report, detail);
}

void iam_trials_report(const IamTrials *trials, DoctorReport *report, const char *unreachable)
{
    for (size_t i = 0; i < trials->n_rows; i++)
        report_row(&trials->rows[i], report, unreachable);
}
