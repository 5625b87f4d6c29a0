#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What every test of daemon/eni begins with: a fake of AWS, a loop, a directory; and EC2's answers. */

#include "lib/fake-aws/fake-aws.h"
#include "lib/fake-aws/fake-clock.h"
#include "plan/model.h"
#include "util/buf.h"
#include <systemd/sd-event.h>

#define CLOUD_INSTANCE "i-1"
#define CLOUD_DEADLINE (FAKE_CLOCK_MONOTONIC + 300 * USEC_PER_SEC)

typedef struct Cloud {
    sd_event *event;
    Aws *aws;
    char dir[64];
    char path[96]; /* of a file in it that is not there yet */
} Cloud;

void cloud_init(Cloud *cloud);
void cloud_done(Cloud *cloud);

/** cloud_answer_create() - the oldest Create: an interface without attachment */
void cloud_answer_create(Cloud *cloud, const char *eni_id);

/** cloud_answer_attach() - the oldest Attach */
void cloud_answer_attach(Cloud *cloud, const char *attachment_id);

/** cloud_answer() - the oldest call of an action whose reply says nothing */
void cloud_answer(Cloud *cloud, const char *action);

/** cloud_fail() - the oldest call of an action */
void cloud_fail(Cloud *cloud, const char *action, const char *code, const char *message);

/** eni_item() - append an <item> of DescribeNetworkInterfaces; instance NULL: available; status of it */
void eni_item(Buf *xml, const char *eni_id, const char *instance_id, unsigned index, const char *status);

/** cloud_answer_look() - the oldest DescribeNetworkInterfaces, with those items, or NULL */
void cloud_answer_look(Cloud *cloud, const Buf *items);

/** cloud_answer_lists() - what the allocator asked of a subnet: nothing is in use or reserved */
void cloud_answer_lists(Cloud *cloud);

/** cloud_count() - calls made of an action, answered or not */
size_t cloud_count(const Cloud *cloud, const char *action);

/** desired_init() - a network of that name in subnet-1, 10.0.1.0/24, at any device index */
void desired_init(DesiredEni *desired, const char *network);
void desired_eni_done(DesiredEni *desired);
