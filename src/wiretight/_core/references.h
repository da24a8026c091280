/* Weak references, as Python 3.13 asks for them and as older ones have to. */
#ifndef WIRETIGHT_REFERENCES_H
#define WIRETIGHT_REFERENCES_H

#include <Python.h>

/* A new reference to what the weak reference refers to: None when it is gone. */
static inline PyObject *wt_referent(PyObject *reference) {
    PyObject *object = NULL;
#if PY_VERSION_HEX >= 0x030D0000
    if (PyWeakref_GetRef(reference, &object) < 0)
        return NULL;
    if (object == NULL)
        object = Py_NewRef(Py_None);
#else
    object = PyWeakref_GetObject(reference);
    Py_XINCREF(object);
#endif
    return object;
}

#endif
