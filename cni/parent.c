/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The plugin before this one made an interface on top of one of the host's: ipvlan, macvlan and vlan
 * all tell which by IFLA_LINK, an interface index in the namespace that IFLA_LINK_NETNSID names. The
 * result handed down does not say it (ipvlan's lists the pod's interface alone), and the address does
 * not either where two ENIs are in one subnet; so the kernel is asked.
 *
 * A socket belongs for ever to the namespace it was opened in. So the namespace is entered for that
 * alone, and the question asked from here. An index without a namespace of its own is one in the pod
 * (a vlan on the pod's own interface), and a pair's is its other end: neither is a parent. The parent
 * is looked up in the namespace the plugin runs in, which is where runtimes run plugins: the host's.
 */

#include "cni/parent.h"
#include "util/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <sched.h>

static void nl_socket_freep(struct nl_sock **socket)
{
    nl_socket_free(*socket);
}

static void rtnl_link_putp(struct rtnl_link **link)
{
    rtnl_link_put(*link);
}

/* Returns a negative errno: of open() and setns(), or libnl's as EIO. */
static int connect_in(const char *netns, struct nl_sock *socket)
{
    _cleanup_close_ int fd_own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int fd_other = open(netns, O_RDONLY | O_CLOEXEC);
    int r;

    if (fd_own < 0 || fd_other < 0 || setns(fd_other, CLONE_NEWNET) < 0)
        return -errno;
    r = nl_connect(socket, NETLINK_ROUTE);

    /* Everything after this would be asked and told of in the pod's namespace. */
    if (setns(fd_own, CLONE_NEWNET) < 0)
        return -errno;
    return r < 0 ? -EIO : 0;
}

/* Kinds whose IFLA_LINK is their other end. */
static bool is_pair(const char *type)
{
    return streq(type, "veth") || streq(type, "netkit");
}

static void name_parent(struct rtnl_link *link, char ret[static IFNAMSIZ])
{
    const char *type = rtnl_link_get_type(link);
    int ifindex = rtnl_link_get_link(link);
    int nsid;

    ret[0] = '\0';
    if (ifindex <= 0 || !type || is_pair(type) || rtnl_link_get_link_netnsid(link, &nsid) < 0)
        return;
    if (!if_indextoname((unsigned)ifindex, ret))
        ret[0] = '\0';
}

int parent_find(const char *netns, const char *ifname, char ret[static IFNAMSIZ], CniError *ret_error)
{
    _cleanup_(nl_socket_freep) struct nl_sock *socket = nl_socket_alloc();
    _cleanup_(rtnl_link_putp) struct rtnl_link *link = NULL;
    int r;

    if (!socket)
        return cni_error(ret_error, CNI_CODE_IO, "out of memory");
    r = connect_in(netns, socket);
    if (r < 0)
        return cni_error(ret_error, CNI_CODE_IO, "CNI_NETNS %.200s: %s", netns, strerror(-r));
    r = rtnl_link_get_kernel(socket, 0, ifname, &link);
    if (r < 0)
        return cni_error(ret_error, CNI_CODE_IO, "%s in %.200s: %s", ifname, netns, nl_geterror(r));

    name_parent(link, ret);
    return 0;
}
