/* SPDX-License-Identifier: Apache-2.0 */
/**
 * io, L4: the only room with sockets, files, clocks.
 *
 * One loop, one thread. A turn is: wait, handle all that is ready, run timers that are due, run the
 * turn's end hooks (where sinks flush), so that everything that arrived together leaves together.
 * Callbacks may close any stream, including their own; memory is given back at the end of the turn.
 */
#ifndef NB_IO_H
#define NB_IO_H

#include "base/base.h"
#include "ws/ws.h"
#include <sys/uio.h>

/* ---- clocks ---- */
int64_t nb__clock_mono_ns(void);
int64_t nb__clock_real_ns(void); /**< UTC */

/* ---- the loop ---- */
typedef struct nb__loop nb__loop;
nb_err nb__loop_new(nb__loop **out, nb_error *error); /**< epoll; SIGPIPE and SIGXFSZ are ignored
                                                      from here on */
void nb__loop_free(nb__loop *loop);
nb_err nb__loop_run(nb__loop *loop);                  /**< until nb__loop_stop() */
nb_err nb__loop_turn(nb__loop *loop, int timeout_ms); /**< one turn; -1 waits for ever */
void nb__loop_stop(nb__loop *loop);
bool nb__loop_is_stopped(const nb__loop *loop);
int64_t nb__loop_mono_ns(const nb__loop *loop); /**< read once a turn, after the wait */
int64_t nb__loop_real_ns(const nb__loop *loop);

typedef struct nb__watch nb__watch;
struct nb__watch {
    int fd;
    void (*ready)(nb__watch *watch, uint32_t epoll_events);
};
nb_err nb__watch_add(nb__loop *loop, nb__watch *watch, uint32_t epoll_events);
void nb__watch_change(nb__loop *loop, nb__watch *watch, uint32_t epoll_events);
/** Also forgets events of this turn that were not yet handled. Does not close the fd. */
void nb__watch_remove(nb__loop *loop, nb__watch *watch);

typedef struct nb__timer nb__timer;
struct nb__timer {
    void (*fire)(nb__timer *timer, int64_t now_mono_ns);
    int64_t at_mono_ns;
    size_t heap_index; /**< private; 0 = not set */
};
void nb__timer_set(nb__loop *loop, nb__timer *timer, int64_t at_mono_ns); /**< sets or moves */
void nb__timer_cancel(nb__loop *loop, nb__timer *timer);

typedef struct nb__hook nb__hook;
struct nb__hook {
    void (*turn_end)(nb__hook *hook);
    nb__hook *next; /**< private */
};
void nb__hook_add(nb__loop *loop,
                  nb__hook *hook); /**< run at every turn's end, in the order added */
void nb__hook_remove(nb__loop *loop, nb__hook *hook);

/** Stop the loop on SIGINT and SIGTERM (signalfd; a second one ends the process at once). */
nb_err nb__loop_stop_on_signals(nb__loop *loop, nb_error *error);

/* ---- addresses ---- */
typedef struct nb__address {
    char host[256]; /**< name or number, without brackets */
    uint16_t port;
    char path[512]; /**< with its first '/'; "/" when none; query kept */
    bool is_tls;    /**< wss, https */
    bool is_ws;     /**< ws, wss */
} nb__address;
/** `ws://HOST[:PORT][/path]`, http likewise; default port 80/443. @retval NB_E_ARGUMENT with words.
 */
nb_err nb__address_parse(const char *url, nb__address *out, nb_error *error);
/** `ADDR:PORT`, `[::1]:PORT`, `:PORT` (127.0.0.1), `PORT`. */
nb_err nb__listen_parse(const char *text, nb__address *out, nb_error *error);
/** 127.0.0.0/8, ::1, or the name localhost. */
bool nb__host_is_loopback(const char *host);
/**
 * The first number of a name, as text: for one-shot commands, since it waits, for 10 s at most.
 * Links and fetches look up by themselves, without waiting.
 * @retval NB_E_SYSTEM   No such name, or nobody to ask.
 * @retval NB_E_TIMEOUT  The name servers are silent.
 */
nb_err nb__host_lookup(const char *host, char *out, size_t capacity_bytes, nb_error *error);

/* ---- server: HTTP/1.1 and WebSocket on a listening port ---- */

typedef struct nb__server nb__server;
typedef struct nb__peer nb__peer; /**< one accepted connection */

typedef struct nb__server_config {
    nb__address listen;       /**< port 0: the kernel's choice */
    uint32_t connections_max; /**< the next one is answered 503 and closed */
    nb__http_limits http_limits;
    size_t message_max_bytes; /**< WebSocket message from a client; more is 1009 */
    size_t output_max_bytes;  /**< a peer's own queue (nb__peer_send…); more closes it */
    int send_buffer_bytes;    /**< SO_SNDBUF; 0 leaves the kernel's */
    /** From accept, or a next request's first byte, to a whole request; for a WebSocket message
     * too, which then ends with 1008. */
    int64_t head_timeout_ns;
    int64_t idle_timeout_ns;  /**< HTTP keep-alive without a request */
    int64_t close_timeout_ns; /**< from our Close frame to the disconnect */
} nb__server_config;
/** Limits that fit a desk: 20 000 connections, 16 KiB heads, 64 KiB bodies, 10 s, 60 s, 1 s. */
nb__server_config nb__server_config_default(void);

typedef struct nb__server_handler {
    void *self;
    /**
     * A whole HTTP request that is no upgrade. Call nb__peer_respond() exactly once, now or later,
     * even when the client may have left: the peer lives until then (or until nb__server_close()).
     * `request` is valid until this returns.
     */
    void (*request)(void *self, nb__peer *peer, const nb__http_message *request);
    /** A checked upgrade. @return 101 (headers to add in `extra_headers`), or a status, with
     * `*detail` as body. */
    int (*upgrade)(void *self, nb__peer *peer, const nb__http_message *request,
                   nb__text *extra_headers, const char **detail);
    void (*opened)(void *self, nb__peer *peer); /**< the 101 is queued */
    void (*message)(void *self, nb__peer *peer, const nb__ws_event *event);
    /** A PING or PONG arrived. @return false: a PING stays without its PONG, and alive() without
     * its call. May be NULL. */
    bool (*control)(void *self, nb__peer *peer, const nb__ws_event *event);
    void (*alive)(void *self, nb__peer *peer); /**< any frame arrived; may be NULL */
    /** There is room again after nb__peer_write() took less than it was given; may be NULL. */
    void (*writable)(void *self, nb__peer *peer);
    /** An upgraded peer is gone; the last call about it, at a turn's end, never inside another
     * call. May close the server. `detail` is static. */
    void (*closed)(void *self, nb__peer *peer, const char *detail);
} nb__server_handler;

/** @retval NB_E_SYSTEM  cannot listen; detail says on what and why. */
nb_err nb__server_open(nb__loop *loop, const nb__server_config *config,
                       const nb__server_handler *handler, nb__server **out, nb_error *error);
uint16_t nb__server_port(const nb__server *server);
uint32_t nb__server_connection_count(const nb__server *server);
/** Stop accepting, send Close 1001 to all, and flush what the sockets take at once. */
void nb__server_shutdown(nb__server *server);
/** Disconnect all. closed() is called for each upgraded peer, inside this call; no peer may be used
 * afterwards. */
void nb__server_close(nb__server *server);

typedef struct nb__server_counters {
    uint64_t accepted, refused_full, http_requests, http_errors, upgrades, protocol_errors,
        timeouts, bytes_in, bytes_out, writes;
} nb__server_counters;
const nb__server_counters *nb__server_count(const nb__server *server);

void *nb__peer_user(const nb__peer *peer);
void nb__peer_set_user(nb__peer *peer, void *user);
/** The peer's address as text, for logs. Valid as long as the peer. */
const char *nb__peer_name(const nb__peer *peer);
bool nb__peer_is_loopback(const nb__peer *peer);
void nb__peer_respond(nb__peer *peer, int status, const char *content_type,
                      const char *extra_headers, nb_span body);
/** Queue a text message behind whatever is queued. Written at the turn's end together with the
 * rest. */
void nb__peer_send_text(nb__peer *peer, nb_span text);
/** Queue bytes that are already framed. */
void nb__peer_send_bytes(nb__peer *peer, nb_span framed);
size_t nb__peer_queued_bytes(const nb__peer *peer);
/**
 * Hand already framed bytes to the kernel at once, past the queue: one writev. A queue that is not
 * empty is flushed first; when it stays, nothing is taken.
 * @param[out] taken_bytes  What the kernel took; when less than all, writable() will come. The rest
 * of a frame that was taken in part goes to nb__peer_send_bytes() at once: a PONG or an answer may
 * be queued next.
 * @retval NB_E_CLOSED  The peer is gone or closing; closed() comes or came.
 */
nb_err nb__peer_write(nb__peer *peer, const struct iovec *iov, int iov_count, size_t *taken_bytes);
/** Send Close and disconnect once it is answered or close_timeout_ns is over. */
void nb__peer_close(nb__peer *peer, uint16_t code, nb_span reason);
/** Disconnect now, without a Close frame. */
void nb__peer_abort(nb__peer *peer);
/** Stop reading from this peer (`true`) or go on: for faults and back-pressure. */
void nb__peer_pause(nb__peer *peer, bool is_paused);

/* ---- what only a look-alike's faults do (fault.c) ---- */
/** Disconnect with RST: what is queued or on its way is lost. */
void nb__peer_reset(nb__peer *peer);
/** Flush, then end our side without a Close frame. Gone once the other end ends too, or after
 * close_timeout_ns. */
void nb__peer_eof(nb__peer *peer);
/** From here on it is sent nothing, no PONG and no Close either; gone when the client disconnects,
 * or by nb__peer_reset(). */
void nb__peer_mute(nb__peer *peer);
/** Refuse connections and keep the port, or listen on it again. Those who are connected stay.
 * @retval NB_E_SYSTEM  Another program was quicker: nothing listens here now. */
nb_err nb__server_refuse(nb__server *server, bool is_refusing, nb_error *error);

/* ---- link: one WebSocket client connection ---- */

typedef struct nb__link nb__link;
typedef struct nb__link_handler {
    void *self;
    void (*opened)(void *self, const nb__http_message *upgrade_answer);
    /** A text or binary message; the link answers PINGs itself. recv_ns is UTC at the read. */
    void (*message)(void *self, const nb__ws_event *event, int64_t recv_ns);
    void (*alive)(void *self); /**< any frame, before its own callback; may be NULL */
    /** Gone, or could not be opened; the last call. `error` says how. The link frees itself
     * afterwards. */
    void (*closed)(void *self, const nb_error *error);
} nb__link_handler;
typedef struct nb__link_options {
    int64_t timeout_ns;
    /** Connect to this number ("210.107.75.39" or with ":PORT") and look nothing up; NULL or "":
     * the address's own host. The Host header stays the address's. */
    const char *numeric;
    /** Never connect to this port of this machine (loopback or any own interface): our own
     * listener; 0: none. */
    uint16_t refused_port;
    bool refuses_loopback; /**< nor to any port of it: a name that a hosts file points here */
    /** TCP_USER_TIMEOUT, and keep-alive at a third of it; 0: the system's. */
    int64_t user_timeout_ns;
    const char *extra_headers; /**< of the upgrade, whole lines; static; NULL: none */
} nb__link_options;
/**
 * Connect and upgrade in the background, all within timeout_ns. Reads up to 1 MiB a turn. What
 * fails on the way is told by closed(), at a turn's end. A name is looked up by a helper thread, so
 * that the loop never waits; all its addresses are tried. What must not be reached is told by
 * closed() with NB_E_CONFIG.
 * @retval NB_E_ARGUMENT  TLS asked for, or `numeric` is no number.
 */
nb_err nb__link_open(nb__loop *loop, const nb__address *address, const nb__link_options *options,
                     const nb__link_handler *handler, nb__link **out, nb_error *error);
void nb__link_send(nb__link *link, nb__ws_opcode opcode,
                   nb_span payload); /**< masked; TEXT and PONG */
/** Close bounded to 1 s; closed() is called. */
void nb__link_close(nb__link *link, uint16_t code);
/** Disconnect now; freed without a callback. */
void nb__link_abort(nb__link *link);

/* ---- fetch: one plain HTTP exchange ---- */

typedef struct nb__fetch nb__fetch;
/**
 * `status` 0: no answer, `error` says why; else the answer. At a turn's end, never inside
 * nb__fetch_start(). The fetch frees itself afterwards.
 */
typedef void nb__fetch_done(void *self, int status, const nb__http_message *answer,
                            const nb_error *error);
nb_err nb__fetch_start(nb__loop *loop, const char *method, const nb__address *address,
                       const char *extra_headers, nb_span body, size_t body_max_bytes,
                       int64_t timeout_ns, nb__fetch_done *done, void *self, nb__fetch **out,
                       nb_error *error);
void nb__fetch_cancel(nb__fetch *fetch); /**< without a callback */

/* ---- appkey lock: one session an appkey on this machine ---- */

typedef struct nb__appkey_lock nb__appkey_lock;
/** Never a valid memory: whoever parses it must refuse it, and assume the worst. */
#define NB__APPKEY_TORN "(torn)"
/**
 * Take the lock of an appkey across all processes and users of this machine (an abstract socket
 * named by its hash), and of its state file `DIRECTORY/appkey-HASH.state` (made 0600, room
 * preallocated so that a full disk cannot keep it from being written). Ends with the process,
 * however that ends.
 *
 * @param[out] memory  What was saved last, without a line end; empty when nothing ever was;
 * NB__APPKEY_TORN when the file is not what a save leaves behind.
 * @retval NB_E_BUSY    Held: detail says by which process (pid, name, user), since when.
 * @retval NB_E_SYSTEM  The directory or file cannot be made or written.
 */
nb_err nb__appkey_lock_take(const char *directory, const char *appkey, nb__appkey_lock **out,
                            nb__text *memory, nb_error *error);
/** In place, with a checksum: one pwrite, so that a crash in it is seen and not misread. `memory`
 * is one line, 1 to 2048 bytes; a line end at its end is left out.
 * @retval NB_E_ARGUMENT  It is no such line.
 * @retval NB_E_SYSTEM    The file cannot be written; it may be torn now. */
nb_err nb__appkey_lock_save(nb__appkey_lock *lock, nb_span memory, nb_error *error);
void nb__appkey_lock_free(nb__appkey_lock *lock);
/** 16 hex digits of SHA-256: names an appkey in files and logs without telling it. */
void nb__appkey_hash(const char *appkey, char out[17]);

/* ---- child: run the user's program with a few bytes on stdin ---- */
/**
 * /bin/sh -c COMMAND, environment without KIS_* and other names of KIS's secrets, stdout and stderr
 * to ours, no other descriptor; its process group is killed after timeout_ns. `done` may be NULL;
 * `status` as of waitpid(), -1 when another has reaped it; at a turn's end. A program that still
 * runs when the loop is freed is left to end by itself, untold.
 * @retval NB_E_ARGUMENT  `input` is larger than 4 KiB.
 * @retval NB_E_LIMIT     16 are running.
 */
nb_err nb__child_run(nb__loop *loop, const char *command, nb_span input, int64_t timeout_ns,
                     void (*done)(void *self, int status), void *self, nb_error *error);

/* ---- disk: files that are written and read in parts (disk.c) ----
 * Errors name the path and the system's reason; `*reason` (may be NULL) is the errno. */
/** New, 0600, append only; held until it is closed, so that others see that it is written. */
nb_err nb__disk_create(const char *path, int *fd, int *reason, nb_error *error);
/** Whether someone has it from nb__disk_create() and did not close it yet. */
bool nb__disk_is_held(const char *path);
/** For reading. @retval NB_E_NOT_FOUND */
nb_err nb__disk_open(const char *path, int *fd, uint64_t *size_bytes, nb_error *error);
void nb__disk_close(int fd);
/** All of it, or as much as went; `*written_bytes` always says how much. */
nb_err nb__disk_write(int fd, nb_span bytes, size_t *written_bytes, int *reason, nb_error *error);
nb_err nb__disk_truncate(int fd, uint64_t size_bytes, nb_error *error);
nb_err nb__disk_sync(int fd, int *reason, nb_error *error); /**< fdatasync; blocks */
/** `*read_bytes` less than asked for: the file ends there. */
nb_err nb__disk_read_at(int fd, uint64_t offset_bytes, void *out, size_t size_bytes,
                        size_t *read_bytes, nb_error *error);
nb_err nb__disk_rename(const char *from, const char *to, nb_error *error);
nb_err nb__disk_remove(const char *path, nb_error *error); /**< what is not there is removed */
nb_err nb__disk_sync_directory(const char *path, nb_error *error);
typedef struct nb__disk_entry {
    const char *name; /**< valid during the call */
    bool is_directory;
    uint64_t size_bytes;
    int64_t changed_ns; /**< UTC, last write */
} nb__disk_entry;
/** Each entry but . and .., in no order. @retval NB_E_NOT_FOUND  No such directory. */
nb_err nb__disk_list(const char *path, void (*entry)(void *self, const nb__disk_entry *entry),
                     void *self, nb_error *error);
nb_err nb__disk_stat(const char *path, nb__disk_entry *out, nb_error *error); /**< name: `path` */
/** Whether `path` still leads to this open file: it was not removed, moved or replaced. What cannot
 * be looked at (no permission) counts as still there. */
bool nb__disk_is_at(int fd, const char *path);
nb_err nb__disk_space(const char *path, uint64_t *free_bytes, uint64_t *total_bytes,
                      nb_error *error); /**< free for this user */
/** Held until the descriptor closes, however that happens. @retval NB_E_BUSY  Another process; its
 * pid in detail where it is known. */
nb_err nb__disk_lock(const char *path, int *fd, nb_error *error);

/* ---- worker: a helper thread for what waits for the disk (worker.c) ---- */
typedef struct nb__worker nb__worker;
/** Caller's; stays where it is until done() or nb__worker_free(). */
typedef struct nb__job nb__job;
struct nb__job {
    void (*run)(nb__job *job);  /**< on the helper thread; touches nothing of the loop's */
    void (*done)(nb__job *job); /**< on the loop, at a turn's end */
    nb__job *next;              /**< private */
};
/** `name` for /proc and gdb, at most 15 bytes. */
nb_err nb__worker_new(nb__loop *loop, const char *name, nb__worker **out, nb_error *error);
void nb__worker_add(nb__worker *worker, nb__job *job); /**< in order, one at a time */
/** From its next job on its thread yields to all others: nice 10, the disk only when it is idle. */
void nb__worker_calm(nb__worker *worker);
/** Waits for the job that runs; it and those that wait are not done(). May be called by a done().
 */
void nb__worker_free(nb__worker *worker);
/** The same, but what waits is run too, for so long at most. @return false: a job runs on; it, all
 * that wait and all that they touch must stay where they are for ever. */
bool nb__worker_leave(nb__worker *worker, int64_t timeout_ns);

/* ---- files ---- */
/** Write `path` whole or not at all: temporary name beside it, fsync, rename, fsync of the
 * directory. @retval NB_E_SYSTEM  What was there stays. */
nb_err nb__file_write(const char *path, nb_span content, unsigned mode, nb_error *error);
/** The same without waiting for the disk, for what is written again soon from within a loop: a
 * power cut in the same moment may leave neither the old nor the new. */
nb_err nb__file_write_soon(const char *path, nb_span content, unsigned mode, nb_error *error);
/** Make a directory and its parents, mode 0700. */
nb_err nb__directory_make(const char *path, nb_error *error);
/** XDG places with /nightbook appended: what = "config", "state", "data". @return false: no HOME.
 */
bool nb__xdg_path(const char *what, char *out, size_t capacity_bytes);
/** Read a file with secrets: refused with the command that mends it when others may read it or it
 * is another user's. */
nb_err nb__file_read_secret(const char *path, size_t size_max, nb__text *out, nb_error *error);
/**
 * Read a file that decides what we do. Refused when others may write it.
 *
 * @param[out] refusal  Its code stays as it is when only we may read it; else NB_E_CONFIG, with why
 * it must hold no secret. NULL: that is an error.
 * @retval NB_E_CONFIG  It is refused; with the command that mends it.
 * @retval NB_E_SYSTEM  It cannot be opened or read.
 */
nb_err nb__file_read_own(const char *path, size_t size_max, nb__text *out, nb_error *refusal,
                         nb_error *error);
/** Whether chmod has no effect there: Windows' drives under WSL, memory sticks, network shares. */
bool nb__file_has_no_modes(const char *path);
/** Read a whole file, "-" is stdin. @retval NB_E_SYSTEM  path and reason in detail. */
nb_err nb__file_read(const char *path, size_t size_max, nb__text *out, nb_error *error);
/** This machine's name, for files that travel; "?" when it has none. */
void nb__host_name(char out[64]);
/** Fill with bytes from the kernel's generator: keys, nonces, masks. */
void nb__random_bytes(void *out, size_t size_bytes);

#endif
