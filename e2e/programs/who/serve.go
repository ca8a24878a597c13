package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// How often /stream writes a line.
const streamEvery = 100 * time.Millisecond

// serve answers:
//
//	/who      "HOST CLIENT-ADDRESS"
//	/healthz  "ok"
//	/stream   a line each 100 ms, for ever
//
// and each datagram with what /who says.
func serve(args []string) (any, error) {
	address := ":" + argument(args, 0, "8080")
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	http.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, host, withoutPort(r.RemoteAddr)) })
	http.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := fmt.Fprintln(w, host, time.Now().UnixMilli()); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			time.Sleep(streamEvery)
		}
	})
	datagrams, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	go answerDatagrams(datagrams, host)
	return nil, http.ListenAndServe(address, nil)
}

func answerDatagrams(socket net.PacketConn, host string) {
	datagram := make([]byte, 64)
	for {
		if _, from, err := socket.ReadFrom(datagram); err == nil {
			_, _ = socket.WriteTo([]byte(host+" "+withoutPort(from.String())), from)
		}
	}
}

func withoutPort(endpoint string) string {
	host, _, _ := net.SplitHostPort(endpoint)
	return host
}
