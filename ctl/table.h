#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Aligned text tables for people. */

#include "util/macro.h"
#include <stdio.h>

typedef struct Table Table;

/**
 * table_new() - a table with n_columns headings
 *
 * Return: 0 with *ret, or -ENOMEM.
 */
int table_new(Table **ret, const char *const *headings, size_t n_columns);
Table *table_free(Table *table);

/** table_add() - append one cell (copied; NULL or "" shows "-"); rows fill from left to right; 0 or -ENOMEM
 */
int table_add(Table *table, const char *text);

/** table_print() - headings and rows, columns as wide as their longest cell, two spaces between */
void table_print(const Table *table, FILE *file);

DEFINE_CLEANUP(Table, table_free)
