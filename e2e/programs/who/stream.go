package main

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// flow is what came of a stream.
type flow struct {
	Lines      int   `json:"lines"`
	LongestGap int64 `json:"longestGapMs"`
}

func stream(args []string) (any, error) {
	seconds, err := strconv.Atoi(argument(args, 1, "10"))
	if err != nil {
		return nil, err
	}
	response, err := http.Get(argument(args, 0, ""))
	if err != nil {
		return nil, err
	}
	isOver := false
	end := time.AfterFunc(time.Duration(seconds)*time.Second, func() {
		isOver = true
		response.Body.Close()
	})
	defer end.Stop()
	lines, longest, last := 0, time.Duration(0), time.Now()
	for scanner := bufio.NewScanner(response.Body); scanner.Scan(); lines++ {
		longest, last = max(longest, time.Since(last)), time.Now()
	}
	longest = max(longest, time.Since(last))
	said := flow{Lines: lines, LongestGap: longest.Milliseconds()}
	if !isOver {
		return said, fmt.Errorf("the stream was cut off after %d lines", lines)
	}
	return said, nil
}
