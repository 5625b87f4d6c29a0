/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What every test of daemon/eni begins with.
 */

#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include <stdio.h>
#include <unistd.h>

void cloud_init(Cloud *cloud)
{
    /* In memory where that can be had: what is written is synchronised, and a disk takes its time. */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    *cloud = (Cloud){.aws = fake_aws_new()};
    fake_clock_init();
    assert_true(sd_event_new(&cloud->event) >= 0);
    (void)snprintf(cloud->dir, sizeof(cloud->dir), "%s/test-eni-XXXXXX", base);
    assert_non_null(mkdtemp(cloud->dir));
    (void)snprintf(cloud->path, sizeof(cloud->path), "%s/intents.json", cloud->dir);
}

void cloud_done(Cloud *cloud)
{
    fake_clock_done();
    (void)aws_free(cloud->aws);
    (void)sd_event_unref(cloud->event);
    (void)unlink(cloud->path);
    assert_int_equal(rmdir(cloud->dir), 0);
}

void cloud_answer_create(Cloud *cloud, const char *eni_id)
{
    fake_call_answer(fake_aws_pending(cloud->aws, "CreateNetworkInterface"),
                     "<networkInterface><networkInterfaceId>%s</networkInterfaceId>"
                     "<macAddress>02:00:00:00:00:01</macAddress><sourceDestCheck>true</sourceDestCheck>"
                     "</networkInterface>",
                     eni_id);
}

void cloud_answer_attach(Cloud *cloud, const char *attachment_id)
{
    fake_call_answer(fake_aws_pending(cloud->aws, "AttachNetworkInterface"),
                     "<attachmentId>%s</attachmentId><networkCardIndex>0</networkCardIndex>", attachment_id);
}

void cloud_answer(Cloud *cloud, const char *action)
{
    fake_call_answer(fake_aws_pending(cloud->aws, action), "<return>true</return>");
}

void cloud_fail(Cloud *cloud, const char *action, const char *code, const char *message)
{
    fake_call_fail(fake_aws_pending(cloud->aws, action), code, message);
}

void eni_item(Buf *xml, const char *eni_id, const char *instance_id, unsigned index, const char *status)
{
    assert_int_equal(buf_printf(xml, "<item><networkInterfaceId>%s</networkInterfaceId><status>%s</status>",
                                eni_id, instance_id ? "in-use" : "available"),
                     0);
    if (instance_id)
        assert_int_equal(
            buf_printf(xml,
                       "<attachment><attachmentId>attach-%s</attachmentId><instanceId>%s</instanceId>"
                       "<deviceIndex>%u</deviceIndex><networkCardIndex>0</networkCardIndex>"
                       "<status>%s</status></attachment>",
                       eni_id, instance_id, index, status),
            0);
    assert_int_equal(buf_puts(xml, "</item>"), 0);
}

void cloud_answer_look(Cloud *cloud, const Buf *items)
{
    fake_call_answer(fake_aws_pending(cloud->aws, "DescribeNetworkInterfaces"),
                     "<networkInterfaceSet>%s</networkInterfaceSet>",
                     items && items->data ? items->data : "");
}

void cloud_answer_lists(Cloud *cloud)
{
    cloud_answer_look(cloud, NULL);
    fake_call_answer(fake_aws_pending(cloud->aws, "GetSubnetCidrReservations"), "%s", "");
}

size_t cloud_count(const Cloud *cloud, const char *action)
{
    size_t n = 0;

    for (size_t i = 0; i < fake_aws_n(cloud->aws); i++)
        n += streq(fake_aws_call(cloud->aws, i)->action, action);
    return n;
}

void desired_init(DesiredEni *desired, const char *network)
{
    *desired = (DesiredEni){
        .network = strdup(network),
        .position = 1,
        .device_index = -1,
        .subnet_id = strdup("subnet-1"),
        .source_dest_check = true,
    };
    (void)snprintf(desired->ifname, sizeof(desired->ifname), "eth1");
    assert_int_equal(in_prefix_parse("10.0.1.0/24", &desired->cidr_block), 0);
    assert_int_equal(strlist_append(&desired->group_ids, "sg-1"), 0);
    assert_int_equal(keyvalue_list_append(&desired->tags, TAG_INSTANCE_ID, CLOUD_INSTANCE), 0);
    assert_int_equal(keyvalue_list_append(&desired->tags, TAG_NETWORK, network), 0);
}

void desired_eni_done(DesiredEni *desired)
{
    free(desired->network);
    free(desired->subnet_id);
    strlist_done(&desired->group_ids);
    keyvalue_list_done(&desired->tags);
}
