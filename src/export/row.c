/* SPDX-License-Identifier: Apache-2.0 */
/* A record as a row: its times and flags, and how it looks as JSON and CSV. Never invents a time.
 */
#include "inside.h"
#include <stdio.h>
#include <string.h>

/* ---- reading ---- */

static void add_flag(nb__row *row, const char *word)
{
    if (row->flag_count < NB__ROW_FLAGS_MAX)
        row->flags[row->flag_count++] = word;
}

void nb__row_set_flags(nb__row *row, uint32_t flags)
{
    row->flag_count = 0;
    for (int i = 0; i < NB_BOOK_FLAG_COUNT; i++)
        if (flags & 1u << i)
            add_flag(row, nb_book_flag_word(i));
}

static int time_of(const nb__row *row)
{
    for (int i = 0; i < row->tr->field_count; i++)
        if (row->tr->fields[i].kind == NB_KIND_TIME && !row->values[i].is_undefined)
            return (int)row->values[i].number;
    return -1;
}

static void date_row(nb__row *row, int evening, const nb_calendar *calendar)
{
    int hhmmss = time_of(row);
    if (hhmmss < 0)
        return;
    if (row->recv_ns != NB_TIME_UNDEF) {
        bool is_far = false;
        row->event_ns = nb_event_time(hhmmss, row->recv_ns, &is_far);
        if (is_far)
            add_flag(row, "far_time");
    } else if (evening != NB_DATE_UNDEF) { /* a night lies around the midnight after its evening */
        row->event_ns = nb_event_time(hhmmss, nb__kst_ns(evening, 240000), NULL);
    }
    if (row->event_ns == NB_TIME_UNDEF)
        return;
    row->trade_date = nb_trade_date(calendar, row->event_ns);
    row->is_calendar_known = nb_calendar_knows(calendar, row->trade_date);
}

nb_err nb__row_read_fields(const nb_frame *frame, nb_span record, nb__row *row, nb_error *error)
{
    row->tr_id = frame->tr_id;
    row->tr_key = frame->is_encrypted ? (nb_span){"", 0} : nb_record_key(record);
    row->event_ns = NB_TIME_UNDEF;
    row->trade_date = NB_DATE_UNDEF;
    row->is_calendar_known = true;
    row->flag_count = 0;
    row->tr = frame->is_encrypted ? NULL : frame->tr;
    row->is_encrypted = frame->is_encrypted;
    row->record = record;
    row->has_extra = false;
    if (row->tr == NULL) {
        add_flag(row, frame->is_encrypted ? "encrypted" : "unknown_tr");
        return NB_OK;
    }
    int field_count;
    nb_err code = nb__record_values(row->tr, record, row->values, &field_count, error);
    if (code != NB_OK)
        return code;
    if (field_count > row->tr->field_count) {
        const nb_span *last = &row->values[row->tr->field_count - 1].text;
        const char *extra = last->data + last->size_bytes + 1;
        row->extra = (nb_span){extra, (size_t)(record.data + record.size_bytes - extra)};
        row->has_extra = true;
        add_flag(row, "drift");
    }
    return NB_OK;
}

nb_err nb__row_read(const nb_frame *frame, nb_span record, int64_t recv_ns, int evening,
                    const nb_calendar *calendar, nb__row *row, nb_error *error)
{
    nb_err code = nb__row_read_fields(frame, record, row, error);
    row->recv_ns = recv_ns;
    if (code == NB_OK && row->tr != NULL)
        date_row(row, evening, calendar);
    return code;
}

/* ---- values ---- */

/* A number as text, and its length; 0 when it is none, or undefined. */
static size_t number_text(const nb_field *field, const nb__value *value,
                          char out[NB_PRICE_TEXT_MAX])
{
    if (value->is_undefined)
        return 0;
    switch (field->kind) {
    case NB_KIND_PRICE:
    case NB_KIND_DECIMAL:
        return nb_price_print(out, value->number, value->decimals);
    case NB_KIND_COUNT:
    case NB_KIND_QUANTITY:
    case NB_KIND_CHANGE:
        return nb__integer_print(out, value->number);
    case NB_KIND_CODE:
    case NB_KIND_TIME:
    case NB_KIND_TEXT:
        break;
    }
    return 0;
}

/* "2026-11-23"; "" when it is not known. */
static void date_text(int date, char out[16])
{
    out[0] = '\0';
    if (date != NB_DATE_UNDEF)
        snprintf(out, 16, "%04d-%02d-%02d", date / 10000, date / 100 % 100, date % 100);
}

/* ---- JSON ---- */

static void put_integer(int64_t value, nb__text *out)
{
    char text[NB__INTEGER_TEXT_MAX];
    nb__text_append(out, text, nb__integer_print(text, value));
}

static void json_time(const char *name, int64_t ns, nb__text *out)
{
    nb__text_append(out, ",\"", 2);
    nb__text_string(out, name);
    nb__text_append(out, "\":", 2);
    if (ns == NB_TIME_UNDEF)
        nb__text_append(out, "null", 4);
    else
        put_integer(ns, out);
}

static void json_value(const nb_field *field, const nb__value *value, nb__text *out)
{
    char number[NB_PRICE_TEXT_MAX];
    size_t size_bytes = number_text(field, value, number);
    nb__text_append(out, ",\"", 2);
    nb__text_string(out, field->name);
    nb__text_append(out, "\":", 2);
    if (size_bytes > 0)
        nb__text_append(out, number, size_bytes);
    else if (value->is_undefined)
        nb__text_append(out, "null", 4);
    else
        nb__text_json(out, value->text);
}

/* `,"NAME":["…","…"]` of fields joined by '^'. */
static void json_list(const char *name, nb_span fields, nb__text *out)
{
    nb__text_printf(out, ",\"%s\":[", name);
    for (;;) {
        nb_span field = nb_record_key(fields);
        nb__text_json(out, field);
        if (field.size_bytes == fields.size_bytes)
            break;
        fields.data += field.size_bytes + 1;
        fields.size_bytes -= field.size_bytes + 1;
        nb__text_append(out, ",", 1);
    }
    nb__text_append(out, "]", 1);
}

void nb__row_print_json(const nb__row *row, nb__text *out)
{
    char date[16];
    date_text(row->trade_date, date);
    nb__text_string(out, "{\"tr_id\":");
    nb__text_json(out, row->tr_id);
    nb__text_string(out, ",\"tr_key\":");
    if (row->is_encrypted)
        nb__text_string(out, "null");
    else
        nb__text_json(out, row->tr_key);
    json_time("recv_ns", row->recv_ns, out);
    json_time("event_ns", row->event_ns, out);
    nb__text_printf(out, date[0] != '\0' ? ",\"trade_date\":\"%s\"" : ",\"trade_date\":null", date);
    nb__text_string(out, ",\"flags\":[");
    for (size_t i = 0; i < row->flag_count; i++)
        nb__text_printf(out, i == 0 ? "\"%s\"" : ",\"%s\"", row->flags[i]);
    nb__text_append(out, "]", 1);
    for (int i = 0; row->tr != NULL && i < row->tr->field_count; i++)
        json_value(&row->tr->fields[i], &row->values[i], out);
    if (row->has_extra)
        json_list("extra", row->extra, out);
    if (row->tr == NULL && !row->is_encrypted)
        json_list("fields", row->record, out);
    nb__text_append(out, "}\n", 2);
}

/* ---- CSV ---- */

static void csv_text(nb_span text, nb__text *out)
{
    bool is_quoted = false;
    for (size_t i = 0; i < text.size_bytes; i++)
        is_quoted = is_quoted || strchr("\",\r\n", text.data[i]) != NULL; /* NUL, too */
    if (!is_quoted) {
        nb__text_append(out, text.data, text.size_bytes);
        return;
    }
    nb__text_append(out, "\"", 1);
    for (size_t i = 0; i < text.size_bytes; i++) {
        if (text.data[i] == '"')
            nb__text_append(out, "\"", 1);
        nb__text_append(out, text.data + i, 1);
    }
    nb__text_append(out, "\"", 1);
}

static void csv_cell(nb_span text, nb__text *out)
{
    nb__text_append(out, ",", 1);
    csv_text(text, out);
}

static void csv_time(int64_t ns, nb__text *out)
{
    nb__text_append(out, ",", 1);
    if (ns != NB_TIME_UNDEF)
        put_integer(ns, out);
}

void nb__row_print_csv_header(const nb__row *row, nb__text *out)
{
    nb__text_string(out, "tr_id,tr_key,recv_ns,event_ns,trade_date,flags");
    for (int i = 0; row->tr != NULL && i < row->tr->field_count; i++)
        nb__text_printf(out, ",%s", row->tr->fields[i].name);
    nb__text_string(out, row->tr != NULL ? ",extra\n" : ",fields\n");
}

void nb__row_print_csv(const nb__row *row, nb__text *out)
{
    char text[NB_PRICE_TEXT_MAX];
    nb__text_append(out, row->tr_id.data, row->tr_id.size_bytes);
    csv_cell(row->tr_key, out);
    csv_time(row->recv_ns, out);
    csv_time(row->event_ns, out);
    date_text(row->trade_date, text);
    nb__text_printf(out, ",%s,", text);
    for (size_t i = 0; i < row->flag_count; i++)
        nb__text_printf(out, i == 0 ? "%s" : " %s", row->flags[i]);
    for (int i = 0; row->tr != NULL && i < row->tr->field_count; i++) {
        const nb__value *value = &row->values[i];
        size_t size_bytes = number_text(&row->tr->fields[i], value, text);
        nb__text_append(out, ",", 1);
        if (size_bytes > 0)
            nb__text_append(out, text, size_bytes);
        else if (!value->is_undefined)
            csv_text(value->text, out);
    }
    nb_span rest = row->has_extra ? row->extra : (nb_span){"", 0};
    if (row->tr == NULL && !row->is_encrypted)
        rest = row->record;
    csv_cell(rest, out);
    nb__text_append(out, "\n", 1);
}
