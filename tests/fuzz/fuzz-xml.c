/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replies of EC2 and Auto Scaling. The first byte chooses the action, or the error decoder; the rest
 * is the document. What was decoded is copied and freed, so that the sanitizers see all of it.
 */

#include "aws/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct {
    AwsService service;
    const char *action;
} actions[] = {
    {AWS_SERVICE_EC2, "CreateNetworkInterface"},
    {AWS_SERVICE_EC2, "AttachNetworkInterface"},
    {AWS_SERVICE_EC2, "DeleteNetworkInterface"},
    {AWS_SERVICE_EC2, "AssignPrivateIpAddresses"},
    {AWS_SERVICE_EC2, "AssignIpv6Addresses"},
    {AWS_SERVICE_EC2, "DescribeNetworkInterfaces"},
    {AWS_SERVICE_EC2, "DescribeInstances"},
    {AWS_SERVICE_EC2, "DescribeSubnets"},
    {AWS_SERVICE_EC2, "DescribeInstanceTypes"},
    {AWS_SERVICE_EC2, "GetSubnetCidrReservations"},
    {AWS_SERVICE_AUTOSCALING, "DescribeAutoScalingGroups"},
    {AWS_SERVICE_AUTOSCALING, "DescribeLifecycleHooks"},
    {AWS_SERVICE_AUTOSCALING, "CompleteLifecycleAction"},
    {AWS_SERVICE_EC2, "DescribeSecurityGroups"},
};

static void fuzz_reply(AwsService service, const char *action, const char *xml, size_t n)
{
    _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;

    /* Twice: the second is appended to the first, as a further page is. */
    for (int i = 0; i < 2; i++)
        (void)aws_decode_reply(service, action, xml, n, &records);
    for (size_t i = 0; i < records.n_network_interfaces; i++) {
        _cleanup_(ec2_network_interface_done) Ec2NetworkInterface copy = {0};

        assert(records.network_interfaces[i].network_interface_id);
        (void)ec2_network_interface_copy(&records.network_interfaces[i], &copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    AwsErrorReply error = {0};
    size_t which;

    if (n == 0)
        return 0;

    which = (size_t)(data[0] - '0');
    if (which < ARRAY_SIZE(actions)) {
        fuzz_reply(actions[which].service, actions[which].action, (const char *)data + 1, n - 1);
    } else if (aws_decode_error((const char *)data + 1, n - 1, &error) == 0) {
        assert(error.code && error.message && error.request_id);
        aws_error_reply_done(&error);
    }
    return 0;
}
