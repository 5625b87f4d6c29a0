/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Gathering the facts. What the instance is comes from IMDS, which also names the region, and with it
 * the endpoints; then EC2 and Auto Scaling are asked. The daemon's boot and the dry run of the plan
 * begin with the same object.
 */

#include "eni/gather.h"
#include "util/message-ids.h"
#include <errno.h>
#include <stdio.h>

/* IMDS is on the host itself: what has not answered for so long is not there. */
#define IMDS_TIME USEC_PER_MINUTE

struct Gather {
    sd_event *event;
    const Config *config;
    usec_t deadline;
    GatherHandler handler;
    void *userdata;
    Http *http;
    Imds *imds;
    Credentials *credentials;
    Aws *aws;
    MetadataFetch *metadata_fetch;
    Metadata *metadata;
    bool boot, fresh;
    Observe *observe;
    Observation *observation;
    char *error;
    const char *message_id;
    CallFields failed_call;
};

Gather *gather_free(Gather *gather)
{
    if (!gather)
        return NULL;

    observe_free(gather->observe);
    observation_free(gather->observation);
    metadata_fetch_free(gather->metadata_fetch);
    metadata_free(gather->metadata);
    aws_free(gather->aws);
    credentials_free(gather->credentials);
    imds_free(gather->imds);
    http_free(gather->http);
    sd_event_unref(gather->event);
    free(gather->error);
    return mfree(gather);
}

static void gather_fail(Gather *gather, const char *message_id, const AwsError *error, char *text_take)
{
    free(gather->error);
    gather->error = text_take;
    gather->message_id = message_id;
    call_fields_init(&gather->failed_call, error);
    gather->handler(gather, GATHER_EVENT_FAILED, gather->userdata);
}

static void gather_fail_errno(Gather *gather, int r)
{
    gather_fail(gather, NULL, NULL, strdup(strerror(-r)));
}

static void on_observed(Observation *observation_take, const AwsError *error, const char *what,
                        void *userdata)
{
    Gather *gather = userdata;

    if (error) {
        bool no_role = error->error == -ENOENT && !error->code[0];

        gather_fail(gather, no_role ? MESSAGE_NO_ROLE : explain_message_id(error), error,
                    explain_error(error, what));
        return;
    }
    gather->observation = observation_take;
    gather->handler(gather, GATHER_EVENT_OBSERVED, gather->userdata);
}

static char *endpoint_of(const char *configured, const char *service, const char *region, const char *domain)
{
    char *endpoint = NULL;

    if (configured)
        return strdup(configured);
    return asprintf(&endpoint, "https://%s.%s.%s", service, region, domain) < 0 ? NULL : endpoint;
}

static int gather_open_aws(Gather *gather)
{
    const Config *config = gather->config;
    const char *region = config->region ?: gather->metadata->region;
    _cleanup_(freep) char *ec2 = endpoint_of(config->ec2_endpoint, "ec2", region, gather->metadata->domain);
    _cleanup_(freep) char *autoscaling =
        endpoint_of(config->autoscaling_endpoint, "autoscaling", region, gather->metadata->domain);
    AwsOptions options = {
        .region = region,
        .endpoints = {[AWS_SERVICE_EC2] = ec2, [AWS_SERVICE_AUTOSCALING] = autoscaling},
        .request_timeout = config->request_timeout,
    };

    if (!ec2 || !autoscaling)
        return -ENOMEM;
    return aws_new(&gather->aws, gather->event, gather->http, gather->credentials, &options);
}

static void on_metadata(int error, const char *text, Metadata *metadata_take, void *userdata)
{
    Gather *gather = userdata;
    ObserveArgs args;
    int r;

    if (error < 0) {
        gather_fail(gather, MESSAGE_IMDS_FAILED, NULL, strdup(text));
        return;
    }

    gather->metadata = metadata_take;
    r = gather_open_aws(gather);
    if (r < 0) {
        gather_fail_errno(gather, r);
        return;
    }
    gather->handler(gather, GATHER_EVENT_METADATA, gather->userdata);

    args = (ObserveArgs){
        .aws = gather->aws,
        .config = gather->config,
        .metadata = gather->metadata,
        .deadline = gather->deadline,
        .fresh = gather->fresh,
        .lists = gather->boot,
    };
    r = observe(&args, on_observed, gather, &gather->observe);
    if (r < 0)
        gather_fail_errno(gather, r);
}

int gather_start(Gather **ret, sd_event *event, const Config *config, usec_t deadline, GatherHandler handler,
                 void *userdata)
{
    _cleanup_(gather_freep) Gather *gather = NULL;
    HttpOptions http = {
        .ca_file = config->ca_file,
        .proxy = config->proxy,
        .user_agent = "multus-eks/" VERSION,
    };
    usec_t imds_deadline = MIN(deadline, time_add(time_monotonic(), IMDS_TIME));
    int r;

    gather = calloc(1, sizeof(*gather));
    if (!gather)
        return -ENOMEM;
    *gather = (Gather){
        .event = sd_event_ref(event),
        .config = config,
        .deadline = deadline,
        .handler = handler,
        .userdata = userdata,
    };

    r = http_new(&gather->http, event, &http);
    if (r == 0)
        r = imds_new(&gather->imds, event, gather->http, config->imds_endpoint, config->request_timeout);
    if (r == 0)
        r = credentials_new(&gather->credentials, event, gather->imds);
    if (r == 0)
        r = metadata_fetch(gather->imds, imds_deadline, on_metadata, gather, &gather->metadata_fetch);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(gather);
    return 0;
}

void gather_for_boot(Gather *gather, bool fresh)
{
    gather->boot = true;
    gather->fresh = fresh;
}

Aws *gather_aws(const Gather *gather)
{
    return gather->aws;
}

const char *gather_role(const Gather *gather)
{
    return credentials_role(gather->credentials);
}

const Metadata *gather_metadata(const Gather *gather)
{
    return gather->metadata;
}

Observation *gather_observation(const Gather *gather)
{
    return gather->observation;
}

const char *gather_group(const Gather *gather)
{
    return gather->observe ? observe_group(gather->observe) : NULL;
}

void gather_describe(const Gather *gather, Buf *text)
{
    if (gather->observe)
        observe_describe(gather->observe, text);
    else
        (void)buf_puts(text, "the instance metadata service (IMDS)");
}

const char *gather_error(const Gather *gather)
{
    return gather->error;
}

const char *gather_message_id(const Gather *gather)
{
    return gather->message_id;
}

const CallFields *gather_failed_call(const Gather *gather)
{
    return &gather->failed_call;
}
