/* SPDX-License-Identifier: Apache-2.0 */
/* What verify, repair, pack and prune share. Private to store. */
#ifndef NB_STORE_CARE_H
#define NB_STORE_CARE_H

#include "store/store.h"

/* ---- source.c: the plain bytes of a segment's file, as far as they can be had ---- */

typedef struct source {
    int fd;
    bool is_packed;
    uint64_t file_bytes, plain_bytes;
    nb__packed packed;    /* rows: by the seek table, or frame after frame */
    bool *is_lost;        /* a row: it cannot be had; known after source_each() went over it */
    uint64_t lost_frames; /* how many of them */
    nb_error table_error; /* code NB_OK: the seek table is good */
    nb_error index_error; /* code NB_OK: the index is good */
    nb__unpack *unpack;
    nb__text raw, plain;
} source;

/* A piece of it: bytes, or the row that cannot be had in their place. */
typedef struct piece {
    uint64_t offset_bytes, size_bytes; /* of the plain bytes; size 0: a lost row of unknown size */
    nb_span bytes;                     /* data NULL: lost */
    size_t row_index;                  /* of a packed one */
    const char *words;                 /* of a lost one: why */
} piece;
typedef nb_err source_take(void *self, const piece *piece, nb_error *error);

/* @retval NB_E_NOT_FOUND, NB_E_SYSTEM, NB_E_MEMORY. A damaged packed file opens: errors inside. */
nb_err source_open(const char *path, bool is_packed, source *out, nb_error *error);
/* All of it in order, whole frames or pieces of 1 MiB; ends with the first error of `take`.
 * @retval NB_E_SYSTEM  A plain file cannot be read; offset_bytes says where. */
nb_err source_each(source *s, source_take *take, void *self, nb_error *error);
/* Bytes of the file as they lie there, into `raw`. */
nb_err source_raw(source *s, uint64_t offset_bytes, uint64_t size_bytes, nb_error *error);
void source_close(source *s);

/* ---- survey.c: what is wrong with a file ---- */

typedef struct hole {
    uint64_t begin,
        end;      /* of the plain bytes; equal: of unknown size, or a start that is missing */
    bool is_lost; /* a packed row; `row_index` says which */
    size_t row_index;
    nb__damage damage;
} hole;

typedef struct survey {
    source source; /* open until survey_fini() */
    nb__journal_findings findings;
    hole *holes; /* in order, without overlap */
    size_t hole_count, hole_capacity;
    bool is_packed_good; /* seek table, index, each frame, hash of the whole */
    char words[160];     /* of a packed file that is not good, beyond its holes */
} survey;

/* @retval NB_E_NOT_FOUND, NB_E_SYSTEM, NB_E_MEMORY, NB_E_VERSION: nothing is to free. */
nb_err survey_file(const char *path, bool is_packed, survey *out, nb_error *error);
void survey_fini(survey *s);

/* ---- care.c ---- */

/* One at a time packs or repairs in a night's directory. @retval NB_E_BUSY, NB_E_SYSTEM */
nb_err care_lock(const char *directory, int *fd, nb_error *error);
void care_unlock(const char *directory, int fd);
/* The journal that a night's directory lies in. @return false: the path is too long. */
bool care_journal_path(const char *directory, char out[NB__STORE_PATH_MAX]);
/* The newest segment of the journal that `segment` lies in. */
bool care_is_newest(const nb__segment *segment);
/* The segment whose name a file's begins with, up to its first dot: .log, .log.zst.tmp, .damaged-…
 */
bool care_segment_of(const char *file_name, int *night, uint32_t *number);
/* `path` and what follows it, in `out`. @return false: too long. */
bool care_path(char out[NB__STORE_PATH_MAX], const char *path, const char *suffix);
/* A file that is written whole under a temporary name: the name, bytes, sync. */
typedef struct care_file {
    char path[NB__STORE_PATH_MAX];
    int fd;
} care_file;
nb_err care_file_create(care_file *file, const char *path, nb_error *error); /* replaced */
nb_err care_file_write(care_file *file, nb_span bytes, nb_error *error);
nb_err care_file_sync(care_file *file, nb_error *error); /* and close */
void care_file_drop(care_file *file);                    /* close and remove */

/* ---- keep_aside.c ---- */

/* A file becomes NAME.damaged-OFFSET (or -2, -3 …) and `suffix`: ".zst" for packed bytes, "" for
 * plain ones. One that lies there and holds the same is as good. */
nb_err care_keep(const char *from, const nb__segment *segment, uint64_t offset_bytes,
                 const char *suffix, char out[NB__STORE_PATH_MAX], nb_error *error);
/* Bytes that are to be kept so: write to `file`, then close. After an error care_file_drop(). */
typedef struct aside {
    care_file file;
    const nb__segment *segment;
    uint64_t offset_bytes;
} aside;
nb_err aside_open(aside *a, const nb__segment *segment, uint64_t offset_bytes, nb_error *error);
nb_err aside_close(aside *a, const char *suffix, char out[NB__STORE_PATH_MAX], nb_error *error);

#endif
