/* Cython's imports of the modules that a module cimports from, three hundred in all.

   They are loaded already, in the order of the list in meson.build, so sys.modules has them. The import system would
   also lock `wiretight` for each, because that is still being imported itself: a third of the time that the core takes
   to load. Meson includes this in every file of the core. */
#ifndef WIRETIGHT_IMPORTS_H
#define WIRETIGHT_IMPORTS_H

#include <Python.h>

static inline PyObject *wt_import(const char *name) {
    PyObject *module = PyMapping_GetItemString(PyImport_GetModuleDict(), name);
    if (!module && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
        module = PyImport_ImportModule(name);
    }
    return module;
}

#define PyImport_ImportModule wt_import

#endif
