package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"colsum/coordinator/problem"
)

const (
	// forwardedHeader marks a request that comes from another node: it is answered here or refused, never sent on, so
	// that two nodes of different opinions about the leader cannot play ball with it. Its value is the sender's id.
	forwardedHeader = "X-Colsum-Forwarded"
	// lookAgain is how often the leader's address is looked up while it is unknown: that comes through the log, after the
	// notice that there is a leader.
	lookAgain = 50 * time.Millisecond
	// answerTime bounds one forwarded request besides its ?wait=; of a stream, the wait for its beginning.
	answerTime = 60 * time.Second
)

// forwarded are the calls the leader has to answer: value true for reads, which ?consistency=stale keeps local.
var forwarded = map[string]bool{
	"POST /api/schedule_work":         false,
	"POST /api/cancel_work/{work_id}": false,
	"POST /api/clean_works":           false,
	"POST /api/cluster/announce":      false,
	"POST /api/cluster/add":           false,
	"POST /api/cluster/remove":        false,
	"POST /api/cluster/transfer":      false,
	"GET /api/list_works":             true,
	"GET /api/get_result/{work_id}":   true,
	"GET /api/watch_work/{work_id}":   true,
	"GET /api/cluster":                true,
	"GET /api/cluster/backup":         true,
}

// isForwarded reports whether the leader has to answer. A read with any consistency stays here: for "stale" to be
// answered, for anything else to be refused.
func (a *API) isForwarded(pattern string, r *http.Request) bool {
	read, ok := forwarded[pattern]
	return ok && !(read && r.URL.Query().Get("consistency") != "")
}

var errLeaderMoved = errors.New("another node leads now")

// forward has the leader answer, be it this node or another. While nobody leads, or while the leader is on its way out, it
// waits for the next one, for Config.HoldLeader at most. What may have been carried out already is only sent again if
// that is harmless.
func (a *API) forward(out *attempt, r *http.Request, body sent) {
	ctx := r.Context()
	sender := r.Header.Get(forwardedHeader)
	ends := waitEnd(r, a.cfg.MaxWait)
	deadline := time.Now().Add(a.cfg.HoldLeader)
	for {
		changed := a.cluster.LeaderChanged()
		leader, self, ok := a.works.Leader()
		began := time.Now()
		switch {
		case ok && self:
			a.mux.ServeHTTP(out, withBody(remaining(r, ends), body))
			if code := out.heldCode(); code != problem.NoLeader || sender != "" {
				return
			}
		case sender != "":
			writeProblem(out, problem.New(problem.NoLeader, "node %s does not lead (asked by node %s)", a.cluster.ID(), sender))
			return
		case ok && leader.HTTP != "":
			err := a.sendTo(leader.ID, leader.HTTP, out, withBody(remaining(r, ends), body), ends)
			code := out.heldCode()
			switch {
			case err == nil && code != problem.NoLeader && !(code == problem.OutcomeUnknown && repeatable(r)):
				return
			case err != nil && !unsent(err) && !repeatable(r):
				if ctx.Err() == nil {
					a.log.Warn("leader lost in mid-request", "leader", leader.ID, "path", r.URL.Path, "error", err)
				}
				writeProblem(out, problem.New(problem.OutcomeUnknown,
					"node %s took the request and did not answer: it may have been carried out or not", leader.ID))
				return
			}
		}
		if time.Since(began) > a.cfg.HoldLeader { // a long poll that was cut off: the search begins only now
			deadline = time.Now().Add(a.cfg.HoldLeader)
		}
		if !a.pause(ctx, changed, deadline) {
			if out.status == 0 || out.heldCode() == problem.NoLeader {
				out.reset()
				writeProblem(out, problem.New(problem.NoLeader, "no node leads the cluster at the moment; nothing was changed"))
			}
			return
		}
		out.reset()
	}
}

// pause waits for a change; false when the time is up.
func (a *API) pause(ctx context.Context, changed <-chan struct{}, deadline time.Time) bool {
	left := time.Until(deadline)
	if left <= 0 {
		return false
	}
	t := time.NewTimer(min(left, lookAgain))
	defer t.Stop()
	select {
	case <-changed:
		// Leadership flickers: without a pause a request would spin through it.
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return false
		}
		return true
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	case <-a.closing:
		return false
	}
}

// sendTo passes r on and copies the answer. A nil error means that there was an answer, held or passed through. The wait
// for it ends when somebody else becomes leader: a node that was cut off would let the client hang. A request that must
// not be repeated leaves the old leader some time to say what became of it.
func (a *API) sendTo(id, addr string, out *attempt, r *http.Request, ends time.Time) error {
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	target, err := url.Parse(addr)
	if err != nil || target.Host == "" {
		return &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("node " + id + " announced a wrong address: " + addr)}
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	limit := time.AfterFunc(max(0, time.Until(ends))+answerTime, func() { cancel(context.DeadlineExceeded) })
	defer limit.Stop()
	answered := make(chan struct{})
	grace, closing := a.cfg.HoldLeader, (<-chan struct{})(nil)
	if repeatable(r) {
		grace, closing = 0, a.closing
	}
	go a.watchLeader(ctx, id, grace, closing, answered, cancel)
	// A stream is given up in the middle, too: a leader that was cut off would send nothing more, and break off nothing.
	begun := sync.OnceFunc(func() { close(answered) })
	if isStream(r) {
		begun = func() { limit.Stop() }
	}

	var failure error
	proxy := &httputil.ReverseProxy{
		Transport: a.toLeader,
		ErrorLog:  slog.NewLogLogger(a.log.Handler(), slog.LevelWarn), // answers broken off in the middle
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.SetXForwarded()
			p.Out.Header.Set(forwardedHeader, a.cluster.ID())
			p.Out.GetBody = r.GetBody // lets the transport repeat what it has not sent on a connection gone stale
		},
		ModifyResponse: func(*http.Response) error { begun(); return nil },
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			failure = err
			if cause := context.Cause(ctx); cause != nil {
				failure = errors.Join(cause, err)
			}
		},
	}
	proxy.ServeHTTP(out, r.WithContext(ctx))
	return failure
}

// watchLeader gives a request up once the node it was sent to has not led for as long as grace, or when closing closes.
func (a *API) watchLeader(
	ctx context.Context, id string, grace time.Duration, closing, answered <-chan struct{}, giveUp context.CancelCauseFunc,
) {
	var late <-chan time.Time
	for {
		changed := a.cluster.LeaderChanged()
		if leader, _, ok := a.works.Leader(); ok && leader.ID != id && late == nil {
			late = time.After(grace)
		}
		select {
		case <-late:
			giveUp(errLeaderMoved)
			return
		case <-changed:
		case <-closing:
			giveUp(http.ErrServerClosed)
			return
		case <-answered:
			return
		case <-ctx.Done():
			return
		}
	}
}

// isStream reports whether the answer goes on for as long as a work does.
func isStream(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/watch_work/") }

// repeatable reports whether a request may be carried out twice: reads, a submit with a key, a cancellation, and changes of
// the membership.
func repeatable(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Header.Get("Idempotency-Key") != "" ||
		strings.HasPrefix(r.URL.Path, "/api/cancel_work/") || strings.HasPrefix(r.URL.Path, "/api/cluster/")
}

// unsent reports whether the leader cannot have seen the request: there was no connection.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// waitEnd returns when the request's ?wait= is up, now if it has none or a wrong one.
func waitEnd(r *http.Request, limit time.Duration) time.Time {
	now := time.Now()
	if !r.URL.Query().Has("wait") {
		return now
	}
	d, err := parseWait(r.URL.Query().Get("wait"))
	if err != nil {
		return now
	}
	return now.Add(min(d, limit))
}

// remaining returns r with what is left of its ?wait=. A wrong one is left as it is, to be refused.
func remaining(r *http.Request, ends time.Time) *http.Request {
	q := r.URL.Query()
	if _, err := parseWait(q.Get("wait")); err != nil || !q.Has("wait") {
		return r
	}
	q.Set("wait", max(0, time.Until(ends)).String())
	r = r.Clone(r.Context())
	r.URL.RawQuery = q.Encode()
	return r
}
