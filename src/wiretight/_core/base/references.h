/* Weak references through the API of Python 3.13 or an older one, and the bases of a class. */
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

/* A new tuple, with `item` in the place `at`. */
static inline PyObject *wt_inserted(PyObject *tuple, Py_ssize_t at, PyObject *item) {
    Py_ssize_t size = PyTuple_GET_SIZE(tuple);
    PyObject *result = PyTuple_New(size + 1);
    for (Py_ssize_t i = 0; result != NULL && i <= size; i++)
        PyTuple_SET_ITEM(result, i, Py_NewRef(i == at ? item : PyTuple_GET_ITEM(tuple, i - (i > at))));
    return result;
}

/* Puts the class `added` right before `object` into the lookup order of the class `to`. A base of `to` must have it as a
   base, however far: CPython clears what it has cached of `to` where it finds `to` below what has changed. */
static inline int wt_add_to_order(PyObject *to, PyObject *added) {
    PyTypeObject *type = (PyTypeObject *)to;
    PyObject *before = type->tp_mro;
    PyObject *order = wt_inserted(before, PyTuple_GET_SIZE(before) - 1, added);
    if (order == NULL)
        return -1;
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
    (void)PyUnstable_Object_EnableDeferredRefcount(order); /* like CPython's: another thread reads it without a lock */
#endif
    type->tp_mro = order;
    Py_DECREF(before);
    PyType_Modified(type);
    return 0;
}

/* Makes the class `added` the last base of the class `to`, in all places where CPython looks for one. Both were made in
   Python. */
static inline int wt_add_base(PyObject *to, PyObject *added) {
    PyTypeObject *type = (PyTypeObject *)to, *base = (PyTypeObject *)added;
    PyObject *before = type->tp_bases;
    PyObject *bases = wt_inserted(before, PyTuple_GET_SIZE(before), added);
    PyObject *key = PyLong_FromVoidPtr(type);
    PyObject *reference = PyWeakref_NewRef(to, NULL);
    int error = bases == NULL || key == NULL || reference == NULL;
    if (!error && base->tp_subclasses == NULL)
        error = (base->tp_subclasses = (void *)PyDict_New()) == NULL;
    if (!error)
        error = PyDict_SetItem((PyObject *)base->tp_subclasses, key, reference) < 0;
    Py_XDECREF(key);
    Py_XDECREF(reference);
    if (error) {
        Py_XDECREF(bases);
        return -1;
    }
    type->tp_bases = bases;
    Py_DECREF(before);
    return wt_add_to_order(to, added);
}
#endif
