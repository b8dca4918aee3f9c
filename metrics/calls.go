package metrics

import (
	"context"
	"strconv"
	"strings"
	"time"

	"colsum/rpc"

	"github.com/prometheus/client_golang/prometheus"
)

// buckets reach from a call within one machine to a long poll.
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// HTTP returns what api.Config.Observe takes: it counts requests and times all but streams.
func (r *Registry) HTTP() func(call string, status int, took time.Duration) {
	count := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "colsum_http_requests_total", Help: "Requests answered.",
	}, []string{"call", "status"})
	times := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "colsum_http_request_seconds", Help: "Time until they were answered; get_result includes its wait.", Buckets: buckets,
	}, []string{"call"})
	r.reg.MustRegister(count, times)
	return func(call string, status int, took time.Duration) {
		count.WithLabelValues(call, strconv.Itoa(status)).Inc()
		if !strings.Contains(call, "watch_work") {
			times.WithLabelValues(call).Observe(seconds(took))
		}
	}
}

// service counts what workers ask of a coordinator.
type service struct {
	rpc.Service
	calls  *prometheus.CounterVec
	lease  prometheus.Histogram
	commit prometheus.Histogram
	leased prometheus.Counter
	done   prometheus.Counter
	rows   prometheus.Counter
	failed *prometheus.CounterVec
}

// RPC returns next with its calls counted.
func (r *Registry) RPC(next rpc.Service) rpc.Service {
	s := &service{
		Service: next,
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "colsum_rpc_calls_total", Help: "Calls of workers; outcome is ok, not_leader or error.",
		}, []string{"method", "outcome"}),
		lease: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "colsum_lease_seconds", Help: "Time from a worker's request to an answer with tasks in it. It includes the wait for tasks: near zero means that work is waiting for workers.", Buckets: buckets,
		}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "colsum_commit_seconds", Help: "Time from a worker's results to the answer that they are committed.", Buckets: buckets,
		}),
		leased: prometheus.NewCounter(prometheus.CounterOpts{Name: "colsum_tasks_leased_total", Help: "Tasks leased, repeated ones included."}),
		done:   prometheus.NewCounter(prometheus.CounterOpts{Name: "colsum_tasks_done_total", Help: "Results committed, of repeated tasks too."}),
		rows:   prometheus.NewCounter(prometheus.CounterOpts{Name: "colsum_rows_done_total", Help: "Rows in those results."}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "colsum_tasks_failed_total", Help: "Tasks that a worker did not do, by reason.",
		}, []string{"reason"}),
	}
	r.reg.MustRegister(s.calls, s.lease, s.commit, s.leased, s.done, s.rows, s.failed)
	for _, name := range reasons {
		s.failed.WithLabelValues(name) // a rate begins at 0, not at the first failure
	}
	return s
}

func (s *service) count(method string, elsewhere *rpc.NotLeader, err error) bool {
	outcome := "ok"
	switch {
	case err != nil:
		outcome = "error"
	case elsewhere != nil:
		outcome = "not_leader"
	}
	s.calls.WithLabelValues(method, outcome).Inc()
	return outcome == "ok"
}

func (s *service) Lease(ctx context.Context, req *rpc.LeaseRequest) (*rpc.LeaseReply, error) {
	began := time.Now()
	reply, err := s.Service.Lease(ctx, req)
	if s.count("lease", elsewhere(reply), err) && len(reply.Tasks) > 0 {
		s.lease.Observe(seconds(time.Since(began)))
		s.leased.Add(float64(len(reply.Tasks)))
	}
	return reply, err
}

func elsewhere(r *rpc.LeaseReply) *rpc.NotLeader {
	if r == nil {
		return nil
	}
	return r.NotLeader
}

func (s *service) Heartbeat(ctx context.Context, req *rpc.HeartbeatRequest) (*rpc.HeartbeatReply, error) {
	reply, err := s.Service.Heartbeat(ctx, req)
	var to *rpc.NotLeader
	if reply != nil {
		to = reply.NotLeader
	}
	s.count("heartbeat", to, err)
	return reply, err
}

func (s *service) Complete(ctx context.Context, req *rpc.CompleteRequest) (*rpc.CompleteReply, error) {
	var rows int64 // counted before: the request is the method's to keep
	for _, d := range req.Done {
		if d.Partial != nil {
			rows += d.Partial.Rows
		}
	}
	n, began := len(req.Done), time.Now()
	reply, err := s.Service.Complete(ctx, req)
	var to *rpc.NotLeader
	if reply != nil {
		to = reply.NotLeader
	}
	if s.count("complete", to, err) {
		s.commit.Observe(seconds(time.Since(began)))
		s.done.Add(float64(n))
		s.rows.Add(float64(max(0, rows)))
	}
	return reply, err
}

// reasons names the kinds of failures.
var reasons = map[rpc.FailureKind]string{
	rpc.Returned: "returned", rpc.StorageAway: "storage_away", rpc.NotHere: "not_here", rpc.Changed: "file_changed",
	rpc.Gone: "file_gone", rpc.Broke: "broke",
}

func (s *service) Fail(ctx context.Context, req *rpc.FailRequest) (*rpc.FailReply, error) {
	kinds := make([]rpc.FailureKind, 0, len(req.Failures))
	for _, f := range req.Failures {
		kinds = append(kinds, f.Kind)
	}
	reply, err := s.Service.Fail(ctx, req)
	var to *rpc.NotLeader
	if reply != nil {
		to = reply.NotLeader
	}
	if s.count("fail", to, err) {
		for _, k := range kinds {
			name, ok := reasons[k]
			if !ok {
				name = "other"
			}
			s.failed.WithLabelValues(name).Inc()
		}
	}
	return reply, err
}
