/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record of a book in wide registers.
 *
 *     text    B01612A45^190159^2.98^2.99^ … ^46^5^0        at most 255 bytes, four registers
 *     ends            9      16   21   26                   compare with '^', compress: a byte each
 *     gather  ····2.98 ····2.99 ····3.00 …                  8 fields a register, right-aligned
 *     digits  multiply-add pairs, fours, eights             no loop, no branch a field
 *
 * A price has two decimals, so that its dot stands at the sixth of its eight places and its weight
 * is none. One comparison a register tells whether every byte is what it must be. A longer field,
 * a blank, other decimals, a sign where there is none: false, and the scalar decoder has it.
 */
#include "quote_wide.h"
#include "field.h"
#include <assert.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE                                                                                       \
    __attribute__((                                                                                \
        target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))
#define TEXT_MIN 80 /* a letter, six digits, 36 of one digit, and what stands between */
#define TEXT_MAX 255
#define FIELDS 38
#define CENT 10000000 /* two decimals in 1e-9 */
#define EACH_LANE UINT64_C(0x0101010101010101)
#define DOT_AT 5
#define GROUPS 5

/* Places of nb_quote that are written as whole registers. */
static_assert(offsetof(nb_quote, bid) == offsetof(nb_quote, ask) + 5 * sizeof(nb_level), "ten");
static_assert(offsetof(nb_quote, total_ask_count) == offsetof(nb_quote, ask) + 160, "then totals");
static_assert(offsetof(nb_level, price) == 0 && offsetof(nb_level, quantity) == 8 &&
                  offsetof(nb_level, count) == 12,
              "a level");

bool nb__quote_wide_is_possible(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("bmi2");
}

typedef struct text {
    __m512i block[4];
    __m512i ends; /* byte i: where field i ends */
    __mmask64 first_ends;
    unsigned field_count;
    bool is_long; /* over 128 bytes */
} text;

/* What 8 fields of a register are: prices in some lanes (bits), changes in others. */
typedef struct group_kind {
    uint8_t prices, changes;
} group_kind;

WIDE static inline __m512i count_up(void)
{
    return _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46,
                           45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28,
                           27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10,
                           9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

/* The next block's ends go behind those that are there. */
WIDE static inline void add_ends(text *t, int block, __mmask64 is_end)
{
    const __m512i at = _mm512_add_epi8(count_up(), _mm512_set1_epi8((char)(64 * block)));
    __mmask64 behind = t->field_count < 64 ? UINT64_MAX << t->field_count : 0;
    t->ends = _mm512_mask_expand_epi8(t->ends, behind, _mm512_maskz_compress_epi8(is_end, at));
    t->field_count += (unsigned)_mm_popcnt_u64(is_end);
}

/* Bytes outside the record are not touched: a masked load does not fault on them. */
WIDE static inline bool text_load(text *t, nb_span record)
{
    size_t size = record.size_bytes;
    if (size < TEXT_MIN || size > TEXT_MAX)
        return false;
    t->is_long = size > 128;
    t->field_count = 0;
    t->first_ends = 0;
    t->ends = _mm512_setzero_si512();
    for (int i = 0; i < 4; i++) {
        size_t begin = 64 * (size_t)i;
        if (i >= 2 && !t->is_long) {
            t->block[i] = _mm512_setzero_si512();
            continue;
        }
        __mmask64 have = size > begin ? _bzhi_u64(UINT64_MAX, (unsigned)(size - begin)) : 0;
        t->block[i] = _mm512_maskz_loadu_epi8(have, record.data + (size > begin ? begin : 0));
        __mmask64 is_end = _mm512_cmpeq_epi8_mask(t->block[i], _mm512_set1_epi8('^'));
        if (i == 0)
            t->first_ends = is_end;
        add_ends(t, i, is_end);
    }
    if (t->field_count < 64) /* the last one ends with the record */
        t->ends = _mm512_mask_set1_epi8(t->ends, UINT64_C(1) << t->field_count, (char)size);
    t->field_count++;
    return t->field_count >= FIELDS;
}

WIDE static inline __m512i text_at(const text *t, __m512i index)
{
    __m512i low = _mm512_permutex2var_epi8(t->block[0], index, t->block[1]);
    if (!t->is_long)
        return low;
    __m512i high = _mm512_permutex2var_epi8(t->block[2], index, t->block[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high);
}

/* A bit a lane to a bit a byte of it, at place `at`. */
WIDE static inline uint64_t places(uint8_t lanes, int at)
{
    return _pdep_u64(lanes, EACH_LANE) << at;
}

WIDE static inline __m512i weights(uint8_t prices)
{
    const __m512i whole = _mm512_set1_epi16(0x010A);                      /* 10 1 10 1 10 1 10 1 */
    const __m512i price = _mm512_set1_epi64(INT64_C(0x010A0001010A010A)); /* … 1 0 10 1 */
    return _mm512_mask_blend_epi64(prices, whole, price);
}

/* 8 fields as numbers. @return false: one of them is not what it is at all times. */
WIDE static inline bool group_read(const text *t, const quote_lanes *lanes, size_t group,
                                   group_kind kind, __m512i *out)
{
    const __m512i step = _mm512_set1_epi64((int64_t)UINT64_C(0xFFFEFDFCFBFAF9F8)); /* -8 … -1 */
    const __m512i spread = _mm512_srli_epi16(_mm512_and_si512(count_up(), _mm512_set1_epi8(0x38)),
                                             3); /* byte i: its lane, i / 8 */
    __m512i field = _mm512_permutexvar_epi8(
        spread,
        _mm512_castsi128_si512(_mm_loadl_epi64((const __m128i *)(lanes->field + 8 * group))));
    __m512i end = _mm512_permutexvar_epi8(field, t->ends);
    __m512i start = _mm512_add_epi8(
        _mm512_permutexvar_epi8(_mm512_sub_epi8(field, _mm512_set1_epi8(1)), t->ends),
        _mm512_set1_epi8(1));
    __m512i size = _mm512_sub_epi8(end, start);
    __m512i index = _mm512_add_epi8(end, step);
    __m512i bytes = text_at(t, index);
    __mmask64 in = _mm512_cmpge_epu8_mask(index, start);
    __m512i digits = _mm512_maskz_sub_epi8(in, bytes, _mm512_set1_epi8('0'));
    __mmask64 bad = _mm512_cmpgt_epu8_mask(digits, _mm512_set1_epi8(9));
    bad |= _mm512_cmpgt_epu8_mask(_mm512_sub_epi8(size, _mm512_set1_epi8(1)), _mm512_set1_epi8(7));
    uint64_t dots = places(kind.prices, DOT_AT);
    __mmask64 dot = _mm512_mask_cmpeq_epi8_mask(in & dots, bytes, _mm512_set1_epi8('.'));
    bad = (bad & ~dot) | (dots & ~dot) | (places(kind.prices, DOT_AT - 1) & ~in);
    __mmask64 minus = 0;
    if (kind.changes != 0) {
        minus = _mm512_mask_cmpeq_epi8_mask(in & places(kind.changes, 0) * 0xFF, bytes,
                                            _mm512_set1_epi8('-'));
        minus &= _mm512_cmpeq_epi8_mask(index, start) & ~places(kind.changes, 7);
        bad &= ~minus;
        digits = _mm512_mask_mov_epi8(digits, minus, _mm512_setzero_si512());
    }
    if (bad != 0)
        return false;
    __m512i pairs = _mm512_maddubs_epi16(digits, weights(kind.prices));
    __m512i fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00010064));
    const __m512i high =
        _mm512_mask_blend_epi64(kind.prices, _mm512_set1_epi64(10000), _mm512_set1_epi64(1000));
    __m512i value = _mm512_add_epi64(_mm512_mul_epu32(fours, high), _mm512_srli_epi64(fours, 32));
    value = _mm512_mask_mul_epu32(value, kind.prices, value, _mm512_set1_epi64(CENT));
    __mmask8 negative = _mm512_test_epi64_mask(_mm512_movm_epi8(minus), _mm512_movm_epi8(minus));
    *out = _mm512_mask_sub_epi64(value, negative, _mm512_setzero_si512(), value);
    return true;
}

/* ---- key and time ---- */

WIDE static inline bool key_read(const text *t, __m128i *key, size_t *size)
{
    *size = (size_t)_tzcnt_u64(t->first_ends);
    if (*size - 1 >= NB_TR_KEY_MAX)
        return false;
    __mmask16 in = (__mmask16)_bzhi_u32(0xFFFF, (unsigned)*size);
    __m128i bytes = _mm512_castsi512_si128(t->block[0]);
    __mmask16 digit =
        _mm_cmple_epu8_mask(_mm_sub_epi8(bytes, _mm_set1_epi8('0')), _mm_set1_epi8(9));
    __mmask16 letter =
        _mm_cmple_epu8_mask(_mm_sub_epi8(bytes, _mm_set1_epi8('A')), _mm_set1_epi8(25));
    *key = _mm_maskz_mov_epi8(in, bytes);
    return (in & ~(digit | letter)) == 0;
}

WIDE static inline bool time_read(const text *t, nb_span record, size_t at, int32_t *hhmmss)
{
    const __m128i most = _mm_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 5, 9, 5, 9, 2);
    unsigned end = (unsigned)_mm_extract_epi8(_mm512_castsi512_si128(t->ends), 1);
    if (end != at + 6)
        return false;
    __m128i digits = _mm_sub_epi8(_mm_maskz_loadu_epi8(0x3F, record.data + at), _mm_set1_epi8('0'));
    if ((_mm_cmpgt_epu8_mask(digits, most) & 0x3F) != 0)
        return false;
    __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010A));
    uint64_t three = (uint64_t)_mm_cvtsi128_si64(pairs);
    *hhmmss =
        (int32_t)((three & 0xFFFF) * 10000 + (three >> 16 & 0xFFFF) * 100 + (three >> 32 & 0xFFFF));
    return true;
}

/* ---- into the quote ---- */

/* Price 0 with quantity 0 is no level, count 0 is not told. */
WIDE static inline void levels_store(__m512i price, __m512i quantity, __m512i count, char *out)
{
    __mmask8 empty =
        _mm512_testn_epi64_mask(_mm512_or_si512(price, quantity), _mm512_or_si512(price, quantity));
    price = _mm512_mask_mov_epi64(price, empty, _mm512_set1_epi64(NB_PRICE_UNDEF));
    count = _mm512_mask_mov_epi64(count, _mm512_testn_epi64_mask(count, count),
                                  _mm512_set1_epi64((int64_t)(uint32_t)NB_INT32_UNDEF));
    __m512i rest = _mm512_or_si512(quantity, _mm512_slli_epi64(count, 32));
    const __m512i low = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
    const __m512i high = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
    _mm512_storeu_si512(out, _mm512_permutex2var_epi64(price, low, rest));
    _mm512_storeu_si512(out + 64, _mm512_permutex2var_epi64(price, high, rest));
}

/* `mixed`: prices of levels 8 and 9, then the totals. `ends`: their quantities, their counts. */
WIDE static inline void rest_store(__m512i mixed, __m512i last, nb_quote *out)
{
    char levels[128];
    levels_store(mixed, last, _mm512_alignr_epi64(last, last, 2), levels);
    memcpy((char *)out->ask + 8 * sizeof(nb_level), levels, 2 * sizeof(nb_level));
    __mmask8 untold = _mm512_testn_epi64_mask(mixed, mixed) & 0x0C; /* the two order counts */
    mixed = _mm512_mask_mov_epi64(mixed, untold, _mm512_set1_epi64(NB_INT_UNDEF));
    _mm512_mask_storeu_epi64(&out->total_ask_count, 0x3F, _mm512_alignr_epi64(mixed, mixed, 2));
}

WIDE bool nb__quote_decode_wide(const quote_lanes *lanes, uint16_t tr_index, nb_span record,
                                nb_quote *out)
{
    text t;
    __m128i key;
    size_t key_bytes;
    int32_t hhmmss;
    __m512i group[GROUPS];
    if (!text_load(&t, record) || !key_read(&t, &key, &key_bytes) ||
        !time_read(&t, record, key_bytes + 1, &hhmmss))
        return false;
    if (!group_read(&t, lanes, 0, (group_kind){0xFF, 0}, &group[0]) ||
        !group_read(&t, lanes, 1, (group_kind){0x03, 0xC0}, &group[1]) ||
        !group_read(&t, lanes, 2, (group_kind){0, 0}, &group[2]) ||
        !group_read(&t, lanes, 3, (group_kind){0, 0}, &group[3]) ||
        !group_read(&t, lanes, 4, (group_kind){0, 0}, &group[4]))
        return false;
    out->recv_ns = NB_TIME_UNDEF;
    out->event_ns = NB_TIME_UNDEF;
    levels_store(group[0], group[2], group[3], (char *)out->ask);
    rest_store(group[1], group[4], out);
    out->time_hhmmss = hhmmss;
    out->flags = 0;
    out->field_count = (uint16_t)t.field_count;
    out->tr_index = tr_index;
    out->decimals = 2;
    _mm_mask_storeu_epi8(out->key, 0x1FFF, key);
    memset(out->reserved, 0, sizeof out->reserved);
    return true;
}

#else

bool nb__quote_wide_is_possible(void)
{
    return false;
}

bool nb__quote_decode_wide(const quote_lanes *lanes, uint16_t tr_index, nb_span record,
                           nb_quote *out)
{
    (void)lanes;
    (void)tr_index;
    (void)record;
    (void)out;
    return false;
}

#endif

/* ---- which field goes where ---- */

static int offset_of_lane(int lane)
{
    const int levels = (int)offsetof(nb_quote, ask),
              totals = (int)offsetof(nb_quote, total_ask_count);
    const int price = (int)offsetof(nb_level, price), quantity = (int)offsetof(nb_level, quantity),
              count = (int)offsetof(nb_level, count), size = (int)sizeof(nb_level);
    if (lane < 10)
        return levels + lane * size + price;
    if (lane < 16)
        return totals + (lane - 10) * (int)sizeof(int64_t);
    if (lane < 24)
        return levels + (lane - 16) * size + quantity;
    if (lane < 32)
        return levels + (lane - 24) * size + count;
    return lane < 34 ? levels + (lane - 24) * size + quantity : levels + (lane - 26) * size + count;
}

void nb__quote_lanes_of(const nb_tr *tr, quote_lanes *out)
{
    const int time_field = 1, used = 36;
    *out = (quote_lanes){.is_usable = tr->is_book && tr->field_count == 2 + used &&
                                      tr->fields[0].kind == NB_KIND_CODE &&
                                      tr->fields[time_field].kind == NB_KIND_TIME};
    for (int lane = 0; lane < QUOTE_LANES; lane++) {
        out->field[lane] = (uint8_t)time_field; /* a spare lane reads digits that are checked */
        bool is_found = lane >= used;
        for (int i = 0; i < tr->field_count && lane < used; i++)
            if (tr->fields[i].quote_offset == offset_of_lane(lane)) {
                out->field[lane] = (uint8_t)i;
                is_found = true;
            }
        out->is_usable &= is_found;
    }
}
