/* Weak references through the API of Python 3.13 or an older one, and the lookup order of a class. */
#ifndef WIRETIGHT_REFERENCES_H
#define WIRETIGHT_REFERENCES_H

#include <Python.h>

/* A new reference to the referent, or to None if it is gone. */
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

/* Inserts `ancestor` before the last entry, `object`. The old tuple stays alive: another thread may be using it. */
static inline int wt_add_to_lookup(PyObject *kind, PyObject *ancestor)
{
    PyTypeObject *type = (PyTypeObject *)kind;
    PyObject *before = type->tp_mro;
    Py_ssize_t last = PyTuple_GET_SIZE(before) - 1;
    PyObject *order = PyTuple_New(last + 2);
    if (order == NULL)
        return -1;
    for (Py_ssize_t i = 0; i <= last + 1; i++)
        PyTuple_SET_ITEM(order, i, Py_NewRef(i == last ? ancestor : PyTuple_GET_ITEM(before, i < last ? i : last)));
    type->tp_mro = order;
    PyType_Modified(type);
    return 0;
}
#endif
