/* SPDX-License-Identifier: Apache-2.0 */
/* Print a live book: `book ws://127.0.0.1:31000 CODE`, as `nightbook sim` or `serve` names them. */
#include <nightbook/nightbook.h>
#include <stdio.h>

static void print_book(const nb_quote *quote)
{
    printf("%s %06d\n", quote->key, quote->time_hhmmss);
    for (int i = 0; i < NB_LEVELS; i++) {
        char bid[NB_PRICE_TEXT_MAX], ask[NB_PRICE_TEXT_MAX];
        nb_price_print(bid, quote->bid[i].price, 2); /* "" where there is no level */
        nb_price_print(ask, quote->ask[i].price, 2);
        printf("%6d %9s | %-9s %d\n", quote->bid[i].quantity, bid, ask, quote->ask[i].quantity);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    nb_client *client;
    nb_error error = {.detail = "usage: book ws://HOST:PORT CODE"};
    nb_event event;
    if (argc != 3 || nb_client_open(argv[1], 5000, &client, &error) != NB_OK ||
        nb_client_subscribe(client, "H0EUASP0", argv[2], &error) != NB_OK)
        return fprintf(stderr, "%s\n", error.detail), 1;
    while (nb_client_next(client, -1, &event, &error) == NB_OK && event.kind != NB_EVENT_CLOSED) {
        nb_records records;
        nb_span record;
        nb_quote quote;
        if (event.kind == NB_EVENT_ANSWER)
            printf("%s: %s\n", event.tr_key, event.msg1);
        if (event.frame.tr == NULL || nb_records_begin(&event.frame, &records, NULL) != NB_OK)
            continue; /* not a frame, or not one of a known TR */
        while (nb_records_next(&records, &record))
            if (nb_quote_decode(event.frame.tr, record, &quote, NULL) == NB_OK)
                print_book(&quote);
    }
    return fprintf(stderr, "%s\n", event.detail), 1;
}
