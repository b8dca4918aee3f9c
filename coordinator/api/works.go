package api

import (
	"context"
	"math"
	"strconv"
	"time"

	"colsum/coordinator/problem"
	"colsum/csvsum"
	"colsum/fsm"
)

// barrierTime bounds the wait for a point of linearizable reading; a leader that is cut off finds out sooner.
const barrierTime = 5 * time.Second

// current makes sure that what is read next is not older than the request, unless the client does not mind.
func (a *API) current(ctx context.Context, consistency string) error {
	if consistency == "stale" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, barrierTime)
	defer cancel()
	return a.works.ReadBarrier(ctx)
}

type listWorksInput struct {
	Status      string `query:"status" enum:"queued,running,done,failed,cancelled" doc:"Only works of this status"`
	Limit       int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	After       string `query:"after" maxLength:"64" doc:"next of the page before"`
	Consistency string `query:"consistency" enum:"stale" doc:"stale: this node answers from what it knows"`
}

type listWorksOutput struct {
	Body struct {
		InProgress int           `json:"in_progress" doc:"queued + running"`
		Counts     statusCounts  `json:"counts"`
		Tasks      taskCounts    `json:"tasks" doc:"Of running works"`
		Works      []workSummary `json:"works" nullable:"false" doc:"Newest first"`
		Next       *string       `json:"next" doc:"after of the next page, null on the last"`
	}
}

type statusCounts struct {
	Queued    int `json:"queued"`
	Running   int `json:"running"`
	Done      int `json:"done"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
}

type taskCounts struct {
	Leased  int64 `json:"leased"`
	Pending int64 `json:"pending" doc:"Neither leased nor done"`
	Done    int64 `json:"done"`
}

// workSummary is the result document without the result.
type workSummary struct {
	WorkID   string           `json:"work_id"`
	Filepath string           `json:"filepath"`
	Status   fsm.Status       `json:"status"`
	Ctime    time.Time        `json:"ctime"`
	Mtime    time.Time        `json:"mtime"`
	Error    *csvsum.DocError `json:"error"`
	Progress csvsum.Progress  `json:"progress"`
}

func (a *API) listWorks(ctx context.Context, in *listWorksInput) (*listWorksOutput, error) {
	if err := a.current(ctx, in.Consistency); err != nil {
		return nil, a.fail(ctx, err)
	}
	list, next := a.works.State().Summaries(fsm.Status(in.Status), in.Limit, in.After)
	counts, tasks := a.works.State().Counts(), a.works.TaskCounts()
	out := &listWorksOutput{}
	b := &out.Body
	b.InProgress = counts.Queued + counts.Running
	b.Counts = statusCounts{counts.Queued, counts.Running, counts.Done, counts.Failed, counts.Cancelled}
	b.Tasks = taskCounts{Leased: tasks.Leased, Pending: tasks.Pending, Done: tasks.Done}
	b.Works = make([]workSummary, 0, len(list))
	for _, w := range list {
		b.Works = append(b.Works, workSummary{w.ID, w.Path, w.Status, w.Ctime, w.Mtime, w.Error, a.works.Progress(w)})
	}
	b.Next = orNull(next)
	return out, nil
}

// orNull gives nil for "".
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

type getResultInput struct {
	WorkID      string `path:"work_id" maxLength:"64"`
	Wait        string `query:"wait" doc:"How long to wait for the end of the work, as 30s or 1m30s, or in seconds; at most 10m"`
	Consistency string `query:"consistency" enum:"stale" doc:"stale: this node answers from what it knows"`
}

type getResultOutput struct {
	Body *csvsum.Document
}

func (a *API) getResult(ctx context.Context, in *getResultInput) (*getResultOutput, error) {
	wait, err := parseWait(in.Wait)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	if err := a.current(ctx, in.Consistency); err != nil {
		return nil, a.fail(ctx, err)
	}
	doc, err := a.waitEnded(ctx, in, min(wait, a.cfg.MaxWait))
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return &getResultOutput{Body: doc}, nil
}

// waitEnded returns the document of a work once it has ended, or as it is when the time is up or the server ends. It gives
// up when this node stops leading, unless the client asked for this node's own view: the next leader knows better.
func (a *API) waitEnded(ctx context.Context, in *getResultInput, wait time.Duration) (*csvsum.Document, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for waited := false; ; waited = true {
		moved := a.cluster.LeaderChanged()
		changed := a.works.State().Changed(in.WorkID)
		work, ok := a.works.State().Summary(in.WorkID) // the whole document is made once, not at each change
		if !ok {
			return nil, unknownWork(in.WorkID)
		}
		if work.Status.Ended() || wait <= 0 {
			doc, ok := a.works.Document(in.WorkID)
			if !ok {
				return nil, unknownWork(in.WorkID)
			}
			return doc, nil
		}
		if _, self, _ := a.works.Leader(); waited && !self && in.Consistency != "stale" {
			return nil, problem.New(problem.NoLeader, "node %s does not lead any more", a.cluster.ID())
		}
		select {
		case <-changed:
			continue
		case <-moved:
			continue
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
		case <-a.closing:
		}
		if err := a.current(ctx, in.Consistency); err != nil {
			return nil, err
		}
		wait = 0
	}
}

func unknownWork(id string) error {
	return problem.New(problem.UnknownWork, "work_id: no work has the id %q", short(id))
}

// parseWait reads "30s", "1m30s" or plain seconds; "" is 0.
func parseWait(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if seconds, numErr := strconv.ParseFloat(s, 64); numErr == nil && !math.IsNaN(seconds) {
		d, err = time.Duration(math.Min(seconds*1e9, math.MaxInt64/2)), nil // far beyond any cap is enough
		if seconds < 0 {
			d = -1
		}
	}
	if err != nil {
		return 0, badField("wait", "must be a duration such as 30s, or seconds, got %q", short(s))
	}
	if d < 0 {
		return 0, badField("wait", "must be at least 0, got %s", short(s))
	}
	return d, nil
}

type cancelWorkInput struct {
	WorkID string `path:"work_id" maxLength:"64"`
}

type cancelWorkOutput struct {
	Body struct {
		WorkID string     `json:"work_id"`
		Status fsm.Status `json:"status" doc:"cancelled, or as the work had ended before"`
	}
}

func (a *API) cancelWork(ctx context.Context, in *cancelWorkInput) (*cancelWorkOutput, error) {
	if err := noFields(ctx); err != nil {
		return nil, a.fail(ctx, err)
	}
	if err := a.works.Cancel(ctx, in.WorkID); err != nil {
		return nil, a.fail(ctx, err)
	}
	out := &cancelWorkOutput{}
	out.Body.WorkID, out.Body.Status = in.WorkID, fsm.Cancelled
	if doc, ok := a.works.Document(in.WorkID); ok { // forgotten in between: it was cancelled all the same
		out.Body.Status = fsm.Status(doc.Status)
	}
	return out, nil
}

// noFields refuses a body with fields in it.
func noFields(ctx context.Context) error {
	_, err := parseFields(bodyOf(ctx))
	return err
}

// cleanBody is the shape of clean_works' body in the OpenAPI document.
type cleanBody struct {
	MaxAge int64 `json:"max_age" minimum:"0" doc:"Works that ended at least so many seconds ago are forgotten"`
}

type cleanWorksOutput struct {
	Body struct {
		Removed int `json:"removed"`
	}
}

func (a *API) cleanWorks(ctx context.Context, _ *struct{}) (*cleanWorksOutput, error) {
	const most = int64(100 * 365 * 24 * 3600) // a century, well within time.Duration
	f, err := parseFields(bodyOf(ctx), "max_age")
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	age, given, err := f.whole("max_age", 0)
	switch {
	case err != nil:
	case !given:
		err = badField("max_age", "required: seconds, at least 0")
	case age > most:
		err = badField("max_age", "must be at most %d seconds, got %d", most, age)
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	removed, err := a.works.Clean(ctx, time.Duration(age)*time.Second)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := &cleanWorksOutput{}
	out.Body.Removed = removed
	return out, nil
}
