package coordinator

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"colsum/coordinator/problem"
	"colsum/coordinator/raftnode"
	"colsum/csvsum"
	"colsum/fsm"
	"colsum/storage"

	"github.com/google/uuid"
)

const (
	// submitStat is how long Submit waits for the storage to say whether the file is there. A storage that does not
	// answer is no reason to refuse.
	submitStat = 2 * time.Second
	// forgetBatch bounds the works that one log entry forgets, and with it how long its application takes.
	forgetBatch = 1000
)

// SubmitRequest asks for a work.
type SubmitRequest struct {
	Path    string
	Options csvsum.Options
	// Key is the Idempotency-Key, "" for none.
	Key string
}

// Submit accepts a work and returns its id; with a Key seen before it returns the id of then. Leader only. Errors are
// *problem.Error: bad_request, file_not_found, forbidden, key_conflict, too_many_works, no_leader, busy, timeout (nothing was
// changed), outcome_unknown (with a Key it is safe to try again).
func (c *Coordinator) Submit(ctx context.Context, req SubmitRequest) (id string, err error) {
	if err := c.check(req); err != nil {
		return "", err
	}
	if _, self := c.node.Leader(); !self {
		return "", notLeader()
	}
	cmd := &fsm.Submit{
		Time: time.Now().UTC(), Path: req.Path, Options: req.Options, Key: req.Key, MaxActive: c.cfg.MaxActive,
	}
	if cmd.Hash, err = requestHash(req); err != nil {
		return "", problem.New(problem.BadRequest, "options: %w", err)
	}
	info, found, err := c.lookFor(ctx, req.Path)
	if err != nil {
		return c.submitted(ctx, cmd, err)
	}
	uid, err := uuid.NewV7()
	if err != nil {
		return "", problem.New(problem.Internal, "make an id: %w", err)
	}
	cmd.ID = uid.String()
	var next []fsm.Command
	if r := c.reign.Load(); r != nil && found {
		next = r.planNow(ctx, cmd, info)
	}
	resp, err := c.node.Propose(ctx, cmd, next...)
	if err != nil {
		return "", asProblem(ctx, err)
	}
	switch resp.Outcome {
	case fsm.OK:
	case fsm.Conflict:
		return "", keyConflict()
	case fsm.QueueFull:
		return "", problem.New(problem.TooManyWorks, "%d works are queued or running, and no more are taken", c.cfg.MaxActive)
	default:
		return "", problem.New(problem.Internal, "submit: unexpected outcome %d", resp.Outcome)
	}
	// With a key seen before it may be that of an attempt whose client did not wait for the outcome, and then nobody has told
	// the reign of it.
	if r := c.reign.Load(); r != nil {
		r.adopt(resp.ID, false)
	}
	return resp.ID, nil
}

// submitted answers a request whose file is of no use (why): its key may be that of a work whose file has gone since.
func (c *Coordinator) submitted(ctx context.Context, cmd *fsm.Submit, why error) (id string, err error) {
	if cmd.Key == "" {
		return "", why
	}
	if err := c.ReadBarrier(ctx); err != nil {
		return "", err
	}
	resp, known := c.State().Key(cmd.Key, cmd.Hash)
	switch {
	case !known:
		return "", why
	case resp.Outcome == fsm.Conflict:
		return "", keyConflict()
	}
	return resp.ID, nil
}

// check refuses what no file could make right.
func (c *Coordinator) check(req SubmitRequest) error {
	switch {
	case req.Path == "":
		return problem.New(problem.BadRequest, "filepath: required")
	case len(req.Path) > fsm.MaxPath:
		return problem.New(problem.BadRequest, "filepath: must be at most %d bytes, got %d", fsm.MaxPath, len(req.Path))
	case len(req.Key) > fsm.MaxKey:
		return problem.New(problem.BadRequest, "Idempotency-Key: must be at most %d bytes, got %d", fsm.MaxKey, len(req.Key))
	}
	if err := req.Options.Validate(); err != nil {
		return problem.New(problem.BadRequest, "%w", err)
	}
	if n := req.Options.ChunkBytes; n != 0 && n < c.cfg.MinChunk {
		return problem.New(problem.BadRequest, "chunk_bytes: must be at least %d, got %d", c.cfg.MinChunk, n)
	}
	return nil
}

// lookFor returns why the file is certainly of no use. Without an error, found says whether the storage has shown it.
func (c *Coordinator) lookFor(ctx context.Context, path string) (info storage.Info, found bool, err error) {
	if r := c.reign.Load(); r != nil && r.away(path) {
		return info, false, nil // it would only cost the user two seconds
	}
	info, err = within(ctx, submitStat, func(ctx context.Context) (storage.Info, error) { return c.files.Stat(ctx, path) })
	switch {
	case errors.Is(err, storage.ErrNotFound):
		err = problem.New(problem.FileNotFound, "filepath: %w", err)
	case errors.Is(err, storage.ErrForbidden):
		err = problem.New(problem.Forbidden, "filepath: %w", err)
	case errors.Is(err, storage.ErrIsDir), errors.Is(err, storage.ErrBadPath):
		err = problem.New(problem.BadRequest, "filepath: %w", err)
	default:
		return info, err == nil, nil
	}
	return info, false, err
}

// requestHash tells whether two requests under one key are the same.
func requestHash(req SubmitRequest) ([]byte, error) {
	b, err := json.Marshal([]any{req.Path, req.Options})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// Cancel ends a work as cancelled; on an ended one it changes nothing. Leader only. Errors are *problem.Error:
// unknown_work, no_leader, busy, timeout, outcome_unknown.
func (c *Coordinator) Cancel(ctx context.Context, id string) error {
	if _, self := c.node.Leader(); !self {
		return notLeader()
	}
	if id == "" || len(id) > fsm.MaxID {
		return problem.New(problem.UnknownWork, "no work has the id %.80q", id)
	}
	resp, err := c.node.Propose(ctx, &fsm.Cancel{ID: id, Time: time.Now().UTC()})
	if err != nil {
		return asProblem(ctx, err)
	}
	if resp.Outcome == fsm.UnknownWork {
		return problem.New(problem.UnknownWork, "no work has the id %q", id)
	}
	if r := c.reign.Load(); r != nil {
		r.drop(id)
	}
	return nil
}

// Clean forgets the works that ended at least maxAge ago and returns how many. Leader only. Errors are *problem.Error;
// what was removed before one stays removed.
func (c *Coordinator) Clean(ctx context.Context, maxAge time.Duration) (removed int, err error) {
	if maxAge < 0 {
		return 0, problem.New(problem.BadRequest, "max_age: must not be negative, got %v", maxAge.Seconds())
	}
	if _, self := c.node.Leader(); !self {
		return 0, notLeader()
	}
	removed, err = c.forget(ctx, time.Now().Add(-maxAge), 0)
	return removed, asProblem(ctx, err)
}

// forget removes ended works, the oldest first: at most limit of those that ended at before or earlier; 0 for all.
func (c *Coordinator) forget(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	for {
		n := forgetBatch
		if limit > 0 {
			n = min(n, limit-removed)
		}
		resp, err := c.node.Propose(ctx, &fsm.Forget{Before: before.UTC(), Limit: n})
		if err != nil {
			return removed, fmt.Errorf("forget works: %w", err)
		}
		removed += resp.Removed
		if resp.Removed < n || removed == limit {
			return removed, nil
		}
	}
}

func keyConflict() error {
	return problem.New(problem.KeyConflict, "Idempotency-Key: it was used with another request before")
}

func notLeader() error {
	return problem.New(problem.NoLeader, "this node does not lead the cluster at the moment")
}

// asProblem is what a user is told of an error of the raft node.
func asProblem(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raftnode.ErrUnknownOutcome):
		return problem.New(problem.OutcomeUnknown, "the cluster lost its leader on the way, and whether the request was carried out is not known: %w", err)
	case errors.Is(err, raftnode.ErrNotLeader), errors.Is(err, raftnode.ErrClosed):
		return problem.New(problem.NoLeader, "this node does not lead the cluster at the moment: %w", err)
	case errors.Is(err, raftnode.ErrBusy):
		return problem.New(problem.Busy, "the cluster has more to do than it can take: %w", err)
	case errors.Is(err, raftnode.ErrInvalid), errors.Is(err, raftnode.ErrTooLarge):
		return problem.New(problem.BadRequest, "%w", err)
	case ctx.Err() != nil:
		return problem.New(problem.Timeout, "the request's time was up: %w", err)
	}
	return problem.New(problem.Internal, "%w", err)
}
