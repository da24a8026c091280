/* For an object that one thread gives to another by a queue or a dictionary of Python's instead of a lock of ours.

   That orders what the two do with it, but ThreadSanitizer, which has not instrumented the interpreter, has to be told. In
   other builds both are nothing. */
#ifndef WIRETIGHT_HANDOVER_H
#define WIRETIGHT_HANDOVER_H

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define wt_hand_over(object) __tsan_release(object)
#define wt_take_over(object) __tsan_acquire(object)
#else
#define wt_hand_over(object) ((void)(object))
#define wt_take_over(object) ((void)(object))
#endif

#endif
