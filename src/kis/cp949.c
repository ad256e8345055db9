/* SPDX-License-Identifier: Apache-2.0 */
/* Korean text of the master files, to and from UTF-8. ASCII, most of it, needs no converter. */
#include "master.h"
#include <string.h>

static bool is_ascii(nb_span text)
{
    for (size_t i = 0; i < text.size_bytes; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

ptrdiff_t nb__cp949_convert(nb__cp949 *cp949, nb_span text, char *out, size_t capacity_bytes)
{
    if (is_ascii(text)) {
        if (text.size_bytes > capacity_bytes)
            return -1;
        if (text.size_bytes > 0)
            memcpy(out, text.data, text.size_bytes);
        return (ptrdiff_t)text.size_bytes;
    }
    if (!cp949->is_open) {
        cp949->handle =
            cp949->is_encoder ? iconv_open("CP949", "UTF-8") : iconv_open("UTF-8", "CP949");
        cp949->is_missing = cp949->handle == (iconv_t)-1; /* NOLINT: as iconv_open(3) says */
        if (cp949->is_missing)
            return -1;
        cp949->is_open = true;
    }
    char *from = (char *)text.data, *to = out; /* iconv(3) does not write through its input */
    size_t from_bytes = text.size_bytes, to_bytes = capacity_bytes;
    iconv(cp949->handle, NULL, NULL, NULL, NULL);
    if (iconv(cp949->handle, &from, &from_bytes, &to, &to_bytes) != 0 || from_bytes != 0)
        return -1;
    return to - out;
}

void nb__cp949_fini(nb__cp949 *cp949)
{
    if (cp949->is_open)
        iconv_close(cp949->handle);
    *cp949 = (nb__cp949){0};
}
