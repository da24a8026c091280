/* Buffers for batching and gathering, lent for one call: a thread keeps at most two, an idle connection none. */
#ifndef WIRETIGHT_LEND_H
#define WIRETIGHT_LEND_H

/* Four full records of either version. */
#define WT_LENT_SIZE (4 * (16384 + 64))

/* NULL when there is no memory. */
unsigned char *wt_lend(void);
void wt_give_back(unsigned char *buffer);

#endif
