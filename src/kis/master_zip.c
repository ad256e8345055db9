/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zip around a master file: exactly one member, from memory to memory. libarchive gets no file
 * name and is allowed no format but zip and no filter, so that there is nothing to unwrap but what
 * is meant. The size is capped while reading: what a zip says about its size is not believed.
 */
#include "kis/kis.h"
#include <archive.h>
#include <archive_entry.h>

#define CHUNK_BYTES 65536

static const char *reason_of(struct archive *archive)
{
    const char *reason = archive_error_string(archive);
    return reason == NULL ? "no reason given" : reason;
}

static void cut_back(nb__text *out, size_t size_bytes)
{
    out->size_bytes = size_bytes;
    if (out->capacity_bytes > 0)
        out->data[size_bytes] = '\0';
}

static nb_err read_member(struct archive *archive, size_t size_max, nb__text *out, nb_error *error)
{
    size_t size = 0;
    for (;;) {
        size_t wanted = size_max - size < CHUNK_BYTES ? size_max - size + 1 : CHUNK_BYTES;
        char *to = nb__text_reserve(out, wanted);
        if (to == NULL)
            return nb__fail(error, NB_E_MEMORY, 0, "no memory for the zip's member");
        la_ssize_t got = archive_read_data(archive, to, wanted);
        if (got < 0)
            return nb__fail(error, NB_E_MASTER, 0, "the zip's member is damaged: %s",
                            reason_of(archive));
        if ((size_t)got > size_max - size)
            return nb__fail(error, NB_E_LIMIT, 0, "the zip's member is larger than %zu bytes",
                            size_max);
        to[got] = '\0';
        out->size_bytes += (size_t)got;
        size += (size_t)got;
        if (got == 0)
            return NB_OK;
    }
}

static nb_err read_archive(struct archive *archive, nb_span zip, size_t size_max, nb__text *out,
                           nb_error *error)
{
    struct archive_entry *entry;
    if (archive_read_support_format_zip(archive) != ARCHIVE_OK ||
        archive_read_open_memory(archive, zip.data, zip.size_bytes) != ARCHIVE_OK)
        return nb__fail(error, NB_E_MASTER, 0, "not a zip: %s", reason_of(archive));
    int status = archive_read_next_header(archive, &entry);
    if (status == ARCHIVE_EOF)
        return nb__fail(error, NB_E_MASTER, 0, "the zip is empty");
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) /* a name of another locale warns */
        return nb__fail(error, NB_E_MASTER, 0, "not a zip: %s", reason_of(archive));
    if (archive_entry_is_encrypted(entry))
        return nb__fail(error, NB_E_MASTER, 0, "the zip's member is encrypted");
    if (archive_entry_filetype(entry) != AE_IFREG)
        return nb__fail(error, NB_E_MASTER, 0, "the zip's member is no file");
    nb_err err = read_member(archive, size_max, out, error);
    if (err != NB_OK)
        return err;
    status = archive_read_next_header(archive, &entry);
    if (status == ARCHIVE_OK || status == ARCHIVE_WARN)
        return nb__fail(error, NB_E_MASTER, 0, "the zip has more than one member");
    if (status != ARCHIVE_EOF)
        return nb__fail(error, NB_E_MASTER, 0, "the zip is damaged: %s", reason_of(archive));
    return NB_OK;
}

nb_err nb__zip_read(nb_span zip, size_t size_max, nb__text *out, nb_error *error)
{
    size_t size_before = out->size_bytes;
    struct archive *archive = archive_read_new();
    if (archive == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "no memory to read a zip");
    nb_err err = read_archive(archive, zip, size_max, out, error);
    if (err != NB_OK)
        cut_back(out, size_before);
    archive_read_free(archive);
    return err;
}

static la_ssize_t append(struct archive *archive, void *out, const void *data, size_t size_bytes)
{
    (void)archive;
    nb__text_append(out, data, size_bytes);
    return ((nb__text *)out)->is_failed ? -1 : (la_ssize_t)size_bytes;
}

static bool write_archive(struct archive *archive, struct archive_entry *entry,
                          const char *member_name, nb_span content, nb__text *out)
{
    archive_entry_set_pathname(entry, member_name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)content.size_bytes);
    return archive_write_set_format_zip(archive) == ARCHIVE_OK &&
           archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK &&
           archive_write_open2(archive, out, NULL, append, NULL, NULL) == ARCHIVE_OK &&
           archive_write_header(archive, entry) == ARCHIVE_OK &&
           archive_write_data(archive, content.data, content.size_bytes) ==
               (la_ssize_t)content.size_bytes &&
           archive_write_close(archive) == ARCHIVE_OK;
}

nb_err nb__zip_write(const char *member_name, nb_span content, nb__text *out, nb_error *error)
{
    size_t size_before = out->size_bytes;
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    nb_err err = NB_OK;
    if (archive == NULL || entry == NULL)
        err = nb__fail(error, NB_E_MEMORY, 0, "no memory to write a zip");
    else if (!write_archive(archive, entry, member_name, content, out))
        err =
            nb__fail(error, NB_E_SYSTEM, 0, "the zip could not be written: %s", reason_of(archive));
    archive_entry_free(entry);
    if (archive != NULL) {
        if (err != NB_OK)
            archive_write_fail(archive); /* else freeing would still write into `out` */
        archive_write_free(archive);
    }
    if (err != NB_OK)
        cut_back(out, size_before);
    return err;
}
