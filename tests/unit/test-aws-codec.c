/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replies as the API reference prints them, to records; and everything that must be refused.
 */

#include "aws/codec.h"
#include "lib/test.h"
#include "util/buf.h"
#include <errno.h>
#include <stdio.h>

#define NS "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\""

static int decode(const char *action, const char *xml, AwsRecords *records)
{
    return aws_decode_reply(AWS_SERVICE_EC2, action, xml, strlen(xml), records);
}

static void assert_address(const InAddr *address, const char *expected)
{
    char text[IN_ADDR_TEXT];

    assert_string_equal(in_addr_format(address, text), expected);
}

static void assert_prefix(const InPrefix *prefix, const char *expected)
{
    char text[IN_PREFIX_TEXT];

    assert_string_equal(in_prefix_format(prefix, text), expected);
}

static const char create_reply[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<CreateNetworkInterfaceResponse " NS
    ">\n"
    "  <requestId>8dbe591e-5a22-48cb-b948-dd0aadd55adf</requestId>\n"
    "  <networkInterface>\n"
    "    <networkInterfaceId>eni-cfca76a6</networkInterfaceId>\n"
    "    <subnetId>subnet-b2a249da</subnetId><vpcId>vpc-c31dafaa</vpcId>\n"
    "    <availabilityZone>ap-southeast-1b</availabilityZone>\n"
    "    <description/><ownerId>251839141158</ownerId><requesterManaged>false</requesterManaged>\n"
    "    <status>pending</status><macAddress>02:74:b0:72:79:61</macAddress>\n"
    "    <privateIpAddress>10.0.2.157</privateIpAddress><sourceDestCheck>true</sourceDestCheck>\n"
    "    <groupSet><item><groupId>sg-1a2b3c4d</groupId><groupName>a &amp; b</groupName></item>\n"
    "      <item><groupId>sg-2</groupId></item></groupSet>\n"
    "    <tagSet><item><key>k</key><value>a &lt;b&gt; "
    "\xc3\xbc</value></item><item><key>e</key></item></tagSet>\n"
    "    "
    "<privateIpAddressesSet><item><privateIpAddress>10.0.2.157</privateIpAddress><primary>true</primary></"
    "item>\n"
    "      <item><privateIpAddress>10.0.2.158</privateIpAddress><primary>false</primary></item>\n"
    "    </privateIpAddressesSet>\n"
    "    <ipv6AddressesSet><item><ipv6Address>2001:db8::1</ipv6Address></item></ipv6AddressesSet>\n"
    "    <ipv4PrefixSet><item><ipv4Prefix>10.0.2.16/28</ipv4Prefix></item></ipv4PrefixSet>\n"
    "    <ipv6PrefixSet><item><ipv6Prefix>2001:db8:0:0:1::/80</ipv6Prefix></item></ipv6PrefixSet>\n"
    "    <somethingNew><item><deep><deeper/></deep></item></somethingNew>\n"
    "  </networkInterface>\n"
    "  <clientToken>token</clientToken>\n"
    "</CreateNetworkInterfaceResponse>";

static void test_create(void **state)
{
    _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;
    const Ec2NetworkInterface *eni;
    char mac[MAC_ADDR_TEXT];

    (void)state;
    assert_int_equal(decode("CreateNetworkInterface", create_reply, &records), 0);
    assert_int_equal(records.n_network_interfaces, 1);
    eni = &records.network_interfaces[0];
    assert_string_equal(records.request_id, "8dbe591e-5a22-48cb-b948-dd0aadd55adf");
    assert_string_equal(eni->network_interface_id, "eni-cfca76a6");
    assert_string_equal(eni->subnet_id, "subnet-b2a249da");
    assert_string_equal(eni->vpc_id, "vpc-c31dafaa");
    assert_string_equal(eni->availability_zone, "ap-southeast-1b");
    assert_string_equal(eni->description, "");
    assert_string_equal(eni->status, "pending");
    assert_string_equal(mac_addr_format(&eni->mac, mac), "02:74:b0:72:79:61");
    assert_true(eni->source_dest_check);
    assert_int_equal(eni->group_ids.n, 2);
    assert_string_equal(eni->group_ids.items[1], "sg-2");
    assert_int_equal(eni->n_private_ips, 2);
    assert_address(&eni->private_ips[0].address, "10.0.2.157");
    assert_true(eni->private_ips[0].primary);
    assert_false(eni->private_ips[1].primary);
    assert_int_equal(eni->n_ipv6_addresses, 1);
    assert_address(&eni->ipv6_addresses[0], "2001:db8::1");
    assert_int_equal(eni->n_prefixes, 2);
    assert_address(&eni->prefixes[0].address, "10.0.2.16");
    assert_int_equal(eni->prefixes[0].length, 28);
    assert_address(&eni->prefixes[1].address, "2001:db8:0:0:1::");
    assert_int_equal(eni->prefixes[1].length, 80);
    assert_string_equal(keyvalue_list_get(&eni->tags, "k"), "a <b> \xc3\xbc");
    assert_string_equal(keyvalue_list_get(&eni->tags, "e"), "");
    assert_null(eni->attachment.attachment_id);
}

static void test_copy(void **state)
{
    _cleanup_(ec2_network_interface_done) Ec2NetworkInterface copy = {0};
    _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;

    (void)state;
    assert_int_equal(decode("CreateNetworkInterface", create_reply, &records), 0);
    assert_int_equal(ec2_network_interface_copy(&records.network_interfaces[0], &copy), 0);
    aws_records_done(&records);
    assert_string_equal(copy.network_interface_id, "eni-cfca76a6");
    assert_int_equal(copy.n_private_ips, 2);
    assert_address(&copy.private_ips[1].address, "10.0.2.158");
    assert_address(&copy.ipv6_addresses[0], "2001:db8::1");
    assert_int_equal(copy.n_prefixes, 2);
    assert_address(&copy.prefixes[1].address, "2001:db8:0:0:1::");
    assert_int_equal(copy.tags.n, 2);
    assert_true(copy.source_dest_check);
}

static void test_instances(void **state)
{
    static const char xml[] =
        "<DescribeInstancesResponse " NS
        "><requestId>r</requestId><reservationSet>"
        "<item><reservationId>r-1</reservationId><instancesSet><item>"
        "<instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name></instanceState>"
        "<instanceType>m5.large</instanceType><placement><availabilityZone>eu-west-1a</availabilityZone></"
        "placement>"
        "<subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>"
        "<networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId><status>in-use</status>"
        "<macAddress>02:00:00:00:00:01</macAddress><sourceDestCheck>false</sourceDestCheck>"
        "<attachment><attachmentId>eni-attach-1</attachmentId><deviceIndex>3</deviceIndex><status>attached</"
        "status>"
        "<deleteOnTermination>true</deleteOnTermination><networkCardIndex>1</networkCardIndex></attachment>"
        "</item><item><networkInterfaceId>eni-2</networkInterfaceId></item></networkInterfaceSet>"
        "<metadataOptions><state>applied</state><httpTokens>required</httpTokens>"
        "<httpPutResponseHopLimit>2</httpPutResponseHopLimit></metadataOptions>"
        "<tagSet><item><key>Name</key><value>node</value></item></tagSet></item></instancesSet></item>"
        "<item><instancesSet><item><instanceId>i-2</instanceId></item></instancesSet></item>"
        "</reservationSet><nextToken>more</nextToken></DescribeInstancesResponse>";
    _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;
    const Ec2NetworkInterface *eni;

    (void)state;
    assert_int_equal(decode("DescribeInstances", xml, &records), 0);
    assert_int_equal(records.n_instances, 2);
    assert_string_equal(records.next_token, "more");
    assert_string_equal(records.instances[0].state, "running");
    assert_string_equal(records.instances[0].availability_zone, "eu-west-1a");
    assert_string_equal(records.instances[0].vpc_id, "vpc-1");
    assert_string_equal(keyvalue_list_get(&records.instances[0].tags, "Name"), "node");
    assert_string_equal(records.instances[0].metadata_tokens, "required");
    assert_int_equal(records.instances[0].metadata_hop_limit, 2);
    assert_null(records.instances[1].metadata_tokens);
    assert_int_equal(records.instances[0].n_network_interfaces, 2);
    eni = &records.instances[0].network_interfaces[0];
    assert_string_equal(eni->attachment.attachment_id, "eni-attach-1");
    assert_string_equal(eni->attachment.instance_id, "i-1"); /* from the instance around it */
    assert_string_equal(eni->availability_zone, "eu-west-1a");
    assert_int_equal(eni->attachment.device_index, 3);
    assert_int_equal(eni->attachment.network_card_index, 1);
    assert_true(eni->attachment.delete_on_termination);
    assert_null(records.instances[0].network_interfaces[1].attachment.instance_id);
    assert_string_equal(records.instances[1].instance_id, "i-2");
}

static void test_security_groups(void **state)
{
    static const char xml[] =
        "<DescribeSecurityGroupsResponse " NS
        "><requestId>r</requestId><securityGroupInfo><item>"
        "<ownerId>1</ownerId><groupId>sg-1</groupId><groupName>multus</groupName><vpcId>vpc-1</vpcId>"
        "<ipPermissions><item><groups><item><groupId>sg-9</groupId></item></groups></item></ipPermissions>"
        "</item><item><groupId>sg-2</groupId></item></securityGroupInfo></DescribeSecurityGroupsResponse>";
    static const char nameless[] =
        "<DescribeSecurityGroupsResponse><securityGroupInfo><item><groupName>a</groupName></item>"
        "</securityGroupInfo></DescribeSecurityGroupsResponse>";
    _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;

    (void)state;
    assert_int_equal(decode("DescribeSecurityGroups", xml, &records), 0);
    assert_int_equal(records.n_security_groups, 2);
    assert_string_equal(records.security_groups[0].group_id, "sg-1");
    assert_string_equal(records.security_groups[0].group_name, "multus");
    assert_string_equal(records.security_groups[0].vpc_id, "vpc-1");
    assert_null(records.security_groups[1].vpc_id);
    assert_int_equal(decode("DescribeSecurityGroups", nameless, &records), -EBADMSG);
}

/* The association that counts is the associated one, whatever the order. */
static void test_subnets(void **state)
{
    static const char xml[] =
        "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId><cidrBlock>10.0.1.0/24</"
        "cidrBlock>"
        "<availableIpAddressCount>251</availableIpAddressCount><availabilityZoneId>euw1-az1</"
        "availabilityZoneId>"
        "<ipv6CidrBlockAssociationSet>"
        "<item><ipv6CidrBlock>2001:db8:1::/64</ipv6CidrBlock><ipv6CidrBlockState><state>disassociated</state>"
        "</ipv6CidrBlockState></item>"
        "<item><ipv6CidrBlockState><state>associated</state></ipv6CidrBlockState>"
        "<ipv6CidrBlock>2001:db8:2::/64</ipv6CidrBlock></item>"
        "<item><ipv6CidrBlock>2001:db8:3::/64</ipv6CidrBlock><ipv6CidrBlockState><state>disassociating</"
        "state>"
        "</ipv6CidrBlockState></item></ipv6CidrBlockAssociationSet></item>"
        "<item><subnetId>subnet-2</subnetId></item></subnetSet><nextToken/></DescribeSubnetsResponse>";
    _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;

    (void)state;
    assert_int_equal(decode("DescribeSubnets", xml, &records), 0);
    assert_int_equal(records.n_subnets, 2);
    assert_prefix(&records.subnets[0].cidr_block, "10.0.1.0/24");
    assert_prefix(&records.subnets[0].ipv6_cidr_block, "2001:db8:2::/64");
    assert_int_equal(records.subnets[0].available_ip_address_count, 251);
    assert_false(in_prefix_is_set(&records.subnets[1].ipv6_cidr_block));
    assert_null(records.next_token);

    /* A further page goes behind. */
    assert_int_equal(decode("DescribeSubnets", xml, &records), 0);
    assert_int_equal(records.n_subnets, 4);
    assert_string_equal(records.subnets[3].subnet_id, "subnet-2");
}

static void test_other_replies(void **state)
{
    _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;

    (void)state;
    assert_int_equal(decode("AttachNetworkInterface",
                            "<AttachNetworkInterfaceResponse><attachmentId>eni-attach-9</attachmentId>"
                            "<networkCardIndex>1</networkCardIndex></AttachNetworkInterfaceResponse>",
                            &records),
                     0);
    assert_string_equal(records.attachment_id, "eni-attach-9");
    assert_int_equal(records.network_card_index, 1);

    assert_int_equal(
        decode("AssignPrivateIpAddresses",
               "<AssignPrivateIpAddressesResponse><assignedPrivateIpAddressesSet><item>"
               "<privateIpAddress>10.0.0.9</privateIpAddress></item></assignedPrivateIpAddressesSet>"
               "</AssignPrivateIpAddressesResponse>",
               &records),
        0);
    assert_int_equal(decode("AssignIpv6Addresses",
                            "<AssignIpv6AddressesResponse><assignedIpv6Addresses><item>2001:db8::9</item>"
                            "</assignedIpv6Addresses></AssignIpv6AddressesResponse>",
                            &records),
                     0);
    assert_int_equal(records.n_assigned, 2);
    assert_address(&records.assigned[0], "10.0.0.9");
    assert_address(&records.assigned[1], "2001:db8::9");

    assert_int_equal(
        decode("DescribeInstanceTypes",
               "<DescribeInstanceTypesResponse><instanceTypeSet><item><instanceType>p4d</instanceType>"
               "<networkInfo><maximumNetworkInterfaces>60</maximumNetworkInterfaces><networkCards><item>"
               "<networkCardIndex>3</networkCardIndex><maximumNetworkInterfaces>15"
               "</maximumNetworkInterfaces></item></networkCards></networkInfo></item></instanceTypeSet>"
               "</DescribeInstanceTypesResponse>",
               &records),
        0);
    assert_int_equal(records.instance_types[0].maximum_network_interfaces, 60);
    assert_int_equal(records.instance_types[0].network_cards[0].network_card_index, 3);
    assert_int_equal(records.instance_types[0].network_cards[0].maximum_network_interfaces, 15);

    assert_int_equal(
        decode(
            "GetSubnetCidrReservations",
            "<GetSubnetCidrReservationsResponse><subnetIpv4CidrReservationSet><item><cidr>10.0.0.16/28</cidr>"
            "<reservationType>explicit</reservationType></item></subnetIpv4CidrReservationSet>"
            "<subnetIpv6CidrReservationSet><item><cidr>2001:db8::/80</cidr><reservationType>prefix"
            "</reservationType></item></subnetIpv6CidrReservationSet></GetSubnetCidrReservationsResponse>",
            &records),
        0);
    assert_int_equal(records.n_reservations, 2);
    assert_true(records.reservations[0].is_explicit);
    assert_false(records.reservations[1].is_explicit);
}

static void test_autoscaling(void **state)
{
    static const char groups[] =
        "<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">"
        "<DescribeAutoScalingGroupsResult><AutoScalingGroups><member><AutoScalingGroupName>g</"
        "AutoScalingGroupName>"
        "<Instances><member><InstanceId>i-1</InstanceId><LifecycleState>Pending:Wait</LifecycleState></"
        "member>"
        "</Instances><Tags><member><Key>multus-eks:subnets</Key><Value>subnet-1</Value></member></Tags></"
        "member>"
        "</AutoScalingGroups></DescribeAutoScalingGroupsResult>"
        "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeAutoScalingGroupsResponse>";
    static const char hooks[] =
        "<DescribeLifecycleHooksResponse><DescribeLifecycleHooksResult><LifecycleHooks><member>"
        "<LifecycleHookName>h</LifecycleHookName><LifecycleTransition>autoscaling:EC2_INSTANCE_LAUNCHING"
        "</LifecycleTransition><HeartbeatTimeout>300</HeartbeatTimeout></member></LifecycleHooks>"
        "</DescribeLifecycleHooksResult></DescribeLifecycleHooksResponse>";
    _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;

    (void)state;
    assert_int_equal(aws_decode_reply(AWS_SERVICE_AUTOSCALING, "DescribeAutoScalingGroups", groups,
                                      strlen(groups), &records),
                     0);
    assert_int_equal(records.n_groups, 1);
    assert_string_equal(records.groups[0].instances[0].lifecycle_state, "Pending:Wait");
    assert_string_equal(keyvalue_list_get(&records.groups[0].tags, "multus-eks:subnets"), "subnet-1");
    assert_string_equal(records.request_id, "r");
    assert_int_equal(
        aws_decode_reply(AWS_SERVICE_AUTOSCALING, "DescribeLifecycleHooks", hooks, strlen(hooks), &records),
        0);
    assert_int_equal(records.hooks[0].heartbeat_timeout, 300 * USEC_PER_SEC);
}

static void test_refused(void **state)
{
#define SUBNETS(_inside)                                                                                     \
    "<DescribeSubnetsResponse><subnetSet>" _inside "</subnetSet></DescribeSubnetsResponse>"
    static const char *const rows[] = {
        "",
        "garbage",
        "<html><body>502</body></html>",
        "<DescribeInstancesResponse/>", /* of another action */
        "<DescribeSubnetsResponse>",    /* cut short */
        SUBNETS("<item><subnetId>s</subnetId></item>") "<more/>",
        SUBNETS("<item><cidrBlock>10.0.0.0/24</cidrBlock></item>"), /* no id */
        SUBNETS("<item><subnetId>s</subnetId><cidrBlock>10.0.0.0/33</cidrBlock></item>"),
        SUBNETS("<item><subnetId>s</subnetId><availableIpAddressCount>-1</availableIpAddressCount></item>"),
        SUBNETS("<item><subnetId>s</subnetId><availableIpAddressCount>99999999999</availableIpAddressCount></"
                "item>"),
        SUBNETS("<item><subnetId>s</subnetId><tagSet><item><value>v</value></item></tagSet></item>"),
        "<!DOCTYPE d [<!ENTITY e \"x\">]>" SUBNETS("<item><subnetId>&e;</subnetId></item>"),
        "<!DOCTYPE d SYSTEM \"file:///etc/passwd\">" SUBNETS(""),
        SUBNETS("<item><subnetId>&nbsp;</subnetId></item>"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;

        assert_int_equal(
            decode("DescribeSubnets", SUBNETS("<item><subnetId>before</subnetId></item>"), &records), 0);
        if (decode("DescribeSubnets", rows[i], &records) != -EBADMSG)
            fail_msg("accepted: %s", rows[i]);
        assert_int_equal(records.n_subnets, 1);
        assert_string_equal(records.subnets[0].subnet_id, "before");
    }
}

static void test_ceilings(void **state)
{
    static const struct {
        size_t n_deep, n_items;
        int r;
    } rows[] = {{30, 0, 0}, {31, 0, -EBADMSG}, {0, 10000, 0}, {0, 10001, -EBADMSG}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;
        _cleanup_buf_ Buf xml = BUF_NULL;

        assert_int_equal(buf_puts(&xml, "<DescribeSubnetsResponse><subnetSet>"), 0);
        for (size_t j = 0; j < rows[i].n_deep; j++)
            assert_int_equal(buf_puts(&xml, "<x>"), 0);
        for (size_t j = 0; j < rows[i].n_deep; j++)
            assert_int_equal(buf_puts(&xml, "</x>"), 0);
        for (size_t j = 0; j < rows[i].n_items; j++)
            assert_int_equal(buf_puts(&xml, "<item><subnetId>s</subnetId></item>"), 0);
        assert_int_equal(buf_puts(&xml, "</subnetSet></DescribeSubnetsResponse>"), 0);
        assert_int_equal(decode("DescribeSubnets", xml.data, &records), rows[i].r);
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *xml;
        int r;
        const char *code, *message, *request_id;
    } rows[] = {
        {"<?xml version=\"1.0\"?><Response><Errors><Error><Code>A.B</Code><Message>m &amp; "
         "n</Message></Error></Errors>"
         "<RequestID>r</RequestID></Response>",
         0, "A.B", "m & n", "r"},
        {"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>m</Message></Error>"
         "<RequestId>r</RequestId></ErrorResponse>",
         0, "ValidationError", "m", "r"},
        {"<Response><Errors><Error><Code>A</Code></Error></Errors></Response>", 0, "A", "", ""},
        {"<Response><Errors><Error><Message>m</Message></Error></Errors></Response>", -EBADMSG, NULL, NULL,
         NULL},
        {"<html/>", -EBADMSG, NULL, NULL, NULL},
        {"", -EBADMSG, NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AwsErrorReply error = {0};

        assert_int_equal(aws_decode_error(rows[i].xml, strlen(rows[i].xml), &error), rows[i].r);
        if (rows[i].r == 0) {
            assert_string_equal(error.code, rows[i].code);
            assert_string_equal(error.message, rows[i].message);
            assert_string_equal(error.request_id, rows[i].request_id);
        }
        aws_error_reply_done(&error);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),      cmocka_unit_test(test_copy),
        cmocka_unit_test(test_instances),   cmocka_unit_test(test_security_groups),
        cmocka_unit_test(test_subnets),     cmocka_unit_test(test_other_replies),
        cmocka_unit_test(test_autoscaling), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ceilings),    cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
