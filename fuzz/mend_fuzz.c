/* SPDX-License-Identifier: Apache-2.0 */
/* rooms: journal base */
/* Any bytes as a plain segment: what the check finds goes, and then it finds nothing. A first byte
 * other than '1' takes some lines out of the middle too, as a lost zstd frame does. */
#include "journal/journal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

typedef struct holes {
    nb__damage *rows;
    size_t count, capacity;
} holes;

static void on_damage(void *self, const nb__damage *damage)
{
    holes *h = self;
    if (h->count == h->capacity) {
        h->capacity = h->capacity == 0 ? 16 : h->capacity * 2;
        h->rows = realloc(h->rows, h->capacity * sizeof *h->rows);
        require(h->rows != NULL);
    }
    h->rows[h->count++] = *damage;
}

/* @return false: of a newer format. */
static bool check(nb_span bytes, holes *out)
{
    nb__journal_check *checker = nb__journal_check_new(on_damage, out);
    require(checker != NULL);
    nb_err err = nb__journal_check_feed(checker, bytes, NULL);
    require(err == NB_OK || err == NB_E_VERSION);
    require(nb__journal_check_end(checker)->damages == out->count);
    nb__journal_check_free(checker);
    return err == NB_OK;
}

/* Whole lines of what is not damaged, somewhere in the middle. */
static void add_hole(nb_span bytes, size_t from, size_t size, holes *h)
{
    const char *begin =
        from >= bytes.size_bytes ? NULL : memchr(bytes.data + from, '\n', bytes.size_bytes - from);
    if (begin == NULL)
        return;
    begin++;
    size_t at = (size_t)(begin - bytes.data), rest = bytes.size_bytes - at;
    const char *end = rest == 0 ? NULL : memchr(begin, '\n', rest < size ? rest : size);
    if (end == NULL)
        return;
    nb__damage hole = {.offset_bytes = at, .size_bytes = (uint64_t)(end + 1 - begin)};
    size_t place = 0;
    for (; place < h->count; place++) {
        const nb__damage *other = &h->rows[place];
        if (other->offset_bytes + other->size_bytes > hole.offset_bytes &&
            other->offset_bytes < hole.offset_bytes + hole.size_bytes)
            return;
        if (other->offset_bytes >= hole.offset_bytes + hole.size_bytes)
            break;
    }
    on_damage(h, &hole);
    memmove(h->rows + place + 1, h->rows + place, (h->count - 1 - place) * sizeof *h->rows);
    h->rows[place] = hole;
}

static void mend(nb_span bytes, const holes *h, nb__text *out)
{
    nb__mend *m = nb__mend_new("20261123-000001", true, 7);
    require(m != NULL);
    size_t at = 0;
    for (size_t i = 0; i < h->count; i++) {
        const nb__damage *hole = &h->rows[i];
        size_t begin = (size_t)hole->offset_bytes, size = (size_t)hole->size_bytes;
        require(begin >= at && begin + size <= bytes.size_bytes);
        require(nb__mend_keep(m, (nb_span){bytes.data + at, begin - at}, out, NULL) == NB_OK);
        require(nb__mend_drop(m, (nb_span){bytes.data + begin, size}, NULL) == NB_OK);
        nb__journal_repair repair = {
            .offset_bytes = begin, .size_bytes = size, .was = {"20261123-000001", 1, 2}};
        require(nb__mend_repair(m, &repair, out, NULL) == NB_OK);
        at = begin + size;
    }
    require(nb__mend_keep(m, (nb_span){bytes.data + at, bytes.size_bytes - at}, out, NULL) ==
            NB_OK);
    require(nb__mend_end(m, out, NULL) == NB_OK);
    nb__mend_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes < 3)
        return 0;
    nb_span bytes = {(const char *)data, size_bytes};
    holes found = {0}, again = {0};
    nb__text out = {0};
    bool has_hole = data[0] != '1';
    if (has_hole) {
        bytes.data += 3;
        bytes.size_bytes -= 3;
    }
    if (check(bytes, &found)) {
        if (has_hole)
            add_hole(bytes, (size_t)data[1] * 8, (size_t)data[2] * 8, &found);
        mend(bytes, &found, &out);
        require(check(nb__text_view(&out), &again));
        for (size_t i = 0; i < again.count; i++)
            fprintf(stderr, "%d at %llu: %s\n%.*s\n", (int)again.rows[i].kind,
                    (unsigned long long)again.rows[i].offset_bytes, again.rows[i].words,
                    (int)out.size_bytes, out.data);
        require(again.count == 0);
    }
    free(found.rows);
    free(again.rows);
    nb__text_fini(&out);
    return 0;
}
