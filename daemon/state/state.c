/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is registered: one Registration for an address, whatever its interface, in an array sorted by
 * address. A node has some hundreds of them at most (EC2 gives an interface 50 addresses and an
 * instance 15 interfaces), so finding is a bisection and adding moves pointers; the registrations
 * themselves stay where they are until they are removed.
 *
 * A registration says two things that may differ: what is wanted (state, owner) and what EC2 has
 * (assigned). Whoever makes them agree is above; here is only the memory of it.
 *
 * What has moved away to another node is noted in a state of its own, and what is on interfaces that are not
 * there in this run waits in another one. So do the interfaces' own IPv6 addresses.
 */

#include "state/state.h"
#include <errno.h>

struct State {
    Registration **registrations; /* sorted by address */
    size_t n, n_allocated;
    State *moved_away; /* or NULL */
    State *aside;      /* likewise */
    State *own;        /* likewise */
};

static Registration *registration_free(Registration *registration)
{
    if (!registration)
        return NULL;

    free(registration->previous_interface);
    free(registration->previous_owner);
    free(registration->boot_id);
    free(registration->owner);
    free(registration->network_interface_id);
    free(registration->taken_from);
    return mfree(registration);
}

DEFINE_CLEANUP(Registration, registration_free)

int state_new(State **ret)
{
    State *state = calloc(1, sizeof(*state));

    if (!state)
        return -ENOMEM;
    *ret = state;
    return 0;
}

State *state_free(State *state)
{
    if (!state)
        return NULL;

    for (size_t i = 0; i < state->n; i++)
        (void)registration_free(state->registrations[i]);
    free(state->registrations);
    (void)state_free(state->moved_away);
    (void)state_free(state->aside);
    (void)state_free(state->own);
    return mfree(state);
}

/* ------------------------------------------------------------------ by address */

/* Where the address is, or would have to be. */
static size_t state_position(const State *state, const InAddr *address)
{
    size_t low = 0, high = state->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (in_addr_compare(&state->registrations[middle]->address, address) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

Registration *state_find(const State *state, const InAddr *address)
{
    size_t i = state_position(state, address);

    if (i >= state->n || !in_addr_equal(&state->registrations[i]->address, address))
        return NULL;
    return state->registrations[i];
}

static int state_reserve(State *state)
{
    size_t n = MAX(state->n_allocated * 2, (size_t)16);
    Registration **registrations;

    if (state->n < state->n_allocated)
        return 0;
    registrations = reallocarray(state->registrations, n, sizeof(*registrations));
    if (!registrations)
        return -ENOMEM;
    state->registrations = registrations;
    state->n_allocated = n;
    return 0;
}

/* There is room for it. */
static void state_insert(State *state, size_t i, Registration *registration)
{
    memmove(&state->registrations[i + 1], &state->registrations[i],
            (state->n - i) * sizeof(*state->registrations));
    state->registrations[i] = registration;
    state->n++;
}

int state_add(State *state, const InAddr *address, const char *network_interface_id, Registration **ret)
{
    _cleanup_(registration_freep) Registration *registration = NULL;
    size_t i = state_position(state, address);
    int r;

    if (i < state->n && in_addr_equal(&state->registrations[i]->address, address))
        return -EEXIST;

    registration = calloc(1, sizeof(*registration));
    if (!registration)
        return -ENOMEM;
    registration->address = *address;
    registration->state = REGISTRATION_WANTED;
    registration->network_interface_id = strdup(network_interface_id);
    registration->owner = strdup("");
    registration->boot_id = strdup("");
    if (!registration->network_interface_id || !registration->owner || !registration->boot_id)
        return -ENOMEM;
    r = state_reserve(state);
    if (r < 0)
        return r;

    state_insert(state, i, registration);
    *ret = TAKE_PTR(registration);
    return 0;
}

static void state_take_out(State *state, const Registration *registration)
{
    size_t i = state_position(state, &registration->address);

    assert(i < state->n && state->registrations[i] == registration);
    memmove(&state->registrations[i], &state->registrations[i + 1],
            (state->n - i - 1) * sizeof(*state->registrations));
    state->n--;
}

void state_remove(State *state, Registration *registration)
{
    state_take_out(state, registration);
    (void)registration_free(registration);
}

size_t state_n(const State *state)
{
    return state->n;
}

Registration *state_get(const State *state, size_t i)
{
    assert(i < state->n);
    return state->registrations[i];
}

int registration_set(Registration *registration, RegistrationState state, const char *owner,
                     const char *boot_id, usec_t now)
{
    _cleanup_(freep) char *new_owner = strdup(owner ? owner : registration->owner);
    _cleanup_(freep) char *new_boot_id = strdup(boot_id ? boot_id : registration->boot_id);

    if (!new_owner || !new_boot_id)
        return -ENOMEM;

    free(registration->owner);
    free(registration->boot_id);
    registration->owner = TAKE_PTR(new_owner);
    registration->boot_id = TAKE_PTR(new_boot_id);
    registration->state = state;
    registration->since = now;
    return 0;
}

/* ------------------------------------------------------------------ what has moved away */

static void forget_oldest(State *state)
{
    Registration *oldest = state->registrations[0];

    for (size_t i = 1; i < state->n; i++)
        if (state->registrations[i]->since < oldest->since)
            oldest = state->registrations[i];
    state_remove(state, oldest);
}

int state_note_moved_away(State *state, const Registration *registration, usec_t now)
{
    Registration *note;
    int r;

    if (!state->moved_away) {
        r = state_new(&state->moved_away);
        if (r < 0)
            return r;
    }
    (void)state_forget_moved_away(state, &registration->address);
    if (state->moved_away->n >= STATE_MOVED_AWAY_MAX)
        forget_oldest(state->moved_away);
    r = state_add(state->moved_away, &registration->address, registration->network_interface_id, &note);
    if (r < 0)
        return r;
    r = registration_set(note, REGISTRATION_WANTED, registration->owner, registration->boot_id, now);
    if (r < 0)
        state_remove(state->moved_away, note);
    return r;
}

State *state_moved_away(const State *state)
{
    return state->moved_away;
}

Registration *state_find_moved_away(const State *state, const InAddr *address)
{
    return state->moved_away ? state_find(state->moved_away, address) : NULL;
}

void state_set_moved_away(State *state, State *moved_away)
{
    (void)state_free(state->moved_away);
    state->moved_away = moved_away;
}

bool state_forget_moved_away(State *state, const InAddr *address)
{
    Registration *note = state_find_moved_away(state, address);

    if (note)
        state_remove(state->moved_away, note);
    return note;
}

/* ------------------------------------------------------------------ what is not there in this run */

int state_put_aside(State *state, Registration *registration)
{
    int r;

    if (!state->aside) {
        r = state_new(&state->aside);
        if (r < 0)
            return r;
    }
    r = state_reserve(state->aside);
    if (r < 0)
        return r;
    state_take_out(state, registration);
    state_insert(state->aside, state_position(state->aside, &registration->address), registration);
    return 0;
}

State *state_aside(const State *state)
{
    return state->aside;
}

Registration *state_find_aside(const State *state, const InAddr *address)
{
    return state->aside ? state_find(state->aside, address) : NULL;
}

bool state_forget_aside(State *state, const InAddr *address)
{
    Registration *aside = state_find_aside(state, address);

    if (aside)
        state_remove(state->aside, aside);
    return aside;
}

/* ------------------------------------------------------------------ interfaces' own addresses */

static Registration *find_own(const State *state, const char *network_interface_id)
{
    for (size_t i = 0; state->own && i < state->own->n; i++)
        if (streq(state->own->registrations[i]->network_interface_id, network_interface_id))
            return state->own->registrations[i];
    return NULL;
}

int state_note_own(State *state, const char *network_interface_id, const InAddr *address)
{
    Registration *noted = find_own(state, network_interface_id), *note;
    int r;

    if (noted && in_addr_equal(&noted->address, address))
        return 0;
    if (!state->own) {
        r = state_new(&state->own);
        if (r < 0)
            return r;
    }
    if (noted)
        state_remove(state->own, noted);
    note = state_find(state->own, address);
    if (note) /* another interface had it */
        state_remove(state->own, note);
    r = state_add(state->own, address, network_interface_id, &note);
    return r < 0 ? r : 1;
}

State *state_own(const State *state)
{
    return state->own;
}

const InAddr *state_find_own(const State *state, const char *network_interface_id)
{
    const Registration *noted = find_own(state, network_interface_id);

    return noted ? &noted->address : NULL;
}

void state_set_own(State *state, State *own)
{
    (void)state_free(state->own);
    state->own = own;
}

/* ------------------------------------------------------------------ one registration */

int registration_move(Registration *registration, const char *network_interface_id)
{
    _cleanup_(freep) char *id = strdup(network_interface_id);
    _cleanup_(freep) char *owner = strdup(registration->owner);

    if (!id || !owner)
        return -ENOMEM;

    /* Moved once more before the first move was done: it is the first place that counts. */
    if (registration->previous_interface) {
        free(registration->network_interface_id);
    } else {
        registration->previous_interface = registration->network_interface_id;
        registration->previous_owner = TAKE_PTR(owner);
        registration->previous_state = registration->state;
        registration->previous_since = registration->since;
    }
    registration->network_interface_id = TAKE_PTR(id);
    registration->assigned = false;
    return 0;
}

void registration_restore(Registration *registration)
{
    if (!registration->previous_interface)
        return;

    free(registration->network_interface_id);
    free(registration->owner);
    registration->network_interface_id = TAKE_PTR(registration->previous_interface);
    registration->owner = TAKE_PTR(registration->previous_owner);
    registration->assigned = true;
    if (registration->state != REGISTRATION_WANTED)
        return;
    registration->state = registration->previous_state;
    registration->since = registration->previous_since;
}

void registration_settle(Registration *registration)
{
    registration->previous_interface = mfree(registration->previous_interface);
    registration->previous_owner = mfree(registration->previous_owner);
}

bool registration_is_there(const Registration *registration)
{
    return registration->assigned ||
           (streq_ptr(registration->previous_interface, registration->network_interface_id) &&
            streq(registration->previous_owner, registration->owner));
}

static const char *const state_names[_REGISTRATION_STATE_MAX] = {
    [REGISTRATION_WANTED] = "wanted",
    [REGISTRATION_RELEASED] = "released",
    [REGISTRATION_STALE] = "stale",
};

const char *registration_state_to_string(RegistrationState state)
{
    return state_names[state];
}

int registration_state_from_string(const char *s, RegistrationState *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(state_names); i++)
        if (streq(state_names[i], s)) {
            *ret = (RegistrationState)i;
            return 0;
        }
    return -EINVAL;
}
