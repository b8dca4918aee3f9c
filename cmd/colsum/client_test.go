package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A scripted server gives its answers in turn, the last one for ever, and notes the requests. An answer of status 0 breaks the
// connection.
type scripted struct {
	*httptest.Server
	mu       sync.Mutex
	answers  []answer
	requests []string // "KEY BODY"
}

type answer struct {
	status int
	after  string // Retry-After
	body   string
}

func script(t *testing.T, answers ...answer) *scripted {
	s := &scripted{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, r.Header.Get("Idempotency-Key")+" "+string(body))
		a := s.answers[0]
		if len(s.answers) > 1 {
			s.answers = s.answers[1:]
		}
		s.mu.Unlock()
		if a.status == 0 {
			panic(http.ErrAbortHandler)
		}
		if a.after != "" {
			w.Header().Set("Retry-After", a.after)
		}
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	}))
	t.Cleanup(s.Close)
	return s
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A request is repeated as it was, with its key, until a server answers it.
func TestClientRepeats(t *testing.T) {
	noLeader := answer{status: 503, body: `{"title":"Service Unavailable","status":503,"code":"no_leader","detail":"nobody leads"}`}
	one := script(t, answer{}, noLeader, answer{status: 502}, answer{status: 202, body: `{"work_id":"w"}`})
	f := &ServerFlags{Server: []string{closedPort(t), one.URL + "/"}, Retry: time.Minute}
	if err := f.Validate(); err != nil {
		t.Fatal(err)
	}
	c := f.client()
	c.notice = nil
	got, err := c.post(t.Context(), "/api/schedule_work", map[string]string{"filepath": "a.csv"}, http.Header{"Idempotency-Key": {"k"}})
	if err != nil || string(got) != `{"work_id":"w"}` {
		t.Fatalf("got %q, %v", got, err)
	}
	if want := slices.Repeat([]string{`k {"filepath":"a.csv"}`}, 4); !slices.Equal(one.requests, want) {
		t.Errorf("requests %q, want %q", one.requests, want)
	}
	if c.servers[c.at] != one.URL {
		t.Errorf("the client does not stay with the server that answered")
	}
}

// An answer that would not change is not asked for again.
func TestClientGivesUp(t *testing.T) {
	for _, tt := range []struct {
		answer answer
		want   string
	}{
		{answer{status: 404, body: `{"title":"Not Found","status":404,"code":"unknown_work","detail":"no such work"}`}, "unknown_work: no such work"},
		{answer{status: 409, body: `{"title":"Conflict","status":409,"code":"key_conflict","detail":"taken"}`}, "key_conflict: taken"},
		{answer{status: 500, body: `<html>`}, "the server answered 500: Internal Server Error"},
	} {
		s := script(t, tt.answer)
		c := (&ServerFlags{Server: []string{s.URL}, Retry: time.Minute}).client()
		_, err := c.get(t.Context(), "/x")
		var p *problemError
		if !errors.As(err, &p) || err.Error() != tt.want || p.Status != tt.answer.status {
			t.Errorf("got %v, want %s", err, tt.want)
		}
		if len(s.requests) != 1 {
			t.Errorf("%s: asked %d times, want once", tt.want, len(s.requests))
		}
	}
}

// With no patience each server is asked once, and the last one's reason is told.
func TestClientImpatient(t *testing.T) {
	s := script(t, answer{status: 503, after: "1", body: `{"title":"x","code":"no_leader","detail":"nobody leads"}`})
	c := (&ServerFlags{Server: []string{"http://" + closedPort(t), s.URL}}).client()
	if _, err := c.get(t.Context(), "/x"); err == nil || err.Error() != "no_leader: nobody leads" {
		t.Errorf("got %v", err)
	}
	if len(s.requests) != 1 {
		t.Errorf("asked %d times, want once", len(s.requests))
	}
}

// --json passes the server's document through, byte for byte: numbers keep every digit.
func TestClientPassesThrough(t *testing.T) {
	const doc = `{"work_id":"w", "status":"done","total":0.10000000000000000000000000000000000001,"later":"field"}`
	s := script(t, answer{status: 200, body: doc})
	if got := mustRun(t, "result", "w", "--json", "--server", s.URL); got != doc+"\n" {
		t.Errorf("got %q, want %q", got, doc+"\n")
	}
	failed := script(t, answer{status: 200, body: strings.Replace(doc, "done", "cancelled", 1)})
	if got := invoke(t, "", nil, "result", "w", "--json", "--server", failed.URL); got.code != exitFailed {
		t.Errorf("a cancelled work: exit status %d, want %d", got.code, exitFailed)
	}
}
