package csvsum

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Sizes of the buffer and of the pieces of it that are gone through at a time; the latter stay in the first-level cache.
const (
	readSize  = 256 << 10
	blockSize = 16 << 10
	firstRead = 4 << 10 // after the end of the range, where most often a few hundred bytes are wanted
)

// Task is one byte range of a file. State is the automaton's state at Start, or Unknown: then the scan guesses.
type Task struct {
	Start, End int64
	State      State
}

// ReadFrom is the offset at which the reader given to Scan must begin: Start, or a little before it where the scan wants
// to look back to guess the state.
func (t Task) ReadFrom(s *Spec) int64 {
	start, end := t.clip(s)
	if t.State != Unknown || start == end {
		return start
	}
	return max(s.DataStart, start-lookBack)
}

// clip returns the range within the data.
func (t Task) clip(s *Spec) (start, end int64) {
	start = max(t.Start, s.DataStart)
	return start, max(start, min(t.End, s.Size))
}

// Scanner holds the buffers of one slot, reused from task to task. The zero value is ready. Not safe for concurrent use.
type Scanner struct {
	buf     []byte
	pos     []uint32 // pos[0] is set aside: see batch
	other   []uint32
	content []byte
	lanes   []lanes
	pairs   pairs
	left    []oddCell
	kernel  *kernel // nil for the chosen one
}

// Scan reads r, which yields the file from t.ReadFrom on until its end (Scan stops reading by itself once the last record
// that begins in the task is complete), and sums the records that begin in [t.Start, t.End). Defects of the file are in
// Partial.Fault; an error is the reader's, ctx's, or that of Kernel. A reader that ends before the file's size is
// io.ErrUnexpectedEOF.
//
// The scan stops at its first fault. The rows and sums are those of the records before it; Ends is known as far as the
// range had been gone through by then.
func (sc *Scanner) Scan(ctx context.Context, spec *Spec, t Task, r io.Reader) (*Partial, error) {
	k := sc.kernel
	if k == nil {
		var err error
		if k, err = chosen(); err != nil {
			return nil, err
		}
	}
	start, end := t.clip(spec)
	p := &Partial{Start: start, End: end, Assumed: t.State}
	for s := range p.Ends {
		p.Ends[s] = Unknown
	}
	if start == end {
		if p.Assumed == Unknown {
			p.Assumed = RecordStart
		}
		for s := range p.Ends {
			p.Ends[s] = State(s)
		}
		return p, nil
	}
	s := scan{
		Scanner:   sc,
		ctx:       ctx,
		r:         r,
		spec:      spec,
		automaton: newAutomaton(&spec.Dialect),
		k:         k,
		p:         p,
		base:      t.ReadFrom(spec),
		end:       end,
		after:     firstRead,
	}
	if cap(sc.buf) == 0 {
		sc.buf = newBuffer(readSize)
	}
	defer sc.shrink()
	if err := s.begin(start, t.State); err != nil {
		return nil, err
	}
	err := s.run()
	s.flush()
	if err != nil {
		return nil, err
	}
	return p, nil
}

func newBuffer(n int) []byte { return make([]byte, slack+n+slack)[slack : slack+n] }

// shrink gives back what one long record made grow.
func (sc *Scanner) shrink() {
	if cap(sc.buf) > 2*readSize {
		sc.buf = nil
	}
	if cap(sc.pos) > 2*readSize {
		sc.pos = nil
	}
	if cap(sc.content) > readSize {
		sc.content = nil
	}
	if cap(sc.lanes) > 1024 {
		sc.lanes = nil
	}
	if cap(sc.pairs.lanes) > 1024 {
		sc.pairs = pairs{}
	}
	if cap(sc.left) > blockSize {
		sc.left = nil
	}
}

// scan is one run of a Scanner.
type scan struct {
	*Scanner
	*automaton
	ctx  context.Context // of this one call
	r    io.Reader
	spec *Spec
	k    *kernel
	p    *Partial

	base   int64  // file offset of buf[0]
	n      int    // buf[:n] is filled
	seen   int    // buf[:seen] is indexed
	state  State  // before buf[seen]
	end    int64  // of the range, as a file offset
	after  int    // how much to read next beyond the range
	tracks tracks // of the other start states

	// The record under way begins at buf[rec]; pos holds its fields' ends as far as they are known.
	rec      int
	records  int  // complete ones that pos holds
	skip     bool // it is not ours, or a comment
	comments bool // the piece that was indexed last may hold comment lines
	feeds    bool // in a NewlineCR file, it may hold an LF that belongs to the CR before it
	doomed   bool // one of the next records holds a cell that ends the work: take them one by one
	fresh    bool // it follows a CR: an LF at buf[rec] still belongs to its predecessor
}

// begin reads what the guess wants, if one is asked for, and takes the start state.
func (s *scan) begin(start int64, state State) error {
	at := int(start - s.base)
	if state == Unknown {
		want := int64(at) + min(lookAhead, s.spec.Size-start)
		if err := s.read(int(want)); err != nil {
			return err
		}
		state = s.guess(s.buf[:s.n], at, s.base == s.spec.DataStart)
		s.p.Assumed = state
		s.tracks = newTracks(&s.spec.Dialect, state)
	}
	s.state = state
	s.seen, s.rec = at, at
	s.skip = state != RecordStart && state != AfterCR
	s.fresh = state == AfterCR && s.newline == '\r'
	s.pos = append(s.pos[:0], 0)
	return nil
}

// run goes through the range and on to the end of its last record.
func (s *scan) run() error {
	for {
		for s.seen < s.n {
			s.index()
			if s.walk() || s.p.Fault != nil {
				return nil
			}
		}
		if s.base+int64(s.n) == s.spec.Size {
			s.finish()
			return nil
		}
		s.carry()
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// index finds the ends of fields and records in the next piece of the buffer, which never reaches over the end of the range.
func (s *scan) index() {
	to := min(s.seen+blockSize, s.n)
	cut := int(min(s.end-s.base, int64(s.n))) // may be negative once the range lies behind
	if s.seen < cut && cut < to {
		to = cut
	}
	src := s.buf[s.seen:to]
	if need := len(s.pos) + len(src) + indexSlack; cap(s.pos) < need {
		grown := make([]uint32, len(s.pos), max(2*cap(s.pos), need, blockSize+2*indexSlack))
		copy(grown, s.pos)
		s.pos = grown
	}
	s.comments = s.comment != 0 && bytes.IndexByte(src, s.comment) >= 0
	s.feeds = !s.masked(src)
	before := s.state
	var records int
	var other State
	s.pos, records, s.state, other = s.k.index(s.automaton, s.pos, src, uint32(s.seen), before)
	s.records += records
	within := s.base+int64(s.seen) < s.end
	s.seen = to
	if !within {
		return
	}
	if s.tracks.on {
		if cap(s.other) < len(src)+indexSlack {
			s.other = make([]uint32, 0, blockSize+indexSlack)
		}
		s.tracks.advance(s.automaton, s.k, s.other, src, before, s.state, other)
	}
	if s.base+int64(to) == s.end {
		if s.tracks.on {
			s.p.Ends = s.tracks.now
		}
		s.p.Ends[s.p.Assumed] = s.state
	}
}

// settle looks at the first byte of the record under way, once it is there.
func (s *scan) settle() {
	if s.rec >= s.seen || s.skip {
		return
	}
	if s.fresh {
		s.fresh = false
		if s.buf[s.rec] == '\n' {
			s.rec++
			if s.rec == s.seen {
				return
			}
		}
	}
	if s.comment != 0 && s.buf[s.rec] == s.comment {
		s.skip = true
	}
}

// walk sums the complete records. It reports whether the range is done.
func (s *scan) walk() (done bool) {
	i := 1
	for ; s.records > 0; s.records-- {
		s.settle()
		if i += s.batch(i); s.records == 0 {
			break
		}
		s.settle()
		if !s.skip && s.base+int64(s.rec) >= s.end {
			return true
		}
		j := i
		for s.buf[s.pos[j]] != s.newline {
			j++
		}
		at := int(s.pos[j])
		if !s.skip {
			if int64(at+1-s.rec) > s.spec.limit() {
				s.tooLong()
				return true
			}
			stop := at
			if s.newline == '\n' && stop > s.rec && s.buf[stop-1] == '\r' {
				stop--
			}
			s.record(s.pos[i:j], stop)
			if s.p.Fault != nil {
				return true
			}
		}
		s.skip = false
		s.rec = at + 1
		s.fresh = s.newline == '\r'
		i = j + 1
	}
	s.settle()
	if s.skip {
		s.pos = s.pos[:1] // nobody will ask for its fields
	} else {
		s.pos = s.pos[:1+copy(s.pos[1:], s.pos[i:])]
	}
	if s.base+int64(s.seen) >= s.end && (s.skip || s.base+int64(s.rec) >= s.end) {
		return true
	}
	if !s.skip && int64(s.seen-s.rec) > s.spec.limit() {
		s.tooLong()
		return true
	}
	return false
}

// finish takes the last record of the file, if no newline ends it.
func (s *scan) finish() {
	if s.skip || s.rec >= s.n || s.base+int64(s.rec) >= s.end {
		return
	}
	if s.state == Quoted {
		open := s.rec
		if n := len(s.pos); n > 1 {
			open = int(s.pos[n-1]) + 1
		}
		at := s.base + int64(open)
		s.p.Fault = &Fault{Code: "unterminated_quote", Detail: unterminated(at), Byte: at, Row: s.p.Rows + 1}
		return
	}
	s.record(s.pos[1:], s.n)
}

func (s *scan) tooLong() {
	at := s.base + int64(s.rec)
	s.p.Fault = &Fault{Code: "record_too_long", Detail: tooLong(at, s.spec.limit()), Byte: at, Row: s.p.Rows + 1}
}

// carry moves the record under way to the front of the buffer.
func (s *scan) carry() {
	from := s.rec
	if s.skip {
		from = s.n
	}
	if from == 0 {
		return
	}
	s.n = copy(s.buf, s.buf[from:s.n])
	s.seen -= from
	s.rec -= from
	s.base += int64(from)
	for i := range s.pos[1:] {
		s.pos[1+i] -= uint32(from)
	}
	if s.skip {
		s.rec = 0
	}
}

// fill reads on: up to the end of the range, and beyond it in growing pieces.
func (s *scan) fill() error {
	at := s.base + int64(s.n)
	want := int64(readSize)
	if at < s.end {
		want = min(want, s.end-at)
	} else {
		want = int64(s.after)
		s.after = min(2*s.after, readSize)
	}
	want = min(want, s.spec.Size-at)
	// Beside a long record there may be little room: read what fits, if that is worth it, or grow.
	if room := int64(len(s.buf) - s.n); room < want {
		if room < readSize/4 {
			// Twice as much, so that little is copied twice; but no record is longer than the limit.
			grown := newBuffer(min(2*len(s.buf), max(int(s.spec.limit())+2*readSize, len(s.buf)+readSize)))
			copy(grown, s.buf[:s.n])
			s.buf = grown
			room = int64(len(s.buf) - s.n)
		}
		want = min(want, room)
	}
	return s.read(int(want))
}

// read appends n bytes to the buffer, which has room for them.
func (s *scan) read(n int) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	got, err := io.ReadFull(s.r, s.buf[s.n:s.n+n])
	s.n += got
	if got < n {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read at byte %d: %w", s.base+int64(s.n), err)
	}
	return nil
}
