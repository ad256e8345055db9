/* SPDX-License-Identifier: Apache-2.0 */
/**
 * kis, L1: KIS's bytes <-> records. Frames, TRs and quotes (public headers), control messages,
 * topics, master files.
 *
 * Pure: knows no socket, clock or market. Source: docs/correctness.md.
 */
#ifndef NB_KIS_H
#define NB_KIS_H

#include "base/base.h"
#include <nightbook/frame.h>
#include <nightbook/quote.h>
#include <nightbook/tr.h>

/* ---- values of any TR's fields (record.c): what `decode`, exports and pages print ---- */

typedef struct nb__value {
    nb_span text;      /**< as on the wire */
    int64_t number;    /**< PRICE, DECIMAL: 1e-9; COUNT, QUANTITY, CHANGE, TIME: the integer */
    int decimals;      /**< PRICE, DECIMAL: digits after the point */
    bool is_undefined; /**< blank, `nan`, "not told", "no level" */
} nb__value;

/**
 * Read every documented field of a record by its kind. The same field readers as nb_quote_decode().
 *
 * @param[out] values  tr->field_count of them; past the record's own fields they are undefined. On
 * failure those before the field that failed are written.
 * @param[out] count   fields present on the wire (≥ tr->field_count_min).
 */
nb_err nb__record_values(const nb_tr *tr, nb_span record, nb__value *values, int *count,
                         nb_error *error);

/* ---- schema text (schema.c): the parser behind the generator and schema files given at run time
 * ---- */

/** A parsed schema file. Heap; `trs` and everything they point to live as long as it. */
typedef struct nb__schema {
    nb_tr *trs;
    size_t count;
    void *memory; /**< private */
} nb__schema;
nb_err nb__schema_parse(nb_span text, nb__schema **out, nb_error *error);
void nb__schema_free(nb__schema *schema);
/** C source of the rows (src/kis/tr_rows.inc), what `script/generate` writes. */
void nb__schema_print_c(const nb__schema *schema, nb__text *out);

/* ---- topics (topic.c): (TR, key) -> a small dense number, made once and never given back ---- */

#define NB__TOPIC_NONE UINT32_MAX

/** A registration's name. Zero-padded, so that it compares and hashes as 32 bytes. */
typedef struct nb__topic {
    char tr_id[NB_TR_ID_MAX + 1];
    char tr_key[16];
} nb__topic;

typedef struct nb__topics nb__topics;
/** Room for `topics_max` topics, all memory at once. NULL when there is none. */
nb__topics *nb__topics_new(uint32_t topics_max);
void nb__topics_free(nb__topics *topics);
/** @return false when tr_id is not 1–15 or tr_key not 1–12 bytes long, or holds NUL, '^' or '|'. */
bool nb__topic_make(nb_span tr_id, nb_span tr_key, nb__topic *out);
/** Its key for people and files: "***" for order notices, whose key is the user's HTS id. */
const char *nb__topic_shown_key(const nb__topic *topic);
/** Find, or make while there is room. @return NB__TOPIC_NONE when full. No allocation. */
uint32_t nb__topics_intern(nb__topics *topics, const nb__topic *topic);
uint32_t nb__topics_find(const nb__topics *topics, const nb__topic *topic);
const nb__topic *nb__topics_at(const nb__topics *topics, uint32_t index);
uint32_t nb__topics_count(const nb__topics *topics);

/* ---- control messages (control.c): JSON both ways ---- */

/** What KIS answers: code, text, rt_cd, and what a client does with it. X(name, msg_cd, rt_cd,
 * msg1, reaction) */
#define NB__OPSP_TABLE(X)                                                                          \
    X(SUBSCRIBED, "OPSP0000", "0", "SUBSCRIBE SUCCESS", DONE)                                      \
    X(UNSUBSCRIBED, "OPSP0001", "0", "UNSUBSCRIBE SUCCESS", DONE)                                  \
    X(ALREADY, "OPSP0002", "1", "ALREADY IN SUBSCRIBE", DONE)                                      \
    X(NOT_SUBSCRIBED, "OPSP0003", "1", "UNSUBSCRIBE ERROR(not found!)", DONE)                      \
    X(INTERNAL, "OPSP0007", "1", "SUBSCRIBE INTERNAL ERROR", RETRY)                                \
    X(MAX_OVER, "OPSP0008", "1", "MAX SUBSCRIBE OVER", FULL)                                       \
    X(MCI_FAILED, "OPSP0009", "1", "SUBSCRIBE ERROR : mci send failed", RETRY)                     \
    X(WARN_APPKEY, "OPSP0010", "1", "SUBSCRIBE WARNING : invalid appkey", RETRY)                   \
    X(BAD_APPROVAL, "OPSP0011", "1", "invalid approval : NOT FOUND", REISSUE)                      \
    X(BAD_HTS_ID, "OPSP0017", "9", "ERROR : htsid가잘못되었습니다", FATAL)                         \
    X(BAD_TR_ID, "OPSP8991", "9", "SUBSCRIBE ERROR : invalid tr_id", FATAL)                        \
    X(BAD_TR_KEY, "OPSP8992", "9", "SUBSCRIBE ERROR : invalid tr_key", FATAL)                      \
    X(PARSE_TR_KEY, "OPSP8993", "9", "JSON PARSING ERROR : invalid tr_key", FATAL)                 \
    X(NO_SECKEY, "OPSP8994", "9", "JSON PARSING ERROR : personalseckey not found", FATAL)          \
    X(NO_APPSECRET, "OPSP8995", "9", "JSON PARSING ERROR : appsecret not found", FATAL)            \
    X(IN_USE, "OPSP8996", "9", "ALREADY IN USE appkey", IN_USE)                                    \
    X(BAD_TR_TYPE, "OPSP8997", "9", "JSON PARSING ERROR : invalid tr_type", FATAL)                 \
    X(BAD_CUSTTYPE, "OPSP8998", "9", "JSON PARSING ERROR : invalid custtype", FATAL)               \
    X(NO_RESOURCE, "OPSP8999", "9", "resource not available", RETRY)                               \
    X(NO_TR_KEY, "OPSP9990", "9", "JSON PARSING ERROR : tr_key not found", FATAL)                  \
    X(NO_INPUT, "OPSP9991", "9", "JSON PARSING ERROR : input not found", FATAL)                    \
    X(NO_BODY, "OPSP9992", "9", "JSON PARSING ERROR : body not found", FATAL)                      \
    X(INTERNAL_9993, "OPSP9993", "9", "internal error", RETRY)                                     \
    X(INVALID_APPKEY, "OPSP9994", "9", "INVALID appkey", REISSUE)                                  \
    X(INTERNAL_9995, "OPSP9995", "9", "internal error", RETRY)                                     \
    X(NO_APPKEY, "OPSP9996", "9", "appkey missing", REISSUE)                                       \
    X(NO_CUSTTYPE, "OPSP9997", "9", "JSON PARSING ERROR : custtype not found", FATAL)              \
    X(NO_HEADER, "OPSP9998", "9", "JSON PARSING ERROR : header not found", FATAL)                  \
    X(BAD_JSON, "OPSP9999", "9", "JSON PARSING ERROR : invalid json format", FATAL)

typedef enum nb__reaction {
    NB__REACT_DONE,    /**< the registration is as asked for */
    NB__REACT_RETRY,   /**< ask again later */
    NB__REACT_FULL,    /**< no slot left: final for this request */
    NB__REACT_FATAL,   /**< never ask this again */
    NB__REACT_REISSUE, /**< new approval key once, then reconnect */
    NB__REACT_IN_USE,  /**< another session holds the appkey: wait ≥ 60 s */
    NB__REACT_UNKNOWN  /**< not in the table: shown, counted, survived */
} nb__reaction;

typedef enum nb__opsp {
#define NB__OPSP_ENUM(name, code, rt_cd, text, reaction) NB__OPSP_##name,
    NB__OPSP_TABLE(NB__OPSP_ENUM)
#undef NB__OPSP_ENUM
        NB__OPSP_COUNT /**< also: a code that the table does not have */
} nb__opsp;

typedef struct nb__opsp_row {
    const char *msg_cd, *rt_cd, *msg1;
    nb__reaction reaction;
} nb__opsp_row;
const nb__opsp_row *nb__opsp_at(nb__opsp code);
nb__opsp nb__opsp_find(nb_span msg_cd); /**< NB__OPSP_COUNT when unknown */

#define NB__APPROVAL_KEY_MAX 512
#define NB__CONTROL_MESSAGE_MAX 8192 /**< longest JSON accepted from a client */

/** A client's request, as a server reads it. */
typedef struct nb__request {
    nb__topic topic;  /**< tr_id, tr_key */
    bool is_register; /**< tr_type 1; false: 2 */
    char custtype;    /**< 'P' or 'B' */
    char approval_key[NB__APPROVAL_KEY_MAX + 1];
} nb__request;

typedef enum nb__client_message {
    NB__CLIENT_REQUEST,  /**< `request` is filled */
    NB__CLIENT_PINGPONG, /**< the echo of a PINGPONG */
    NB__CLIENT_INVALID   /**< `code` says which answer KIS gives */
} nb__client_message;

/**
 * Read what a client sent: JSON with keys in any order and fields more than expected
 * (`personalseckey` …). Duplicate keys, NUL, bytes that are not UTF-8, more than
 * NB__CONTROL_MESSAGE_MAX bytes: BAD_JSON. Checks in KIS's order: JSON, header, (PINGPONG),
 * custtype, tr_type, body, input, tr_key, tr_id. A missing approval_key is an empty one: whether
 * that is accepted is the server's matter.
 */
nb__client_message nb__client_message_parse(nb_span text, nb__request *request, nb__opsp *code);

/** What KIS (or one who speaks like it) sent. What is longer than its place is "", msg1 is cut. */
typedef struct nb__answer {
    char tr_id[NB_TR_ID_MAX + 1], tr_key[NB_TR_KEY_MAX + 8];
    char rt_cd[4], msg_cd[16], msg1[256];
    char iv[17], key[33]; /**< "" when absent. Secrets: never log or record */
    bool is_encrypted;
    nb__opsp code;         /**< NB__OPSP_COUNT: not in the table */
    nb__reaction reaction; /**< UNKNOWN with rt_cd "0" counts as DONE */
} nb__answer;

typedef enum nb__server_message {
    NB__SERVER_ANSWER,
    NB__SERVER_PINGPONG,
    NB__SERVER_MARK, /**< nightbook's own, header tr_id "NIGHTBOOK"; msg_cd and msg1 are filled */
    NB__SERVER_OTHER /**< JSON or not, but none of these */
} nb__server_message;
nb__server_message nb__server_message_parse(nb_span text, nb__answer *answer);

/** `{"header":{"approval_key":…},"body":{"input":{…}}}`, KIS's order and spacing. */
void nb__request_print(const nb__request *request, nb__text *out);
/**
 * KIS's answer. With rt_cd "9" the header is tr_id "(null)" and an empty tr_key, as KIS sends.
 * @param topic  NULL gives that header too.
 * @param iv,key  For successes; NULL leaves `output` out.
 */
void nb__answer_print(nb__opsp code, const nb__topic *topic, const char *iv, const char *key,
                      nb__text *out);
/** The same with another's words: an upstream answer passed on under this topic. */
void nb__answer_print_as(const nb__answer *answer, const nb__topic *topic, const char *iv,
                         const char *key, nb__text *out);
/** `{"header":{"tr_id":"PINGPONG","datetime":"20231004160455"}}`, KST, 59 bytes. `out` holds 64
 * bytes. */
size_t nb__pingpong_print(char out[64], int64_t utc_ns);
/** Its datetime, UTC ns; NB_TIME_UNDEF: there is none, or it is no time. */
int64_t nb__pingpong_time(nb_span text);

/** Body of POST /oauth2/Approval. */
void nb__approval_request_print(const char *appkey, const char *secret, nb__text *out);
typedef struct nb__approval_request {
    char grant_type[40], appkey[64], secretkey[256];
} nb__approval_request;
/** @return false when it is no JSON object; missing fields are "". */
bool nb__approval_request_parse(nb_span body, nb__approval_request *out);
typedef struct nb__approval_answer {
    char approval_key[NB__APPROVAL_KEY_MAX + 1]; /**< "" on refusal */
    char error_code[16], error_text[160];        /**< EGW00103 …; from error_code or msg_cd */
} nb__approval_answer;
/** How soon an approval that failed may be tried again. */
typedef enum nb__approval_class {
    NB__APPROVAL_RETRY,   /**< no answer, 5xx, EGW00300, 00301: as any failed connection */
    NB__APPROVAL_PACED,   /**< EGW00133, 00201: too often; after a minute */
    NB__APPROVAL_LOCKED,  /**< EGW00103, 00105 and what is unknown: wrong, or locked out although
                             right;  1, 5, 15, 30, 60 min */
    NB__APPROVAL_REFUSED, /**< EGW00206, 00207, 02004, 00101 …: the user must act; 60 min */
    NB__APPROVAL_CLOSED   /**< EGW00302: outside hours; 5 min */
} nb__approval_class;
const char *nb__approval_class_name(nb__approval_class class_);
/** `status`: HTTP's; `error_code` may be "". `*advice`: what the user can do, for people. */
nb__approval_class nb__approval_class_of(int status, const char *error_code, const char **advice);
/** @retval NB_E_JSON  Neither a key nor an error in it. */
nb_err nb__approval_answer_parse(nb_span body, nb__approval_answer *out, nb_error *error);

/** Replace every occurrence of `secret` (≥ 4 bytes) in `text` by `***`, in place; the rest moves
 * up. */
void nb__scrub(char *text, const char *secret);

/* ---- master files (master.c, master_zip.c): which codes exist ---- */

typedef enum nb__product {
    NB__PRODUCT_UNKNOWN,
    NB__PRODUCT_KOSPI200,
    NB__PRODUCT_KOSPI200_MINI,
    NB__PRODUCT_KOSPI200_WEEKLY_THU,
    NB__PRODUCT_KOSPI200_WEEKLY_MON,
    NB__PRODUCT_KOSDAQ150,            /**< also its weeklies */
    NB__PRODUCT_OTHER_FUTURE,         /**< also every calendar spread */
    NB__PRODUCT_KOSPI200_MINI_FUTURE, /**< this and the next: their tick is not that of their
                                         options */
    NB__PRODUCT_KOSDAQ150_FUTURE
} nb__product;

typedef struct nb__instrument {
    char code[10];          /**< KIS short code, `B01610A48` */
    char standard_code[13]; /**< KRX's, `KR4B016AA412` */
    char name[64];          /**< UTF-8: `위클리C 2609W4 1,120.0` */
    char kind;              /**< the master's kind column: '1', '5', '6', 'L' … */
    char right; /**< 'C' call, 'P' put, 'F' future, 'S' calendar spread, ' ' not known */
    nb__product product;
    char expiry[8];   /**< serial in the name: `202610`, `2609W4` */
    nb_price strike;  /**< NB_PRICE_UNDEF for a future; options always have one */
    char atm_class;   /**< '1' ATM, '2' ITM, '3' OTM as of the file's build; ' ' none */
    char month_class; /**< as in the file; ' ' none */
    char underlying_code[10], underlying_name[64];
} nb__instrument;

/** A list of instruments. Heap; `{0}` is empty. */
typedef struct nb__master {
    nb__instrument *rows;
    size_t count, capacity;
} nb__master;
void nb__master_fini(nb__master *master);

typedef enum nb__master_kind {
    NB__MASTER_EUREX, /**< fo_eurex_code.mst: night options, fixed width in BYTES, 121 + EOL */
    NB__MASTER_CME,   /**< fo_cme_code.mst: night futures, fixed width */
    NB__MASTER_INDEX  /**< fo_idx_code_mts.mst: '|' separated */
} nb__master_kind;
const char *nb__master_file_name(nb__master_kind kind); /**< "fo_eurex_code.mst" */
/**
 * Append the rows of a .mst file in cp949. All or nothing; a file without rows is an error. Lines
 * may end in CRLF, the last one in nothing; rows may be longer than known.
 *
 * @retval NB_E_MASTER  Line and reason in detail, and the byte in the file.
 */
nb_err nb__master_parse(nb__master_kind kind, nb_span text, nb__master *master, nb_error *error);
/**
 * Append the rows of that file's products (EUREX options, CME the rest, INDEX all) in its format
 * and cp949.
 *
 * @retval NB_E_MASTER  A value does not fit its field or cp949, or there is no such row; `out` is
 * as before.
 */
nb_err nb__master_print(nb__master_kind kind, const nb__master *master, nb__text *out,
                        nb_error *error);
/** KRX's tick at a price (docs/correctness.md). 0: not known. */
nb_price nb__tick_e9(nb__product product, nb_price price);
/** The product of a KIS short code by its prefix, also in the style until 2025 (201W09370).
 * UNKNOWN: it does not tell. */
nb__product nb__product_of_code(nb_span code);

/**
 * Append the single member of a zip. On failure `out` is as before.
 *
 * @retval NB_E_LIMIT   It is larger than `size_max` bytes; found while unpacking, not by what the
 * zip says.
 * @retval NB_E_MASTER  No zip, empty, more than one member, encrypted, damaged; in words in detail.
 */
nb_err nb__zip_read(nb_span zip, size_t size_max, nb__text *out, nb_error *error);
/** Append a zip with one deflated member. The same content gives the same bytes. */
nb_err nb__zip_write(const char *member_name, nb_span content, nb__text *out, nb_error *error);

#endif
