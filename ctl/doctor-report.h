#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What the doctor found: results of checks, for people and for scripts. */

#include "util/macro.h"
#include <stdio.h>

typedef struct DoctorReport DoctorReport;

typedef enum DoctorStatus {
    DOCTOR_OK,
    DOCTOR_SKIPPED, /* could not be looked at, and says why */
    DOCTOR_WARNING, /* works, but not as it should or not for long */
    DOCTOR_FAIL,    /* the node would not start, or pods would not be reached */
    _DOCTOR_STATUS_MAX,
} DoctorStatus;

/** doctor_report_new() - an empty report; 0 or -ENOMEM */
int doctor_report_new(DoctorReport **ret);
DoctorReport *doctor_report_free(DoctorReport *report);

/**
 * doctor_add() - append a result
 * @name: of the check; the same in every run, for scripts
 * @advice: what to do about it; lines that begin with two spaces are commands. NULL for OK and SKIPPED
 * @format: what was found, one line
 *
 * Memory that is lacking is remembered; see doctor_report_status().
 */
void doctor_add(DoctorReport *report, DoctorStatus status, const char *name, const char *advice,
                const char *format, ...) _printf_(5, 6);

/** doctor_add_lines() - what was found is several lines: the table shows the first and how many more */
void doctor_add_lines(DoctorReport *report, DoctorStatus status, const char *name, const char *advice,
                      const char *lines);

/** doctor_add_detail() - what others said of the last result, in full; NULL for nothing */
void doctor_add_detail(DoctorReport *report, const char *detail);

/** doctor_ok(), doctor_skip() - doctor_add() without advice */
#define doctor_ok(_report, _name, ...)   doctor_add((_report), DOCTOR_OK, (_name), NULL, __VA_ARGS__)
#define doctor_skip(_report, _name, ...) doctor_add((_report), DOCTOR_SKIPPED, (_name), NULL, __VA_ARGS__)

/** doctor_report_status() - the worst of all results, or -ENOMEM when one is missing */
int doctor_report_status(const DoctorReport *report);

/** doctor_report_print_table() - all results as a table, and below it what to do */
void doctor_report_print_table(const DoctorReport *report, FILE *file);

/**
 * doctor_report_print_json() - the same as a document
 * @mode: "node" or "image"
 */
void doctor_report_print_json(const DoctorReport *report, const char *mode, FILE *file);

DEFINE_CLEANUP(DoctorReport, doctor_report_free)
