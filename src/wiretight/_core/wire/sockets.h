/* The system calls on a descriptor, with what the systems call differently. */
#ifndef WIRETIGHT_SOCKETS_H
#define WIRETIGHT_SOCKETS_H

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef MSG_NOSIGNAL
#define WT_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define WT_SEND_FLAGS MSG_DONTWAIT
#endif

static inline ssize_t wt_peek(int fd, void *buffer, size_t size) {
    return recv(fd, buffer, size, MSG_DONTWAIT | MSG_PEEK);
}

/* The only calls that may block, made by Wire.wait() without the lock and without the GIL. */
static inline ssize_t wt_wait_and_peek(int fd, void *buffer, size_t size) {
    return recv(fd, buffer, size, MSG_PEEK);
}

static inline ssize_t wt_wait_and_recv(int fd, void *buffer, size_t size) {
    return recv(fd, buffer, size, 0);
}

static inline ssize_t wt_recv(int fd, void *buffer, size_t size) {
    return recv(fd, buffer, size, MSG_DONTWAIT);
}

static inline ssize_t wt_send(int fd, const void *buffer, size_t size) {
    return send(fd, buffer, size, WT_SEND_FLAGS);
}

/* Whether the kernel can drop bytes from the head of the queue without copying them: tcp(7), MSG_TRUNC. */
static inline int wt_can_drop(int fd) {
#if defined(__linux__) && defined(SO_PROTOCOL)
    int protocol = 0;
    socklen_t size = sizeof protocol;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
#else
    (void)fd;
    return 0;
#endif
}

/* macOS has no MSG_NOSIGNAL; a socket option does the same. */
static inline void wt_no_sigpipe(int fd) {
#ifdef SO_NOSIGPIPE
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#else
    (void)fd;
#endif
}

/* Discards `size` bytes at the head of the queue, through `scratch` if the kernel cannot drop them; counts its calls.
   Returns how many it discarded; if not all, errno says why (EBADF: the end of the stream). */
static inline size_t wt_drop(int fd, void *scratch, size_t space, size_t size, int can_drop, uint64_t *calls) {
    char few[512]; /* if there was no memory for a scratch */
    size_t dropped = 0;
    if (scratch == NULL && !can_drop) {
        scratch = few;
        space = sizeof few;
    }
    while (dropped < size) {
        size_t part = size - dropped;
        ssize_t got;
#if defined(__linux__)
        if (can_drop)
            got = recv(fd, NULL, part, MSG_DONTWAIT | MSG_TRUNC);
        else
#endif
            got = recv(fd, scratch, part < space ? part : space, MSG_DONTWAIT);
        ++*calls;
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EBADF;
        if (got <= 0)
            break;
        dropped += (size_t)got;
    }
    return dropped;
}

static inline int wt_would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

/* Another number for the same file, above those of the standard streams, or -1. */
static inline int wt_duplicate(int fd) {
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Whether the connection ended with this error: the kernel reports it once, and after that an end of file. */
static inline int wt_ends_connection(int error) {
    return error == ECONNRESET || error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH;
}

/* Whether the kernel has an error to report, or both directions are at their end. */
static inline int wt_has_failed(int fd) {
    struct pollfd entry = {fd, 0, 0};
    return poll(&entry, 1, 0) == 1 && entry.revents & (POLLHUP | POLLERR);
}

/* The errno with which a send would fail because the peer is gone; or 0. Like a send, it clears the socket's error. */
static inline int wt_refusal(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    if (!wt_has_failed(fd))
        return 0;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error ? error : EPIPE;
}

/* Waits until `deadline` (ns of wt_now(); negative: for ever), but for LONGEST_WAIT at most: poll() looks the number up
   again whenever it wakes, and after a detach() it may belong to a file that is never ready. Rounded up to poll's unit,
   the millisecond, or a wait would end early and spin. */
#define LONGEST_WAIT 1000

static inline int wt_poll(int fd, int for_write, int64_t deadline) {
    struct pollfd entry = {fd, for_write ? POLLOUT : POLLIN, 0};
    int64_t milliseconds = LONGEST_WAIT;
    if (deadline >= 0) {
        int64_t left = deadline - wt_now();
        milliseconds = left <= 0 ? 0 : (left + 999999) / 1000000;
        if (milliseconds > LONGEST_WAIT)
            milliseconds = LONGEST_WAIT;
    }
    return poll(&entry, 1, (int)milliseconds);
}

#endif
