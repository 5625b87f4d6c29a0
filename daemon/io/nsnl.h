#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Links and addresses of other network namespaces, without entering them. */

#include "io/netlink.h"
#include "util/inaddr.h"
#include "util/macro.h"
#include <net/if.h>
#include <systemd/sd-event.h>

typedef struct Nsnl Nsnl;

/* Positive outcome of a dump: the list changed while it was walked; ask again. */
#define NSNL_E_INTERRUPTED 1

/* A link of another namespace. */
typedef struct NsnlLink {
    int ifindex;
    char name[IFNAMSIZ];
    int parent; /* IFLA_LINK: the interface below, or a veth's other end; 0: none */
    /*
     * Where that one is, NETLINK_NSID_NONE: in the link's own namespace. An event counts as the link's
     * namespace does, see nsnl_own_id_in(); a dump as this one does, see nsnl_own_id().
     */
    int parent_nsid;
} NsnlLink;

typedef struct NsnlAddress {
    int ifindex;
    InAddr address; /* the local one, of a pair */
    unsigned scope; /* RT_SCOPE_… */
    uint32_t flags; /* IFA_F_… */
} NsnlAddress;

typedef enum NsnlEventType {
    NSNL_EVENT_NAMESPACE_NEW,
    NSNL_EVENT_NAMESPACE_REMOVED, /* with all that was in it; nothing else is told about that */
    NSNL_EVENT_LINK_NEW,          /* appeared, or anything about it changed */
    NSNL_EVENT_LINK_REMOVED,
    NSNL_EVENT_ADDRESS_NEW, /* appeared, or anything about it changed */
    NSNL_EVENT_ADDRESS_REMOVED,
    NSNL_EVENT_OVERRUN, /* events were lost, and everything before this one has been told */
} NsnlEventType;

typedef struct NsnlEvent {
    NsnlEventType type;
    int nsid;
    union {
        NsnlLink link;
        NsnlAddress address;
    };
} NsnlEvent;

typedef void (*NsnlHandler)(const NsnlEvent *event, void *userdata);

/**
 * nsnl_new() - listen in all namespaces that have an id here
 * @handler: called from the loop, and for each part of a dump from inside that call
 *
 * Gives this namespace an id of its own, which stays. What this namespace itself has is never told.
 *
 * Return: 0; -EPERM without CAP_NET_BROADCAST, or without CAP_NET_ADMIN; -ENOMEM; the errno of socket() and
 * sd-event.
 */
int nsnl_new(Nsnl **ret, sd_event *event, NsnlHandler handler, void *userdata);
Nsnl *nsnl_free(Nsnl *nsnl);

/** nsnl_own_id() - the id of this namespace here */
int nsnl_own_id(const Nsnl *nsnl);

/**
 * nsnl_own_id_in() - the id that this namespace has in another one
 *
 * It stays as long as that namespace does. Return: 0; -ENOENT when it has none, or the other one is gone.
 */
int nsnl_own_id_in(Nsnl *nsnl, int nsid, int *ret);

/** nsnl_exists() - whether a namespace has that id now */
bool nsnl_exists(Nsnl *nsnl, int nsid);

/**
 * nsnl_assign() - the id of a namespace, which gets one if it has none
 * @fd_netns: an open file of /proc/PID/ns/net or below /run/netns
 *
 * Return: 0; -EINVAL when that is no network namespace; negative errno.
 */
int nsnl_assign(Nsnl *nsnl, int fd_netns, int *ret_nsid);

/*
 * What is there, told as events of the _NEW types by the handler given, which may not call back. The kernel
 * works on these inside the call: nothing waits, and what it tells may be newer than events that are still
 * queued.
 * Return: 0; NSNL_E_INTERRUPTED after all was told that could be; -ENOENT: no such namespace; other
 * negative errno: not everything was told.
 */
int nsnl_dump_namespaces(Nsnl *nsnl, NsnlHandler handler, void *userdata);
int nsnl_dump_links(Nsnl *nsnl, int nsid, NsnlHandler handler, void *userdata);
int nsnl_dump_addresses(Nsnl *nsnl, int nsid, NsnlHandler handler, void *userdata);

DEFINE_CLEANUP(Nsnl, nsnl_free)
