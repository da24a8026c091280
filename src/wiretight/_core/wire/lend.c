#include "lend.h"

#include <pthread.h>
#include <stdlib.h>

#define KEPT 2

typedef struct {
    unsigned char *spare[KEPT];
} shelf;

static _Thread_local shelf *own_shelf;
static _Thread_local int has_ended;
static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static int has_key;

/* The destructor of another key may still use a connection: from here on, no buffer is kept. */
static void end_thread(void *ended) {
    own_shelf = NULL;
    has_ended = 1;
    for (int i = 0; i < KEPT; i++)
        free(((shelf *)ended)->spare[i]);
    free(ended);
}

static void create_key(void) {
    has_key = pthread_key_create(&key, end_thread) == 0;
}

static shelf *shelf_of_thread(void) {
    shelf *made;
    if (own_shelf != NULL || has_ended)
        return own_shelf;
    pthread_once(&key_once, create_key);
    made = has_key ? calloc(1, sizeof *made) : NULL;
    /* Without the key's destructor the shelf would outlive its thread. */
    if (made != NULL && pthread_setspecific(key, made) != 0) {
        free(made);
        made = NULL;
    }
    return own_shelf = made;
}

unsigned char *wt_lend(void) {
    shelf *kept = shelf_of_thread();
    for (int i = 0; kept != NULL && i < KEPT; i++) {
        unsigned char *buffer = kept->spare[i];
        if (buffer != NULL) {
            kept->spare[i] = NULL;
            return buffer;
        }
    }
    return malloc(WT_LENT_SIZE);
}

void wt_give_back(unsigned char *buffer) {
    shelf *kept = shelf_of_thread();
    for (int i = 0; buffer != NULL && kept != NULL && i < KEPT; i++)
        if (kept->spare[i] == NULL) {
            kept->spare[i] = buffer;
            return;
        }
    free(buffer);
}
