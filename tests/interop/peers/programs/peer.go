// Go's standard library as a peer of the interoperation tests. tests/interop/peers/scripted.py says how it is called.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

type terms struct {
	Role, Address, Version, CA, Chain, Key string
	Port, Size                             int
	ALPN                                   []string
	DemandsCertificate                     bool `json:"demands_certificate"`
	Resume                                 bool
	HalfClose                              bool `json:"half_close"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func configuration(t terms) *tls.Config {
	version := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[t.Version]
	pem, err := os.ReadFile(t.CA)
	must(err)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	config := &tls.Config{
		MinVersion: version, MaxVersion: version, RootCAs: trusted, ClientCAs: trusted, ServerName: "localhost",
		NextProtos: t.ALPN, ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
	if t.Chain != "" {
		own, err := tls.LoadX509KeyPair(t.Chain, t.Key)
		must(err)
		config.Certificates = []tls.Certificate{own}
	}
	if t.DemandsCertificate {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config
}

// said is the line about a connection.
func said(connection int, conn *tls.Conn) string {
	state := conn.ConnectionState()
	versions := map[uint16]string{tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}
	certificate := ""
	if len(state.PeerCertificates) > 0 {
		certificate = state.PeerCertificates[0].Subject.CommonName
	}
	// Nothing where TLS 1.2 has no extended master secret.
	exported, _ := state.ExportKeyingMaterial("EXPERIMENTAL wiretight tests", []byte("a context"), 32)
	return fmt.Sprintf(
		`connection %d {"version": %q, "alpn": %q, "resumed": %t, "certificate": %q, "exported": "%x"}`,
		connection, versions[state.Version], state.NegotiatedProtocol, state.DidResume, certificate, exported)
}

func call(t terms, config *tls.Config, data []byte, connection int) []byte {
	conn, err := tls.Dial("tcp", net.JoinHostPort(t.Address, strconv.Itoa(t.Port)), config)
	must(err)
	defer conn.Close()
	_, err = conn.Write(data)
	must(err)
	var answer []byte
	if t.HalfClose {
		must(conn.CloseWrite())
		answer, err = io.ReadAll(conn)
	} else {
		answer = make([]byte, len(data))
		_, err = io.ReadFull(conn, answer)
	}
	must(err)
	fmt.Fprintln(os.Stderr, said(connection, conn))
	return answer
}

func answer(t terms, conn *tls.Conn, connection int) {
	defer conn.Close()
	if err := conn.Handshake(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(said(connection, conn))
	var data []byte
	var err error
	if t.HalfClose {
		data, err = io.ReadAll(conn)
	} else {
		data = make([]byte, t.Size)
		_, err = io.ReadFull(conn, data)
	}
	if err == nil {
		conn.Write(data)
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
	}
}

func main() {
	var t terms
	must(json.NewDecoder(bytes.NewReader([]byte(os.Args[1]))).Decode(&t))
	config := configuration(t)
	if t.Role == "client" {
		data, err := io.ReadAll(os.Stdin)
		must(err)
		back := call(t, config, data, 1)
		if t.Resume {
			back = call(t, config, data, 2)
		}
		os.Stdout.Write(back)
		return
	}
	listener, err := tls.Listen("tcp", net.JoinHostPort(t.Address, "0"), config)
	must(err)
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	for connection := 1; ; connection++ {
		conn, err := listener.Accept()
		must(err)
		answer(t, conn.(*tls.Conn), connection)
	}
}
