/* Included before everything in a core built with ThreadSanitizer, which has not instrumented the interpreter, and must be
   told that whoever enters a critical section comes after those who have left it. (meson tries the compiler without it.) */
#if __has_include(<Python.h>)
#include <Python.h>
#endif
#ifdef Py_GIL_DISABLED
#include <sanitizer/tsan_interface.h>

static inline void wt_critical_section_begin(PyCriticalSection *section, PyObject *object) {
    PyCriticalSection_Begin(section, object);
    __tsan_acquire(section->_cs_mutex);
}

static inline void wt_critical_section_end(PyCriticalSection *section) {
    __tsan_release(section->_cs_mutex);
    PyCriticalSection_End(section);
}

#define PyCriticalSection_Begin wt_critical_section_begin
#define PyCriticalSection_End wt_critical_section_end
#endif
