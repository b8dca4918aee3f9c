package main

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// What a work looks like to clients, one work at a time: it does not exist, then it is queued, running and ended, never
// back; once it has an id it keeps it; how it ended does not change; only a cancelled one was asked to be. Long after its end
// it may be forgotten, if that was asked for.
type workState struct {
	exists, ended bool
	gone          bool   // forgotten
	since         int64  // it did not end before, in Unix time
	id            string // "" while nobody was told
	rank          int
	status        string // of an ended work, "" while nobody was told
	rows, mtime   int64
	digest        string
}

var ranks = map[string]int{"queued": 0, "running": 1, "done": 2, "failed": 2, "cancelled": 2}

const endedRank = 2

// step is the model: whether o can have happened to a work in state s, and what it is then.
func step(s workState, o op) (bool, workState) {
	switch o.kind {
	case opSubmit:
		if !s.exists {
			s.exists, s.since = true, o.wall
		}
		if o.unknown {
			return true, s
		}
		return s.named(o.id)
	case opCancel:
		if !o.unknown && !s.exists {
			return false, s
		}
		if s.exists && !s.ended {
			s.ended, s.rank, s.status = true, endedRank, "cancelled?"
		}
		return true, s
	case opRead:
		return s.read(o)
	}
	panic("unknown kind of operation: " + string(o.kind))
}

func (s workState) named(id string) (bool, workState) {
	if s.id != "" && s.id != id {
		return false, s
	}
	s.id = id
	return true, s
}

func (s workState) read(o op) (bool, workState) {
	if !o.found {
		s.gone = s.gone || s.exists && max(s.mtime, s.since) <= o.wall
		return !s.exists || s.gone, s
	}
	if !s.exists || s.gone {
		return false, s
	}
	ok, s := s.named(o.id)
	rank, known := ranks[o.status]
	switch {
	case !ok, !known, rank < s.rank, o.mtime < s.mtime:
		return false, s
	case rank < endedRank:
		if o.rows >= 0 && o.rows < s.rows {
			return false, s
		}
		s.rank, s.mtime, s.rows = rank, o.mtime, max(s.rows, o.rows)
		return true, s
	}
	switch s.status {
	case "", "cancelled?": // it ended by itself meanwhile, or before it was asked to
		// Only a cancellation that comes before it makes a work cancelled.
		if o.status == "cancelled" && s.status != "cancelled?" {
			return false, s
		}
	case o.status:
		if o.mtime != s.mtime || o.digest != "" && s.digest != "" && o.digest != s.digest {
			return false, s
		}
	default:
		return false, s
	}
	s.ended, s.rank, s.status, s.mtime = true, endedRank, o.status, o.mtime
	if o.digest != "" {
		s.digest = o.digest
	}
	return true, s
}

var model = porcupine.Model{
	Init: func() any { return workState{} },
	Step: func(state, input, _ any) (bool, any) {
		ok, s := step(state.(workState), input.(op))
		return ok, s
	},
}

// linearizable checks the history of each work; it returns a line for each that no order of its operations explains.
func linearizable(ops []op, patience time.Duration) []string {
	byKey := map[string][]op{}
	for _, o := range ops {
		byKey[o.key] = append(byKey[o.key], o)
	}
	var bad []string
	deadline := time.Now().Add(patience)
	for key, list := range byKey {
		list = mergeUnknown(list)
		var in []porcupine.Operation
		for _, o := range list {
			in = append(in, porcupine.Operation{ClientId: o.client, Input: o, Call: o.call, Return: o.ret})
		}
		switch porcupine.CheckOperationsTimeout(model, in, max(time.Second, time.Until(deadline))) {
		case porcupine.Illegal:
			bad = append(bad, fmt.Sprintf("the history of the work with key %s is not linearizable:\n%s", key, describe(list)))
		case porcupine.Unknown:
			bad = append(bad, fmt.Sprintf("the history of the work with key %s (%d operations) could not be checked in time", key, len(list)))
		}
	}
	sort.Strings(bad)
	return bad
}

// mergeUnknown makes one of all submits without an answer, and one of all such cancellations. They are harmless to repeat,
// so only the first that is carried out counts, and one call that may happen at any time from the first on says as much.
func mergeUnknown(ops []op) []op {
	var list []op
	first := map[kind]int{}
	for _, o := range ops {
		if !o.unknown {
			list = append(list, o)
			continue
		}
		o.ret = forever
		if i, again := first[o.kind]; again {
			list[i].call = min(list[i].call, o.call)
			continue
		}
		first[o.kind] = len(list)
		list = append(list, o)
	}
	return list
}

func describe(ops []op) string {
	sort.Slice(ops, func(i, j int) bool { return ops[i].call < ops[j].call })
	var b strings.Builder
	for _, o := range ops {
		ret := fmt.Sprintf("%.3f", float64(o.ret)/1e9)
		if o.unknown {
			ret = "?"
		}
		fmt.Fprintf(&b, "  %.3f-%s s client %d %s", float64(o.call)/1e9, ret, o.client, o.kind)
		if o.node != "" {
			fmt.Fprintf(&b, " at %s", o.node)
		}
		switch {
		case o.unknown:
			b.WriteString(": no answer")
		case o.kind == opSubmit:
			fmt.Fprintf(&b, ": %s", o.id)
		case o.kind == opRead && !o.found:
			b.WriteString(": unknown")
		case o.kind == opRead:
			fmt.Fprintf(&b, ": %s, %d rows, changed %s", o.status, o.rows, time.Unix(0, o.mtime).UTC().Format("15:04:05.000000000"))
		}
		b.WriteString("\n")
	}
	return b.String()
}
