package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal returns the two ends of a pseudo terminal 100 columns wide.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 100})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// On a terminal, watch shows how far a work is, how fast, and the time left; the result goes to the standard output alone.
func TestBarOnATerminal(t *testing.T) {
	master, slave := terminal(t)
	seen := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event := func(status string, done int) {
			fmt.Fprintf(w, "event: work\ndata: {\"work_id\":\"w\",\"filepath\":\"a.csv\",\"status\":%q,\"progress\":{\"bytes_done\":%d,\"bytes_total\":100000000},"+
				"\"results\":[],\"total\":0,\"bad_cells\":[],\"warnings\":[]}\n\n", status, done)
			w.(http.Flusher).Flush()
		}
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for done := 1_000_000; ; done = min(done+1_000_000, 90_000_000) {
			event("running", done)
			select {
			case <-tick.C:
				continue
			case <-r.Context().Done():
				return
			case <-seen:
			}
			break
		}
		event("done", 100_000_000)
		fmt.Fprint(w, "event: end\ndata: {}\n\n")
	}))
	defer s.Close()
	cmd := exec.CommandContext(t.Context(), program, "watch", "w", "--server", s.URL)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = environ(), &out, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	var shown strings.Builder
	found := sync.OnceFunc(func() { close(seen) })
	for part := make([]byte, 4096); ; { // ends with EIO when the program has closed its end
		n, err := master.Read(part)
		shown.Write(part[:n])
		if text := shown.String(); strings.Contains(text, "work w") && strings.Contains(text, "MB/s") && strings.Contains(text, "%") && strings.Contains(text, "s]") {
			found()
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%q", err, shown.String())
	}
	select {
	case <-seen:
	default:
		t.Errorf("no bar with speed and time: %q", shown.String())
	}
	if !strings.HasPrefix(out.String(), "work w: a.csv: done") || strings.Contains(out.String(), "MB/s") {
		t.Errorf("standard output %q", out.String())
	}
}
