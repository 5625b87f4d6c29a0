/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The host's own addresses on a link (host_address = yes).
 *
 * Each address brings a route to its subnet and a default route, both in the link's own table, and a
 * rule that sends what comes from the address to that table. Nothing goes to the main table: a second
 * default route there makes the node unreachable, and a second route to a subnet that the primary
 * interface is in too would take its traffic. IFA_F_NOPREFIXROUTE keeps the kernel from adding the
 * latter by itself.
 *
 * A second rule sends there what is to leave by the interface, whoever's address it bears: a socket bound
 * to it, and an ipvlan in L3 mode, whose packets are routed by the host with that interface given. Without a
 * route the kernel takes every destination for a neighbour, and the VPC answers no ARP for other subnets.
 *
 * The requests go out in one go; the kernel works on them in order, so the route finds the address that
 * it prefers as source.
 */

#include "link/link-private.h"

static void address_add(Link *link, const LinkAddress *address)
{
    LinkRequest *request = link_request_new(link, "add its address");
    const RtnlAddress wanted = {
        .ifindex = link->ifindex,
        .prefix = address->prefix,
        .no_prefix_route = true,
    };
    Rtnl *rtnl = link->links->rtnl;

    if (request)
        link_request_started(request,
                             rtnl->ops->address_add(rtnl, &wanted, link_on_answer, request, &request->slot));
}

static void route_add(Link *link, const LinkAddress *address, const InPrefix *destination,
                      const InAddr *gateway)
{
    LinkRequest *request = link_request_new(link, "add a route in its table");
    const RtnlRoute wanted = {
        .destination = *destination,
        .gateway = *gateway,
        .prefsrc = address->prefix.address,
        .ifindex = link->ifindex,
        .table = link->spec.table,
    };
    Rtnl *rtnl = link->links->rtnl;

    if (request)
        link_request_started(request,
                             rtnl->ops->route_add(rtnl, &wanted, link_on_answer, request, &request->slot));
}

static void rule_add(Link *link, const RtnlRule *wanted, const char *what)
{
    LinkRequest *request = link_request_new(link, what);
    Rtnl *rtnl = link->links->rtnl;

    if (request)
        link_request_started(request,
                             rtnl->ops->rule_add(rtnl, wanted, link_on_answer, request, &request->slot));
}

static void rules_add(Link *link, const LinkAddress *address)
{
    const InAddr *own = &address->prefix.address;
    RtnlRule wanted = {
        .from = {.address = *own, .length = 8 * (unsigned)in_addr_size(own->family)},
        .table = link->spec.table,
        .priority = link->spec.priority,
    };

    rule_add(link, &wanted, "add the rule of its address");
    wanted.from = (InPrefix){.address = {.family = own->family}, .length = 0};
    memcpy(wanted.oifname, link->spec.ifname, sizeof(wanted.oifname));
    rule_add(link, &wanted, "add the rule of what leaves by it");
}

void link_configure_addresses(Link *link)
{
    for (size_t i = 0; i < link->spec.n_addresses && link->state == LINK_STATE_CONFIGURING; i++) {
        const LinkAddress *address = &link->spec.addresses[i];
        const InPrefix subnet = {.address = in_prefix_first(&address->prefix),
                                 .length = address->prefix.length};
        const InPrefix all = {.address = {.family = address->prefix.address.family}, .length = 0};

        address_add(link, address);
        route_add(link, address, &subnet, &IN_ADDR_NULL);
        if (in_addr_is_set(&address->gateway))
            route_add(link, address, &all, &address->gateway);
        rules_add(link, address);
    }
}
