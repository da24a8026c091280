/* Buffers for batching and gathering, lent for one call: a thread keeps at most two, an idle connection none. */
#ifndef WIRETIGHT_LEND_H
#define WIRETIGHT_LEND_H

#include <pthread.h>
#include <stdlib.h>

/* Four full records of either version. */
#define WT_LENT_SIZE (4 * (16384 + 64))
#define WT_LENT_KEPT 2

typedef struct {
    unsigned char *spare[WT_LENT_KEPT];
} wt_shelf;

static _Thread_local wt_shelf *wt_own_shelf;
static pthread_key_t wt_shelf_key;
static pthread_once_t wt_shelf_once = PTHREAD_ONCE_INIT;

static inline void wt_shelf_free(void *shelf) {
    for (int i = 0; i < WT_LENT_KEPT; i++)
        free(((wt_shelf *)shelf)->spare[i]);
    free(shelf);
}

static inline void wt_shelf_key_create(void) {
    (void)pthread_key_create(&wt_shelf_key, wt_shelf_free);
}

/* NULL when there is no memory. */
static unsigned char *wt_lend(void) {
    wt_shelf *shelf = wt_own_shelf;
    if (shelf == NULL) {
        pthread_once(&wt_shelf_once, wt_shelf_key_create);
        shelf = calloc(1, sizeof *shelf);
        if (shelf == NULL)
            return NULL;
        /* Without the key's destructor the shelf would outlive its thread. */
        if (pthread_setspecific(wt_shelf_key, shelf) != 0) {
            free(shelf);
            return NULL;
        }
        wt_own_shelf = shelf;
    }
    for (int i = 0; i < WT_LENT_KEPT; i++) {
        unsigned char *buffer = shelf->spare[i];
        if (buffer != NULL) {
            shelf->spare[i] = NULL;
            return buffer;
        }
    }
    return malloc(WT_LENT_SIZE);
}

static inline void wt_give_back(unsigned char *buffer) {
    wt_shelf *shelf = wt_own_shelf;
    for (int i = 0; buffer != NULL && shelf != NULL && i < WT_LENT_KEPT; i++)
        if (shelf->spare[i] == NULL) {
            shelf->spare[i] = buffer;
            return;
        }
    free(buffer);
}

#endif
