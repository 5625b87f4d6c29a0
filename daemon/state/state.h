#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Which address is registered on which interface, for whom. */

#include "util/inaddr.h"
#include "util/macro.h"
#include "util/time.h"

#define STATE_MOVED_AWAY_MAX 1024u

typedef struct State State;

typedef enum RegistrationState {
    REGISTRATION_WANTED,   /* its owner wants it routable */
    REGISTRATION_RELEASED, /* given back; unassigned after the cooldown unless wanted again */
    REGISTRATION_STALE,    /* of an earlier boot: waits for stale_grace to be claimed again */
    _REGISTRATION_STATE_MAX,
} RegistrationState;

/* What of a registration has to be found out before anything else is done with it. */
typedef enum RegistrationDoubt {
    REGISTRATION_DOUBT_NONE,
    REGISTRATION_DOUBT_UNTOLD,   /* EC2 did not say that it assigned it */
    REGISTRATION_DOUBT_RECLAIM,  /* it was ours and may have moved away since */
    REGISTRATION_DOUBT_UNASSIGN, /* EC2 could not unassign it: perhaps it is not there */
    REGISTRATION_DOUBT_FRESH,    /* EC2 assigned it just before a restart, and does not show it yet */
    REGISTRATION_DOUBT_CONFLICT, /* IPv6: another interface has it */
    REGISTRATION_DOUBT_TAKEN, /* IPv6: to be given back to taken_from, where a move that was cut off took it
                               */
} RegistrationDoubt;

/* One address. The strings are its own. What is below the line is not stored. */
typedef struct Registration {
    InAddr address;
    char *network_interface_id;
    char *owner;   /* "" when nobody: EC2 has it and we do not know why */
    char *boot_id; /* in which it entered the state; "" when unknown */
    RegistrationState state;
    usec_t since;     /* CLOCK_REALTIME: when it entered the state */
    char *taken_from; /* IPv6: the interface that had it, while it is on its way here; else NULL */
    /* -------- */
    bool assigned;    /* EC2 has it on that interface as far as we know */
    bool in_flight;   /* a call that changes it is under way */
    bool reclaimed;   /* was given back before it was wanted again: EC2 may have it already */
    bool fetched;     /* counted as taken from elsewhere for this want */
    bool yields;      /* it is not taken from another node's interface */
    bool insists;     /* and yields: if EC2 says that another has it, it is taken after all */
    bool refused;     /* EC2 would not unassign it, and shows it nevertheless */
    usec_t confirmed; /* CLOCK_MONOTONIC: when EC2 last said that it is there; 0: not yet */
    usec_t asked;     /* likewise: when somebody last asked for it */
    usec_t lags; /* likewise: when EC2 assigned it, and its describes may not show it yet; 0: they have */
    RegistrationDoubt doubt;
    unsigned suspect; /* not 0: one of a refused batch, goes out again with those of the same number only */
    bool alone;       /* IPv6: moving it with others was refused, so it is moved by itself */
    unsigned n_attempts; /* conflicts that were gone when looked at */
    usec_t not_before;   /* CLOCK_REALTIME: nothing is done before */
    /* What holds until a move within the node, or to another owner, is done; previous_interface NULL: none
     * is. */
    char *previous_owner;
    char *previous_interface;
    RegistrationState previous_state;
    usec_t previous_since;
} Registration;

/** state_new() - empty; 0 or -ENOMEM */
int state_new(State **ret);
State *state_free(State *state);

/** state_find() - the registration of an address, or NULL; valid until it is removed */
Registration *state_find(const State *state, const InAddr *address);

/**
 * state_add() - a new registration, WANTED by nobody, not assigned
 *
 * Return: 0; -EEXIST when the address has one already; -ENOMEM.
 */
int state_add(State *state, const InAddr *address, const char *network_interface_id, Registration **ret);

/** state_remove() - forget and free one */
void state_remove(State *state, Registration *registration);

/**
 * state_note_moved_away() - the registration is another node's by now: remember whose it was here
 *
 * Nobody has it here any more; but who had it may not know, and is not to take it back by itself. Of more
 * than STATE_MOVED_AWAY_MAX the oldest note is forgotten.
 *
 * Return: 0; -ENOMEM.
 */
int state_note_moved_away(State *state, const Registration *registration, usec_t now);

/** state_moved_away() - the notes, with owner, interface, boot and time; NULL: none */
State *state_moved_away(const State *state);

/** state_find_moved_away() - the note of an address, or NULL */
Registration *state_find_moved_away(const State *state, const InAddr *address);

/** state_set_moved_away() - the notes from now on; owned by the state */
void state_set_moved_away(State *state, State *moved_away);

/** state_forget_moved_away() - drop a note; whether there was one */
bool state_forget_moved_away(State *state, const InAddr *address);

/**
 * state_put_aside() - the registration's interface is not served in this run: kept for the next one
 *
 * Nothing is done about it; it is found by state_find_aside() only, and stored with the others unless the
 * address has a registration that is.
 *
 * Return: 0; -ENOMEM leaves all as it was.
 */
int state_put_aside(State *state, Registration *registration);

/** state_aside() - those, NULL: none */
State *state_aside(const State *state);

/** state_find_aside() - the one of an address, or NULL */
Registration *state_find_aside(const State *state, const InAddr *address);

/** state_forget_aside() - drop one; whether there was one */
bool state_forget_aside(State *state, const InAddr *address);

/**
 * state_note_own() - the interface's own IPv6 address, which EC2 does not tell from those assigned to it
 *
 * Return: 1 when that is news, 0 when it was known, -ENOMEM.
 */
int state_note_own(State *state, const char *network_interface_id, const InAddr *address);

/** state_own() - the notes, by address; NULL: none */
State *state_own(const State *state);

/** state_find_own() - the address noted for an interface, or NULL */
const InAddr *state_find_own(const State *state, const char *network_interface_id);

/** state_set_own() - the notes from now on; owned by the state */
void state_set_own(State *state, State *own);

/** state_n(), state_get() - all of them in order of address; indexes move with additions and removals */
size_t state_n(const State *state);
Registration *state_get(const State *state, size_t i);

/**
 * registration_move() - onto another interface of this node, for the moment: not assigned there
 *
 * Its interface, owner, state and time are kept until registration_settle(), or put back by
 * registration_restore(); what was given back meanwhile stays so.
 *
 * Return: 0; -ENOMEM leaves all as it was.
 */
int registration_move(Registration *registration, const char *network_interface_id);
void registration_restore(Registration *registration);
void registration_settle(Registration *registration);

/** registration_is_there() - whether EC2 has it for its owner as far as we know, perhaps being looked at
 * again */
bool registration_is_there(const Registration *registration);

/** registration_set() - new state, owner and boot (NULL: as they were), time; -ENOMEM leaves all as it was */
int registration_set(Registration *registration, RegistrationState state, const char *owner,
                     const char *boot_id, usec_t now);

/** registration_state_to_string() - "wanted", "released", "stale" */
const char *registration_state_to_string(RegistrationState state);

/** registration_state_from_string() - the reverse; 0 or -EINVAL */
int registration_state_from_string(const char *s, RegistrationState *ret);

DEFINE_CLEANUP(State, state_free)
