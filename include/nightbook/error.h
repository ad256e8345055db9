/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Every error nightbook can return: one table from which the enum, names, sentences, exit codes and
 * docs/errors.md are made.
 *
 * A function that can fail returns nb_err: NB_OK (0), or a negative NB_E_*. On failure its outputs
 * and its object are unchanged unless its header says otherwise. "More bytes are needed" is a
 * state, never an error.
 */
#ifndef NIGHTBOOK_ERROR_H
#define NIGHTBOOK_ERROR_H

#include <nightbook/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Who has to act, and so the exit code of a command that ends with such an error (sysexits(3)). */
typedef enum nb_error_class {
    NB_CLASS_NONE = 0,    /**< no error; exit 0 */
    NB_CLASS_USAGE = 64,  /**< the caller asked for something that cannot be; exit 64 */
    NB_CLASS_DATA = 65,   /**< bytes are not what they should be; exit 65 */
    NB_CLASS_FATAL = 70,  /**< a defect of nightbook; exit 70 */
    NB_CLASS_SYSTEM = 71, /**< the operating system refused; exit 71 */
    NB_CLASS_RETRY = 75,  /**< may go through later; exit 75 */
    NB_CLASS_CONFIG = 78, /**< the configuration is broken or incomplete; exit 78 */
    NB_CLASS_PEER = 76 /**< the other end of a connection broke the protocol or refused; exit 76 */
} nb_error_class;

/* X(name, value, class, sentence) */
#define NB_ERROR_TABLE(X)                                                                          \
    X(OK, 0, NONE, "no error")                                                                     \
    X(E_ARGUMENT, -1, USAGE, "an argument is not valid")                                           \
    X(E_LIMIT, -2, USAGE, "a configured limit is reached")                                         \
    X(E_NOT_FOUND, -3, USAGE, "there is no such thing")                                            \
    X(E_FRAME, -10, DATA, "the frame's head is not E|TR|CCC|")                                     \
    X(E_STRIDE, -11, DATA, "the frame's fields do not divide into its records")                    \
    X(E_WIDTH, -12, DATA, "a record has fewer fields than any known version of its TR")            \
    X(E_FIELD, -13, DATA, "a field is missing or not of its kind")                                 \
    X(E_RANGE, -14, DATA, "a number does not fit; it is never rounded")                            \
    X(E_ENCRYPTED, -15, DATA, "the payload is encrypted and no key is known")                      \
    X(E_UNKNOWN_TR, -16, DATA, "the TR is not in the schema")                                      \
    X(E_JSON, -17, DATA, "the text is not the JSON that is expected here")                         \
    X(E_SCHEMA, -18, DATA, "the schema file is not valid")                                         \
    X(E_MASTER, -19, DATA, "the master file is not valid")                                         \
    X(E_CALENDAR, -20, DATA, "the holiday file is not valid")                                      \
    X(E_JOURNAL, -22, DATA, "the recording is damaged")                                            \
    X(E_VERSION, -23, DATA, "it was written by a newer nightbook")                                 \
    X(E_CONFIG, -21, CONFIG, "the configuration is not valid")                                     \
    X(E_PROTOCOL, -30, PEER, "the peer broke the protocol")                                        \
    X(E_REFUSED, -31, PEER, "the peer refused")                                                    \
    X(E_CLOSED, -32, PEER, "the peer closed the connection")                                       \
    X(E_TIMEOUT, -40, RETRY, "it took too long")                                                   \
    X(E_BUSY, -41, RETRY, "something else holds it")                                               \
    X(E_MEMORY, -50, SYSTEM, "memory is exhausted")                                                \
    X(E_SYSTEM, -51, SYSTEM, "the operating system refused")                                       \
    X(E_INTERNAL, -60, FATAL, "nightbook contradicted itself")

typedef enum nb_err {
#define NB_ERROR_ENUM(name, value, class_, sentence) NB_##name = value,
    NB_ERROR_TABLE(NB_ERROR_ENUM)
#undef NB_ERROR_ENUM
} nb_err;

/** What failed, where. Owned by the caller; functions that take one accept NULL. Written on failure
 * only. */
typedef struct nb_error {
    nb_err code;
    size_t offset_bytes; /**< of the first byte not accepted, in the input of the call; 0 where
                            there is none */
    char detail[256];    /**< a sentence for people, NUL-terminated; never holds a secret */
} nb_error;

/** @return "NB_E_FIELD" and the like; "NB_E_?" for a number that is no error. Static. */
NB_API const char *nb_error_name(nb_err code);
/** @return the table's sentence. Static. */
NB_API const char *nb_error_sentence(nb_err code);
/** @return the class, which is also the exit code. */
NB_API nb_error_class nb_error_class_of(nb_err code);

#ifdef __cplusplus
}
#endif
#endif
