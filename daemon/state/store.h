#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The state on disk. */

#include "state/state.h"

#define STORE_VERSION 1

/* Outcomes of reading, besides 0. */
enum {
    STORE_E_ABSENT = 1, /* no file */
    STORE_E_FOREIGN,    /* another instance's: an image baked on a running node */
    STORE_E_NEWER,      /* written by a newer version: not touched, renamed aside by the caller */
    STORE_E_DAMAGED,    /* truncated or not ours: what can be had is had from EC2 */
};

/**
 * store_encode() - the state as JSON, freed by the caller; NULL when out of memory. Pure
 *
 * What is wanted but not assigned yet is left out: nobody was told that it is registered, and after a crash
 * it must belong to nobody. While one moves between interfaces of this node, what it was before stands.
 */
char *store_encode(const State *state, const char *instance_id);

/**
 * store_decode() - JSON to a state. Pure, fuzzed
 *
 * Return: 0 with *ret; STORE_E_FOREIGN, STORE_E_NEWER, STORE_E_DAMAGED; -ENOMEM.
 */
int store_decode(const char *text, size_t n, const char *instance_id, State **ret);

/** store_load() - the same from a file; besides: STORE_E_ABSENT, or the errno of reading it */
int store_load(const char *path, const char *instance_id, State **ret);

/** store_save() - atomic and on disk when it returns 0; else the errno of the step that failed */
int store_save(const char *path, const State *state, const char *instance_id);
