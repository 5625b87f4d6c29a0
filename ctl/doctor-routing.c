/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Route tables and rules. The daemon uses tables from 20000 and rules with priorities from 31000, for
 * interfaces with host_address = yes. The VPC CNI, amazon-ec2-net-utils and nm-cloud-setup have numbers of
 * their own elsewhere; what else is in these ranges was put there by somebody, and one of the two would
 * take the other's packets.
 *
 * Ours is a rule 31000 + n that leads to table 20000 + n for one source address or one outgoing interface,
 * and in that table what leads to one interface.
 */

#include "doctor.h"
#include "link/link.h"
#include "util/buf.h"
#include <errno.h>
#include <netlink/netlink.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <stdio.h>

#define N_TABLES     ((uint32_t)CONFIG_NETWORK_MAX)
#define N_PRIORITIES 1000u

static void nl_socket_freep(struct nl_sock **socket)
{
    nl_socket_free(*socket);
}

static void nl_cache_freep(struct nl_cache **cache)
{
    nl_cache_free(*cache);
}

static bool uses_host_address(const NetworkConfig *network)
{
    return network->host_address;
}

bool doctor_use_host_address(const Config *config)
{
    if (config->tags || uses_host_address(&config->defaults))
        return true;
    for (size_t i = 0; i < config->n_networks; i++)
        if (uses_host_address(&config->networks[i]))
            return true;
    return false;
}

/* Whether one address alone goes by it, or what leaves by one interface, as by a rule of the daemon's. */
static bool is_narrow(struct rtnl_rule *rule)
{
    struct nl_addr *source = rtnl_rule_get_src(rule);

    if (!source || nl_addr_get_len(source) == 0)
        return rtnl_rule_get_oif(rule);
    return nl_addr_get_prefixlen(source) == nl_addr_get_len(source) * 8;
}

static void look_at_rule(struct rtnl_rule *rule, Buf *strangers)
{
    uint32_t priority = rtnl_rule_get_prio(rule), table = rtnl_rule_get_table(rule);
    bool in_range = priority > LINK_PRIORITY_BASE && priority < LINK_PRIORITY_BASE + N_PRIORITIES;

    if (!in_range || (priority - LINK_PRIORITY_BASE <= N_TABLES &&
                      table == LINK_TABLE_BASE + (priority - LINK_PRIORITY_BASE) && is_narrow(rule)))
        return;
    (void)buf_printf(strangers, "%srule %u (table %u)", strangers->n > 0 ? ", " : "", priority, table);
}

/* Routes of a table of ours lead to one interface; the first one seen says which. */
static void look_at_route(struct rtnl_route *route, int ifindexes[static CONFIG_NETWORK_MAX + 1],
                          Buf *strangers)
{
    uint32_t table = rtnl_route_get_table(route), position = table - LINK_TABLE_BASE;
    struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);
    int ifindex = hop ? rtnl_route_nh_get_ifindex(hop) : 0;

    if (position < 1 || position > N_TABLES)
        return;
    if (ifindexes[position] == 0)
        ifindexes[position] = ifindex;
    if (rtnl_route_get_type(route) != RTN_UNICAST || ifindexes[position] != ifindex)
        (void)buf_printf(strangers, "%sa route in table %u", strangers->n > 0 ? ", " : "", table);
}

/* libnl lists rules of all families, whichever is asked for. */
static int look_at_rules(struct nl_sock *socket, Buf *strangers)
{
    _cleanup_(nl_cache_freep) struct nl_cache *rules = NULL;

    if (rtnl_rule_alloc_cache(socket, AF_UNSPEC, &rules) < 0)
        return -EIO;
    for (struct nl_object *object = nl_cache_get_first(rules); object; object = nl_cache_get_next(object))
        look_at_rule((struct rtnl_rule *)object, strangers);
    return 0;
}

static int look_at_routes(struct nl_sock *socket, Buf *strangers)
{
    _cleanup_(nl_cache_freep) struct nl_cache *routes = NULL;
    int ifindexes[CONFIG_NETWORK_MAX + 1] = {0};

    if (rtnl_route_alloc_cache(socket, AF_UNSPEC, 0, &routes) < 0)
        return -EIO;
    for (struct nl_object *object = nl_cache_get_first(routes); object; object = nl_cache_get_next(object))
        look_at_route((struct rtnl_route *)object, ifindexes, strangers);
    return 0;
}

void doctor_check_routing(Doctor *doctor)
{
    _cleanup_(nl_socket_freep) struct nl_sock *socket = nl_socket_alloc();
    _cleanup_buf_ Buf strangers = BUF_NULL;
    bool used = doctor->config && doctor_use_host_address(doctor->config);

    if (!socket || nl_connect(socket, NETLINK_ROUTE) < 0 || look_at_rules(socket, &strangers) < 0 ||
        look_at_routes(socket, &strangers) < 0) {
        doctor_skip(doctor->report, "routing", "the kernel does not list its routes and rules");
        return;
    }
    if (strangers.n == 0)
        doctor_ok(doctor->report, "routing", "tables from 20000 and rules from 31000 are ours alone");
    else
        doctor_add(
            doctor->report, used ? DOCTOR_FAIL : DOCTOR_WARNING, "routing",
            "The daemon keeps tables 20001 to 20015 and rules 31001 to 31999 for host_address = yes. Find "
            "out whose these are and give them other numbers:\n  ip rule; ip -6 rule; ip route show table "
            "all",
            "not ours: %s", strangers.data);
}
