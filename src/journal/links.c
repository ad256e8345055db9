/* SPDX-License-Identifier: Apache-2.0 */
/* Which link a line belongs to, and by whose clock its session time is told. Rows stand in the
 * order in which their links came up. */
#include "journal/journal.h"
#include <stdlib.h>
#include <string.h>

typedef struct nb__journal_link_row {
    uint32_t link;
    nb__journal_connect connect;
} link_row;

void nb__journal_links_fini(nb__journal_links *links)
{
    free(links->rows);
    *links = (nb__journal_links){0};
}

static void drop_row(nb__journal_links *links, size_t index)
{
    links->count--;
    memmove(links->rows + index, links->rows + index + 1,
            (links->count - index) * sizeof *links->rows);
}

static bool make_room(nb__journal_links *links)
{
    if (links->count == NB__JOURNAL_LINKS_MAX)
        drop_row(links, 0);
    if (links->count < links->capacity)
        return true;
    size_t capacity = links->capacity == 0 ? 4 : links->capacity * 2;
    link_row *rows = realloc(links->rows, capacity * sizeof *rows);
    if (rows == NULL)
        return false;
    links->rows = rows;
    links->capacity = capacity;
    return true;
}

static bool find_row(nb__journal_links *links, uint32_t link)
{
    if (links->found_index < links->count && links->rows[links->found_index].link == link)
        return true;
    for (size_t i = links->count; i-- > 0;) {
        if (links->rows[i].link == link) {
            links->found_index = i;
            return true;
        }
    }
    return false;
}

static bool note_connect(nb__journal_links *links, const nb__journal_line *line)
{
    link_row row = {.link = line->link};
    if (line->link == 0 ||
        nb__journal_connect_parse(line->payload, line->recv_ns, &row.connect, NULL) != NB_OK)
        return true;
    if (find_row(links, line->link))
        drop_row(links, links->found_index);
    if (!make_room(links))
        return false;
    links->found_index = links->count;
    links->rows[links->count++] = row;
    return true;
}

bool nb__journal_links_note(nb__journal_links *links, const nb__journal_line *line)
{
    if (line->kind == NB__JOURNAL_CONNECT)
        return note_connect(links, line);
    if (line->kind != NB__JOURNAL_START)
        return true;
    nb__journal_start start;
    links->count = 0;
    links->is_live = nb__journal_start_parse(line->payload, &start, NULL) == NB_OK &&
                     start.feed == NB__FEED_LIVE;
    return true;
}

const nb__journal_connect *nb__journal_links_find(nb__journal_links *links, uint32_t link)
{
    return find_row(links, link) ? &links->rows[links->found_index].connect : NULL;
}

int64_t nb__journal_links_session_ns(nb__journal_links *links, const nb__journal_line *line)
{
    const nb__journal_connect *connect = nb__journal_links_find(links, line->link);
    if (connect == NULL && links->count > 0)
        connect = &links->rows[links->count - 1].connect;
    if (connect != NULL)
        return nb__session_clock_at(&connect->clock, line->recv_ns);
    return links->is_live ? line->recv_ns : NB_TIME_UNDEF;
}
