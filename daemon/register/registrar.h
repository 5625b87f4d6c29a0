#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Makes addresses routable and takes them back: the heart of what the node serves after READY. */

#include "aws/call.h"
#include "register/protocol.h"
#include "state/state.h"
#include "util/macro.h"
#include <net/if.h>
#include <systemd/sd-event.h>

typedef struct Registrar Registrar;
typedef struct RegistrarWait RegistrarWait;

#define REGISTRAR_OWNER_MAX PROTOCOL_OWNER_MAX

/* Strings are copied, pointers to objects must outlive the registrar. */
typedef struct RegistrarOptions {
    sd_event *event;
    Aws *aws;
    const char *store_path; /* /var/lib/multus-eks/addresses.json */
    const char *instance_id;
    const char *boot_id; /* /proc/sys/kernel/random/boot_id */
    bool allow_reassign;
    usec_t release_cooldown;
    usec_t stale_grace;
    unsigned ipv4_limit; /* addresses of one interface, its primary included; 0: unknown */
    unsigned ipv6_limit;
} RegistrarOptions;

/* One Multus interface that can hold addresses. Copied. */
typedef struct RegistrarInterface {
    const char *network_interface_id;
    const char *ifname;
    const char *network;
    InPrefix cidr_block;
    InPrefix ipv6_cidr_block;          /* or none */
    bool ipv6;                         /* it has an IPv6 address of its own */
    const Ec2NetworkInterface *record; /* as EC2 shows it: its addresses now. Borrowed during the call */
} RegistrarInterface;

/* How a request ended. status 200: done. Strings are valid during the call. */
typedef struct RegistrarResult {
    unsigned status;
    ProtocolError error;   /* status != 200 */
    const char *interface; /* status 200: where it is */
    const char *network_interface_id;
} RegistrarResult;

typedef void (*RegistrarHandler)(const RegistrarResult *result, void *userdata);

/*
 * An address is to be without an owner. error NULL: its owner gives it back, and has it until this call
 * returns: who registers it on the same interface from inside gets it as it is, without a call to EC2. Else
 * EC2 refused it to those who waited for it; or it has moved to another node (code REGISTRAR_MOVED_AWAY).
 */
#define REGISTRAR_MOVED_AWAY "moved_away"

typedef void (*RegistrarHeir)(const InAddr *address, const ProtocolError *error, void *userdata);

/* Who else had an address that has moved away, and may believe it his still, or NULL; valid until it is asked
 * again. */
typedef const char *(*RegistrarBeliever)(const InAddr *address, const char *but_owner, void *userdata);

/* For /metrics and status. */
typedef struct RegistrarStatistics {
    uint64_t n_registered, n_released, n_refused;
    uint64_t n_assign_calls, n_unassign_calls, n_batched; /* n_batched: addresses in those calls */
    uint64_t n_moved_here, n_moved_away, n_flapping;
    uint64_t assign_usec; /* sum over calls */
} RegistrarStatistics;

/** registrar_new() - nothing is read or sent */
int registrar_new(Registrar **ret, const RegistrarOptions *options);
Registrar *registrar_free(Registrar *registrar);

/** registrar_add_interface() - before registrar_start(); 0, -EEXIST, -ENOMEM */
int registrar_add_interface(Registrar *registrar, const RegistrarInterface *interface);

/**
 * registrar_add_absent() - before registrar_start(): an interface of this node that is not served in this run
 *
 * It has failed, is kept though it is not configured, or there is no plan. What is registered on it in this
 * boot is left as it is and kept for a run that has it; it can be released meanwhile. One that is added, too,
 * is served.
 *
 * Return: 0 or -ENOMEM.
 */
int registrar_add_absent(Registrar *registrar, const char *network_interface_id);

/**
 * registrar_start() - read the state, compare it with what EC2 shows, begin
 *
 * What EC2 shows and the state does not know belongs to nobody and is released after the cooldown (after
 * the grace when there was a state that could not be read);
 * what the state knows and EC2 does not show has moved away and is dropped (registered less than a
 * minute ago, it is looked at again first, since EC2's describes lag); what an earlier boot registered is
 * stale; what is registered on an interface that was neither added nor told of as absent is dropped. Of IPv6
 * the address that is noted as the interface's own is left alone, or, where none is, the first that the state
 * does not know; with ipv6 false there is none. A damaged, newer or foreign file is said and set aside
 * (renamed to addresses.json.damaged, .newer), never overwritten unread.
 *
 * Return: 0 or -ENOMEM.
 */
int registrar_start(Registrar *registrar);

/**
 * registrar_register() - make an address routable to this node
 * @interface: interface name, network name or ENI id; NULL: the only one whose subnet holds the address
 * @deadline: CLOCK_MONOTONIC; then 504, while the work goes on
 * @handler: called once, from the loop or from inside this call (already registered, refused), when EC2 has
 *           done it and the state is on disk; not after the wait was freed
 * @ret: set to NULL when the handler was called from inside; else to be freed after the handler, or to
 *       abandon waiting: the registration itself goes on
 *
 * The newest owner wins. What EC2 said a while ago is not believed (trust.h): it is asked again, for another
 * node may have taken the address. Refusals: 400 ambiguous interface, or an owner that is empty, too long or
 * not printable; 404 no such interface; 409 reserved, held elsewhere and allow_reassign is no, superseded by
 * another request, or given back meanwhile; 422 in no Multus subnet; 502 EC2 refused; 504; 507 the
 * interface's address limit. A disk that cannot be written is logged and does not refuse.
 *
 * Return: 0 or -ENOMEM.
 */
int registrar_register(Registrar *registrar, const InAddr *address, const char *interface, const char *owner,
                       usec_t deadline, RegistrarHandler handler, void *userdata, RegistrarWait **ret);

/**
 * registrar_keep() - likewise, without a deadline, of what somebody had before and does not ask for anew
 *
 * It has moved away if another node has it: it is not taken from there, but refused with 409
 * (address_in_use), even where allow_reassign is yes. What is registered here as far as is known changes its
 * owner, without a call. From another interface of this node it is moved, once EC2 has shown that it is still
 * there: until then 409 (busy).
 */
int registrar_keep(Registrar *registrar, const InAddr *address, const char *interface, const char *owner,
                   RegistrarHandler handler, void *userdata, RegistrarWait **ret);

/**
 * registrar_forget_moved_away() - the owner (NULL: whoever) has ended who could believe the address his
 *
 * That it has moved away is noted for another believer from then on; of NULL there is none.
 */
void registrar_forget_moved_away(Registrar *registrar, const InAddr *address, const char *owner);

/**
 * registrar_release() - give an address back; same calling convention
 *
 * 200 once it is on disk that it was given back (or there was nothing to give back); 409 when somebody else
 * owns it. Unassigned after the cooldown, unless the heir took it over.
 */
int registrar_release(Registrar *registrar, const InAddr *address, const char *owner,
                      RegistrarHandler handler, void *userdata, RegistrarWait **ret);

RegistrarWait *registrar_wait_free(RegistrarWait *wait);

/** registrar_set_heir() - who is asked before an address, or a note of one, is without an owner; NULL: nobody
 */
void registrar_set_heir(Registrar *registrar, RegistrarHeir heir, RegistrarBeliever believer, void *userdata);

/** registrar_state() - what is registered, for GET and metrics; constant for the caller */
const State *registrar_state(const Registrar *registrar);

/** registrar_ifname() - name of the interface that has the ENI id, or NULL */
const char *registrar_ifname(const Registrar *registrar, const char *network_interface_id);

/** registrar_ifname_of_index() - how watch finds it: set (0 or -ENOENT) and asked by the interface's index */
int registrar_set_ifindex(Registrar *registrar, const char *network_interface_id, int ifindex,
                          bool *ret_changed);
const char *registrar_ifname_of_index(const Registrar *registrar, int ifindex);

/** registrar_statistics() - counters since registrar_new() */
const RegistrarStatistics *registrar_statistics(const Registrar *registrar);

DEFINE_CLEANUP(Registrar, registrar_free)
DEFINE_CLEANUP(RegistrarWait, registrar_wait_free)
