/* Cython's critical sections, which lock an object where there is no GIL. A thread is inside the gate of fork() meanwhile
   (mutex.h): in a child, an object would stay locked by a thread that the child lacks. Meson includes this in every file
   of the core. */
#ifndef WIRETIGHT_SECTIONS_H
#define WIRETIGHT_SECTIONS_H

#include <Python.h>

#ifdef Py_GIL_DISABLED
#include "mutex.h"

static inline void wt_section_begin(PyCriticalSection *section, PyObject *object) {
    wt_gate_enter(section);
    PyCriticalSection_Begin(section, object);
}

static inline void wt_section_end(PyCriticalSection *section) {
    PyCriticalSection_End(section);
    wt_gate_leave(section);
}

static inline void wt_section2_begin(PyCriticalSection2 *section, PyObject *object, PyObject *other) {
    wt_gate_enter(section);
    PyCriticalSection2_Begin(section, object, other);
}

static inline void wt_section2_end(PyCriticalSection2 *section) {
    PyCriticalSection2_End(section);
    wt_gate_leave(section);
}

#undef PyCriticalSection_Begin /* ThreadSanitizer's builds define them, too (scripts/lib/tsan.h) */
#undef PyCriticalSection_End
#define PyCriticalSection_Begin wt_section_begin
#define PyCriticalSection_End wt_section_end
#define PyCriticalSection2_Begin wt_section2_begin
#define PyCriticalSection2_End wt_section2_end
#endif
#endif
