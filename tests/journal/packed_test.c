/* SPDX-License-Identifier: Apache-2.0 */
/* Packed segments that are damaged, cut, or made by an enemy: found, and never worse than found. */
#include "packed_rig.h"
#include <zstd.h>

#define FRAMES 40
#define FRAME_BYTES 700

static nb__text small_file(void)
{
    nb__text plain = {0}, packed = {0};
    rig_night(&plain, NB__FEED_SIM, FRAMES);
    rig_pack(nb__text_view(&plain), FRAME_BYTES, &packed);
    nb__text_fini(&plain);
    return packed;
}

static void test_every_flipped_bit_is_found(void **state)
{
    (void)state;
    nb__text file = small_file();
    nb_error error;
    assert_true(rig_is_good(nb__text_view(&file), NULL, &error));
    for (size_t i = 0; i < file.size_bytes * 8; i++) {
        file.data[i / 8] = (char)(file.data[i / 8] ^ 1 << i % 8);
        if (rig_is_good(nb__text_view(&file), NULL, &error))
            fail_msg("bit %zu of byte %zu of %zu can be another", i % 8, i / 8, file.size_bytes);
        file.data[i / 8] = (char)(file.data[i / 8] ^ 1 << i % 8);
    }
    nb__text_fini(&file);
}

static void test_every_cut_is_found(void **state)
{
    (void)state;
    nb__text file = small_file();
    nb_error error;
    for (size_t size = 0; size < file.size_bytes; size++)
        assert_false(rig_is_good((nb_span){file.data, size}, NULL, &error));
    nb__text_string(&file, "x");
    assert_false(rig_is_good(nb__text_view(&file), NULL, &error));
    nb__text_fini(&file);
}

/* Bytes taken out or put in anywhere, too. */
static void test_shifted(void **state)
{
    (void)state;
    nb__text file = small_file();
    nb_error error;
    for (size_t at = 0; at < file.size_bytes; at++) {
        nb__text other = {0};
        nb__text_append(&other, file.data, at);
        nb__text_append(&other, file.data + at + 1, file.size_bytes - at - 1);
        assert_false(rig_is_good(nb__text_view(&other), NULL, &error));
        nb__text_clear(&other);
        nb__text_append(&other, file.data, at);
        nb__text_append(&other, "\xB1", 1);
        nb__text_append(&other, file.data + at, file.size_bytes - at);
        assert_false(rig_is_good(nb__text_view(&other), NULL, &error));
        nb__text_fini(&other);
    }
    nb__text_fini(&file);
}

/* Without a seek table the frames are found one behind the other. */
static void test_walk(void **state)
{
    (void)state;
    nb__text file = small_file();
    nb__packed packed = {0};
    assert_int_equal(rig_open(nb__text_view(&file), &packed, NULL), NB_OK);
    size_t at = 0, found = 0, skipped = 0, size = 0;
    bool is_skippable = false;
    for (; at < file.size_bytes; at += size) {
        guard rest = guard_copy(file.data + at, file.size_bytes - at);
        assert_int_equal(nb__packed_frame_size((nb_span){rest.data, rest.size_bytes}, &size,
                                               &is_skippable, NULL),
                         NB_OK);
        guard_free(&rest);
        if (is_skippable) {
            skipped++;
            continue;
        }
        assert_int_equal(packed.rows[found].packed_offset, at);
        assert_int_equal(packed.rows[found].packed_bytes, size);
        found++;
    }
    assert_int_equal(found, packed.row_count);
    assert_int_equal(skipped, 2);
    for (size_t cut = 0; cut < packed.rows[0].packed_bytes; cut++) {
        guard part = guard_copy(file.data, cut);
        assert_int_equal(
            nb__packed_frame_size((nb_span){part.data, cut}, &size, &is_skippable, NULL),
            NB_E_FRAME);
        guard_free(&part);
    }
    assert_int_equal(nb__packed_frame_size(NB__SPAN("\x5B\x2A\x4D\x18\xFF\xFF\xFF\xFFxyz"), &size,
                                           &is_skippable, NULL),
                     NB_E_FRAME);
    nb__packed_fini(&packed);
    nb__text_fini(&file);
}

/* ---- frames ---- */

static nb_err unpack(nb_span packed, nb__text *plain, nb_error *error)
{
    nb__unpack *unpack = nb__unpack_new();
    assert_non_null(unpack);
    nb_err err = nb__unpack_frame(unpack, packed, plain, error);
    nb__unpack_free(unpack);
    return err;
}

static nb__text zstd_frame(size_t plain_bytes, bool has_size)
{
    nb__text out = {0};
    char *plain = calloc(1, plain_bytes + 1);
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    assert_true(plain != NULL && zstd != NULL);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, has_size);
    size_t room = ZSTD_compressBound(plain_bytes);
    char *to = nb__text_reserve(&out, room);
    assert_non_null(to);
    out.size_bytes = ZSTD_compress2(zstd, to, room, plain, plain_bytes);
    assert_false(ZSTD_isError(out.size_bytes));
    ZSTD_freeCCtx(zstd);
    free(plain);
    return out;
}

static void test_limit(void **state)
{
    (void)state;
    nb_error error = {0};
    nb__text plain = {0}, largest = zstd_frame(NB__PACKED_PLAIN_MAX, true),
             larger = zstd_frame(NB__PACKED_PLAIN_MAX + 1, true);
    assert_int_equal(unpack(nb__text_view(&largest), &plain, &error), NB_OK);
    assert_int_equal(plain.size_bytes, NB__PACKED_PLAIN_MAX);
    assert_int_equal(unpack(nb__text_view(&larger), &plain, &error), NB_E_LIMIT);
    assert_int_equal(plain.size_bytes, 0);
    /* a few bytes that say they hold 2^60 */
    static const char bomb[] = "\x28\xB5\x2F\xFD\xE0\0\0\0\0\0\0\0\x10\x01\0\0";
    assert_int_equal(unpack((nb_span){bomb, sizeof bomb - 1}, &plain, &error), NB_E_LIMIT);
    nb__text_fini(&largest);
    nb__text_fini(&larger);
    nb__text_fini(&plain);
}

static void test_no_frame_of_ours(void **state)
{
    (void)state;
    nb_error error = {0};
    nb__text plain = {0}, one = zstd_frame(1000, true), unsized = zstd_frame(1000, false);
    assert_int_equal(unpack(nb__text_view(&unsized), &plain, &error), NB_E_FRAME);
    size_t size = one.size_bytes;
    nb__text_append(&one, unsized.data, unsized.size_bytes);
    assert_int_equal(unpack(nb__text_view(&one), &plain, &error), NB_E_FRAME); /* two */
    nb__text empty = zstd_frame(0, true);
    one.size_bytes = size;
    nb__text_append(&one, empty.data, empty.size_bytes); /* of no bytes of its own */
    assert_int_equal(unpack(nb__text_view(&one), &plain, &error), NB_E_FRAME);
    nb__text_fini(&empty);
    assert_int_equal(unpack((nb_span){one.data, size}, &plain, &error), NB_OK);
    assert_int_equal(unpack((nb_span){one.data, size - 1}, &plain, &error), NB_E_FRAME);
    assert_int_equal(plain.size_bytes, 0);
    assert_int_equal(unpack(NB__SPAN("\x50\x2A\x4D\x18\x01\0\0\0x"), &plain, &error), NB_E_FRAME);
    assert_int_equal(unpack(NB__SPAN(""), &plain, &error), NB_E_FRAME);
    assert_int_equal(unpack(NB__SPAN("\x28\xB5\x2F\xFD"), &plain, &error), NB_E_FRAME);
    nb__text_fini(&one);
    nb__text_fini(&unsized);
    nb__text_fini(&plain);
}

/* ---- seek tables of an enemy ---- */

static void put_u32(nb__text *out, uint32_t value)
{
    for (int i = 0; i < 32; i += 8) {
        char byte = (char)(value >> i);
        nb__text_append(out, &byte, 1);
    }
}

static nb_err try_table(const uint32_t *sizes, uint32_t rows, uint32_t said_rows, char descriptor,
                        uint64_t file_bytes, size_t *index_bytes)
{
    nb__text table = {0};
    nb__packed packed = {0};
    put_u32(&table, 0x184D2A5E);
    put_u32(&table, rows * 8 + 9);
    for (uint32_t i = 0; i < rows * 2; i++)
        put_u32(&table, sizes[i]);
    put_u32(&table, said_rows);
    nb__text_append(&table, &descriptor, 1);
    put_u32(&table, 0x8F92EAB1);
    guard bytes = guard_copy(table.data, table.size_bytes);
    nb_err err = nb__packed_seek_table((nb_span){bytes.data, bytes.size_bytes},
                                       file_bytes + table.size_bytes, &packed, index_bytes, NULL);
    if (err != NB_OK)
        assert_null(packed.rows);
    nb__packed_fini(&packed);
    guard_free(&bytes);
    nb__text_fini(&table);
    return err;
}

static void test_seek_tables(void **state)
{
    (void)state;
    size_t index = 99;
    static const uint32_t good[] = {100, 1000, 50, 500, 40, 0};
    assert_int_equal(try_table(good, 3, 3, 0, 190, &index), NB_OK);
    assert_int_equal(index, 40);
    assert_int_equal(try_table(good, 2, 2, 0, 150, &index), NB_OK); /* no index */
    assert_int_equal(index, 0);
    assert_int_equal(try_table(good, 0, 0, 0, 0, &index), NB_OK);
    assert_int_equal(try_table(good, 3, 3, 0, 189, &index), NB_E_FRAME);
    assert_int_equal(try_table(good, 3, 3, 0, 191, &index), NB_E_FRAME);
    assert_int_equal(try_table(good, 0, 0, 0, 1, &index), NB_E_FRAME);
    assert_int_equal(try_table(good, 3, 2, 0, 190, &index), NB_E_FRAME);
    assert_int_equal(try_table(good, 3, 4, 0, 190, &index), NB_E_FRAME);
    assert_int_equal(try_table(good, 3, UINT32_MAX, 0, 190, &index), NB_E_FRAME);
    assert_int_equal(try_table(good, 3, 3, (char)0x80, 190, &index), NB_E_FRAME);
    assert_int_equal(try_table(good, 3, 3, 1, 190, &index), NB_E_FRAME);
    static const uint32_t empty_frame[] = {100, 0, 50, 500};
    assert_int_equal(try_table(empty_frame, 2, 2, 0, 150, &index), NB_E_FRAME);
    static const uint32_t huge[] = {100, (uint32_t)NB__PACKED_PLAIN_MAX + 1};
    assert_int_equal(try_table(huge, 1, 1, 0, 100, &index), NB_E_FRAME);
    static const uint32_t wide[] = {UINT32_MAX, 1, UINT32_MAX, 1};
    assert_int_equal(try_table(wide, 2, 2, 0, UINT64_C(2) * UINT32_MAX, &index), NB_OK);
    static const uint32_t tiny[] = {8, 1};
    assert_int_equal(try_table(tiny, 1, 1, 0, 8, &index), NB_E_FRAME);
    size_t size = 0;
    assert_int_equal(nb__packed_footer(NB__SPAN("12345678"), &size, NULL), NB_E_FRAME);
    assert_int_equal(nb__packed_footer(NB__SPAN("\xFF\xFF\xFF\x7F\0\xB1\xEA\x92\x8F"), &size, NULL),
                     NB_E_FRAME);
}

/* A refused index leaves the places as they were; one of other rows is refused. */
static void test_index_of_another(void **state)
{
    (void)state;
    nb__text file = small_file(), plain = {0}, other = {0};
    nb__packed packed = {0}, seen = {0};
    nb_error error = {0};
    rig_night(&plain, NB__FEED_SIM, FRAMES - 1);
    rig_pack(nb__text_view(&plain), FRAME_BYTES, &other);
    assert_int_equal(rig_open(nb__text_view(&file), &packed, NULL), NB_OK);
    assert_int_equal(rig_open(nb__text_view(&other), &seen, NULL), NB_OK);
    const nb__packed_row *last = &seen.rows[seen.row_count - 1];
    size_t begin = (size_t)(last->packed_offset + last->packed_bytes), size = 0;
    bool is_skippable;
    nb_span rest = {other.data + begin, other.size_bytes - begin};
    assert_int_equal(nb__packed_frame_size(rest, &size, &is_skippable, NULL), NB_OK);
    nb__packed_row before = packed.rows[0];
    char *marks = packed.marks;
    assert_int_equal(nb__packed_index(&packed, (nb_span){rest.data, size}, &error), NB_E_FRAME);
    assert_memory_equal(&packed.rows[0], &before, sizeof before);
    assert_ptr_equal(packed.marks, marks);
    for (size_t cut = 0; cut < size; cut++) {
        guard part = guard_copy(rest.data, cut);
        assert_int_equal(nb__packed_index(&seen, (nb_span){part.data, cut}, &error), NB_E_FRAME);
        guard_free(&part);
    }
    assert_int_equal(nb__packed_index(&seen, (nb_span){rest.data, size}, &error),
                     NB_OK); /* again */
    nb__packed_fini(&packed);
    nb__packed_fini(&seen);
    nb__text_fini(&file);
    nb__text_fini(&other);
    nb__text_fini(&plain);
}

/* Proved by the hash of the index: any flipped bit, any other hash, is another frame. */
static void test_proved(void **state)
{
    (void)state;
    nb__text plain = {0}, file = {0}, out = {0};
    nb_error error;
    rig_night(&plain, NB__FEED_LIVE, 40);
    rig_pack(nb__text_view(&plain), NB__PACK_FRAME_BYTES, &file);
    nb__unpack *unpack = nb__unpack_new();
    size_t size;
    bool is_skippable;
    assert_int_equal(nb__packed_frame_size(nb__text_view(&file), &size, &is_skippable, &error),
                     NB_OK);
    nb_span frame = {file.data, size};
    uint64_t hash = XXH3_64bits(frame.data, frame.size_bytes);
    for (int round = 0; round < 2; round++) { /* and after one whose checksum is computed */
        assert_int_equal(nb__unpack_proved(unpack, frame, hash, &out, &error), NB_OK);
        assert_int_equal(out.size_bytes, plain.size_bytes);
        assert_memory_equal(out.data, plain.data, out.size_bytes);
        assert_int_equal(nb__unpack_proved(unpack, frame, hash ^ 1, &out, &error), NB_E_FRAME);
        assert_int_equal(out.size_bytes, 0);
        file.data[size - 1] ^= 1; /* of the checksum */
        assert_int_equal(nb__unpack_frame(unpack, frame, &out, &error), NB_E_FRAME);
        file.data[size - 1] ^= 1;
        assert_int_equal(nb__unpack_frame(unpack, frame, &out, &error), NB_OK);
    }
    for (size_t i = 0; i < size; i++) {
        file.data[i] ^= (char)(1 << i % 8);
        assert_int_equal(nb__unpack_proved(unpack, frame, hash, &out, &error), NB_E_FRAME);
        file.data[i] ^= (char)(1 << i % 8);
    }
    nb__unpack_free(unpack);
    nb__text_fini(&plain);
    nb__text_fini(&file);
    nb__text_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_flipped_bit_is_found),
        cmocka_unit_test(test_every_cut_is_found),
        cmocka_unit_test(test_shifted),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_no_frame_of_ours),
        cmocka_unit_test(test_seek_tables),
        cmocka_unit_test(test_index_of_another),
        cmocka_unit_test(test_proved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
