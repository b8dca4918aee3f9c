package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"colsum/coordinator"
	"colsum/coordinator/problem"
	"colsum/coordinator/raftnode"
	"colsum/fsm"
)

func TestEveryNodeAnswersEveryCall(t *testing.T) {
	s := newStack(t, 3, nil)
	s.ready()
	s.work()
	s.file("a.csv", small)
	var digest string
	for i, n := range s.nodes {
		id := s.submit(n, `{"filepath":"a.csv","first":2,"every":1}`, "Idempotency-Key", fmt.Sprint("k", i))
		for j, m := range s.nodes {
			if again := s.submit(m, `{"filepath":"a.csv","first":2,"every":1}`, "Idempotency-Key", fmt.Sprint("k", i)); again != id {
				t.Errorf("key k%d by way of node %d: work %s, want %s", i, j, again, id)
			}
			var doc struct{ Status, Digest string }
			s.get(m, "/api/get_result/"+id+"?wait=50s").into(t, &doc)
			if doc.Status != "done" || (digest != "" && doc.Digest != digest) {
				t.Errorf("work %s by way of %s: %+v, want done and digest %s", id, m.id, doc, digest)
			}
			digest = doc.Digest
			var list struct {
				Counts map[string]int
			}
			s.get(m, "/api/list_works").into(t, &list) // must show what was answered before, wherever it is asked
			if list.Counts["done"] != i+1 {
				t.Errorf("list by way of %s: %v, want %d done", m.id, list.Counts, i+1)
			}
		}
	}
	for _, n := range s.nodes { // each keeps a copy of its own
		if a := s.get(n, "/api/list_works?consistency=stale"); a.status != 200 {
			t.Errorf("stale list of %s: %d %s", n.id, a.status, a.body)
		}
	}
	wantProblem(t, "refusal of the leader by way of a follower",
		s.post(s.nodes[(s.ready()+1)%3], "/api/schedule_work", `{"filepath":"none.csv"}`), 404, problem.FileNotFound, "none.csv")
}

func TestForwardedRequestsAreNotForwardedAgain(t *testing.T) {
	s := newStack(t, 3, nil)
	lead := s.ready()
	s.file("a.csv", small)
	follower := s.nodes[(lead+1)%3]
	a := s.post(follower, "/api/schedule_work", `{"filepath":"a.csv"}`, forwardedHeader, "x")
	wantProblem(t, "forwarded to a follower", a, 503, problem.NoLeader, follower.id)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.submit(s.nodes[lead], `{"filepath":"a.csv"}`, forwardedHeader, "x")
}

// While nobody leads requests wait; they are answered once somebody does, and refused when that takes too long.
func TestRequestsWaitForALeader(t *testing.T) {
	s := newStack(t, 3, nil)
	lead := s.ready()
	s.file("a.csv", small)
	other, third := s.nodes[(lead+1)%3], s.nodes[(lead+2)%3]
	id := s.submit(other, `{"filepath":"a.csv"}`)
	s.nodes[lead].stop()
	for _, n := range []*node{other, third} {
		if again := s.submit(n, `{"filepath":"a.csv"}`); again == "" || again == id {
			t.Errorf("submit after the leader was stopped: %q", again)
		}
		var doc struct {
			WorkID string `json:"work_id"`
		}
		s.get(n, "/api/get_result/"+id).into(t, &doc)
		if doc.WorkID != id {
			t.Errorf("work %s by way of %s: %+v", id, n.id, doc)
		}
	}
	third.stop() // no majority any more
	for {
		if leader, _ := other.raft.Leader(); leader == "" {
			break
		}
		<-other.raft.LeaderChanged()
	}
	a := s.post(other, "/api/schedule_work", `{"filepath":"a.csv"}`)
	for strings.Contains(string(a.body), string(problem.OutcomeUnknown)) {
		// The third handed its leadership over as it stopped, and the other has yet to notice that nobody follows it.
		a = s.post(other, "/api/schedule_work", `{"filepath":"a.csv"}`)
	}
	wantProblem(t, "submit without a leader", a, 503, problem.NoLeader, "no node leads")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	wantProblem(t, "readiness without a leader", s.get(other, "/readyz"), 503, problem.NoLeader, "no leader")
	if a := s.get(other, "/api/get_result/"+id+"?consistency=stale"); a.status != 200 {
		t.Errorf("stale result without a leader: %d %s", a.status, a.body)
	}
	if a := s.get(other, "/healthz"); a.status != 200 {
		t.Errorf("healthz without a leader: %d", a.status)
	}
	if a := s.get(other, "/api/list_files"); a.status != 200 {
		t.Errorf("list_files without a leader: %d", a.status)
	}
}

// A long poll by way of a follower survives the end of the leader it was forwarded to.
func TestLongPollOutlivesTheLeader(t *testing.T) {
	s := newStack(t, 3, nil)
	lead := s.ready()
	s.file("a.csv", small)
	follower := s.nodes[(lead+1)%3]
	id := s.submit(follower, `{"filepath":"a.csv"}`)
	got := make(chan answer, 1)
	go func() {
		a, err := s.try(follower, "GET", "/api/get_result/"+id+"?wait=50s", "", "")
		if err != nil {
			a.body = err.Error()
		}
		got <- a
	}()
	s.nodes[lead].stop()
	s.work()
	var doc struct{ Status string }
	a := <-got
	a.into(t, &doc)
	if a.status != 200 || (doc.Status != "done" && doc.Status != "running" && doc.Status != "queued") {
		t.Fatalf("long poll: %d %s", a.status, a.body)
	}
	// The leader, when it was told to end, may have answered the poll early; ask on, as a client does.
	for doc.Status != "done" {
		s.get(follower, "/api/get_result/"+id+"?wait=50s").into(t, &doc)
		if s.ctx.Err() != nil {
			t.Fatal("the work does not end")
		}
	}
}

// view is a coordinator's opinion about who leads, set by the test. What is not about leadership stays nil.
type view struct {
	Works
	Membership
	mu      sync.Mutex
	leader  fsm.Node
	self    bool
	changed chan struct{}
	submits atomic.Int32
	submit  func() error
}

func newView() *view { return &view{changed: make(chan struct{})} }

func (v *view) set(id, addr string, self bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.leader, v.self = fsm.Node{ID: id, HTTP: addr}, self
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *view) Leader() (fsm.Node, bool, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.leader, v.self, v.leader.ID != ""
}

func (v *view) LeaderChanged() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.changed
}

func (v *view) ID() string                 { return "me" }
func (v *view) Members() []raftnode.Member { return nil }
func (*view) Joined() bool                 { return true }

func (v *view) Stats() raftnode.Stats { return raftnode.Stats{} }
func (v *view) Submit(context.Context, coordinator.SubmitRequest) (string, error) {
	v.submits.Add(1)
	return "local", v.submit()
}

// other is another node's HTTP server: it counts requests and answers as told.
func other(t *testing.T, calls *atomic.Int32, answer http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func accepted(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprint(w, `{"work_id":"there"}`)
}

// hangUp closes the connection in the middle of a request.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		c.Close()
	}
}

// deadAddress is an address where nobody listens.
func deadAddress(t *testing.T) string {
	l := listen(t)
	l.Close()
	return l.Addr().String()
}

func submitTo(t *testing.T, v *view, key string) (answer, *API) {
	t.Helper()
	a, err := New(Config{HoldLeader: time.Minute, Logger: slog.New(slog.DiscardHandler)}, v, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	return submitBy(a, key), a
}

func submitBy(a *API, key string) answer {
	r := httptest.NewRequest("POST", "/api/schedule_work", strings.NewReader(`{"filepath":"a.csv"}`))
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// What the leader may have carried out is repeated only if that is harmless.
func TestLeaderLostInMidRequest(t *testing.T) {
	noLeader := func(w http.ResponseWriter, _ *http.Request) { writeProblem(w, problem.New(problem.NoLeader, "not me")) }
	unknown := func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problem.New(problem.OutcomeUnknown, "hm"))
	}
	for _, row := range []struct {
		name   string
		first  http.HandlerFunc // nil: nobody listens
		key    string
		repeat bool
	}{
		{"connection refused", nil, "", true},
		{"no connection, with a key", nil, "k", true},
		{"not the leader any more", noLeader, "", true},
		{"hung up", hangUp, "", false},
		{"hung up, with a key", hangUp, "k", true},
		{"outcome unknown", unknown, "", false},
		{"outcome unknown, with a key", unknown, "k", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var first, second atomic.Int32
			v := newView()
			next := other(t, &second, accepted)
			if row.first == nil {
				v.set("n1", deadAddress(t), false)
				time.AfterFunc(0, func() { v.set("n2", next, false) })
			} else {
				v.set("n1", other(t, &first, func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get(forwardedHeader) != "me" || r.Header.Get("Idempotency-Key") != row.key {
						t.Errorf("headers sent on: %v", r.Header)
					}
					defer v.set("n2", next, false)
					row.first(w, r)
				}), false)
			}
			got, _ := submitTo(t, v, row.key)
			if row.repeat {
				if got.status != http.StatusAccepted || !strings.Contains(got.body, "there") || second.Load() != 1 {
					t.Errorf("got %d %s after %d requests to the second leader, want its answer", got.status, got.body, second.Load())
				}
				return
			}
			wantProblem(t, row.name, got, 503, problem.OutcomeUnknown, "")
			if second.Load() != 0 {
				t.Error("a request that may have been carried out was repeated")
			}
		})
	}
}

// The leader itself may stop leading while it answers: then the next one is asked.
func TestLocalLeaderStepsDown(t *testing.T) {
	var calls atomic.Int32
	v := newView()
	v.set("me", "", true)
	next := other(t, &calls, accepted)
	v.submit = func() error {
		v.set("n2", next, false)
		return problem.New(problem.NoLeader, "stepped down")
	}
	got, _ := submitTo(t, v, "")
	if got.status != http.StatusAccepted || !strings.Contains(got.body, "there") || v.submits.Load() != 1 {
		t.Errorf("got %d %s, want the next leader's answer", got.status, got.body)
	}
}

// A leader that does not answer is given up when another one is known.
func TestSilentLeaderIsGivenUp(t *testing.T) {
	var first, second atomic.Int32
	v := newView()
	next := other(t, &second, accepted)
	stuck := make(chan struct{})
	defer close(stuck)
	v.set("n1", other(t, &first, func(w http.ResponseWriter, r *http.Request) {
		v.set("n2", next, false)
		select {
		case <-r.Context().Done():
		case <-stuck:
		}
	}), false)
	if got, _ := submitTo(t, v, "k"); got.status != http.StatusAccepted || !strings.Contains(got.body, "there") {
		t.Errorf("got %d %s, want the second leader's answer", got.status, got.body)
	}
}

// The client's time ends the search for a leader, and so does the end of the server.
func TestSearchForALeaderEnds(t *testing.T) {
	v := newView()
	a, err := New(Config{HoldLeader: time.Hour}, v, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	close(a.closing)
	wantProblem(t, "closing", submitBy(a, ""), 503, problem.NoLeader, "nothing was changed")
	short, err := New(Config{HoldLeader: time.Millisecond}, v, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, "no leader in time", submitBy(short, ""), 503, problem.NoLeader, "nothing was changed")
}

func TestPanicsAndDefectsTellNothing(t *testing.T) {
	v := newView()
	v.set("me", "", true)
	for name, submit := range map[string]func() error{
		"panic":  func() error { panic("secret") },
		"defect": func() error { return errors.New("secret") },
	} {
		v.submit = submit
		got, _ := submitTo(t, v, "")
		wantProblem(t, name, got, 500, problem.Internal, "")
		if strings.Contains(got.body, "secret") {
			t.Errorf("%s: the answer tells too much: %s", name, got.body)
		}
	}
}

// The time a poll has already taken is not waited again.
func TestRemainingWait(t *testing.T) {
	r := httptest.NewRequest("GET", "/api/get_result/x?wait=30s&consistency=", nil)
	ends := waitEnd(r, 10*time.Second)
	if left := time.Until(ends); left > 10*time.Second || left < 0 {
		t.Errorf("the cap of 10s leaves %v", left)
	}
	d, err := time.ParseDuration(remaining(r, ends).URL.Query().Get("wait"))
	if err != nil || d > 10*time.Second {
		t.Errorf("remaining wait %v (%v), want at most 10s", d, err)
	}
	if got := remaining(r, time.Now().Add(-time.Second)).URL.Query().Get("wait"); got != "0s" {
		t.Errorf("remaining wait %s after the end, want 0s", got)
	}
	wrong := httptest.NewRequest("GET", "/api/get_result/x?wait=-1", nil)
	if got := remaining(wrong, waitEnd(wrong, time.Hour)).URL.RawQuery; got != "wait=-1" {
		t.Errorf("a wrong wait became %s before it could be refused", got)
	}
}

func TestUnsent(t *testing.T) {
	_, err := net.Dial("tcp", deadAddress(t))
	if !unsent(fmt.Errorf("x: %w", err)) {
		t.Errorf("refused connection %v counts as sent", err)
	}
	if unsent(&net.OpError{Op: "read", Err: errors.New("reset")}) {
		t.Error("a reset counts as not sent")
	}
}

// An answer that is not held passes straight through, header and all.
func TestAttemptPassesThrough(t *testing.T) {
	w := httptest.NewRecorder()
	a := &attempt{to: w}
	a.Header().Set("X-A", "1")
	if _, err := a.Write([]byte("hi")); err != nil || !a.begun || w.Body.String() != "hi" || w.Header().Get("X-A") != "1" {
		t.Errorf("got %q %v %v", w.Body, w.Header(), err)
	}
	held := &attempt{to: httptest.NewRecorder()}
	writeProblem(held, problem.New(problem.NoLeader, "x"))
	if held.begun || held.heldCode() != problem.NoLeader {
		t.Errorf("a 503 was not held: %+v", held)
	}
	var p Problem
	if err := json.Unmarshal(held.held.Bytes(), &p); err != nil || p.Status != 503 {
		t.Errorf("held %s", held.held.Bytes())
	}
}
