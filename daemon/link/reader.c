/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a link lets others know of itself. Of its device it is what the kernel told last.
 */

#include "link/link-private.h"
#include <errno.h>

LinkState link_state(const Link *link)
{
    return link->state;
}

bool link_is_ready(const Link *link)
{
    return link->state == LINK_STATE_UP || link->state == LINK_STATE_BOUND || link->state == LINK_STATE_AWAY;
}

int link_pci_address(const Link *link, char ret[static PCI_ADDRESS_TEXT])
{
    const RtnlLink *device;

    if (link->state == LINK_STATE_BOUND) {
        (void)strcpy(ret, link->pci_address);
        return 0;
    }
    device = links_device(link->links, link->ifindex);
    if (!link->links->drivers.sysfs || !device)
        return -ENODEV;
    return driver_pci_address(&link->links->drivers, device, &link->spec.mac, ret);
}

const LinkSpec *link_spec(const Link *link)
{
    return &link->spec;
}

int link_ifindex(const Link *link)
{
    return link->ifindex;
}

const char *link_name(const Link *link)
{
    const RtnlLink *device = links_device(link->links, link->ifindex);

    return device ? device->name : "";
}

uint32_t link_mtu(const Link *link)
{
    const RtnlLink *device = links_device(link->links, link->ifindex);

    return device ? device->mtu : 0;
}
