package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A leader that was stopped and wakes does not know that others have led since. What it was asked meanwhile it answers as they
// would, or not at all: a work that they accepted is never unknown to it.
func TestPausedLeaderAnswersNothingStale(t *testing.T) {
	c := startCluster(t, 3, 1)
	all := c.http
	for range 3 {
		leader, other := c.leader()
		signal := func(s syscall.Signal) {
			if err := c.nodes[leader].cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
		signal(syscall.SIGSTOP)
		c.http = []string{all[other], all[3-leader-other]}
		id := c.submit(0, "small.csv", 8<<10)

		var asked []net.Conn
		for range 20 {
			conn, err := net.Dial("tcp", strings.TrimPrefix(all[leader], "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := fmt.Fprintf(conn, "GET /api/get_result/%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", id); err != nil {
				t.Fatal(err)
			}
			asked = append(asked, conn)
		}
		signal(syscall.SIGCONT)
		for _, conn := range asked {
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			var doc struct {
				WorkID string `json:"work_id"`
				Code   string
			}
			err = json.NewDecoder(resp.Body).Decode(&doc)
			resp.Body.Close()
			switch {
			case err != nil:
				t.Errorf("%s: %v", resp.Status, err)
			case resp.StatusCode == http.StatusOK && doc.WorkID == id, resp.StatusCode == http.StatusServiceUnavailable:
			default:
				t.Errorf("the leader that was paused answers %s (%s) for a work that was accepted meanwhile", resp.Status, doc.Code)
			}
		}
		c.http = all
		c.ready()
	}
	c.check()
}
