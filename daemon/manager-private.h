#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The manager's fields, for the files that make it up: stages, interfaces, status. */

#include "aws/call.h"
#include "eni/gather.h"
#include "eni/lifecycle.h"
#include "eni/reconcile.h"
#include "eni/sweep.h"
#include "input/config.h"
#include "input/metadata.h"
#include "io/rtnl.h"
#include "link/links.h"
#include "manager.h"
#include "plan/desired.h"
#include "plan/diff.h"
#include "register/server.h"
#include "util/json.h"
#include "util/log.h"

typedef enum ManagerPhase {
    MANAGER_PHASE_STARTING,
    MANAGER_PHASE_FACTS,     /* asking IMDS, EC2, Auto Scaling */
    MANAGER_PHASE_PLAN,      /* deciding */
    MANAGER_PHASE_RECONCILE, /* EC2 is at work */
    MANAGER_PHASE_LINKS,     /* EC2 is done; the kernel is not */
    MANAGER_PHASE_READY,
    MANAGER_PHASE_DEGRADED, /* failed, and on_failure is continue */
    MANAGER_PHASE_FAILED,   /* failed, and on_failure is block: about to exit */
    MANAGER_PHASE_STOPPING,
    _MANAGER_PHASE_MAX,
} ManagerPhase;

typedef enum Milestone {
    MILESTONE_METADATA,
    MILESTONE_OBSERVED,
    MILESTONE_PLANNED,
    MILESTONE_CREATED,  /* the last interface exists */
    MILESTONE_ATTACHED, /* the last attachment was accepted */
    MILESTONE_LINKS,    /* the last link is up */
    MILESTONE_READY,
    _MILESTONE_MAX,
} Milestone;

/* Where a device's claim is written for udev. */
enum {
    CLAIMS_RUNTIME, /* of this boot */
    CLAIMS_STATE,   /* for the next: its devices are there before the daemon is */
    _CLAIMS_MAX,
};

/* One wanted interface: its cloud side and its kernel side. */
typedef struct Interface {
    Manager *manager;
    const DesiredEni *desired;
    Eni *eni;   /* owned by reconcile */
    Link *link; /* owned by links; NULL before the MAC is known */
    char *error;
} Interface;

struct Manager {
    sd_event *event;
    ManagerOptions options;
    usec_t started;
    ManagerPhase phase;
    usec_t milestones[_MILESTONE_MAX]; /* CLOCK_MONOTONIC, 0: not reached */
    char *error;
    int exit_code;

    Config *config;
    Gather *gather;
    Aws *aws;                 /* gather's */
    const Metadata *metadata; /* gather's */
    Desired *desired;
    Plan *plan;
    Intents *intents;
    Reconcile *reconcile;

    Links *links;
    Rtnl *rtnl;
    Interface *interfaces;
    size_t n_interfaces;

    Lifecycle *lifecycle;
    Sweep *sweep;
    struct Serve *serve;
    sd_event_source *boot_timer;
    sd_event_source *progress_timer;
    char *claims_dirs[_CLAIMS_MAX];
    char *intents_path;
    char *sysfs;
    char *drivers_dir;
};

/** manager_phase_to_string() - "starting" … */
const char *manager_phase_to_string(ManagerPhase phase);

/** manager_reach() - note the time of a milestone, the last time it is reached */
void manager_reach(Manager *manager, Milestone milestone);

/** manager_check_ready() - join the cloud's and the kernel's side; ends the boot when nothing is awaited */
void manager_check_ready(Manager *manager);

/** interfaces_new() - one for each of the plan, with its object of reconcile; 0 or -ENOMEM */
int interfaces_new(Manager *manager);
void interfaces_done(Manager *manager);

/** interface_is_settled() - up, or failed for good; else *ret_waiting says what is awaited */
bool interface_is_settled(const Interface *interface, const char **ret_waiting);

/** interfaces_attached() - how many are attached to this card, those included that failed on the host */
unsigned interfaces_attached(const Manager *manager, unsigned network_card);

/** interface_has_failed() */
bool interface_has_failed(const Interface *interface);

/** interfaces_on_eni() - EniHandler; userdata is the Manager */
void interfaces_on_eni(Eni *eni, EniEventType event, void *userdata);

/** interfaces_on_link() - LinkHandler; userdata is the Manager */
void interfaces_on_link(const LinkEvent *event, void *userdata);

/** status_json() - ServerStatus; userdata is the Manager */
json_t *status_json(void *userdata);
