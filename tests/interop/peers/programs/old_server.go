// A server for scanners: everything that Go's crypto/tls can be made to offer.
//
// Arguments: the files of its chain and its key. Says "port" and its number.
package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	pair, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	var suites []uint16
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		suites = append(suites, suite.ID)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS10,
		CipherSuites: suites,
		NextProtos:   []string{"http/1.1"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("port %s\n", listener.Addr().String()[len("127.0.0.1:"):])
	log.Fatal(http.Serve(listener, http.NotFoundHandler()))
}
