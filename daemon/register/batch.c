/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Many requests, few calls. EC2's rate is counted in calls, not in addresses ("Request throttling for the
 * Amazon EC2 API"), and one call may name all the addresses an interface can have; so whenever an interface
 * is free for a call, everything of one kind that has gathered goes into it.
 *
 * The decision looks only at what is: which registrations of the interface are not as wanted. There is no
 * queue of requests that could be out of date, and so a release that overtakes its registration, or the
 * reverse, needs no care.
 *
 * Suspects: a call is carried out for all of its addresses or for none. When EC2 refuses one without
 * naming whose fault it is, the batch is halved, and each half goes out by itself before anything new,
 * until the culprit is alone.
 */

#include "register/batch.h"
#include <errno.h>
#include <limits.h>

/* Released addresses go a little late, so that those released soon after go with them. */
#define LAZINESS 8u /* this part of the cooldown */

/* One pass over an interface's registrations: the rest of the decision is made from this. */
typedef struct Survey {
    bool taken;
    bool doubted;
    size_t n_conflicts; /* IPv6 */
    unsigned suspect;   /* lowest number, 0: none */
    /* by family, 0: IPv4 */
    size_t n_wanted[2];
    size_t n_firm[2]; /* those of them that do not yield */
    usec_t oldest_wanted[2];
    usec_t oldest_firm[2];
    size_t n_due[2];
    size_t n_spare[2]; /* could be unassigned before their time */
    usec_t due;
} Survey;

static unsigned family_index(int family)
{
    return family == AF_INET6;
}

static bool wants_assign(const Registration *r)
{
    return r->state == REGISTRATION_WANTED && !r->assigned && r->doubt == REGISTRATION_DOUBT_NONE;
}

static bool wants_look(const Registration *r)
{
    return r->doubt != REGISTRATION_DOUBT_NONE && r->doubt != REGISTRATION_DOUBT_CONFLICT &&
           r->doubt != REGISTRATION_DOUBT_TAKEN;
}

/* What can make room: nobody has claimed it since it was given back, or since the host started. */
static bool is_spare(const Registration *r)
{
    return r->state != REGISTRATION_WANTED && r->doubt == REGISTRATION_DOUBT_NONE;
}

/* When it is to be unassigned, USEC_INFINITY: never. */
static usec_t unassign_due(const Registration *r, const BatchRules *rules)
{
    usec_t due;

    switch (r->state) {
    case REGISTRATION_RELEASED: due = time_add(r->since, rules->release_cooldown); break;
    case REGISTRATION_STALE: due = time_add(r->since, rules->stale_grace); break;
    case REGISTRATION_WANTED:
    case _REGISTRATION_STATE_MAX:
    default: return USEC_INFINITY;
    }
    return r->doubt == REGISTRATION_DOUBT_NONE ? MAX(due, r->not_before) : r->not_before;
}

static void survey_wanted(Survey *survey, const Registration *r)
{
    unsigned f = family_index(r->address.family);

    if (r->suspect && (!survey->suspect || r->suspect < survey->suspect))
        survey->suspect = r->suspect;
    if (!r->yields && (survey->n_firm[f]++ == 0 || r->since < survey->oldest_firm[f]))
        survey->oldest_firm[f] = r->since;
    if (survey->n_wanted[f]++ == 0 || r->since < survey->oldest_wanted[f])
        survey->oldest_wanted[f] = r->since;
}

static void survey_registration(Survey *survey, const Registration *r, const BatchRules *rules, usec_t now)
{
    unsigned f = family_index(r->address.family);
    usec_t due;

    if (is_spare(r) && r->not_before <= now)
        survey->n_spare[f]++;
    if (r->not_before > now && (wants_assign(r) || r->doubt != REGISTRATION_DOUBT_NONE)) {
        survey->due = MIN(survey->due, r->not_before);
    } else if (r->doubt == REGISTRATION_DOUBT_TAKEN) {
        survey->taken = true;
    } else if (wants_look(r) && rules->looks_from > now) {
        survey->due = MIN(survey->due, rules->looks_from);
    } else if (wants_look(r)) {
        survey->doubted = true;
    } else if (r->doubt == REGISTRATION_DOUBT_CONFLICT) {
        survey->n_conflicts += !rules->moving;
    } else if (wants_assign(r)) {
        survey_wanted(survey, r);
    } else {
        due = unassign_due(r, rules);
        if (due <= now)
            survey->n_due[f]++;
        else if (due < USEC_INFINITY)
            survey->due = MIN(survey->due, time_add(due, rules->release_cooldown / LAZINESS));
    }
}

static bool is_of_interface(const Registration *r, const char *network_interface_id)
{
    return !r->in_flight && streq(r->network_interface_id, network_interface_id);
}

/* What the decision was, as a predicate over registrations. */
typedef struct Choice {
    BatchAction action;
    int family;
    unsigned suspect;
    bool yields;
    bool early;              /* unassign what is spare, before its time */
    RegistrationState spare; /* which of it: one after the other */
    size_t max;
} Choice;

static bool choice_takes(const Choice *choice, const Registration *r, const BatchRules *rules, usec_t now)
{
    if (choice->action == BATCH_LOOK)
        return wants_look(r) && r->not_before <= now;
    if (r->address.family != choice->family || r->not_before > now)
        return false;

    switch (choice->action) {
    case BATCH_ASSIGN: return wants_assign(r) && r->suspect == choice->suspect && r->yields == choice->yields;
    case BATCH_MOVE: return r->doubt == REGISTRATION_DOUBT_CONFLICT;
    case BATCH_RETURN: return r->doubt == REGISTRATION_DOUBT_TAKEN;
    case BATCH_UNASSIGN:
        return choice->early ? is_spare(r) && r->state == choice->spare
                             : r->doubt == REGISTRATION_DOUBT_NONE && unassign_due(r, rules) <= now;
    case BATCH_LOOK:
    case BATCH_NONE:
    case _BATCH_ACTION_MAX:
    default: return false;
    }
}

/* Which of the suspects is next decides the family, and whether it is taken from others. */
static const Registration *find_suspect(const State *state, const char *network_interface_id,
                                        unsigned suspect, usec_t now)
{
    for (size_t i = 0; i < state_n(state); i++) {
        const Registration *r = state_get(state, i);

        if (is_of_interface(r, network_interface_id) && r->suspect == suspect && wants_assign(r) &&
            r->not_before <= now)
            return r;
    }
    return NULL;
}

static int wanted_family(const Survey *survey, const BatchRules *rules)
{
    if (survey->n_wanted[0] == 0)
        return AF_INET6;
    if (survey->n_wanted[1] == 0)
        return AF_INET;
    if (rules->gave_way)
        return rules->gave_way == AF_INET ? AF_INET6 : AF_INET;
    return survey->oldest_wanted[1] < survey->oldest_wanted[0] ? AF_INET6 : AF_INET;
}

/* Those that yield go by themselves, when the one that has waited longest is one of them. */
static bool wanted_yields(const Survey *survey, int family)
{
    unsigned f = family_index(family);

    return survey->n_firm[f] == 0 || survey->oldest_wanted[f] < survey->oldest_firm[f];
}

/* Whether what was given back has to go before so many can come; that is the choice then. */
static bool choose_room(const Survey *survey, int family, size_t n, const BatchRules *rules, Choice *ret)
{
    unsigned f = family_index(family);
    size_t room = f ? rules->ipv6_room : rules->ipv4_room;

    if (room >= n || survey->n_spare[f] == 0)
        return false;
    *ret = (Choice){.action = BATCH_UNASSIGN,
                    .family = family,
                    .early = true,
                    .spare = REGISTRATION_RELEASED,
                    .max = n - room};
    return true;
}

static Choice choose_assign(const Survey *survey, int family, bool yields, const BatchRules *rules)
{
    Choice choice;

    if (choose_room(survey, family, survey->n_wanted[family_index(family)], rules, &choice))
        return choice;
    return (Choice){.action = BATCH_ASSIGN,
                    .family = family,
                    .suspect = survey->suspect,
                    .yields = yields,
                    .max = SIZE_MAX};
}

static Choice choose(const State *state, const char *network_interface_id, const Survey *survey,
                     const BatchRules *rules, usec_t now)
{
    const Registration *suspect =
        survey->suspect ? find_suspect(state, network_interface_id, survey->suspect, now) : NULL;
    int family = wanted_family(survey, rules);
    Choice choice;

    /* Somebody elsewhere is cut off. */
    if (survey->taken)
        return (Choice){.action = BATCH_RETURN, .family = AF_INET6, .max = 1};
    if (survey->doubted)
        return (Choice){.action = BATCH_LOOK, .max = SIZE_MAX};
    if (suspect)
        return choose_assign(survey, suspect->address.family, suspect->yields, rules);
    if (survey->n_wanted[0] + survey->n_wanted[1] > 0)
        return choose_assign(survey, family, wanted_yields(survey, family), rules);
    if (survey->n_conflicts > 0 && choose_room(survey, AF_INET6, survey->n_conflicts, rules, &choice))
        return choice;
    if (survey->n_conflicts > 0)
        return (Choice){.action = BATCH_MOVE, .family = AF_INET6, .max = SIZE_MAX};
    if (survey->n_due[0] + survey->n_due[1] > 0)
        return (Choice){
            .action = BATCH_UNASSIGN, .family = survey->n_due[0] > 0 ? AF_INET : AF_INET6, .max = SIZE_MAX};
    return (Choice){.action = BATCH_NONE};
}

/* Appends to the batch what the choice takes. */
static void batch_collect(Batch *batch, const State *state, const char *network_interface_id,
                          const Choice *choice, const BatchRules *rules, usec_t now)
{
    for (size_t i = 0; i < state_n(state) && batch->n < choice->max; i++) {
        Registration *r = state_get(state, i);

        if (is_of_interface(r, network_interface_id) && choice_takes(choice, r, rules, now))
            batch->registrations[batch->n++] = r;
    }
}

int batch_next(const State *state, const char *network_interface_id, const BatchRules *rules, usec_t now,
               Batch *ret, usec_t *ret_due)
{
    Survey survey = {.due = USEC_INFINITY};
    Registration **registrations;
    Choice choice;

    for (size_t i = 0; i < state_n(state); i++)
        if (is_of_interface(state_get(state, i), network_interface_id))
            survey_registration(&survey, state_get(state, i), rules, now);

    choice = choose(state, network_interface_id, &survey, rules, now);
    if (choice.action == BATCH_NONE) {
        *ret = BATCH_NULL;
        *ret_due = survey.due;
        return 0;
    }

    registrations = calloc(state_n(state), sizeof(*registrations));
    if (!registrations)
        return -ENOMEM;
    *ret = (Batch){.action = choice.action,
                   .family = choice.family,
                   .yields = choice.yields,
                   .registrations = registrations};
    batch_collect(ret, state, network_interface_id, &choice, rules, now);
    choice.spare = REGISTRATION_STALE;
    if (choice.early)
        batch_collect(ret, state, network_interface_id, &choice, rules, now);
    *ret_due = survey.due;
    assert(ret->n > 0);
    return 0;
}

bool batch_is_waited_for(const State *state, const char *network_interface_id, int family, bool with_looks,
                         usec_t now)
{
    for (size_t i = 0; i < state_n(state); i++) {
        const Registration *r = state_get(state, i);

        if (is_of_interface(r, network_interface_id) && r->not_before <= now &&
            ((wants_assign(r) && (family == AF_UNSPEC || r->address.family == family)) ||
             (with_looks && wants_look(r))))
            return true;
    }
    return false;
}

void batch_done(Batch *batch)
{
    free(batch->registrations);
    *batch = BATCH_NULL;
}

/* ------------------------------------------------------------------ refusals */

static size_t name_address(const Batch *batch, const char *text, size_t n, bool *named)
{
    char copy[IN_ADDR_TEXT];
    InAddr address;

    /* The full stop of a sentence, and the colon before a list, are not part of it. */
    while (n > 0 && (text[n - 1] == '.' || text[n - 1] == ':'))
        n--;
    if (n == 0 || n >= sizeof(copy))
        return 0;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (in_addr_parse(copy, &address) < 0)
        return 0;

    for (size_t i = 0; i < batch->n; i++)
        if (!named[i] && in_addr_equal(&batch->registrations[i]->address, &address)) {
            named[i] = true;
            return 1;
        }
    return 0;
}

size_t batch_culprits(const Batch *batch, const char *message, bool *named)
{
    static const char characters[] = "0123456789abcdefABCDEF.:";
    size_t n_named = 0;

    memset(named, 0, batch->n * sizeof(*named));
    while (*message) {
        size_t n = strspn(message, characters);

        n_named += name_address(batch, message, n, named);
        message += n;
        message += strcspn(message, characters);
    }
    return n_named;
}

void batch_halve(const Batch *batch, unsigned *next_suspect)
{
    for (size_t i = 0; i < batch->n; i++)
        batch->registrations[i]->suspect = *next_suspect + (i < batch->n / 2 ? 0 : 1);
    *next_suspect += 2;
}
