package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	httpTimeout = 3 * time.Second
	udpTimeout  = 2 * time.Second
	// Between two questions of those who ask for a time.
	askEvery = 5 * time.Millisecond
	maxBody  = 4096
)

// answers is what came back: each different answer with how often, and what was not answered.
type answers struct {
	Seen   map[string]int `json:"seen"`
	Failed int            `json:"failed"`
	Last   string         `json:"lastError,omitempty"`
}

func get(args []string) (any, error) {
	// A connection for each question: a load balancer chooses anew.
	client := &http.Client{Timeout: httpTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	url := argument(args, 0, "")
	return repeat(argument(args, 1, "1"), func() (string, error) {
		response, err := client.Get(url)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s", response.Status)
		}
		return strings.TrimSpace(string(body)), err
	})
}

func udp(args []string) (any, error) {
	to := argument(args, 0, "")
	return repeat(argument(args, 1, "1"), func() (string, error) {
		socket, err := net.Dial("udp", to)
		if err != nil {
			return "", err
		}
		defer socket.Close()
		answer := make([]byte, 256)
		if err = socket.SetDeadline(time.Now().Add(udpTimeout)); err != nil {
			return "", err
		}
		if _, err = socket.Write([]byte("?")); err != nil {
			return "", err
		}
		length, err := socket.Read(answer)
		return string(answer[:length]), err
	})
}

// repeat asks as often as `howLong` says: "20", or for "10s".
func repeat(howLong string, ask func() (string, error)) (any, error) {
	number, isTime := strings.CutSuffix(howLong, "s")
	limit, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number of questions or of seconds", howLong)
	}
	said := answers{Seen: map[string]int{}}
	end := time.Now().Add(time.Duration(limit) * time.Second)
	for asked := 0; (isTime && time.Now().Before(end)) || (!isTime && asked < limit); asked++ {
		if answer, err := ask(); err != nil {
			said.Failed++
			said.Last = err.Error()
		} else {
			said.Seen[answer]++
		}
		if isTime {
			time.Sleep(askEvery)
		}
	}
	if said.Failed > 0 {
		return said, fmt.Errorf("%d not answered; the last one: %s", said.Failed, said.Last)
	}
	return said, nil
}
