/* SPDX-License-Identifier: Apache-2.0 */
/**
 * journal, L2: the form of a recording: lines, marks, sums, segments, packed segments. Pure: bytes
 * and times in, bytes and findings out. Files are `store`'s.
 *
 * THE FORMAT, version 1 (docs/journal.md says the same for those who write a reader)
 *
 *     DIR/                                 a journal: nights of one feed kind
 *       journal.json                       {"nightbook_journal":1,"feed":"live"}
 *       20261123/                          a night, by the trade date of the receive time
 *         20261123-000001.log              a live segment: text, appended to by its recorder only
 *         20261123-000001.log.zst          a packed one: the same bytes; zstdcat reads it
 *
 * A line
 *     RECV_NS LINK KIND PAYLOAD\n          e.g. 1795424400123456789 1 frame 0|H0EUASP0|001|B01…
 *     RECV_NS  UTC nanoseconds at the read, decimal. LINK  number of the session in this run of the
 *     recorder, from 1 (its connect mark says whose); 0: the recorder itself. KIND  a word of the
 *     table below. PAYLOAD  the message; bytes 00–1F, 7F, '\' and what is not valid UTF-8 stand as
 *     `\xHH`. The order of lines is the order of arrival; RECV_NS may step back with the clock.
 *
 * A segment
 *     begins with a `start` mark (or, where that was damaged, a `repair` mark), then a `connect`
 * mark (is_continued) for each link that is up; ends, when it was ended properly, with a `stop`
 * mark and a `sum`. Names its predecessor in `start`, with length and hash of its plain bytes.
 * Nothing is ever appended to an older one.
 *
 * A sum
 *     RECV_NS 0 sum {"bytes":N,"xxh3":"0123456789abcdef"}
 *     each second with traffic, or each MiB. N bytes lie between the end of the previous sum line
 *     (or the file's begin) and the begin of this one; the hash is XXH3-64 (seed 0) of those and of
 *     this line up to and with `"xxh3":"`. So each byte of a segment is hashed or is the hash.
 *
 * Valid is what a sum that fits covers. Behind the last sum, whole lines are read and called
 * unproved; what is no line there, a mark that is not JSON, and what follows a stop (but a repair)
 * is damaged; a last line without its '\n' is torn and no line. A sum that does not fit makes its
 * span damaged, and no other: N says where it begins even when the sum before is destroyed.
 *
 * A packed segment
 *     zstd frame …  whole lines, about 1 MiB of plain text, content size and checksum in each
 *     skippable     magic 0x184D2A5B, the index (below)
 *     skippable     magic 0x184D2A5E, the zstd seek table (its last 4 bytes 0x8F92EAB1), without
 *                   checksums; its last row is the index, of 0 plain bytes
 *   the index, little-endian:
 *      0  8  "NBINDEX1"
 *      8  4  rows                   16  8  plain bytes of the segment
 *     12  4  bytes of marks         24  8  XXH3-64 of the plain bytes
 *     32 56  a row a zstd frame: 8 recv min, 8 recv max, 8 session min, 8 session max (ns;
 * INT64_MAX and INT64_MIN where no line has a time), 8 first plain byte, 4 lines, 4 lines of kind
 *            frame, 8 XXH3-64 of the zstd frame as it stands in the file
 *      …     the segment's start, connect and repair lines, as they stand, so that a reader who
 *            seeks knows its links
 *      …  8  XXH3-64 of all before
 *   Of a plain and a packed segment of one name the packed one counts if it verifies.
 */
#ifndef NB_JOURNAL_H
#define NB_JOURNAL_H

#include "base/base.h"
#include "night/night.h"

#define NB__JOURNAL_FORMAT 1
#define NB__JOURNAL_SPAN_BYTES ((size_t)1 << 20) /**< a sum at the latest after so much */
#define NB__JOURNAL_SPAN_NS NB__NS_PER_S
#define NB__JOURNAL_LINE_MAX ((size_t)8 << 20) /**< longer ones are damage */

/* ---- kinds ----
 * X(NAME, word, what its payload is) */
#define NB__JOURNAL_KINDS(X)                                                                       \
    X(FRAME, "frame", "a data message, as it came")                                                \
    X(NOTICE, "notice", "an encrypted message came, not recorded: tr_id, count, bytes")            \
    X(ANSWER, "answer", "KIS answered: tr_id, tr_key, rt_cd, msg_cd, msg1; never iv or key")       \
    X(PINGPONG, "pingpong", "KIS's PINGPONG, as it came")                                          \
    X(OTHER, "other", "a message of no known form, not recorded: bytes")                           \
    X(START, "start", "a segment begins: format, version, host, feed, night, segment, after")      \
    X(CONNECT, "connect", "a link is up: feed, address, clock, is_continued")                      \
    X(GAP, "gap", "that link is down, nothing is seen: reason, is_rest")                           \
    X(DRIFT, "drift", "a TR came with another width: tr_id, fields, documented")                   \
    X(CLOCK, "clock", "the system's clock was set: step_ns")                                       \
    X(DISK, "disk", "recorded again after disk trouble: reason, since_ns, lost_lines, lost_bytes") \
    X(REPAIR, "repair", "what a repair dropped: offset, bytes, and what the segment was before")   \
    X(STOP, "stop", "the segment ends: reason")                                                    \
    X(SUM, "sum", "bytes and xxh3 of what stands before")

typedef enum nb__journal_kind {
#define NB__JOURNAL_ENUM(name, word, what) NB__JOURNAL_##name,
    NB__JOURNAL_KINDS(NB__JOURNAL_ENUM)
#undef NB__JOURNAL_ENUM
        NB__JOURNAL_UNKNOWN /**< of a later writer of this format: read past, never dropped */
} nb__journal_kind;
const char *nb__journal_kind_name(nb__journal_kind kind); /**< "frame" …; "?" */

/* ---- lines (line.c) ---- */

typedef struct nb__journal_line {
    int64_t recv_ns;
    uint32_t link;
    nb__journal_kind kind;
    bool is_escaped; /**< payload holds a '\' */
    nb_span payload; /**< as in the file; borrowed */
} nb__journal_line;

/** @param text  Without its '\n'. @retval NB_E_JOURNAL  No line; offset and words. `*out`
 * unchanged. Cost: one pass over the head, one memchr over the payload. */
nb_err nb__journal_line_parse(nb_span text, nb__journal_line *out, nb_error *error);
/** The same of a line that is known to hold no '\\': the payload is not looked at. */
nb_err nb__journal_line_parse_clean(nb_span text, nb__journal_line *out, nb_error *error);
/** How many the payload's own bytes are. */
size_t nb__journal_message_bytes(const nb__journal_line *line);
/** The payload's own bytes: into `out`, which holds payload.size_bytes and may be payload.data.
 * @return how many. */
size_t nb__journal_unescape(nb_span payload, char *out);
/** One whole line with its '\n'; `payload` raw. */
void nb__journal_line_print(nb__text *out, int64_t recv_ns, uint32_t link, nb__journal_kind kind,
                            nb_span payload);

/* ---- marks (marks.c): payloads that are JSON ----
 * What parses takes the payload as it stands in its line, or unescaped. @retval NB_E_JSON, and
 * `*out` unchanged. */

typedef struct nb__journal_after {
    char segment[24]; /**< "20261123-000001"; "": there was none */
    uint64_t size_bytes, xxh3;
} nb__journal_after;

typedef struct nb__journal_start {
    int format;
    char version[24], host[64]; /**< nightbook's, the machine's */
    nb__feed_kind feed;
    int night;        /**< YYYYMMDD */
    char segment[24]; /**< its own name */
    char run[17];     /**< the same in all segments of a run of the recorder: 16 hex digits */
    nb__journal_after after;
} nb__journal_start;
void nb__journal_start_print(const nb__journal_start *start, nb__text *out); /**< payload only */
/** @retval NB_E_VERSION  A newer format: words say which nightbook wrote it and what to do.
 * @retval NB_E_JSON */
nb_err nb__journal_start_parse(nb_span payload, nb__journal_start *out, nb_error *error);

typedef struct nb__journal_connect {
    char feed[32];           /**< the appkey's label */
    char address[300];       /**< ws://HOST:PORT */
    nb__session_clock clock; /**< printed as Nightbook-Clock's value as of the line's recv_ns */
    bool is_continued;       /**< restated at a segment's begin */
} nb__journal_connect;
void nb__journal_connect_print(const nb__journal_connect *connect, int64_t recv_ns, nb__text *out);
nb_err nb__journal_connect_parse(nb_span payload, int64_t recv_ns, nb__journal_connect *out,
                                 nb_error *error);

typedef struct nb__journal_gap {
    char reason[256];
    bool is_rest; /**< we ended it: outside its hours, or nightbook ends */
} nb__journal_gap;
void nb__journal_gap_print(const nb__journal_gap *gap, nb__text *out);
nb_err nb__journal_gap_parse(nb_span payload, nb__journal_gap *out, nb_error *error);

typedef struct nb__journal_drift {
    char tr_id[16];
    int fields, documented;
} nb__journal_drift;
void nb__journal_drift_print(const nb__journal_drift *drift, nb__text *out);
nb_err nb__journal_drift_parse(nb_span payload, nb__journal_drift *out, nb_error *error);

typedef struct nb__journal_notice {
    char tr_id[16];
    uint32_t count;
    uint64_t size_bytes;
} nb__journal_notice;
void nb__journal_notice_print(const nb__journal_notice *notice, nb__text *out);
nb_err nb__journal_notice_parse(nb_span payload, nb__journal_notice *out, nb_error *error);

typedef struct nb__journal_answer {
    char tr_id[16], tr_key[32]; /**< tr_key "***" where it names a person (order notices) */
    char rt_cd[4], msg_cd[16], msg1[128];
} nb__journal_answer;
void nb__journal_answer_print(const nb__journal_answer *answer, nb__text *out);
nb_err nb__journal_answer_parse(nb_span payload, nb__journal_answer *out, nb_error *error);

typedef struct nb__journal_disk {
    char reason[256];
    int64_t since_ns; /**< the hole: from here to this mark's recv_ns */
    uint64_t lost_lines, lost_bytes;
} nb__journal_disk;
void nb__journal_disk_print(const nb__journal_disk *disk, nb__text *out);
nb_err nb__journal_disk_parse(nb_span payload, nb__journal_disk *out, nb_error *error);

typedef struct nb__journal_repair {
    uint64_t offset_bytes, size_bytes; /**< in the plain bytes as they were, what was dropped */
    char kept_in[64];                  /**< name of the file with those bytes, beside the segment */
    nb__journal_after was; /**< the segment before its first repair: what its successor may name */
} nb__journal_repair;
void nb__journal_repair_print(const nb__journal_repair *repair, nb__text *out);
nb_err nb__journal_repair_parse(nb_span payload, nb__journal_repair *out, nb_error *error);

/** clock {"step_ns":N}, stop {"reason":"…"}, other {"bytes":N}. */
void nb__journal_clock_print(int64_t step_ns, nb__text *out);
nb_err nb__journal_clock_parse(nb_span payload, int64_t *step_ns, nb_error *error);
void nb__journal_stop_print(const char *reason, nb__text *out);
void nb__journal_other_print(uint64_t size_bytes, nb__text *out);

/* ---- links (links.c): whose a line is, and its session time; the same for packer and reader ----
 */

#define NB__JOURNAL_LINKS_MAX 256 /**< the one that came up longest ago is forgotten */
/** Caller's memory, `{0}` is ready for use. */
typedef struct nb__journal_links {
    struct nb__journal_link_row *rows; /**< the link that came up last stands last */
    size_t count, capacity, found_index;
    bool is_live; /**< the start mark says so: without a link, receive time is session time */
} nb__journal_links;
void nb__journal_links_fini(nb__journal_links *links);
/** Each line of a segment in order. A start mark forgets all, a connect mark names a link; other
 * lines, and marks that do not parse, change nothing. @return false: no memory for a link. */
bool nb__journal_links_note(nb__journal_links *links, const nb__journal_line *line);
/** @return NULL: link 0, or its mark is lost. Valid until the next note. */
const nb__journal_connect *nb__journal_links_find(nb__journal_links *links, uint32_t link);
/** recv_ns by the clock of the line's link; of link 0 and of a link that is not known, by the clock
 * of the link that came up last; where none did, recv_ns itself in a live journal, else
 * NB_TIME_UNDEF. Note the line first. */
int64_t nb__journal_links_session_ns(nb__journal_links *links, const nb__journal_line *line);

/* ---- names (names.c) ---- */
#define NB__JOURNAL_NAME_BYTES 24
/** "20261123-000001"; numbers beyond six digits grow. */
void nb__journal_name_print(char out[NB__JOURNAL_NAME_BYTES], int night, uint32_t number);
typedef enum nb__journal_file {
    NB__JOURNAL_FILE_NONE,  /**< none of ours */
    NB__JOURNAL_FILE_PLAIN, /**< NAME.log */
    NB__JOURNAL_FILE_PACKED /**< NAME.log.zst */
} nb__journal_file;
nb__journal_file nb__journal_name_parse(nb_span file_name, int *night, uint32_t *number);

/* ---- writer (writer.c): the bytes of one live segment ---- */

typedef struct nb__journal_writer nb__journal_writer; /**< heap */
nb__journal_writer *nb__journal_writer_new(void);
void nb__journal_writer_free(nb__journal_writer *writer);
/** A new segment: forget the last one's state. Follow with its start mark. */
void nb__journal_writer_begin(nb__journal_writer *writer);
/** Append a line; `payload` raw. Grows its buffer when a turn is larger than any before; else
 * allocates nothing. A sum is put in by itself when a span is full. @return false: no memory, or it
 * would be longer than NB__JOURNAL_LINE_MAX: the line is lost, nothing else. */
bool nb__journal_writer_line(nb__journal_writer *writer, int64_t recv_ns, uint32_t link,
                             nb__journal_kind kind, nb_span payload);
/** Lines since the last sum? Close the span now (each second, at a segment's end). */
bool nb__journal_writer_has_open_span(const nb__journal_writer *writer);
void nb__journal_writer_sum(nb__journal_writer *writer, int64_t recv_ns);
/** What was not taken yet; whole lines. Valid until the next call. */
nb_span nb__journal_writer_pending(const nb__journal_writer *writer);
void nb__journal_writer_took(nb__journal_writer *writer); /**< all of it */
/** Only its first bytes, whole lines: the rest is dropped, and the segment is over. Size and hash
 * stay true until nb__journal_writer_begin(). */
void nb__journal_writer_took_some(nb__journal_writer *writer, size_t size_bytes);
/** Bytes taken of this segment, and the hash of them: what the next segment's start says. */
uint64_t nb__journal_writer_size(const nb__journal_writer *writer);
uint64_t nb__journal_writer_xxh3(const nb__journal_writer *writer);

/* ---- checker (check.c): any bytes, in pieces, against sums ---- */

/** Told in the order of their offsets; they do not overlap. */
typedef enum nb__damage_kind {
    NB__DAMAGE_SPAN, /**< a sum does not fit: something between offset and offset + size changed */
    NB__DAMAGE_TORN, /**< the last line has no end: a recorder died, or it is still writing */
    NB__DAMAGE_LINE, /**< no line, behind the last sum; neighbours are told as one */
    NB__DAMAGE_START /**< it does not begin with a start mark, nor with a repair; size 0 */
} nb__damage_kind;
typedef struct nb__damage {
    nb__damage_kind kind;
    uint64_t offset_bytes, size_bytes; /**< of the plain bytes */
    char words[128];
} nb__damage;
typedef struct nb__journal_findings {
    uint64_t size_bytes, xxh3; /**< of all plain bytes */
    /** Of lines outside of damage; frame_bytes: of their messages, unescaped. */
    uint64_t lines, frames, frame_bytes, sums;
    uint64_t damages;
    uint64_t proved_bytes;               /**< covered by sums that fit, and these sums */
    int64_t recv_first_ns, recv_last_ns; /**< least and most; NB_TIME_UNDEF: no line */
    bool has_start;                      /**< undamaged: `start` is filled */
    bool is_stopped;                     /**< a stop mark came */
    bool is_repaired;                    /**< a repair mark came: `was` is filled */
    nb__journal_start start;
    nb__journal_after was; /**< the segment before its first repair */
} nb__journal_findings;
typedef struct nb__journal_check nb__journal_check;
nb__journal_check *nb__journal_check_new(void (*found)(void *self, const nb__damage *damage),
                                         void *self);
/** Memory stays under 48 MiB, whatever comes. After an error nothing more is said.
 * @retval NB_E_VERSION  A newer format: nothing can be said.
 * @retval NB_E_MEMORY */
nb_err nb__journal_check_feed(nb__journal_check *check, nb_span bytes, nb_error *error);
/** No more bytes come. Valid until the check is freed. */
const nb__journal_findings *nb__journal_check_end(nb__journal_check *check);
void nb__journal_check_free(nb__journal_check *check);

/* ---- pack (pack.c) ---- */

typedef struct nb__pack nb__pack;
#define NB__PACK_FRAME_BYTES ((size_t)1 << 20)
/** Level 1–19; frame_bytes 0: 1 MiB; at most NB__JOURNAL_LINE_MAX. A longer line is a frame of its
 * own. @return NULL: no memory. */
nb__pack *nb__pack_new(int level, size_t frame_bytes);
/** Plain bytes in order, in any pieces; finished frames are appended to `out`. Holds two frames or
 * a longest line, and 56 bytes a frame. After an error the pack is of no use.
 * @retval NB_E_MEMORY
 * @retval NB_E_LIMIT  More frames or marks than an index holds: no segment of a recorder. */
nb_err nb__pack_feed(nb__pack *pack, nb_span plain, nb__text *out, nb_error *error);
/** The last frame, with a torn line if there is one; the index; the seek table. */
nb_err nb__pack_end(nb__pack *pack, nb__text *out, nb_error *error);
uint64_t nb__pack_plain_xxh3(const nb__pack *pack);
uint64_t nb__pack_plain_size(const nb__pack *pack);
void nb__pack_free(nb__pack *pack);

/* ---- packed (packed.c): read them ---- */

#define NB__PACKED_PLAIN_MAX ((size_t)64 << 20) /**< of a zstd frame */
#define NB__PACKED_ROWS_MAX ((size_t)1 << 20)
#define NB__PACKED_MARKS_MAX ((size_t)16 << 20)

typedef struct nb__packed_row {
    uint64_t packed_offset, packed_bytes; /**< in the file */
    uint64_t plain_offset, plain_bytes;
    /** Without an index INT64_MIN and INT64_MAX: any time may be in it. Where no line has a time
     * the other way round. */
    int64_t recv_min_ns, recv_max_ns, session_min_ns, session_max_ns;
    uint32_t lines, frames; /**< lines with their end; of kind frame */
    uint64_t packed_xxh3;
} nb__packed_row;
/** Caller's memory, `{0}` before its first use. */
typedef struct nb__packed {
    nb__packed_row *rows;
    size_t row_count;
    uint64_t plain_bytes, plain_xxh3; /**< the hash from the index only */
    char *marks;                      /**< start, connect and repair lines */
    size_t marks_bytes;
    bool has_index; /**< false: only places are known */
} nb__packed;
#define NB__PACKED_FOOTER_BYTES 9
/** From the file's last nine bytes: how many bytes at its end are the seek table's skippable frame;
 * at most 8 MiB. @retval NB_E_FRAME  No seek table of ours. */
nb_err nb__packed_footer(nb_span footer, size_t *seek_table_bytes, nb_error *error);
/** Rows from the seek table; `*index_bytes`: how many before it are the index (0: none).
 * @param out  Replaced on success, without an index.
 * @retval NB_E_FRAME  It contradicts itself or `file_bytes`. @retval NB_E_MEMORY */
nb_err nb__packed_seek_table(nb_span table, uint64_t file_bytes, nb__packed *out,
                             size_t *index_bytes, nb_error *error);
/** Fills times, counts, hashes and marks of those rows.
 * @retval NB_E_FRAME  Damaged, or of other rows: `packed` stays as it was. @retval NB_E_MEMORY */
nb_err nb__packed_index(nb__packed *packed, nb_span index, nb_error *error);
void nb__packed_fini(nb__packed *packed);
/** Without a seek table: the size of the zstd or skippable frame that begins here, of what is known
 * of the file. @retval NB_E_FRAME  Neither begins here, or it is cut. */
nb_err nb__packed_frame_size(nb_span bytes, size_t *size_bytes, bool *is_skippable,
                             nb_error *error);

typedef struct nb__unpack nb__unpack;
nb__unpack *nb__unpack_new(void);
/** One whole zstd frame and nothing else. `plain` replaced, its memory used again; empty on
 * failure. What zstd's checksum proves; whether the frame is the one that was packed, packed_xxh3
 * says.
 * @retval NB_E_FRAME  Damaged. @retval NB_E_LIMIT  Over 64 MiB of plain text.
 * @retval NB_E_MEMORY */
nb_err nb__unpack_frame(nb__unpack *unpack, nb_span packed, nb__text *plain, nb_error *error);
/** The same of a frame whose hash an index that is good tells: that proves its bytes, and zstd's
 * own checksum, a tenth of the cost, is not computed. @retval NB_E_FRAME  It is another, too. */
nb_err nb__unpack_proved(nb__unpack *unpack, nb_span packed, uint64_t packed_xxh3, nb__text *plain,
                         nb_error *error);
void nb__unpack_free(nb__unpack *unpack);

/* ---- mend (mend.c): a segment again, without what is damaged ---- */

typedef struct nb__mend nb__mend;
/** @param segment  Its name. @param is_start_sure  Its start mark is what it was, though it stands
 * among what goes: it is saved. @param recv_ns  Of a repair mark that no line stands before.
 * @return NULL: no memory, or no such name. */
nb__mend *nb__mend_new(const char *segment, bool is_start_sure, int64_t recv_ns);
/** Bytes that stay, in order, in any pieces. Appended to `out` as they are, but for a sum that
 * counts bytes that were dropped: it tells what is left.
 * @retval NB_E_JOURNAL  A sum does not fit, and nothing was dropped before it.
 * @retval NB_E_MEMORY */
nb_err nb__mend_keep(nb__mend *mend, nb_span bytes, nb__text *out, nb_error *error);
/** Bytes that go, whole lines in any pieces; as many of them as can be read. Their marks that the
 * rest cannot be read without are saved: start (of this segment, when nothing stays before it),
 * connect, repair. */
nb_err nb__mend_drop(nb__mend *mend, nb_span bytes, nb_error *error);
/** In the place of what went: the repair mark, with the time of the line before it, the marks that
 * were saved (a start mark before it), and a sum. A line that is not whole goes too. */
nb_err nb__mend_repair(nb__mend *mend, const nb__journal_repair *repair, nb__text *out,
                       nb_error *error);
/** A line without its end, if one stays. */
nb_err nb__mend_end(nb__mend *mend, nb__text *out, nb_error *error);
void nb__mend_free(nb__mend *mend);

#endif
