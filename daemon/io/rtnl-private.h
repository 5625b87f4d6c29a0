#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Netlink messages from and to plain structs: pure, no socket. */

#include "io/netlink.h"
#include "io/rtnl.h"

/*
 * Requests. Each allocates a message that asks for an acknowledgement; the sequence number is left to
 * the sender. Return: 0 with *ret owned by the caller (nlmsg_free()), -EINVAL for a name that is too
 * long or an address without family, or -ENOMEM.
 */
int rtnl_message_link_set(const RtnlLinkSet *set, struct nl_msg **ret);
int rtnl_message_altname(int ifindex, const char *name, bool add, struct nl_msg **ret);
int rtnl_message_altname_get(const char *name, struct nl_msg **ret);
int rtnl_message_address(const RtnlAddress *address, struct nl_msg **ret);
int rtnl_message_route(const RtnlRoute *route, bool replace, struct nl_msg **ret);
int rtnl_message_rule(const RtnlRule *rule, struct nl_msg **ret);
int rtnl_message_link_dump(struct nl_msg **ret);

/**
 * rtnl_message_parse_link() - decode RTM_NEWLINK or RTM_DELLINK
 * @header: a message whose length was checked with nlmsg_ok()
 *
 * Return: 0 with *ret to be released by rtnl_link_done(); -ENOENT for a message about something other than
 * a device (a bridge port); -EBADMSG when malformed; -ENOMEM.
 */
int rtnl_message_parse_link(const struct nlmsghdr *header, RtnlLink *ret);

/**
 * rtnl_message_parse_error() - decode NLMSG_ERROR
 * @ret_text: the kernel's own words (extended ack), inside the message, or ""
 *
 * Return: 0 or the negative errno that the kernel answered; -EBADMSG when malformed.
 */
int rtnl_message_parse_error(const struct nlmsghdr *header, const char **ret_text);

/**
 * rtnl_message_parse_done() - decode NLMSG_DONE, the end of a dump
 *
 * Return: 0 when the dump is whole; else the negative errno that ended it early; -EBADMSG when malformed.
 */
int rtnl_message_parse_done(const struct nlmsghdr *header);
