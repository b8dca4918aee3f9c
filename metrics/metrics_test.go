package metrics

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"colsum/csvsum"
	"colsum/rpc"
	"colsum/storage"
	"colsum/worker"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// stub answers what a test wants; the calls that are not set panic.
type stub struct {
	lease    *rpc.LeaseReply
	complete *rpc.CompleteReply
	err      error
}

func (s stub) Lease(context.Context, *rpc.LeaseRequest) (*rpc.LeaseReply, error) {
	return s.lease, s.err
}
func (s stub) Heartbeat(context.Context, *rpc.HeartbeatRequest) (*rpc.HeartbeatReply, error) {
	return &rpc.HeartbeatReply{}, nil
}
func (s stub) Complete(context.Context, *rpc.CompleteRequest) (*rpc.CompleteReply, error) {
	return s.complete, s.err
}
func (s stub) Fail(context.Context, *rpc.FailRequest) (*rpc.FailReply, error) {
	return &rpc.FailReply{}, nil
}

func scrape(t *testing.T, r *Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %v %s", w.Code, err, text)
	}
	return string(text)
}

func TestWhatIsShown(t *testing.T) {
	r := New("v1")
	var stats storage.Stats
	stats.Retries.Add(3)
	r.Storage(&stats)
	r.Worker(func() worker.Status { return worker.Status{Slots: 4, Running: 2, TasksDone: 9, BytesDone: 1000} })
	if err := r.Raft(); err != nil {
		t.Fatal(err)
	}
	observe := r.HTTP()
	observe("/api/list_works", 200, 3*time.Millisecond)
	observe("/api/watch_work/{work_id}", 200, time.Hour)

	backend := &stub{}
	s := r.RPC(backend)
	ctx := t.Context()
	backend.lease = &rpc.LeaseReply{Tasks: make([]rpc.Assignment, 3)}
	s.Lease(ctx, &rpc.LeaseRequest{})
	backend.lease = &rpc.LeaseReply{NotLeader: &rpc.NotLeader{}}
	s.Lease(ctx, &rpc.LeaseRequest{})
	backend.lease, backend.err = nil, errors.New("x")
	if _, err := s.Lease(ctx, &rpc.LeaseRequest{}); err == nil {
		t.Error("the error of a call is lost")
	}
	done := &rpc.CompleteRequest{Done: []rpc.Completion{{Partial: &csvsum.Partial{Rows: 5}}, {Partial: &csvsum.Partial{Rows: 7}}, {}}}
	s.Complete(ctx, done) // an error: nothing is done
	backend.err, backend.complete = nil, &rpc.CompleteReply{}
	s.Complete(ctx, done)
	s.Heartbeat(ctx, &rpc.HeartbeatRequest{})
	s.Fail(ctx, &rpc.FailRequest{Failures: []rpc.Failure{{Kind: rpc.StorageAway}, {Kind: 99}}})

	text := scrape(t, r)
	for _, want := range []string{
		`colsum_build_info{version="v1"} 1`,
		`colsum_storage_retries_total 3`,
		`colsum_worker_slots 4`,
		`colsum_worker_tasks{state="running"} 2`,
		`colsum_worker_tasks_done_total 9`,
		`colsum_http_requests_total{call="/api/list_works",status="200"} 1`,
		`colsum_http_request_seconds_count{call="/api/list_works"} 1`,
		`colsum_rpc_calls_total{method="lease",outcome="ok"} 1`,
		`colsum_rpc_calls_total{method="lease",outcome="not_leader"} 1`,
		`colsum_rpc_calls_total{method="lease",outcome="error"} 1`,
		`colsum_lease_seconds_count 1`,
		`colsum_tasks_leased_total 3`,
		`colsum_tasks_done_total 3`,
		`colsum_rows_done_total 12`,
		`colsum_tasks_failed_total{reason="storage_away"} 1`,
		`colsum_tasks_failed_total{reason="other"} 1`,
		`go_goroutines `,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("not shown: %s", want)
		}
	}
	if strings.Contains(text, `colsum_http_request_seconds_count{call="/api/watch_work`) {
		t.Error("streams are timed")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "colsum_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}
