"""CertFiles: the files that a credential was loaded from, to be read again when they have changed.

A certificate and its key are renewed one after the other, by links, a directory's link or in place. A new pair is used
only if both files look the same before and after they were read, and fit.
"""

cimport cython

from wiretight._core.base.errors cimport forget_errors, ssl_error
from wiretight._core.base.files cimport (
    absolute, file_content_and_status, identity_of, is_settled, working_directory,
)
from wiretight._core.context.context cimport check_not_frozen, renew_settings, settings_of, update_settings
from wiretight._core.context.credentials cimport (
    check_pair, check_strength, kind_of, put_credential, put_credentials,
)
from wiretight._core.context.material cimport Credential, give_key, new_credential
from wiretight._core.context.settings cimport Settings
from wiretight._core.x509.octets cimport wipe
from wiretight._core.x509.password cimport Password, standard_password
from wiretight._core.x509.pem cimport read_chain
from wiretight._core.x509.privatekey cimport read_key

from wiretight._standard.system import os, stat


@cython.final
cdef class CertFiles:
    """Where a chain and its key are, and how the files looked when they were read."""
    cdef object certfile
    cdef object keyfile         # or None: the key is in the same file
    cdef object password        # as it was given; a callable is called again
    cdef tuple looks            # the os.stat_result of each
    cdef bint settled           # whether a later change is one of their looks, too

    @property
    def arguments(self):
        """Those of load_cert_chain() that read the same files. Since 0.1."""
        return self.certfile, self.keyfile, self.password

    cdef CertFiles copy(self):
        cdef CertFiles other = CertFiles.__new__(CertFiles)
        other.certfile, other.keyfile, other.password = self.certfile, self.keyfile, self.password
        return other

    cdef tuple look(self):
        """How they look now."""
        first = os.stat(self.certfile)
        return (first,) if self.keyfile is None else (first, os.stat(self.keyfile))

    cdef Credential read(self, Context context):
        """A credential that fits and that `context` accepts.

        OpenSSL: SSL_use_cert_and_key(3)
        """
        cdef Password secret = standard_password(self.password)
        cdef Credential credential
        cdef bytes chain
        chain, first = file_content_and_status(self.certfile, "certfile")
        self.looks, self.settled = (first,), is_settled(first)
        try:
            forget_errors()
            credential = new_credential(read_chain(chain, secret, self.certfile))
            check_strength(context, credential)     # before the key is read, as in `ssl`
            if self.keyfile is None:
                give_key(credential, read_key(chain, len(chain), secret, self.certfile))
            else:
                self.read_key_file(credential, secret)
        finally:
            wipe(chain)         # it may have a key, even if there is a file of that
        check_pair(context, credential)
        return credential

    cdef int read_key_file(self, Credential credential, Password secret) except -1:
        cdef bytes key
        key, second = file_content_and_status(self.keyfile, "keyfile")
        self.looks, self.settled = (*self.looks, second), self.settled and is_settled(second)
        try:
            return give_key(credential, read_key(key, len(key), secret, self.keyfile))
        finally:
            wipe(key)


cdef int load_cert_chain(Context context, object certfile, object keyfile, object password) except -1:
    cdef CertFiles files = CertFiles.__new__(CertFiles)
    cdef Credential credential
    cdef str folder = working_directory()       # that of a program may be another one afterwards
    check_not_frozen(context)       # before a password is asked for
    files.certfile, files.keyfile, files.password = certfile, keyfile, password
    credential = files.read(context)
    files.certfile = absolute(certfile, folder)
    files.keyfile = None if keyfile is None else absolute(keyfile, folder)
    return update_settings(context, put_files, (credential, files))


cdef int put_files(Context context, Settings settings, object loaded) except -1:
    cdef dict files
    put_credential(context, settings, loaded[0])
    files = dict(settings.kept.get("cert_files", ()))
    files[loaded[0]] = loaded[1]
    return settings.keep("cert_files", files)


# --- renewal ---------------------------------------------------------------------------------------------------------
cdef bint renew_credentials(Context context, bint force, bint at_once) except -1:
    cdef list renewals = []
    cdef bint has_changed = False
    for former, files in dict(settings_of(context).kept.get("cert_files", ())).items():
        renewal = renewal_of(context, former, files, force, at_once)
        if renewal is not None:
            renewals.append(renewal)
            has_changed = has_changed or renewal[1] is not former
    if renewals:
        renew_settings(context, put_renewals, renewals)
    return has_changed


cdef tuple renewal_of(Context context, Credential former, CertFiles files, bint force, bint at_once):
    """(former, its successor or itself, the files as they look now), or None if there is nothing to do."""
    cdef tuple looks = files.look()
    cdef CertFiles now = files.copy()
    cdef Credential successor
    if not force and files.settled and are_equal(looks, files.looks):
        return None
    if not at_once and not are_regular(files.looks):
        return None
    if not are_regular(looks):
        raise ssl_error(0, 0, f"{shown(files)} cannot be read again: only regular files can")
    if not at_once and not are_settled(looks):
        return None
    successor = now.read(context)
    if not are_equal(now.looks, now.look()):
        raise ssl_error(0, 0, f"{shown(files)} changed while being read: the old certificate and key stay in use")
    return former, former if successor.has_chain_of(former) else successor, now


cdef bint are_regular(tuple looks):
    for look in looks:
        if not stat.S_ISREG(look.st_mode):
            return False
    return True


cdef bint are_settled(tuple looks):
    for look in looks:
        if not is_settled(look):
            return False
    return True


cdef bint are_equal(tuple first, tuple second):
    cdef Py_ssize_t i
    if len(first) != len(second):
        return False
    for i in range(len(first)):
        if identity_of(first[i]) != identity_of(second[i]):
            return False
    return True


cdef str shown(CertFiles files):
    return files.certfile if files.keyfile is None else f"{files.certfile} and {files.keyfile}"


cdef int put_renewals(Context context, Settings settings, object renewals) except -1:
    """Those that another thread has replaced meanwhile stay as they are."""
    cdef dict files
    for former, successor, now in renewals:
        if former not in settings.credentials:
            continue
        if successor is not former:
            put_successor(context, settings, former, successor)
        files = dict(settings.kept.get("cert_files", ()))
        files[successor] = now
        settings.keep("cert_files", files)
    return 0


cdef int put_successor(Context context, Settings settings, Credential former, Credential successor) except -1:
    """In the same place, because a client shows the last one in TLS 1.2. It may have another kind of key, and be in
    place of the one of that kind, too.
    """
    cdef bytes kind = kind_of(successor)
    cdef list successors = []
    for credential in settings.credentials:
        if credential is former:
            successors.append(successor)
        elif kind_of(credential) != kind:
            successors.append(credential)
    return put_credentials(context, settings, tuple(successors))
