/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The messages about other namespaces, without a kernel: what is asked, and what answers and notifications
 * are taken for. tests/netns/test-watch.c has the kernel's own.
 */

#include "io/nsnl-private.h"
#include "lib/test.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#define _cleanup_msg_ _cleanup_(nl_msg_freep)

static struct nl_msg *message(int type, const void *family, size_t n)
{
    struct nl_msg *msg = nlmsg_alloc_simple(type, 0);

    assert_non_null(msg);
    assert_int_equal(nlmsg_append(msg, (void *)family, n, NLMSG_ALIGNTO), 0);
    return msg;
}

static int parse(struct nl_msg *msg, NsnlEvent *ret)
{
    return nsnl_message_parse(nlmsg_hdr(msg), ret);
}

/* ------------------------------------------------------------------ namespaces */

static void test_namespace(void **state)
{
    static const struct rtgenmsg rtgen = {.rtgen_family = AF_UNSPEC};
    _cleanup_msg_ struct nl_msg *new = message(RTM_NEWNSID, &rtgen, sizeof(rtgen)),
                                *removed = message(RTM_DELNSID, &rtgen, sizeof(rtgen)),
                                *none = message(RTM_NEWNSID, &rtgen, sizeof(rtgen)),
                                *empty = message(RTM_NEWNSID, &rtgen, sizeof(rtgen));
    NsnlEvent event;

    (void)state;
    assert_int_equal(nla_put_s32(new, NETNSA_NSID, 7), 0);
    assert_int_equal(nla_put_s32(removed, NETNSA_NSID, 0), 0);
    assert_int_equal(nla_put_s32(none, NETNSA_NSID, NETNSA_NSID_NOT_ASSIGNED), 0);

    assert_int_equal(parse(new, &event), 0);
    assert_int_equal(event.type, NSNL_EVENT_NAMESPACE_NEW);
    assert_int_equal(event.nsid, 7);
    assert_int_equal(parse(removed, &event), 0);
    assert_int_equal(event.type, NSNL_EVENT_NAMESPACE_REMOVED);
    assert_int_equal(event.nsid, 0);
    assert_int_equal(parse(none, &event), -ENOENT);
    assert_int_equal(parse(empty, &event), -ENOENT);
}

/* ------------------------------------------------------------------ links */

static struct nl_msg *link_message(int type, unsigned char family, int ifindex, const char *name)
{
    const struct ifinfomsg ifinfo = {.ifi_family = family, .ifi_index = ifindex};
    struct nl_msg *msg = message(type, &ifinfo, sizeof(ifinfo));

    if (name)
        assert_int_equal(nla_put_string(msg, IFLA_IFNAME, name), 0);
    return msg;
}

static void test_link(void **state)
{
    _cleanup_msg_ struct nl_msg *above = link_message(RTM_NEWLINK, AF_UNSPEC, 3, "net1"),
                                *here = link_message(RTM_NEWLINK, AF_UNSPEC, 4, "vlan7"),
                                *gone = link_message(RTM_DELLINK, AF_UNSPEC, 5, "eth0");
    NsnlEvent event;

    (void)state;
    assert_int_equal(nla_put_u32(above, IFLA_LINK, 2), 0);
    assert_int_equal(nla_put_s32(above, IFLA_LINK_NETNSID, 0), 0);
    assert_int_equal(nla_put_u32(here, IFLA_LINK, 2), 0);

    assert_int_equal(parse(above, &event), 0);
    assert_int_equal(event.type, NSNL_EVENT_LINK_NEW);
    assert_int_equal(event.nsid, NETLINK_NSID_NONE);
    assert_int_equal(event.link.ifindex, 3);
    assert_string_equal(event.link.name, "net1");
    assert_int_equal(event.link.parent, 2);
    assert_int_equal(event.link.parent_nsid, 0);

    assert_int_equal(parse(here, &event), 0);
    assert_int_equal(event.link.parent, 2);
    assert_int_equal(event.link.parent_nsid, NETLINK_NSID_NONE);

    assert_int_equal(parse(gone, &event), 0);
    assert_int_equal(event.type, NSNL_EVENT_LINK_REMOVED);
    assert_int_equal(event.link.parent, 0);
}

static void test_link_refused(void **state)
{
    static const struct {
        unsigned char family;
        int ifindex;
        const char *name;
        int result;
    } cases[] = {
        {AF_BRIDGE, 3, "port", -ENOENT},      {AF_UNSPEC, 0, "net1", -EBADMSG},
        {AF_UNSPEC, -1, "net1", -EBADMSG},    {AF_UNSPEC, 3, "", -EBADMSG},
        {AF_UNSPEC, 3, NULL, -EBADMSG},       {AF_UNSPEC, 3, "sixteen-letters-", -EBADMSG},
        {AF_UNSPEC, 3, "fifteen-letters", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_msg_ struct nl_msg *msg =
            link_message(RTM_NEWLINK, cases[i].family, cases[i].ifindex, cases[i].name);
        NsnlEvent event;

        assert_int_equal(parse(msg, &event), cases[i].result);
    }
}

/* ------------------------------------------------------------------ addresses */

static struct nl_msg *address_message(int family, unsigned ifindex, const char *local, const char *address)
{
    const struct ifaddrmsg ifaddr = {
        .ifa_family = (uint8_t)family,
        .ifa_flags = IFA_F_PERMANENT,
        .ifa_scope = RT_SCOPE_LINK,
        .ifa_index = ifindex,
    };
    struct nl_msg *msg = message(RTM_NEWADDR, &ifaddr, sizeof(ifaddr));
    InAddr parsed;

    if (address) {
        assert_int_equal(in_addr_parse(address, &parsed), 0);
        assert_int_equal(nla_put(msg, IFA_ADDRESS, (int)in_addr_size(parsed.family), parsed.bytes), 0);
    }
    if (local) {
        assert_int_equal(in_addr_parse(local, &parsed), 0);
        assert_int_equal(nla_put(msg, IFA_LOCAL, (int)in_addr_size(parsed.family), parsed.bytes), 0);
    }
    return msg;
}

static void test_address(void **state)
{
    _cleanup_msg_ struct nl_msg *pair = address_message(AF_INET, 3, "10.0.1.5", "10.0.1.9"),
                                *ipv6 = address_message(AF_INET6, 4, NULL, "2001:db8::5");
    char text[IN_ADDR_TEXT];
    NsnlEvent event;

    (void)state;
    assert_int_equal(nla_put_u32(ipv6, IFA_FLAGS, IFA_F_NOPREFIXROUTE | IFA_F_TENTATIVE), 0);

    assert_int_equal(parse(pair, &event), 0);
    assert_int_equal(event.type, NSNL_EVENT_ADDRESS_NEW);
    assert_int_equal(event.nsid, NETLINK_NSID_NONE);
    assert_int_equal(event.address.ifindex, 3);
    assert_int_equal(event.address.scope, RT_SCOPE_LINK);
    assert_int_equal(event.address.flags, IFA_F_PERMANENT);
    assert_string_equal(in_addr_format(&event.address.address, text), "10.0.1.5");

    assert_int_equal(parse(ipv6, &event), 0);
    assert_int_equal(event.address.flags, IFA_F_NOPREFIXROUTE | IFA_F_TENTATIVE);
    assert_string_equal(in_addr_format(&event.address.address, text), "2001:db8::5");
}

static void test_address_refused(void **state)
{
    static const struct {
        int family;
        unsigned ifindex;
        const char *address;
        int result;
    } cases[] = {
        {AF_INET, 3, "10.0.1.5", 0},
        {AF_INET, 0, "10.0.1.5", -EBADMSG},
        {AF_INET, UINT32_MAX, "10.0.1.5", -EBADMSG},
        {AF_INET, 3, "2001:db8::5", -EBADMSG},
        {AF_INET6, 3, "10.0.1.5", -EBADMSG},
        {AF_INET, 3, NULL, -EBADMSG},
        {AF_UNIX, 3, "10.0.1.5", -ENOENT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_msg_ struct nl_msg *msg =
            address_message(cases[i].family, cases[i].ifindex, NULL, cases[i].address);
        NsnlEvent event;

        assert_int_equal(parse(msg, &event), cases[i].result);
    }
}

/* ------------------------------------------------------------------ requests */

static const struct nlattr *attribute(struct nl_msg *msg, size_t n_family, int type)
{
    return nlmsg_find_attr(nlmsg_hdr(msg), (int)n_family, type);
}

static void test_requests(void **state)
{
    _cleanup_msg_ struct nl_msg *links = NULL, *addresses = NULL, *assign = NULL, *id = NULL,
                                *id_there = NULL;

    (void)state;
    assert_int_equal(nsnl_message_dump_links(7, &links), 0);
    assert_int_equal(netlink_u32(attribute(links, sizeof(struct ifinfomsg), IFLA_TARGET_NETNSID)), 7);
    assert_int_equal(nsnl_message_dump_addresses(7, &addresses), 0);
    assert_int_equal(netlink_u32(attribute(addresses, sizeof(struct ifaddrmsg), IFA_TARGET_NETNSID)), 7);
    assert_int_equal(nsnl_message_assign(5, &assign), 0);
    assert_int_equal(netlink_u32(attribute(assign, sizeof(struct rtgenmsg), NETNSA_FD)), 5);
    assert_int_equal((int)netlink_u32(attribute(assign, sizeof(struct rtgenmsg), NETNSA_NSID)), -1);
    assert_int_equal(nsnl_message_get_id(5, NETLINK_NSID_NONE, &id), 0);
    assert_null(attribute(id, sizeof(struct rtgenmsg), NETNSA_TARGET_NSID));
    assert_int_equal(nsnl_message_get_id(5, 7, &id_there), 0);
    assert_int_equal(netlink_u32(attribute(id_there, sizeof(struct rtgenmsg), NETNSA_TARGET_NSID)), 7);
}

/* A header that promises more than it has; and something else altogether. */
static void test_malformed(void **state)
{
    static const int types[] = {RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR};
    NsnlEvent event;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        _cleanup_msg_ struct nl_msg *msg = message(types[i], "", 1);

        assert_int_equal(parse(msg, &event), -EBADMSG);
        nlmsg_hdr(msg)->nlmsg_type = RTM_NEWROUTE;
        assert_int_equal(parse(msg, &event), -ENOENT);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_namespace),       cmocka_unit_test(test_link),
        cmocka_unit_test(test_link_refused),    cmocka_unit_test(test_address),
        cmocka_unit_test(test_address_refused), cmocka_unit_test(test_requests),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests_name("io/nsnl", tests, NULL, NULL);
}
