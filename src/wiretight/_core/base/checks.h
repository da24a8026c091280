/* What must hold: checked in builds with -Dlock_checks=true, which abort where it does not, and free in all others. */
#ifndef WIRETIGHT_CHECKS_H
#define WIRETIGHT_CHECKS_H

#ifdef WT_LOCK_CHECKS
#include <stdio.h>
#include <stdlib.h>
#define wt_require(condition, what) \
    ((condition) ? (void)0 : (fprintf(stderr, "wiretight: %s\n", what), abort()))
#else
#define wt_require(condition, what) ((void)0)
#endif

#endif
