// Command who is what the test pods run, one static program:
//
//	who serve [PORT]             an HTTP server (serve.go), by default on port 8080; also answers UDP datagrams there
//	who get URL [COUNT|NNs]      asks COUNT times, or for NN seconds, each time by a new connection
//	who udp HOST:PORT [COUNT]    the same by UDP, each time from a new port
//	who stream URL SECONDS       one connection: how many lines came, and the longest time without one
//	who api PATH                 asks the API server by the service `kubernetes`, with the pod's own token
//
// What it prints is one JSON object on a line, for tests. It ends with status 1 where something was not answered.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	run := map[string]func(args []string) (any, error){
		"serve": serve, "get": get, "udp": udp, "stream": stream, "api": api,
	}
	if len(os.Args) < 2 || run[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: who serve|get|udp|stream|api ...")
		os.Exit(2)
	}
	said, err := run[os.Args[1]](os.Args[2:])
	if said != nil {
		line, _ := json.Marshal(said)
		fmt.Println(string(line))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "who:", err)
		os.Exit(1)
	}
}

// argument is the one at that place, or a default.
func argument(args []string, at int, otherwise string) string {
	if at < len(args) {
		return args[at]
	}
	return otherwise
}
