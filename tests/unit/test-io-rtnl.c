/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Netlink messages: what is read from the kernel's, and what malformed ones do.
 */

#include "io/rtnl-private.h"
#include "lib/test.h"
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

static const MacAddr mac = {{2, 0, 0, 0, 0, 1}};

typedef struct Row {
    const char *what;
    const char *kind; /* IFLA_INFO_KIND, or NULL */
    unsigned lower;   /* IFLA_LINK, or 0 */
    bool elsewhere;   /* IFLA_LINK_NETNSID */
    unsigned flags;
    unsigned short type;
    bool stacked;
} Row;

static struct nl_msg *link_message(const Row *row, unsigned char family)
{
    struct ifinfomsg ifinfo = {
        .ifi_family = family, .ifi_index = 7, .ifi_flags = row->flags, .ifi_type = row->type};
    struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK, 0);
    struct nlattr *nest;

    assert_non_null(msg);
    assert_int_equal(nlmsg_append(msg, &ifinfo, sizeof(ifinfo), NLMSG_ALIGNTO), 0);
    assert_int_equal(nla_put_string(msg, IFLA_IFNAME, "eth1"), 0);
    assert_int_equal(nla_put(msg, IFLA_ADDRESS, sizeof(mac.bytes), mac.bytes), 0);
    assert_int_equal(nla_put_u32(msg, IFLA_MTU, 9001), 0);
    assert_int_equal(nla_put_u32(msg, IFLA_MAX_MTU, 9216), 0);
    if (row->lower)
        assert_int_equal(nla_put_u32(msg, IFLA_LINK, row->lower), 0);
    if (row->elsewhere)
        assert_int_equal(nla_put_s32(msg, IFLA_LINK_NETNSID, 0), 0);
    if (row->kind) {
        nest = nla_nest_start(msg, IFLA_LINKINFO);
        assert_int_equal(nla_put_string(msg, IFLA_INFO_KIND, row->kind), 0);
        (void)nla_nest_end(msg, nest);
    }
    nest = nla_nest_start(msg, IFLA_PROP_LIST);
    assert_int_equal(nla_put_string(msg, IFLA_ALT_IFNAME, "eni-1"), 0);
    assert_int_equal(nla_put_string(msg, IFLA_ALT_IFNAME, "oam"), 0);
    (void)nla_nest_end(msg, nest);
    return msg;
}

static void test_link(void **state)
{
    static const Row rows[] = {
        {"ENA", NULL, 0, false, IFF_UP | IFF_LOWER_UP, ARPHRD_ETHER, false},
        {"loopback", NULL, 0, false, IFF_LOOPBACK, ARPHRD_LOOPBACK, true},
        {"ipvlan", "ipvlan", 3, false, 0, ARPHRD_ETHER, true},
        {"ipvlan of another namespace", "ipvlan", 3, true, 0, ARPHRD_ETHER, true},
        {"vlan", "vlan", 3, false, 0, ARPHRD_ETHER, true},
        {"bridge", "bridge", 0, false, 0, ARPHRD_ETHER, true},
        {"veth, peer here", "veth", 3, false, 0, ARPHRD_ETHER, false},
        {"veth, peer elsewhere", "veth", 3, true, 0, ARPHRD_ETHER, false},
        {"of no known kind, on another", NULL, 3, false, 0, ARPHRD_ETHER, true},
        {"tunnel", "ipip", 0, false, 0, ARPHRD_TUNNEL, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct nl_msg *msg = link_message(&rows[i], AF_UNSPEC);
        RtnlLink link = {0};

        assert_int_equal(rtnl_message_parse_link(nlmsg_hdr(msg), &link), 0);
        if (link.stacked != rows[i].stacked)
            fail_msg("%s", rows[i].what);
        assert_string_equal(link.name, "eth1");
        assert_int_equal(link.ifindex, 7);
        assert_int_equal(link.mtu, 9001);
        assert_int_equal(link.max_mtu, 9216);
        assert_true(mac_addr_equal(rtnl_link_mac(&link), &mac));
        assert_int_equal(link.altnames.n, 2);
        assert_string_equal(link.altnames.items[1], "oam");
        rtnl_link_done(&link);
        nlmsg_free(msg);
    }
}

/* Nothing that would have to be cut, and neither half alone. */
static void test_parent(void **state)
{
    static const char *const long_name = "0123456789012345678901234567890123456789012345678901234567890123";
    static const struct {
        const char *bus, *device;
        bool told;
    } rows[] = {
        {"pci", "0000:00:06.0", true}, {"virtio", "virtio1", true}, {NULL, "virtio1", false},
        {"pci", NULL, false},          {"pci", long_name, false},   {long_name, "virtio1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        static const Row row = {.type = ARPHRD_ETHER};
        struct nl_msg *msg = link_message(&row, AF_UNSPEC);
        RtnlLink link = {0};

        if (rows[i].bus)
            assert_int_equal(nla_put_string(msg, IFLA_PARENT_DEV_BUS_NAME, rows[i].bus), 0);
        if (rows[i].device)
            assert_int_equal(nla_put_string(msg, IFLA_PARENT_DEV_NAME, rows[i].device), 0);
        assert_int_equal(rtnl_message_parse_link(nlmsg_hdr(msg), &link), 0);
        assert_string_equal(link.parent_bus, rows[i].told ? rows[i].bus : "");
        assert_string_equal(link.parent_device, rows[i].told ? rows[i].device : "");
        rtnl_link_done(&link);
        nlmsg_free(msg);
    }
}

/* RTM_DELLINK of family AF_BRIDGE says that a port left its bridge, not that the device is gone. */
static void test_bridge_port(void **state)
{
    static const Row row = {.type = ARPHRD_ETHER};
    struct nl_msg *msg = link_message(&row, AF_BRIDGE);
    RtnlLink link = {0};

    (void)state;
    assert_int_equal(rtnl_message_parse_link(nlmsg_hdr(msg), &link), -ENOENT);
    nlmsg_free(msg);
}

/* Cut at every length, and with each byte changed: no crash, no leak; the sanitizers judge. */
static void test_damaged(void **state)
{
    static const Row row = {.kind = "veth", .lower = 3, .type = ARPHRD_ETHER};
    struct nl_msg *msg = link_message(&row, AF_UNSPEC);
    const uint32_t length = nlmsg_hdr(msg)->nlmsg_len;

    (void)state;
    for (uint32_t i = sizeof(struct nlmsghdr); i < 2 * length; i++) {
        struct nlmsghdr *copy = malloc(length);
        RtnlLink link = {0};
        const char *text;

        assert_non_null(copy);
        memcpy(copy, nlmsg_hdr(msg), length);
        if (i < length)
            copy->nlmsg_len = i;
        else if (i - length >= sizeof(*copy))
            ((uint8_t *)copy)[i - length] ^= 0xff;
        if (rtnl_message_parse_link(copy, &link) == 0)
            rtnl_link_done(&link);
        (void)rtnl_message_parse_error(copy, &text);
        free(copy);
    }
    nlmsg_free(msg);
}

/* A dump may break off: what it did not tell must not be taken for gone. */
static void test_done(void **state)
{
    static const struct {
        int error;
        int r;
    } rows[] = {{0, 0}, {-EMSGSIZE, -EMSGSIZE}, {7, -EBADMSG}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct nl_msg *msg = nlmsg_alloc_simple(NLMSG_DONE, NLM_F_MULTI);

        assert_int_equal(rtnl_message_parse_done(nlmsg_hdr(msg)), -EBADMSG);
        assert_int_equal(nlmsg_append(msg, (void *)&rows[i].error, sizeof(int), NLMSG_ALIGNTO), 0);
        assert_int_equal(rtnl_message_parse_done(nlmsg_hdr(msg)), rows[i].r);
        nlmsg_free(msg);
    }
}

/* The kernel's words stand behind the request that it quotes, however long that says it is. */
static void test_error(void **state)
{
    static const uint32_t lengths[] = {sizeof(struct nlmsghdr), 24, 0xffffffff, 0xfffffff0, 0x7fffffff};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct nlmsgerr error = {.error = -EBUSY, .msg.nlmsg_len = lengths[i]};
        struct nl_msg *msg = nlmsg_alloc_simple(NLMSG_ERROR, NLM_F_ACK_TLVS);
        const char *text;

        assert_int_equal(nlmsg_append(msg, &error, sizeof(error), NLMSG_ALIGNTO), 0);
        if (lengths[i] == 24)
            assert_int_equal(nlmsg_append(msg, (char[8]){0}, 8, NLMSG_ALIGNTO), 0);
        assert_int_equal(nla_put_string(msg, NLMSGERR_ATTR_MSG, "it is busy"), 0);
        assert_int_equal(rtnl_message_parse_error(nlmsg_hdr(msg), &text), -EBUSY);
        assert_string_equal(text, lengths[i] > 24 ? "" : "it is busy");
        nlmsg_free(msg);
    }
}

static void test_requests_refuse(void **state)
{
    struct nl_msg *msg = NULL;
    char name[RTNL_ALTNAME_MAX + 2];

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    assert_int_equal(rtnl_message_altname(1, name, true, &msg), -EINVAL);
    assert_int_equal(rtnl_message_altname(1, "", true, &msg), -EINVAL);
    assert_int_equal(rtnl_message_address(&(RtnlAddress){.ifindex = 1}, &msg), -EINVAL);
    assert_int_equal(rtnl_message_route(&(RtnlRoute){.ifindex = 1}, false, &msg), -EINVAL);
    assert_int_equal(rtnl_message_rule(&(RtnlRule){.table = 1}, &msg), -EINVAL);
    assert_null(msg);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_bridge_port),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_done),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_requests_refuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
