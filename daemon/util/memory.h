#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Memory that is not needed any more goes back to the kernel. */

/**
 * memory_give_back() - after a phase that will not come again, let go of what it alone needed
 *
 * Freed heap is returned. Pages of the program's and the libraries' code are unmapped; what is used
 * again is mapped again at its next use, from the page cache as a rule.
 */
void memory_give_back(void);
