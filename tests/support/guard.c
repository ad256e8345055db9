/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static guard guard_place(const void *data, size_t size_bytes, int is_front)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = (size_bytes + page - 1) / page * page + (size_bytes == 0 ? page : 0);
    guard g = {.size_bytes = size_bytes, .pages_bytes = body + 2 * page};
    g.pages = mmap(NULL, g.pages_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.pages == MAP_FAILED)
        abort();
    char *start = (char *)g.pages + page;
    if (mprotect(start, body, PROT_READ | PROT_WRITE) != 0)
        abort();
    g.data = is_front ? start : start + body - size_bytes;
    if (size_bytes > 0)
        memcpy(g.data, data, size_bytes);
    return g;
}

guard guard_copy(const void *data, size_t size_bytes)
{
    return guard_place(data, size_bytes, 0);
}

guard guard_copy_front(const void *data, size_t size_bytes)
{
    return guard_place(data, size_bytes, 1);
}

void guard_free(guard *g)
{
    munmap(g->pages, g->pages_bytes);
    g->pages = NULL;
}
