/* NSS as a peer of the interoperation tests. tests/interop/peers/nss.py says how it is called. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cert.h>
#include <nspr.h>
#include <nss.h>
#include <pk11pub.h>
#include <ssl.h>
#include <sslproto.h>

#define ENOUGH (2 << 20)

enum { ROLE = 1, PORT, VERSION, DATABASE, OWN, ALPN, DEMANDS_CERTIFICATE, RESUME, HALF_CLOSE, SIZE, ARGUMENTS };

static char **terms;

static int is(int flag) { return strcmp(terms[flag], "yes") == 0; }

static void explain(const char *what) { fprintf(stderr, "%s: %s\n", what, PR_ErrorToName(PR_GetError())); }

static void must(int succeeded, const char *what)
{
    if (!succeeded) {
        explain(what);
        exit(1);
    }
}

/* Names of protocols, separated by commas, as the handshake has them. */
static void offer(PRFileDesc *fd, const char *names)
{
    unsigned char list[256];
    unsigned int size = 0;

    while (*names != '\0') {
        size_t length = strcspn(names, ",");
        list[size++] = (unsigned char)length;
        memcpy(list + size, names, length);
        size += length;
        names += length + (names[length] == ',');
    }
    if (size > 0)
        must(SSL_SetNextProtoNego(fd, list, size) == SECSuccess, "SSL_SetNextProtoNego");
}

static PRFileDesc *secured(PRFileDesc *tcp, PRBool server)
{
    PRUint16 version = strcmp(terms[VERSION], "1.2") == 0 ? SSL_LIBRARY_VERSION_TLS_1_2 : SSL_LIBRARY_VERSION_TLS_1_3;
    SSLVersionRange only = {version, version};
    PRFileDesc *fd = SSL_ImportFD(NULL, tcp);

    must(fd != NULL, "SSL_ImportFD");
    must(SSL_VersionRangeSet(fd, &only) == SECSuccess, "SSL_VersionRangeSet");
    must(SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, PR_TRUE) == SECSuccess, "SSL_OptionSet");
    offer(fd, terms[ALPN]);
    if (server) {
        CERTCertificate *own = PK11_FindCertFromNickname(terms[OWN], NULL);
        must(own != NULL, "PK11_FindCertFromNickname");
        SECKEYPrivateKey *key = PK11_FindKeyByAnyCert(own, NULL);
        must(key != NULL, "PK11_FindKeyByAnyCert");
        must(SSL_ConfigServerCert(fd, own, key, NULL, 0) == SECSuccess, "SSL_ConfigServerCert");
        if (is(DEMANDS_CERTIFICATE)) {
            SSL_OptionSet(fd, SSL_REQUEST_CERTIFICATE, PR_TRUE);
            SSL_OptionSet(fd, SSL_REQUIRE_CERTIFICATE, SSL_REQUIRE_ALWAYS);
        }
    } else {
        must(SSL_SetURL(fd, "localhost") == SECSuccess, "SSL_SetURL");
        if (terms[OWN][0] != '\0')
            must(SSL_GetClientAuthDataHook(fd, NSS_GetClientAuthData, terms[OWN]) == SECSuccess, "client certificate");
    }
    must(SSL_ResetHandshake(fd, server) == SECSuccess, "SSL_ResetHandshake");
    return fd;
}

static void say(FILE *stream, int number, PRFileDesc *fd)
{
    SSLChannelInfo info;
    SSLNextProtoState state;
    unsigned char protocol[256];
    unsigned int length = 0;
    CERTCertificate *certificate = SSL_PeerCertificate(fd);

    must(SSL_GetChannelInfo(fd, &info, sizeof info) == SECSuccess, "SSL_GetChannelInfo");
    must(SSL_GetNextProto(fd, &state, protocol, &length, sizeof protocol) == SECSuccess, "SSL_GetNextProto");
    fprintf(stream, "connection %d {\"version\": \"%s\", \"alpn\": \"%.*s\", \"resumed\": %s, \"certificate\": %s}\n", number,
            info.protocolVersion == SSL_LIBRARY_VERSION_TLS_1_2 ? "TLSv1.2" : "TLSv1.3", (int)length, protocol,
            info.resumed ? "true" : "false", certificate != NULL ? "true" : "false");
    fflush(stream);
    if (certificate != NULL)
        CERT_DestroyCertificate(certificate);
}

static void send_all(PRFileDesc *fd, const char *data, PRInt32 size)
{
    for (PRInt32 sent; size > 0; data += sent, size -= sent)
        must((sent = PR_Write(fd, data, size)) > 0, "PR_Write");
}

/* What comes: as much as the terms say, or everything up to the end. Negative after an error. */
static PRInt32 receive(PRFileDesc *fd, char *data)
{
    PRInt32 wanted = is(HALF_CLOSE) ? ENOUGH : atoi(terms[SIZE]), size = 0, got;

    while (size < wanted && (got = PR_Read(fd, data + size, wanted - size)) != 0) {
        if (got < 0)
            return got;
        size += got;
    }
    return size;
}

static PRNetAddr address(void)
{
    PRNetAddr found;
    must(PR_StringToNetAddr("127.0.0.1", &found) == PR_SUCCESS, "PR_StringToNetAddr");
    found.inet.port = PR_htons((PRUint16)atoi(terms[PORT]));
    return found;
}

static PRInt32 call(const char *data, PRInt32 size, char *answer, int number)
{
    PRNetAddr there = address();
    PRFileDesc *fd = PR_OpenTCPSocket(PR_AF_INET);
    must(PR_Connect(fd, &there, PR_INTERVAL_NO_TIMEOUT) == PR_SUCCESS, "PR_Connect");
    fd = secured(fd, PR_FALSE);
    must(SSL_ForceHandshake(fd) == SECSuccess, "the handshake");
    send_all(fd, data, size);
    if (is(HALF_CLOSE))
        must(PR_Shutdown(fd, PR_SHUTDOWN_SEND) == PR_SUCCESS, "PR_Shutdown");
    size = receive(fd, answer);
    must(size >= 0, "PR_Read");
    say(stderr, number, fd);
    PR_Close(fd);
    return size;
}

static void answer(PRFileDesc *fd, char *data, int number)
{
    PRInt32 size;

    if (SSL_ForceHandshake(fd) != SECSuccess) {
        explain("the handshake");
    } else {
        say(stdout, number, fd);
        if ((size = receive(fd, data)) >= 0) {
            send_all(fd, data, size);
            PR_Shutdown(fd, PR_SHUTDOWN_SEND);
            while (PR_Read(fd, data, ENOUGH) > 0)
                ;
        }
    }
    PR_Close(fd);
}

int main(int count, char **arguments)
{
    static char data[ENOUGH], back[ENOUGH];

    terms = arguments;
    if (count != ARGUMENTS)
        return 2;
    must(NSS_Init(terms[DATABASE]) == SECSuccess, "NSS_Init");
    if (strcmp(terms[ROLE], "client") == 0) {
        PRInt32 size = (PRInt32)fread(data, 1, sizeof data, stdin), got = call(data, size, back, 1);
        if (is(RESUME))
            got = call(data, size, back, 2);
        fwrite(back, 1, got, stdout);
        return 0;
    }
    must(SSL_ConfigServerSessionIDCache(0, 0, 0, NULL) == SECSuccess, "SSL_ConfigServerSessionIDCache");
    PRNetAddr here = address();
    PRFileDesc *listener = PR_OpenTCPSocket(PR_AF_INET);
    must(PR_Bind(listener, &here) == PR_SUCCESS && PR_Listen(listener, 5) == PR_SUCCESS, "PR_Listen");
    must(PR_GetSockName(listener, &here) == PR_SUCCESS, "PR_GetSockName");
    printf("port %d\n", PR_ntohs(here.inet.port));
    fflush(stdout);
    for (int number = 1;; number++)
        answer(secured(PR_Accept(listener, NULL, PR_INTERVAL_NO_TIMEOUT), PR_TRUE), data, number);
}
