/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A link whose name is right is set up: the kernel's settings, then MTU, up, alternative names, addresses.
 */

#include "link/link-private.h"
#include "util/log.h"
#include <errno.h>

void link_check_configured(Link *link)
{
    const RtnlLink *device = links_device(link->links, link->ifindex);

    if (link->requests || !device || !(device->flags & IFF_UP)) {
        log_debug("link %s: not up yet: %s", link->spec.ifname,
                  link->requests ? link->requests->what : "the kernel has not told so");
        return;
    }
    link_disarm(link);
    link_set_state(link, LINK_STATE_UP);
    link->been_up = true;
    link_emit(link, LINK_EVENT_UP, 0, link->text);
    link->text = mfree(link->text);
    link->changed = false;
}

void link_set_device(Link *link, const RtnlLinkSet *set, const char *what, bool rename)
{
    LinkRequest *request = link_request_new(link, what);
    Rtnl *rtnl = link->links->rtnl;

    if (!request)
        return;
    request->rename = rename;
    link->changed = true;
    link_request_started(request, rtnl->ops->link_set(rtnl, set, link_on_answer, request, &request->slot));
}

static void link_add_altnames(Link *link, const RtnlLink *device)
{
    Rtnl *rtnl = link->links->rtnl;

    for (size_t i = 0; i < link->spec.altnames.n; i++) {
        const char *name = link->spec.altnames.items[i];
        LinkRequest *request;

        if (streq(name, link->spec.ifname) || strlist_contains(&device->altnames, name))
            continue;
        request = link_request_new(link, "add an alternative name");
        if (!request)
            return;
        request->optional = true;
        request->altname_ifindex = link->ifindex;
        request->altname_added = name;
        link_request_started(request, rtnl->ops->altname_add(rtnl, link->ifindex, name, link_on_answer,
                                                             request, &request->slot));
    }
}

static uint32_t link_wanted_mtu(Link *link, const RtnlLink *device)
{
    if (device->max_mtu == 0 || link->spec.mtu <= device->max_mtu)
        return link->spec.mtu;
    link_warn(link, "MTU lowered from %u to the device's maximum of %u", link->spec.mtu, device->max_mtu);
    return device->max_mtu;
}

/*
 * The kernel's settings. Where nothing has the name yet, the kernel is asked to tell of its devices once
 * more: it answers when the renaming that is under way is done, and the link is run again. What is not there
 * then either (no sysctls in this kernel) is done without.
 */
static int link_configure_settings(Link *link)
{
    Rtnl *rtnl = link->links->rtnl;
    bool host_ipv6 = false, changed;
    int r;

    for (size_t i = 0; i < link->spec.n_addresses; i++)
        host_ipv6 = host_ipv6 || link->spec.addresses[i].prefix.address.family == AF_INET6;
    r = sysctl_configure(link->links->sysctl_root, link->spec.ifname, host_ipv6, &changed);
    link->changed = link->changed || changed;
    if (r != -ENOENT)
        return r;
    if (link->settings_awaited)
        return 0;
    link->settings_awaited = true;
    rtnl->ops->refresh(rtnl);
    return -EAGAIN;
}

void link_configure(Link *link, const RtnlLink *device)
{
    RtnlLinkSet set = {.ifindex = link->ifindex};
    usec_t now = 0;
    int r;

    r = link_configure_settings(link);
    if (r == -EAGAIN)
        return;
    link_set_state(link, LINK_STATE_CONFIGURING);
    if (r < 0) {
        link_fail(link, r, "cannot write the kernel's settings of %s: %s", link->spec.ifname, strerror(-r));
        return;
    }
    (void)sd_event_now(link->links->event, CLOCK_MONOTONIC, &now);
    link_arm(link, time_add(now, link->links->name_patience_usec));

    set.mtu = link_wanted_mtu(link, device);
    if (set.mtu != 0 && set.mtu != device->mtu)
        set.flags |= RTNL_LINK_SET_MTU;
    if (!(device->flags & IFF_UP))
        set.flags |= RTNL_LINK_SET_UP;
    if (set.flags)
        link_set_device(link, &set, set.flags & RTNL_LINK_SET_UP ? "set it up" : "set its MTU", false);
    if (link->state == LINK_STATE_CONFIGURING)
        link_add_altnames(link, device);
    if (link->state == LINK_STATE_CONFIGURING)
        link_configure_addresses(link);
    if (link->state == LINK_STATE_CONFIGURING)
        link_check_configured(link);
}
