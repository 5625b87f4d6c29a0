#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Netlink sockets and attributes: what every protocol on them needs. */

#include "util/macro.h"
#include <linux/netlink.h>
#include <netlink/msg.h>

#define NETLINK_NSID_NONE (-1) /* NETNSA_NSID_NOT_ASSIGNED */

/* The kernel sizes the parts of a dump by the reader's buffer, up to 32 KiB. */
#define NETLINK_MESSAGE_MAX ((size_t)64 * 1024)

/**
 * netlink_open() - a non-blocking rtnetlink socket
 * @groups: mask of the first 32 multicast groups
 * @receive_buffer: bytes wished for; less may be given
 *
 * Return: 0 with *ret, or the negative errno of socket() or bind().
 */
int netlink_open(uint32_t groups, int receive_buffer, int *ret);

/** netlink_send() - one request with that sequence number, to the kernel; 0 or negative errno */
int netlink_send(int fd, struct nl_msg *msg, uint32_t seq);

/**
 * netlink_receive() - read one datagram of the kernel's; those of others are thrown away
 * @ret_nsid: the namespace it came from, as NETLINK_LISTEN_ALL_NSID tells; NETLINK_NSID_NONE: this one, or
 *            not told; may be NULL
 *
 * Return: 1 with *ret_n set; 0 when there is none; -ENOBUFS when the kernel dropped some; other negative
 * errno.
 */
int netlink_receive(int fd, void *buffer, size_t size, size_t *ret_n, int *ret_nsid);

/** netlink_string() - a string attribute that is NUL-terminated inside its length, or NULL */
const char *netlink_string(const struct nlattr *attr);

/** netlink_u32() - a number, or 0 when it is missing or too short */
uint32_t netlink_u32(const struct nlattr *attr);

static inline void nl_msg_freep(struct nl_msg **msg)
{
    if (*msg)
        nlmsg_free(*msg);
}
