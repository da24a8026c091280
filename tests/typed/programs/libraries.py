"""A context, handed to what was annotated with the standard library's classes."""

import ftplib
import http.client
import imaplib
import poplib
import smtplib
import socket
import ssl
import ssl as standard
import urllib.request
import xmlrpc.client
from logging.handlers import HTTPHandler


class Client:
    """With the signature of an HTTP library that imported `ssl` itself."""

    def __init__(self, verify: standard.SSLContext | str | bool = True) -> None:
        self.verify = verify


def fingerprint(connection: standard.SSLSocket | standard.SSLObject) -> bytes | None:
    return connection.getpeercert(binary_form=True)


def plain(connection: socket.socket) -> int:
    return connection.fileno()


def harden(context: standard.SSLContext, version: standard.TLSVersion = standard.TLSVersion.TLSv1_3) -> None:
    context.minimum_version = version
    context.verify_mode = standard.CERT_REQUIRED


def every(context: ssl.SSLContext, connection: ssl.SSLSocket, tls: ssl.SSLObject) -> None:
    Client(verify=context)
    Client(verify=ssl.create_default_context())
    harden(context, ssl.TLSVersion.TLSv1_2)
    fingerprint(connection)
    fingerprint(tls)
    plain(connection)
    http.client.HTTPSConnection("localhost", context=context)
    urllib.request.urlopen("https://localhost", context=context)
    urllib.request.HTTPSHandler(context=context)
    smtplib.SMTP_SSL("localhost", context=context)
    smtplib.SMTP("localhost").starttls(context=context)
    imaplib.IMAP4_SSL("localhost", ssl_context=context)
    poplib.POP3_SSL("localhost", context=context)
    ftplib.FTP_TLS("localhost", context=context)
    xmlrpc.client.ServerProxy("https://localhost", context=context)
    HTTPHandler("localhost", "/", secure=True, context=context)


def caught() -> str:
    try:
        every(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), *both(ssl.create_default_context()))
    except standard.SSLCertVerificationError as error:
        return error.verify_message
    except ssl.SSLError as error:
        same: standard.SSLError = error
        return same.reason
    return ""


def both(context: ssl.SSLContext) -> tuple[ssl.SSLSocket, ssl.SSLObject]:
    context.wrap_bio(standard.MemoryBIO(), standard.MemoryBIO(), server_side=True)
    tls = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    return context.wrap_socket(socket.socket(), server_hostname="localhost"), tls
