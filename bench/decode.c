/* SPDX-License-Identifier: Apache-2.0 */
/* Decode one record of 38 fields: nightbook's decoders beside strtok/strtod and the
 * scan bound, interleaved. */
#include "base/base.h"
#include "bench.h"
#include "kis/quote_wide.h"
#include "peers/peers.h"
#include <string.h>

#define RECORDS 4096
#define ROUNDS 41

typedef struct input {
    char *text;         /* all records, each ended by NUL */
    size_t at[RECORDS]; /* where each begins */
    size_t size[RECORDS];
    size_t size_bytes;
} input;

static volatile double sink; /* keeps the work from being optimised away */

/* A night's books: five levels around a price between 0.01 and 60, KRX's ticks, quantities up to
 * 500. */
static void input_make(input *in)
{
    nb__random random;
    nb__random_init(&random, 1);
    nb__text text = {0};
    for (size_t i = 0; i < RECORDS; i++) {
        size_t begin = text.size_bytes;
        unsigned base = 10 + (unsigned)nb__random_below(&random, 6000);
        nb__text_printf(&text, "B016%05u^%02u%02u%02u", (unsigned)i, 18 + (unsigned)(i % 6),
                        (unsigned)(i % 60), (unsigned)(i * 7 % 60));
        for (unsigned level = 0; level < 5; level++)
            nb__text_printf(&text, "^%u.%02u", (base + level) / 100, (base + level) % 100);
        for (unsigned level = 0; level < 5; level++) {
            unsigned price = base > level + 1 ? base - level - 1 : 0;
            nb__text_printf(&text, "^%u.%02u", price / 100, price % 100);
        }
        for (int field = 12; field < 36; field++)
            nb__text_printf(&text, "^%u",
                            (unsigned)nb__random_below(&random, field < 22 ? 20 : 500));
        nb__text_printf(&text, "^%d^%d", (int)nb__random_below(&random, 100) - 50,
                        (int)nb__random_below(&random, 100) - 50);
        in->at[i] = begin;
        in->size[i] = text.size_bytes - begin;
        nb__text_append(&text, "", 1);
    }
    in->text = text.data;
    in->size_bytes = text.size_bytes;
}

typedef nb_err decoder(const nb_tr *tr, nb_span record, nb_quote *out, nb_error *error);

static double run_decoder(const input *in, decoder *decode)
{
    const nb_tr *tr = nb_tr_find(NB__SPAN("H0EUASP0"));
    nb_quote quote;
    int64_t sum = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        if (decode(tr, (nb_span){in->text + in->at[i], in->size[i]}, &quote, NULL) != NB_OK)
            abort();
        sum += quote.ask[0].price + quote.total_bid_change;
    }
    return (double)sum;
}

static double run_scalar(const input *in, char *scratch)
{
    (void)scratch;
    return run_decoder(in, nb__quote_decode_scalar);
}

static double run_nightbook(const input *in, char *scratch)
{
    (void)scratch;
    return run_decoder(in, nb_quote_decode);
}

static double run_strtok(const input *in, char *scratch)
{
    double sum = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        memcpy(scratch, in->text + in->at[i], in->size[i] + 1); /* strtok writes into its input */
        sum += peer_strtok_decode(scratch);
    }
    return sum;
}

/* The least that any decoder does: look at every byte and count the separators. */
static double run_scan(const input *in, char *scratch)
{
    (void)scratch;
    size_t count = 0;
    for (size_t i = 0; i < in->size_bytes; i++)
        count += in->text[i] == '^';
    return (double)count;
}

typedef struct contender {
    const char *name;
    double (*run)(const input *in, char *scratch);
    double ns[ROUNDS];
} contender;

int main(void)
{
    static input in;
    static char scratch[1024];
    static contender contenders[] = {
        {"strtok_r + strtod + strtol, unchecked", run_strtok, {0}},
        {"nightbook scalar, checked, exact", run_scalar, {0}},
        {"nightbook, the same in AVX-512 where the CPU has it", run_nightbook, {0}},
        {"bound: compare and count the bytes", run_scan, {0}},
    };
    input_make(&in);
    for (int round = -3; round < ROUNDS; round++) { /* the first three warm up */
        for (size_t c = 0; c < NB__COUNT_OF(contenders); c++) {
            int64_t begin = bench_now_ns();
            sink = contenders[c].run(&in, scratch);
            if (round >= 0)
                contenders[c].ns[round] = (double)(bench_now_ns() - begin) / RECORDS;
        }
    }
    printf("one record of 38 fields, %.0f bytes on average, %d records in cache, %d rounds "
           "interleaved\n\n",
           (double)in.size_bytes / RECORDS - 1, RECORDS, ROUNDS);
    printf("| how | ns / record, median (quartiles) | times faster than strtok |\n|---|---|---|\n");
    double reference = 0;
    for (size_t c = 0; c < NB__COUNT_OF(contenders); c++) {
        double low, high, median = bench_median(contenders[c].ns, ROUNDS, &low, &high);
        reference = c == 0 ? median : reference;
        printf("| %s | %.1f (%.1f–%.1f) | %.1f |\n", contenders[c].name, median, low, high,
               reference / median);
    }
    free(in.text);
    return 0;
}
