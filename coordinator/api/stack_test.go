package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"colsum/coordinator"
	"colsum/coordinator/problem"
	"colsum/coordinator/raftnode"
	"colsum/fsm"
	"colsum/rpc"
	"colsum/storage"
	"colsum/worker"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// node is a whole coordinator: raft node, state, duties, rpc, HTTP.
type node struct {
	id    string
	http  string // host:port
	rpc   string
	raft  *raftnode.Node
	state *fsm.FSM
	stop  func()
}

// stack is a cluster of coordinators over one local folder, in one process.
type stack struct {
	t     testing.TB
	ctx   context.Context
	dir   string // what the storage shows
	nodes []*node
	log   *slog.Logger
}

// newStack starts n coordinators. tune may change the API's Config.
func newStack(t testing.TB, n int, tune func(*Config)) *stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	s := &stack{t: t, ctx: ctx, dir: t.TempDir()}
	s.log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	raft := make([]net.Listener, n)
	var peers []raftnode.Peer
	for i := range n {
		raft[i] = listen(t)
		peers = append(peers, raftnode.Peer{ID: fmt.Sprintf("n%d", i+1), Addr: raft[i].Addr().String()})
	}
	for i := range n {
		s.nodes = append(s.nodes, s.start(peers[i].ID, raft[i], peers, tune))
	}
	return s
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *stack) start(id string, raft net.Listener, peers []raftnode.Peer, tune func(*Config)) *node {
	t := s.t
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	state, err := fsm.Open(fsm.Config{Dir: t.TempDir(), Logger: s.log})
	must(err)
	rn, err := raftnode.Open(raftnode.Config{
		ID: id, Dir: t.TempDir(), Listener: raft, Peers: peers, Logger: s.log, HeartbeatTimeout: 600 * time.Millisecond,
	}, state)
	must(err)
	files, err := storage.New(storage.Config{Default: s.dir, Logger: s.log})
	must(err)
	web, work := listen(t), listen(t)
	n := &node{id: id, http: web.Addr().String(), rpc: work.Addr().String(), raft: rn, state: state}
	self := fsm.Node{ID: id, Raft: raft.Addr().String(), HTTP: n.http, RPC: n.rpc, Version: "test"}
	coord, err := coordinator.New(coordinator.Config{Self: self, MinChunk: 1, Logger: s.log}, rn, files)
	must(err)
	cfg := Config{Version: "test", Logger: s.log}
	if tune != nil {
		tune(&cfg)
	}
	api, err := New(cfg, coord, rn, files)
	must(err)

	webCtx, stopWeb := context.WithCancel(context.Background())
	ctx, stopRest := context.WithCancel(context.Background())
	var webDone, rest sync.WaitGroup
	webDone.Go(func() {
		if err := api.Serve(webCtx, web); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	})
	rest.Go(func() { _ = rpc.NewServer(rpc.ServerConfig{ClusterID: "t", Logger: s.log}, coord).Serve(ctx, work) })
	rest.Go(func() {
		if err := coord.Run(ctx); err != nil && !errors.Is(err, raftnode.ErrClosed) {
			t.Errorf("%s: %v", id, err)
		}
	})
	n.stop = sync.OnceFunc(func() {
		stopWeb()
		webDone.Wait()
		stopRest()
		rest.Wait()
		if err := rn.Close(); err != nil {
			t.Errorf("close %s: %v", id, err)
		}
		state.Close()
		files.Close()
	})
	t.Cleanup(n.stop)
	return n
}

// work starts a worker for the whole cluster.
func (s *stack) work() {
	s.t.Helper()
	var addrs []string
	for _, n := range s.nodes {
		addrs = append(addrs, n.rpc)
	}
	client, err := rpc.NewClient(rpc.ClientConfig{Coordinators: addrs, ClusterID: "t", Logger: s.log})
	if err != nil {
		s.t.Fatal(err)
	}
	files, err := storage.New(storage.Config{Default: s.dir, Logger: s.log})
	if err != nil {
		s.t.Fatal(err)
	}
	w, err := worker.New(worker.Config{Slots: 2, Grace: time.Second, Logger: s.log}, client, files)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		<-done
		client.Close()
		files.Close()
	})
}

// ready waits until every node knows a leader that has announced itself, and returns the leader's position.
func (s *stack) ready() int {
	s.t.Helper()
	lead := -1
	for i, n := range s.nodes {
		for {
			a := s.get(n, "/readyz")
			if a.status == http.StatusOK {
				break
			}
			if s.ctx.Err() != nil {
				s.t.Fatalf("%s does not get ready: %+v", n.id, a)
			}
			select {
			case <-n.raft.LeaderChanged():
			case <-time.After(10 * time.Millisecond):
			}
		}
		if _, self := n.raft.Leader(); self {
			lead = i
		}
	}
	if lead < 0 {
		return s.ready()
	}
	return lead
}

// file puts a file where the storage shows it.
func (s *stack) file(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// into decodes the body, keeping numbers as they are written.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		t.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
}

// do sends a request; header is name, value, name, value...
func (s *stack) do(n *node, method, path, contentType, body string, header ...string) answer {
	s.t.Helper()
	a, err := s.try(n, method, path, contentType, body, header...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *stack) try(n *node, method, path, contentType, body string, header ...string) (answer, error) {
	r, err := http.NewRequestWithContext(s.ctx, method, "http://"+n.http+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}

func (s *stack) get(n *node, path string) answer { return s.do(n, "GET", path, "", "") }

func (s *stack) post(n *node, path, body string, header ...string) answer {
	return s.do(n, "POST", path, "application/json", body, header...)
}

// submit schedules a work and returns its id.
func (s *stack) submit(n *node, body string, header ...string) string {
	s.t.Helper()
	a := s.post(n, "/api/schedule_work", body, header...)
	var out struct {
		WorkID string `json:"work_id"`
	}
	a.into(s.t, &out)
	if a.status != http.StatusAccepted || out.WorkID == "" {
		s.t.Fatalf("schedule_work %s: %d %s", body, a.status, a.body)
	}
	if want := "/api/get_result/" + out.WorkID; a.header.Get("Location") != want {
		s.t.Errorf("Location %q, want %q", a.header.Get("Location"), want)
	}
	return out.WorkID
}

// wantProblem checks that an answer is a problem document of a code, whose detail holds want.
func wantProblem(t testing.TB, what string, a answer, status int, code problem.Code, want string) {
	t.Helper()
	if ct := a.header.Get("Content-Type"); a.status != status || ct != problemType {
		t.Errorf("%s: got %d %s %s, want %d %s", what, a.status, ct, a.body, status, problemType)
		return
	}
	var p map[string]any
	a.into(t, &p)
	if p["code"] != string(code) || p["title"] != http.StatusText(status) || fmt.Sprint(p["status"]) != fmt.Sprint(status) {
		t.Errorf("%s: got %s, want code %s, title and status of %d", what, a.body, code, status)
	}
	if detail, _ := p["detail"].(string); !strings.Contains(detail, want) {
		t.Errorf("%s: got detail %q, want %q in it", what, detail, want)
	}
}
