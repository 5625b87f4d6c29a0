#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Netlink messages about namespaces, from and to plain structs: pure, no socket. */

#include "io/nsnl.h"

/* Requests; as in rtnl-private.h the sender numbers them. Return: 0 with *ret, or -ENOMEM. */
int nsnl_message_dump_namespaces(struct nl_msg **ret);
int nsnl_message_dump_links(int nsid, struct nl_msg **ret);
int nsnl_message_dump_addresses(int nsid, struct nl_msg **ret);
/* The namespace gets an id, the kernel chooses which. */
int nsnl_message_assign(int fd_netns, struct nl_msg **ret);
/* Which id it has in the namespace target, NETLINK_NSID_NONE: in this one. */
int nsnl_message_get_id(int fd_netns, int target, struct nl_msg **ret);
/* Answered with the id itself, as long as it is one. */
int nsnl_message_exists(int nsid, struct nl_msg **ret);

/**
 * nsnl_message_parse() - decode a notification or a part of a dump
 * @header: a message whose length was checked with nlmsg_ok()
 * @ret: nsid is set for messages about namespaces only: for the others the message does not hold it
 *
 * Return: 0; -ENOENT for a message that is of no interest; -EBADMSG when malformed.
 */
int nsnl_message_parse(const struct nlmsghdr *header, NsnlEvent *ret);
