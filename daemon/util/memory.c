/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a boot leaves in memory is for the most part code that ran once: the dynamic linker's tables
 * of forty libraries, their initialisation, TLS handshakes, the parsers. It stays mapped, and counts
 * as resident, until memory is short; and pages in use by a process are the last that the kernel
 * takes then. Unmapped they are ordinary page cache, and the figure that is left is what the daemon
 * needs for what it does. The price is some hundred soft page faults at the next request.
 *
 * Only segments that are never writable are touched: MADV_DONTNEED reads them from the file again,
 * which would lose relocations elsewhere. It loses break points and uprobes too, if they were set
 * before.
 */

#include "util/memory.h"
#include "util/macro.h"
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

static void unmap_segment(uintptr_t begin, uintptr_t end)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    /* Whole pages: the ones at the ends may be shared with a neighbour. */
    begin = (begin + page - 1) & ~(page - 1);
    end &= ~(page - 1);
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static int on_object(struct dl_phdr_info *info, size_t n _unused_, void *userdata _unused_)
{
    /* The program itself has no name; the vDSO has one without a path, and is not a file. */
    if (info->dlpi_name[0] && !strchr(info->dlpi_name, '/'))
        return 0;

    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
            unmap_segment(begin, begin + segment->p_filesz);
    }
    return 0;
}

void memory_give_back(void)
{
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(on_object, NULL);
}
