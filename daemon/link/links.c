/* SPDX-License-Identifier: Apache-2.0 */

/*
 * All the node's Multus links.
 *
 * Keeps what the kernel has told of every device, ours or not, since a foreign one may hold a name that
 * a link wants. A device belongs to the link with its MAC unless it is stacked: an ipvlan child bears the
 * MAC of the ENI under it.
 *
 * A link that waits for a name is run again by an event source that is armed by whatever may have freed
 * one. The source runs after the events that are queued, so a burst of them costs one round.
 */

#include "link/link-private.h"
#include "util/fs.h"
#include "util/log.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>

/* ------------------------------------------------------------------ devices */

static RtnlLink *device_find(const Links *links, int ifindex)
{
    for (size_t i = 0; i < links->n_devices; i++)
        if (links->devices[i].ifindex == ifindex)
            return &links->devices[i];
    return NULL;
}

static int device_append(Links *links, RtnlLink **ret)
{
    if (links->n_devices == links->n_devices_allocated) {
        size_t n = links->n_devices ? 2 * links->n_devices : 16;
        RtnlLink *devices = reallocarray(links->devices, n, sizeof(*devices));

        if (!devices)
            return -ENOMEM;
        links->devices = devices;
        links->n_devices_allocated = n;
    }
    *ret = &links->devices[links->n_devices++];
    **ret = (RtnlLink){0};
    return 0;
}

static int device_update(Links *links, const RtnlLink *told, RtnlLink **ret)
{
    RtnlLink *device = device_find(links, told->ifindex);
    RtnlLink copy;
    int r = rtnl_link_copy(told, &copy);

    if (r < 0)
        return r;
    if (!device)
        r = device_append(links, &device);
    if (r < 0) {
        rtnl_link_done(&copy);
        return r;
    }
    rtnl_link_done(device);
    *device = copy;
    *ret = device;
    return 0;
}

static void device_remove(Links *links, int ifindex)
{
    RtnlLink *device = device_find(links, ifindex);

    if (!device)
        return;
    rtnl_link_done(device);
    *device = links->devices[--links->n_devices];
}

const RtnlLink *links_device(const Links *links, int ifindex)
{
    return ifindex > 0 ? device_find(links, ifindex) : NULL;
}

/* Names and alternative names share one space in the kernel. */
const RtnlLink *links_device_by_name(const Links *links, const char *name)
{
    for (size_t i = 0; i < links->n_devices; i++)
        if (streq(links->devices[i].name, name) || strlist_contains(&links->devices[i].altnames, name))
            return &links->devices[i];
    return NULL;
}

/*
 * An altname came or went by our own request. The kernel tells of that only while the device is up.
 */
void links_note_altname(Links *links, int ifindex, const char *name, bool present)
{
    RtnlLink *device = device_find(links, ifindex);

    if (!device || strlist_contains(&device->altnames, name) == present)
        return;
    if (present) {
        if (strlist_append(&device->altnames, name) < 0)
            log_debug("links: out of memory for an alternative name");
        return;
    }
    for (size_t i = 0; i < device->altnames.n; i++)
        if (streq(device->altnames.items[i], name)) {
            free(device->altnames.items[i]);
            device->altnames.items[i] = device->altnames.items[--device->altnames.n];
            return;
        }
}

/* ------------------------------------------------------------------ events */

static void links_on_device(Links *links, const RtnlLink *device)
{
    Link *link = links_find_by_ifindex(links, device->ifindex);

    if (!link && !device->stacked) {
        link = links_find(links, rtnl_link_mac(device));
        /* Two devices with one MAC: the first stays. */
        if (link && link->ifindex != 0)
            link = NULL;
    }
    if (link)
        link_on_device(link, device);
}

/* The device that is there with the link's MAC, or NULL. */
const RtnlLink *links_device_of(const Links *links, const Link *link)
{
    for (size_t i = 0; i < links->n_devices; i++)
        if (!links->devices[i].stacked && mac_addr_equal(rtnl_link_mac(&links->devices[i]), &link->spec.mac))
            return &links->devices[i];
    return NULL;
}

/* The devices that are there already, for links that have none. */
static void links_match_devices(Links *links)
{
    for (Link *link = links->links; link; link = link->next) {
        const RtnlLink *device = link->ifindex == 0 ? links_device_of(links, link) : NULL;

        /* One whose MAC was changed to another's may be a link already. */
        if (device && !links_find_by_ifindex(links, device->ifindex))
            link_on_device(link, device);
    }
}

void links_on_rtnl(const RtnlEvent *event, void *userdata)
{
    Links *links = userdata;
    RtnlLink *device = NULL;
    Link *link;
    int r;

    links->n_events++;
    switch (event->type) {
    case RTNL_EVENT_LINK_NEW:
        r = device_update(links, event->link, &device);
        if (r < 0) {
            log_debug_errno(r, "links: cannot remember ifindex %i: %m", event->link->ifindex);
            return;
        }
        links_on_device(links, device);
        break;
    case RTNL_EVENT_LINK_REMOVED:
        device_remove(links, event->link->ifindex);
        link = links_find_by_ifindex(links, event->link->ifindex);
        if (link)
            link_on_removed(link, event->link->moved);
        break;
    case RTNL_EVENT_ENUMERATED: links->enumerated = true; break;
    }
    links_run_again(links);
}

static void on_udev(int ifindex, void *userdata)
{
    Links *links = userdata;
    Link *link = links_find_by_ifindex(links, ifindex);

    if (link)
        link_on_udev(link);
}

static int on_again(sd_event_source *source, void *userdata)
{
    Links *links = userdata;

    (void)source;
    if (!links->rtnl)
        return 0;
    links_match_devices(links);
    for (Link *link = links->links; link; link = link->next)
        link_on_again(link);
    return 0;
}

void links_run_again(Links *links)
{
    int r = sd_event_source_set_enabled(links->again, SD_EVENT_ONESHOT);

    if (r < 0)
        log_debug_errno(r, "links: cannot run again: %m");
}

/* ------------------------------------------------------------------ lifecycle */

static int links_listen(Links *links)
{
    int r = sd_event_add_defer(links->event, &links->again, on_again, links);

    if (r < 0)
        return r;
    (void)sd_event_source_set_description(links->again, "links-again");
    /* After the sockets: what is queued there may already change the picture. */
    (void)sd_event_source_set_priority(links->again, SD_EVENT_PRIORITY_NORMAL + 1);
    (void)sd_event_source_set_enabled(links->again, SD_EVENT_OFF);
    r = udev_new(&links->udev, links->event, on_udev, links);
    return r == -ENOENT ? 0 : r;
}

int links_new(Links **ret, sd_event *event, const char *sysctl_root, LinkHandler handler, void *userdata)
{
    _cleanup_(links_freep) Links *links = calloc(1, sizeof(*links));
    int r;

    if (!links)
        return -ENOMEM;
    links->event = sd_event_ref(event);
    links->handler = handler;
    links->userdata = userdata;
    links->slow_usec = LINK_SLOW_USEC;
    links->udev_patience_usec = LINK_UDEV_PATIENCE_USEC;
    links->name_patience_usec = LINK_NAME_PATIENCE_USEC;
    r = replace_string(&links->sysctl_root, sysctl_root);
    if (r >= 0)
        r = links_listen(links);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(links);
    return 0;
}

Links *links_free(Links *links)
{
    if (!links)
        return NULL;
    while (links->links)
        links_remove(links, links->links);
    for (size_t i = 0; i < links->n_devices; i++)
        rtnl_link_done(&links->devices[i]);
    free(links->devices);
    (void)udev_free(links->udev);
    (void)sd_event_source_disable_unref(links->again);
    (void)sd_event_unref(links->event);
    free(links->sysctl_root);
    free(links);
    return NULL;
}

void links_settle(Links *links)
{
    if (links)
        links->rename_grace_usec = LINK_RENAME_GRACE_USEC;
}

void links_set_drivers(Links *links, const DriverHost *host)
{
    links->drivers = *host;
}

int links_start(Links *links, Rtnl *rtnl)
{
    links->rtnl = rtnl;
    links_run_again(links);
    return 0;
}

int links_add(Links *links, const LinkSpec *spec, Link **ret)
{
    Link *link = NULL;
    int r;

    if (links_find(links, &spec->mac) || links_find_by_ifname(links, spec->ifname))
        return -EEXIST;
    r = link_new(links, spec, &link);
    if (r < 0)
        return r;
    link->next = links->links;
    links->links = link;
    /* From the loop, not from here: the caller does not know the link yet. */
    links_run_again(links);

    *ret = link;
    return 0;
}

void links_expect(Links *links, Link *link)
{
    (void)links;
    link_on_expected(link);
}

void links_remove(Links *links, Link *link)
{
    for (Link **p = &links->links; *p; p = &(*p)->next)
        if (*p == link) {
            *p = link->next;
            break;
        }
    (void)link_free(link);
}

Link *links_find(Links *links, const MacAddr *mac)
{
    for (Link *link = links->links; link; link = link->next)
        if (mac_addr_equal(&link->spec.mac, mac))
            return link;
    return NULL;
}

Link *links_find_by_ifname(const Links *links, const char *ifname)
{
    for (Link *link = links->links; link; link = link->next)
        if (streq(link->spec.ifname, ifname))
            return link;
    return NULL;
}

Link *links_find_by_ifindex(const Links *links, int ifindex)
{
    for (Link *link = links->links; link; link = link->next)
        if (link->ifindex == ifindex)
            return link;
    return NULL;
}

int links_overrides(const Links *links, StrList *ret)
{
    _cleanup_strlist_ StrList list = STRLIST_NULL;
    const int all = sysctl_rp_filter_all(links->sysctl_root);
    char text[256];
    int r;

    /* ip-sysctl.rst: the kernel uses the larger one of conf/all and conf/<interface>. */
    if (all != 0) {
        (void)snprintf(text, sizeof(text),
                       "net.ipv4.conf.all.rp_filter is %i and overrides the 0 of the Multus interfaces: "
                       "packets of pods may be dropped; set it to 0 and the wanted value in "
                       "net.ipv4.conf.default.rp_filter and each other interface",
                       all);
        r = strlist_append(&list, text);
        if (r < 0)
            return r;
    }

    *ret = list;
    list = STRLIST_NULL;
    return 0;
}
