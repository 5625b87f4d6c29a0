/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Netlink sockets without libnl's: its receive functions drop the control message that says from which
 * namespace a notification came, and hide ENOBUFS.
 */

#include "io/netlink.h"
#include <errno.h>
#include <netlink/attr.h>
#include <sys/socket.h>
#include <unistd.h>

int netlink_open(uint32_t groups, int receive_buffer, int *ret)
{
    static const int on = 1;
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    /* Comforts, each of which an old kernel or a missing capability may refuse. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof(receive_buffer)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));

    *ret = fd;
    return 0;
}

int netlink_send(int fd, struct nl_msg *msg, uint32_t seq)
{
    static const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct nlmsghdr *header = nlmsg_hdr(msg);

    header->nlmsg_seq = seq;
    if (sendto(fd, header, header->nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        return -errno;
    return 0;
}

static int control_nsid(struct msghdr *msg)
{
    int nsid = NETLINK_NSID_NONE;

    for (struct cmsghdr *control = CMSG_FIRSTHDR(msg); control; control = CMSG_NXTHDR(msg, control))
        if (control->cmsg_level == SOL_NETLINK && control->cmsg_type == NETLINK_LISTEN_ALL_NSID &&
            control->cmsg_len == CMSG_LEN(sizeof(nsid)))
            memcpy(&nsid, CMSG_DATA(control), sizeof(nsid));
    return nsid;
}

int netlink_receive(int fd, void *buffer, size_t size, size_t *ret_n, int *ret_nsid)
{
    for (;;) {
        /* With the alignment of its header. */
        char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(__alignof__(struct cmsghdr))));
        struct sockaddr_nl sender = {0};
        struct iovec iov = {.iov_base = buffer, .iov_len = size};
        struct msghdr msg = {
            .msg_name = &sender,
            .msg_namelen = sizeof(sender),
            .msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = control,
            .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(fd, &msg, MSG_TRUNC);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        /* Any process may send to a netlink socket; the kernel alone has port 0. */
        if (sender.nl_pid != 0)
            continue;
        if ((size_t)n > size)
            return -EMSGSIZE;

        *ret_n = (size_t)n;
        if (ret_nsid)
            *ret_nsid = control_nsid(&msg);
        return 1;
    }
}

const char *netlink_string(const struct nlattr *attr)
{
    if (!attr || nla_len(attr) < 1 || !memchr(nla_data(attr), 0, (size_t)nla_len(attr)))
        return NULL;
    return nla_data(attr);
}

uint32_t netlink_u32(const struct nlattr *attr)
{
    uint32_t value = 0;

    if (attr && nla_len(attr) >= (int)sizeof(value))
        memcpy(&value, nla_data(attr), sizeof(value));
    return value;
}
