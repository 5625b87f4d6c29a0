/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which addresses are on pod interfaces above ours.
 *
 * An ipvlan or macvlan interface in a pod names the interface below it by index (IFLA_LINK) and by the
 * namespace that one is in (IFLA_LINK_NETNSID). Where that is this namespace and the index is one of our
 * interfaces, the pod's addresses are registered there. So two interfaces in one subnet are told apart,
 * and a pod inside a pod, whose lower interface has by chance an index of ours, is not taken for one.
 * The other end of a veth is named in the same way; it is no interface of ours.
 *
 * Kept here: the namespaces that have an id, and in them the links that are above ours. Their addresses
 * are kept by Sightings, which talks to the registrar. Everything else that is told is dropped.
 *
 * A namespace is looked at (its links and addresses dumped) when it gets an id, and after events were
 * lost; from then on events tell of it. Only namespaces with an id are told of. Whatever has one end of a
 * veth here has one; for the others, an id is given to every namespace with a name. What a dump shows is
 * compared with what was known: it may miss nothing, so one that was interrupted is asked for again, and
 * until then only adds.
 *
 * Namespaces are recognised again by the inode of their file, since ids are given anew after a namespace
 * has ended, and its end may be among the events that were lost.
 */

#include "register/watch.h"
#include "io/netnsdir.h"
#include "io/nsnl.h"
#include "register/sighting.h"
#include "util/log.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/stat.h>

/* After a dump that failed for want of memory. */
#define LOOK_AGAIN_USEC USEC_PER_SEC
/* A longer name would not leave room for the interface in an owner; its namespace goes by the id. */
#define NAME_OF_NAMESPACE_MAX 200

typedef struct Namespace {
    int nsid;
    int own_id;  /* of this namespace in that one; NETLINK_NSID_NONE: not known, or none yet */
    char *name;  /* of its file, or NULL */
    ino_t inode; /* with the name */
    bool look_again;
    bool told; /* by the dump of namespaces that runs */
} Namespace;

/* An interface above ours. */
typedef struct PodLink {
    int nsid;
    int ifindex;
    int parent;
    char name[IFNAMSIZ];
    bool told; /* by the dump of links that runs */
} PodLink;

struct Watch {
    sd_event *event;
    Registrar *registrar;
    Nsnl *nsnl;
    char *netns_dir;
    NetnsDir *dir;   /* NULL: cannot be watched */
    bool dir_failed; /* and that was said */
    Sightings *sightings;
    sd_event_source *source_again;

    Namespace *namespaces;
    size_t n_namespaces;
    size_t n_namespaces_allocated;
    PodLink *links;
    size_t n_links;
    size_t n_links_allocated;
    int error;     /* of a dump's handler, for the one who asked */
    bool looking;  /* at all namespaces: those that are found need not be looked at one by one */
    bool complete; /* everything that was there at the start has been seen */
};

static void namespace_look(Watch *watch, int nsid);
static void watch_check_complete(Watch *watch);

/* Room for one more in an array of that element size. */
static int array_grow(void *items, size_t size, size_t n, size_t *n_allocated)
{
    void **array = items;
    size_t wanted = *n_allocated ? 2 * *n_allocated : 16;
    void *grown;

    if (n < *n_allocated)
        return 0;
    grown = reallocarray(*array, wanted, size);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    *n_allocated = wanted;
    return 0;
}

/* ------------------------------------------------------------------ looking again */

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    Watch *watch = userdata;

    (void)source;
    (void)usec;
    watch->source_again = sd_event_source_disable_unref(watch->source_again);
    for (size_t i = 0; i < watch->n_namespaces; i++)
        if (watch->namespaces[i].look_again) {
            watch->namespaces[i].look_again = false;
            namespace_look(watch, watch->namespaces[i].nsid);
        }
    watch_check_complete(watch);
    return 0;
}

static void look_again(Watch *watch, Namespace *namespace, usec_t delay)
{
    int r = 0;

    namespace->look_again = true;
    if (!watch->source_again)
        r = sd_event_add_time_relative(watch->event, &watch->source_again, CLOCK_MONOTONIC, delay, 0,
                                       on_again, watch);
    if (r < 0)
        log_debug_errno(r, "watch: cannot look again: %m");
    else
        (void)sd_event_source_set_description(watch->source_again, "watch-again");
}

/* ------------------------------------------------------------------ links */

static PodLink *link_find(const Watch *watch, int nsid, int ifindex)
{
    for (size_t i = 0; i < watch->n_links; i++)
        if (watch->links[i].nsid == nsid && watch->links[i].ifindex == ifindex)
            return &watch->links[i];
    return NULL;
}

static void link_remove(Watch *watch, PodLink *link)
{
    const int nsid = link->nsid, ifindex = link->ifindex;

    *link = watch->links[--watch->n_links];
    sightings_remove_all(watch->sightings, nsid, ifindex);
}

/* A link that is above ours, as it is now. */
static int link_set(Watch *watch, int nsid, const NsnlLink *told)
{
    PodLink *link = link_find(watch, nsid, told->ifindex);
    int r;

    if (link && link->parent != told->parent) {
        link_remove(watch, link);
        link = NULL;
    }
    if (!link) {
        r = array_grow(&watch->links, sizeof(*watch->links), watch->n_links, &watch->n_links_allocated);
        if (r < 0)
            return r;
        link = &watch->links[watch->n_links++];
        *link = (PodLink){.nsid = nsid, .ifindex = told->ifindex, .parent = told->parent};
    }
    memcpy(link->name, told->name, sizeof(link->name));
    link->told = true;
    return 0;
}

/* host_id: what the namespace of our interfaces is called where the link was told of. */
static bool link_is_ours(const Watch *watch, const NsnlLink *link, int host_id)
{
    return link->parent > 0 && link->parent_nsid != NETLINK_NSID_NONE && link->parent_nsid == host_id &&
           registrar_ifname_of_index(watch->registrar, link->parent);
}

/* ------------------------------------------------------------------ addresses */

static bool address_is_local(const InAddr *address)
{
    const uint8_t *bytes = address->bytes;

    if (address->family == AF_INET)
        return bytes[0] == 127 || bytes[0] == 0 || bytes[0] >= 224 || (bytes[0] == 169 && bytes[1] == 254);
    /* fe80::/10, ff00::/8, and ::1 and :: as the only ones of ::/127 */
    return (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) || bytes[0] == 0xff ||
           in_prefix_contains(&(InPrefix){.address = {.family = AF_INET6}, .length = 127}, address);
}

/* Owners go into a file and into answers: a name with anything else than these is not taken. */
static bool is_plain(const char *name, size_t max)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@";
    const size_t n = strspn(name, plain);

    return n > 0 && !name[n] && n <= max;
}

static void owner_format(const Namespace *namespace, const PodLink *link,
                         char owner[static REGISTRAR_OWNER_MAX])
{
    char place[32], interface[IFNAMSIZ];

    (void)snprintf(place, sizeof(place), "nsid%d", namespace->nsid);
    (void)snprintf(interface, sizeof(interface), "%d", link->ifindex);
    (void)snprintf(owner, REGISTRAR_OWNER_MAX, PROTOCOL_OWNER_WATCH "%.200s/%s",
                   namespace->name ? namespace->name : place,
                   is_plain(link->name, sizeof(link->name)) ? link->name : interface);
}

static int address_set(Watch *watch, const Namespace *namespace, const NsnlAddress *told)
{
    const SightingKey key = {namespace->nsid, told->ifindex, told->address};
    const PodLink *link = link_find(watch, namespace->nsid, told->ifindex);
    const char *ifname = link ? registrar_ifname_of_index(watch->registrar, link->parent) : NULL;
    char owner[REGISTRAR_OWNER_MAX];

    if (!ifname || told->scope != RT_SCOPE_UNIVERSE || address_is_local(&told->address))
        return 0;
    if (told->flags & IFA_F_DADFAILED) {
        sightings_remove(watch->sightings, &key);
        return 0;
    }
    /*
     * Until duplicate detection is done the pod cannot use it, and it may fail. It comes again without the
     * flag. One that was there already is tried anew, as after the link was down, and stays.
     */
    if (told->flags & IFA_F_TENTATIVE) {
        sightings_keep(watch->sightings, &key);
        return 0;
    }
    owner_format(namespace, link, owner);
    return sightings_add(watch->sightings, &key, ifname, owner);
}

/* ------------------------------------------------------------------ namespaces */

static Namespace *namespace_find(const Watch *watch, int nsid)
{
    for (size_t i = 0; i < watch->n_namespaces; i++)
        if (watch->namespaces[i].nsid == nsid)
            return &watch->namespaces[i];
    return NULL;
}

static void namespace_empty(Watch *watch, int nsid)
{
    for (size_t i = 0; i < watch->n_links;)
        if (watch->links[i].nsid == nsid)
            link_remove(watch, &watch->links[i]);
        else
            i++;
    sightings_remove_all(watch->sightings, nsid, 0);
}

static void namespace_remove(Watch *watch, Namespace *namespace)
{
    const int nsid = namespace->nsid;

    free(namespace->name);
    *namespace = watch->namespaces[--watch->n_namespaces];
    namespace_empty(watch, nsid);
}

static int namespace_add(Watch *watch, int nsid, Namespace **ret)
{
    int r = array_grow(&watch->namespaces, sizeof(*watch->namespaces), watch->n_namespaces,
                       &watch->n_namespaces_allocated);

    if (r < 0)
        return r;
    *ret = &watch->namespaces[watch->n_namespaces++];
    **ret = (Namespace){.nsid = nsid, .own_id = NETLINK_NSID_NONE, .told = true};
    return 0;
}

/* What the namespace of our interfaces is called in there, asked for as long as it has no id. */
static int namespace_own_id(Watch *watch, Namespace *namespace)
{
    if (namespace->own_id == NETLINK_NSID_NONE)
        (void)nsnl_own_id_in(watch->nsnl, namespace->nsid, &namespace->own_id);
    return namespace->own_id;
}

static void on_link_told(const NsnlEvent *event, void *userdata)
{
    Watch *watch = userdata;
    int r = 0;

    if (event->type == NSNL_EVENT_LINK_NEW && link_is_ours(watch, &event->link, nsnl_own_id(watch->nsnl)))
        r = link_set(watch, event->nsid, &event->link);
    if (r < 0)
        watch->error = r;
}

static void on_address_told(const NsnlEvent *event, void *userdata)
{
    Watch *watch = userdata;
    const Namespace *namespace = namespace_find(watch, event->nsid);
    int r = 0;

    if (event->type == NSNL_EVENT_ADDRESS_NEW && namespace)
        r = address_set(watch, namespace, &event->address);
    if (r < 0)
        watch->error = r;
}

/* Return: 0 when what is known is now what is there; NSNL_E_INTERRUPTED or negative errno when it may lack
 * something. */
static int look_at_links(Watch *watch, int nsid)
{
    int r;

    for (size_t i = 0; i < watch->n_links; i++)
        if (watch->links[i].nsid == nsid)
            watch->links[i].told = false;
    watch->error = 0;
    r = nsnl_dump_links(watch->nsnl, nsid, on_link_told, watch);
    if (r != 0 || watch->error < 0)
        return r != 0 ? r : watch->error;
    for (size_t i = 0; i < watch->n_links;)
        if (watch->links[i].nsid == nsid && !watch->links[i].told)
            link_remove(watch, &watch->links[i]);
        else
            i++;
    return 0;
}

static int look_at_addresses(Watch *watch, int nsid)
{
    int r;

    sightings_begin(watch->sightings, nsid);
    watch->error = 0;
    r = nsnl_dump_addresses(watch->nsnl, nsid, on_address_told, watch);
    if (r != 0 || watch->error < 0)
        return r != 0 ? r : watch->error;
    sightings_end(watch->sightings, nsid);
    return 0;
}

static void namespace_look(Watch *watch, int nsid)
{
    int r = look_at_links(watch, nsid), r_addresses = 0;
    Namespace *namespace;

    /* Of a list of links with gaps, the addresses that are there are good nevertheless. */
    if (r >= 0)
        r_addresses = look_at_addresses(watch, nsid);
    if (r == 0)
        r = r_addresses;
    if (r == 0)
        return;
    log_debug_errno(r < 0 ? r : 0, "watch: namespace %d could not be looked at as a whole", nsid);
    namespace = namespace_find(watch, nsid);
    /* Gone: RTM_DELNSID says so too. Another user's: we may not look, and nothing is told of it. */
    if (!namespace || r == -ENOENT || r == -EPERM)
        return;
    look_again(watch, namespace, r == NSNL_E_INTERRUPTED ? 0 : LOOK_AGAIN_USEC);
}

/* A namespace with a name: it has an id from now on. */
static void on_name(const char *name, int fd, void *userdata)
{
    Watch *watch = userdata;
    Namespace *namespace;
    struct stat status;
    bool new;
    int nsid, r = nsnl_assign(watch->nsnl, fd, &nsid);

    if (r >= 0 && fstat(fd, &status) < 0)
        r = -errno;
    if (r < 0) {
        log_debug_errno(r, "watch: no id for namespace %s: %m", name);
        return;
    }
    if (nsid == nsnl_own_id(watch->nsnl))
        return;
    namespace = namespace_find(watch, nsid);
    if (namespace && namespace->inode && namespace->inode != status.st_ino) {
        namespace_remove(watch, namespace);
        namespace = NULL;
    }
    new = !namespace;
    if (new)
        r = namespace_add(watch, nsid, &namespace);
    if (r >= 0 && !namespace->name && is_plain(name, NAME_OF_NAMESPACE_MAX)) {
        namespace->name = strdup(name);
        namespace->inode = status.st_ino;
    }
    if (r < 0)
        log_debug_errno(r, "watch: cannot keep namespace %s: %m", name);
    else if (new && !watch->looking)
        namespace_look(watch, nsid);
}

/*
 * Tell all names; again with each namespace, should they not be watched yet: inotify has a limit that all
 * programs of a user share. Without it namespaces with an id are found all the same.
 */
static void look_for_names(Watch *watch)
{
    int r;

    if (watch->dir) {
        r = netnsdir_look(watch->dir);
        if (r < 0)
            log_debug_errno(r, "watch: cannot look for names: %m");
        return;
    }
    r = netnsdir_new(&watch->dir, watch->event, watch->netns_dir, on_name, watch);
    if (r < 0 && !watch->dir_failed)
        log_warning_errno(
            r,
            "%s cannot be watched: %m. Pods' namespaces go by their ids, and one without a veth "
            "to this host is not found; too many open files: see fs.inotify.max_user_instances",
            watch->netns_dir);
    watch->dir_failed = r < 0;
}

static void on_nsid(Watch *watch, int nsid)
{
    Namespace *namespace;
    int r;

    if (namespace_find(watch, nsid))
        return;
    /* It may have a name: a file comes before the veth. */
    look_for_names(watch);
    if (namespace_find(watch, nsid))
        return;
    r = namespace_add(watch, nsid, &namespace);
    if (r < 0)
        log_debug_errno(r, "watch: cannot keep namespace %d: %m", nsid);
    else
        namespace_look(watch, nsid);
}

/* ------------------------------------------------------------------ everything */

static void on_namespace_told(const NsnlEvent *event, void *userdata)
{
    Watch *watch = userdata;
    Namespace *known = namespace_find(watch, event->nsid);
    int r = 0;

    if (event->type != NSNL_EVENT_NAMESPACE_NEW || event->nsid == nsnl_own_id(watch->nsnl))
        return;
    if (known)
        known->told = true;
    else
        r = namespace_add(watch, event->nsid, &known);
    if (r < 0)
        watch->error = r;
}

/* Names come first, since they say which ids are given anew. Return: whether nothing was left out. */
static bool look_at_namespaces(Watch *watch)
{
    int r;

    look_for_names(watch);
    for (size_t i = 0; i < watch->n_namespaces; i++)
        watch->namespaces[i].told = false;
    watch->error = 0;
    r = nsnl_dump_namespaces(watch->nsnl, on_namespace_told, watch);
    if (r == 0)
        r = watch->error;
    if (r != 0) {
        log_debug_errno(r < 0 ? r : 0, "watch: the list of namespaces is not whole");
        return false;
    }
    for (size_t i = 0; i < watch->n_namespaces;)
        if (!watch->namespaces[i].told)
            namespace_remove(watch, &watch->namespaces[i]);
        else
            i++;
    return true;
}

/* What an earlier run left can be told once nothing is left out of what is there. */
static void watch_check_complete(Watch *watch)
{
    for (size_t i = 0; i < watch->n_namespaces; i++)
        if (watch->namespaces[i].look_again) {
            log_debug("watch: namespace %d is still to be looked at", watch->namespaces[i].nsid);
            return;
        }
    if (!watch->complete)
        sightings_release_leftovers(watch->sightings);
    watch->complete = true;
}

void watch_look(Watch *watch)
{
    bool whole;

    watch->looking = true;
    whole = look_at_namespaces(watch);
    watch->looking = false;
    for (size_t i = 0; i < watch->n_namespaces; i++) {
        /* It may be another one's with the same id. */
        watch->namespaces[i].own_id = NETLINK_NSID_NONE;
        namespace_look(watch, watch->namespaces[i].nsid);
    }
    sightings_settle(watch->sightings);
    if (whole)
        watch_check_complete(watch);
}

static void on_link_event(Watch *watch, Namespace *namespace, const NsnlLink *told)
{
    PodLink *link;
    int r;

    if (link_is_ours(watch, told,
                     told->parent > 0 ? namespace_own_id(watch, namespace) : NETLINK_NSID_NONE)) {
        r = link_set(watch, namespace->nsid, told);
        if (r < 0)
            look_again(watch, namespace, LOOK_AGAIN_USEC);
        return;
    }
    link = link_find(watch, namespace->nsid, told->ifindex);
    if (link)
        link_remove(watch, link);
}

/*
 * The kernel has an entry for each prefix length of an IPv4 address, and for each peer (inet_insert_ifa()).
 * One of several has gone: what is left of the address is asked for.
 */
static void on_address_removed(Watch *watch, Namespace *namespace, const NsnlAddress *told)
{
    const SightingKey key = {namespace->nsid, told->ifindex, told->address};
    int r;

    if (told->scope != RT_SCOPE_UNIVERSE)
        return;
    if (told->address.family != AF_INET || !sightings_may_be_twice(watch->sightings, &key)) {
        sightings_remove(watch->sightings, &key);
        return;
    }
    r = look_at_addresses(watch, namespace->nsid);
    if (r == -ENOENT || r == -EPERM)
        sightings_remove(watch->sightings, &key);
    else if (r != 0)
        look_again(watch, namespace, r == NSNL_E_INTERRUPTED ? 0 : LOOK_AGAIN_USEC);
}

static void on_event(const NsnlEvent *event, void *userdata)
{
    Watch *watch = userdata;
    Namespace *namespace = namespace_find(watch, event->nsid);
    PodLink *link;

    switch (event->type) {
    case NSNL_EVENT_NAMESPACE_NEW: on_nsid(watch, event->nsid); break;
    case NSNL_EVENT_NAMESPACE_REMOVED:
        if (namespace)
            namespace_remove(watch, namespace);
        /*
         * The kernel frees the id first and tells of it later: another namespace may have got it
         * meanwhile, and been told of before.
         */
        if (nsnl_exists(watch->nsnl, event->nsid))
            on_nsid(watch, event->nsid);
        break;
    case NSNL_EVENT_LINK_NEW:
        if (namespace)
            on_link_event(watch, namespace, &event->link);
        break;
    case NSNL_EVENT_LINK_REMOVED:
        link = link_find(watch, event->nsid, event->link.ifindex);
        if (link)
            link_remove(watch, link);
        break;
    case NSNL_EVENT_ADDRESS_NEW:
        if (namespace && address_set(watch, namespace, &event->address) < 0)
            look_again(watch, namespace, LOOK_AGAIN_USEC);
        break;
    case NSNL_EVENT_ADDRESS_REMOVED:
        if (namespace)
            on_address_removed(watch, namespace, &event->address);
        break;
    case NSNL_EVENT_OVERRUN:
        log_debug("watch: events were lost, looking at everything");
        watch_look(watch);
        break;
    }
}

/* ------------------------------------------------------------------ lifecycle */

Watch *watch_free(Watch *watch)
{
    if (!watch)
        return NULL;
    (void)sd_event_source_disable_unref(watch->source_again);
    (void)netnsdir_free(watch->dir);
    (void)nsnl_free(watch->nsnl);
    (void)sightings_free(watch->sightings);
    for (size_t i = 0; i < watch->n_namespaces; i++)
        free(watch->namespaces[i].name);
    free(watch->namespaces);
    free(watch->links);
    free(watch->netns_dir);
    (void)sd_event_unref(watch->event);
    free(watch);
    return NULL;
}

int watch_new(Watch **ret, sd_event *event, Registrar *registrar, const char *netns_dir)
{
    _cleanup_(watch_freep) Watch *watch = calloc(1, sizeof(*watch));
    int r;

    if (!watch)
        return -ENOMEM;
    watch->event = sd_event_ref(event);
    watch->registrar = registrar;
    watch->looking = true;
    r = replace_string(&watch->netns_dir, netns_dir);
    if (r >= 0)
        r = sightings_new(&watch->sightings, event, registrar);
    if (r >= 0)
        r = nsnl_new(&watch->nsnl, event, on_event, watch);
    if (r < 0)
        return r;
    watch_look(watch);

    *ret = TAKE_PTR(watch);
    return 0;
}
