/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tables of text, in the way of ip(8) and kubectl: headings in capitals, columns as wide as need be, no
 * lines. The last column is not padded, so that nothing ends in spaces. Width is counted in bytes:
 * everything shown (ids, addresses, names of networks) is ASCII.
 */

#include "table.h"
#include "util/strlist.h"
#include <errno.h>

struct Table {
    StrList cells; /* the headings first, then the rows */
    size_t n_columns;
};

int table_new(Table **ret, const char *const *headings, size_t n_columns)
{
    _cleanup_(table_freep) Table *table = calloc(1, sizeof(*table));
    int r;

    assert(n_columns > 0);
    if (!table)
        return -ENOMEM;

    table->n_columns = n_columns;
    for (size_t i = 0; i < n_columns; i++) {
        r = table_add(table, headings[i]);
        if (r < 0)
            return r;
    }

    *ret = TAKE_PTR(table);
    return 0;
}

Table *table_free(Table *table)
{
    if (table)
        strlist_done(&table->cells);
    free(table);
    return NULL;
}

int table_add(Table *table, const char *text)
{
    return strlist_append(&table->cells, text && *text ? text : "-");
}

static size_t column_width(const Table *table, size_t column)
{
    size_t width = 0;

    for (size_t i = column; i < table->cells.n; i += table->n_columns)
        width = MAX(width, strlen(table->cells.items[i]));
    return width;
}

void table_print(const Table *table, FILE *file)
{
    for (size_t i = 0; i < table->cells.n; i++) {
        size_t column = i % table->n_columns;

        if (column + 1 == table->n_columns || i + 1 == table->cells.n)
            fprintf(file, "%s\n", table->cells.items[i]);
        else
            fprintf(file, "%-*s  ", (int)column_width(table, column), table->cells.items[i]);
    }
}
