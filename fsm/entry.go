package fsm

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"colsum/csvsum"
)

// entryVersion is the first byte of a log entry. It rises when a field gets another meaning, when an entry gets a field
// that an older node must not overlook, or when apply answers the same entry differently than before.
const entryVersion = 1

// Each error of Decode wraps one of these.
var (
	// ErrUnknownEntry is returned for an entry whose version or kind this program does not know.
	ErrUnknownEntry = errors.New("unknown version or kind of log entry")
	// ErrBadEntry is returned for an entry whose body is damaged or holds what Validate refuses.
	ErrBadEntry = errors.New("bad log entry")
)

// durable is how everything durable is written: map keys sorted, bytes and text told apart, no extension types. Reading is
// strict: a field that is not known is an error, since a node that overlooks what the others act upon would diverge.
var durable = func() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{}
	h.WriteExt = true
	h.Canonical = true
	h.ErrorIfNoField = true
	h.MaxInitLen = 1 << 16 // a length field alone must not reserve memory
	h.MaxDepth = 32
	return h
}()

// Encode returns the log entry of a command: version, kind, msgpack. It returns what Validate returns, so that nothing
// invalid is ever proposed. Equal commands have equal entries.
func Encode(cmd Command) ([]byte, error) {
	if err := Validate(cmd); err != nil {
		return nil, err
	}
	var body any
	switch c := cmd.(type) {
	case *Submit:
		body = &submitEntry{c.ID, c.Time.UnixNano(), c.Path, c.Options, c.Key, c.Hash, c.MaxActive}
	case *Plan:
		body = &planEntry{c.ID, c.Time.UnixNano(), c.Plan, c.Version, c.Chunk}
	case *Complete:
		body = &completeEntry{c.Time.UnixNano(), c.Done}
	case *Fail:
		body = &failEntry{c.ID, c.Time.UnixNano(), c.Error}
	case *Cancel:
		body = &cancelEntry{c.ID, c.Time.UnixNano()}
	case *Forget:
		body = &forgetEntry{c.Before.UnixNano(), c.Limit}
	case *Announce:
		body = c
	}
	b, err := marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", cmd, err)
	}
	return append([]byte{entryVersion, byte(cmd.kind())}, b...), nil
}

// Decode is the inverse of Encode. The command shares no memory with b. Errors wrap ErrUnknownEntry or ErrBadEntry.
func Decode(b []byte) (Command, error) {
	if len(b) < 2 {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadEntry, len(b))
	}
	if b[0] != entryVersion {
		return nil, fmt.Errorf("%w: version %d", ErrUnknownEntry, b[0])
	}
	cmd, err := decodeBody(Kind(b[1]), b[2:])
	if err != nil {
		return nil, err
	}
	if err := Validate(cmd); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadEntry, err)
	}
	return cmd, nil
}

func decodeBody(kind Kind, b []byte) (Command, error) {
	switch kind {
	case KindSubmit:
		var e submitEntry
		err := unmarshalEntry(b, &e)
		return &Submit{e.ID, fromNanos(e.Time), e.Path, e.Options, e.Key, e.Hash, e.MaxActive}, err
	case KindPlan:
		var e planEntry
		err := unmarshalEntry(b, &e)
		return &Plan{e.ID, fromNanos(e.Time), e.Plan, e.Version, e.Chunk}, err
	case KindComplete:
		var e completeEntry
		err := unmarshalEntry(b, &e)
		return &Complete{fromNanos(e.Time), e.Done}, err
	case KindFail:
		var e failEntry
		err := unmarshalEntry(b, &e)
		return &Fail{e.ID, fromNanos(e.Time), e.Error}, err
	case KindCancel:
		var e cancelEntry
		err := unmarshalEntry(b, &e)
		return &Cancel{e.ID, fromNanos(e.Time)}, err
	case KindForget:
		var e forgetEntry
		err := unmarshalEntry(b, &e)
		return &Forget{fromNanos(e.Before), e.Limit}, err
	case KindAnnounce:
		var e Announce
		err := unmarshalEntry(b, &e)
		return &e, err
	}
	return nil, fmt.Errorf("%w: kind %d", ErrUnknownEntry, kind)
}

func unmarshalEntry(b []byte, v any) error {
	if err := unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrBadEntry, err)
	}
	return nil
}

// The bodies of entries, where they differ from the commands: times are nanoseconds since 1970 UTC.
type (
	submitEntry struct {
		ID        string         `codec:"id"`
		Time      int64          `codec:"time"`
		Path      string         `codec:"path"`
		Options   csvsum.Options `codec:"options"`
		Key       string         `codec:"key"`
		Hash      []byte         `codec:"hash"`
		MaxActive int            `codec:"max_active"`
	}
	planEntry struct {
		ID      string      `codec:"id"`
		Time    int64       `codec:"time"`
		Plan    csvsum.Plan `codec:"plan"`
		Version string      `codec:"version"`
		Chunk   int64       `codec:"chunk"`
	}
	completeEntry struct {
		Time int64        `codec:"time"`
		Done []Completion `codec:"done"`
	}
	failEntry struct {
		ID    string          `codec:"id"`
		Time  int64           `codec:"time"`
		Error csvsum.DocError `codec:"error"`
	}
	cancelEntry struct {
		ID   string `codec:"id"`
		Time int64  `codec:"time"`
	}
	forgetEntry struct {
		Before int64 `codec:"before"`
		Limit  int   `codec:"limit"`
	}
)

// marshal writes v in the durable form.
func marshal(v any) ([]byte, error) {
	var b []byte
	if err := codec.NewEncoderBytes(&b, durable).Encode(v); err != nil {
		return nil, err
	}
	return b, nil
}

// unmarshal reads one durable value that fills b.
func unmarshal(b []byte, v any) error {
	d := codec.NewDecoderBytes(b, durable)
	if err := d.Decode(v); err != nil {
		return err
	}
	if n := d.NumBytesRead(); n != len(b) {
		return fmt.Errorf("%d bytes after the value", len(b)-n)
	}
	return nil
}

// noTime stands for time.Time{}, which has no nanoseconds since 1970.
const noTime = math.MinInt64

func fromNanos(ns int64) time.Time {
	if ns == noTime {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
