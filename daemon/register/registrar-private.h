#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What the registrar and the queues of its interfaces share. */

#include "register/flap.h"
#include "register/queue.h"
#include "register/registrar.h"
#include "register/told.h"
#include "register/trust.h"
#include "util/strlist.h"

#define REGISTRAR_MESSAGE_MAX 512
#define REGISTRAR_FRESH       USEC_PER_MINUTE /* so long EC2's describes may not show what it has done */

/* One Multus interface. Its strings are its own. */
typedef struct Interface {
    char *id; /* of the ENI */
    char *ifname;
    char *network;
    InPrefix prefixes[2]; /* IPv4, IPv6 */
    bool ipv6;            /* one of IPv6 is its own */
    InAddr own[2];        /* its own addresses by family, never given to anybody */
    InAddr *seen;         /* what EC2 showed on it, but the primary; until registrar_start() */
    size_t n_seen;
    unsigned n_fixed[2]; /* addresses of its own, by family */
    int ifindex;         /* 0: unknown */
    Trust trust;
    Queue *queue;
} Interface;

struct Registrar {
    sd_event *event;
    Aws *aws;
    char *store_path;
    char *instance_id;
    char *boot_id;
    RegistrarOptions options; /* its strings are those above */
    Interface **interfaces;
    size_t n_interfaces;
    StrList absent; /* ids of interfaces that are not served in this run */
    State *state;   /* NULL: not started */
    Flap flap;
    Told told;
    RegistrarStatistics statistics;
    RegistrarHeir heir; /* or NULL */
    RegistrarBeliever believer;
    void *heir_userdata;
    int64_t clock_offset; /* CLOCK_REALTIME - CLOCK_MONOTONIC, when last looked at */
    /* Answering: what is finished waits for the disk. */
    RegistrarWait *pending, *finished;
    sd_event_source *flush;
    sd_event_source *deadline; /* of the pending wait that ends first */
    usec_t deadline_at;        /* USEC_INFINITY: not armed */
    bool dirty;                /* to be written */
    bool unwritable;           /* said already */
    sd_event_source *retry;    /* writing, while it is unwritable */
    bool answering;            /* a handler may be under way */
    bool dead;                 /* freed by it: but for its own memory */
};

/**
 * registrar_now() - CLOCK_REALTIME
 *
 * When the clock was set since the last time, everything that is remembered is shifted with it: the
 * cooldowns are durations.
 */
usec_t registrar_now(Registrar *registrar);

/** registrar_touch() - something that is stored has changed: written soon, before who waits is answered */
void registrar_touch(Registrar *registrar);

/**
 * registrar_add_unowned() - EC2 shows an address on the interface that nobody knows of
 * @state: what it is from now on; or it is the interface's own, should that not be known yet
 *
 * Return: 0 or -ENOMEM.
 */
int registrar_add_unowned(Registrar *registrar, Interface *interface, const InAddr *address,
                          RegistrationState state, usec_t now);

/**
 * registrar_decide_own() - before anything is unassigned: which IPv6 address is the interface's own
 *
 * Only where nothing that is remembered says so. Until stale_grace is over, or the room is needed, any of
 * them can be claimed, and none is decided on.
 */
void registrar_decide_own(Registrar *registrar, Interface *interface, usec_t now);

/** registrar_forget_origin() - it is known where the address is: nobody it was taken from is owed it any more
 */
void registrar_forget_origin(Registrar *registrar, Registration *registration);

/** registrar_kick() - the registration is not as wanted: its interface's queue looks for it */
void registrar_kick(const Registrar *registrar, const Registration *registration);

/** registration_is_moving() - whether it is on its way from one interface of this node to another */
static inline bool registration_is_moving(const Registration *r)
{
    return r->previous_interface && !streq(r->previous_interface, r->network_interface_id);
}

/** registration_calm() - nothing is in doubt, put off or tried again any more */
void registration_calm(Registration *registration);

/** registrar_limit() - addresses of the family that an interface holds, 0: unknown; registrar_is_full():
 * wanted */
unsigned registrar_limit(const Registrar *registrar, int family);
bool registrar_is_full(const Registrar *registrar, const Interface *interface, int family);

/** registrar_interface() - by ENI id, or NULL */
Interface *registrar_interface(const Registrar *registrar, const char *network_interface_id);

/** registrar_room() - addresses of the family that the interface can still take, UINT_MAX: unknown */
unsigned registrar_room(const Registrar *registrar, const Interface *interface, int family);

/** registrar_assigned() - EC2 has it on its interface: those who wait are told */
void registrar_assigned(Registrar *registrar, Registration *registration);

/**
 * registrar_failed() - it could not be assigned: those who wait are told
 * @error: borrowed
 * @maybe: EC2 may have it all the same, so it is to be unassigned
 *
 * A new registration is removed; one that moved within the node is where it was.
 */
void registrar_failed(Registrar *registrar, Registration *registration, const ProtocolError *error,
                      bool maybe);

/** registrar_released() - EC2 has unassigned it, as was wanted; removes the registration */
void registrar_released(Registrar *registrar, Registration *registration);

/**
 * registrar_lost() - EC2 does not show it any more: it has moved to another node; removes the registration
 *
 * One that was to move within the node is where it was, instead.
 */
void registrar_lost(Registrar *registrar, Registration *registration);

/**
 * registrar_look_elsewhere() - it is not where it was expected: look at the node's other interfaces, later
 *
 * It may be there: asked for and given up again, while a call was under way whose outcome was not told. At a
 * start what is there is known.
 */
void registrar_look_elsewhere(const Registrar *registrar, const Registration *registration);

/** registrar_fetch() - it is about to be taken from elsewhere: counted, and slowed down when that is flapping
 */
void registrar_fetch(Registrar *registrar, Registration *registration);
