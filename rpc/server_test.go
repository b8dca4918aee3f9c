package rpc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"colsum/csvsum"
)

func TestMessagesArriveWhole(t *testing.T) {
	noLeaks(t)
	got := make(chan any, 1)
	want := []any{
		&LeaseRequest{Worker: Worker{ID: "w1", Host: "h", Slots: 3, Version: "v"}, Max: 7, Wait: 20 * time.Second},
		&HeartbeatRequest{Worker: Worker{ID: "w1"}, Leaving: true, Running: []Running{{TaskRef{"a", 1 << 40, 1<<64 - 1}, 1 << 41, time.Minute}}},
		&CompleteRequest{Worker: Worker{ID: "w1"}, Done: []Completion{{
			TaskRef: TaskRef{"a", 0, 9}, Version: `"etag"`,
			Partial: &csvsum.Partial{
				Start: 5, End: 1 << 42, Assumed: csvsum.Unknown,
				Ends: [csvsum.NumStates]csvsum.State{csvsum.Quoted, csvsum.Unknown, 0, 1, 2, csvsum.Comment, csvsum.Unknown},
				Rows: 12, Width: 101, Bad: []csvsum.BadCell{{Column: 10, Row: 3, Byte: 99, Text: "n/ä"}},
				Fault: &csvsum.Fault{Code: "invalid_cell", Detail: "d", Byte: 7, Row: 1, Column: 10},
			},
		}}},
		&FailRequest{Worker: Worker{ID: "w1"}, Failures: []Failure{{TaskRef{"a", 2, 3}, Gone, "file_not_found", "no such file"}}},
	}
	lease := &LeaseReply{TTL: time.Minute, Heartbeat: time.Second, Tasks: []Assignment{{
		TaskRef: TaskRef{"b", 4, 5}, Path: "x.csv", Version: "v", Start: 1, End: 2, State: csvsum.Unknown,
		Spec: csvsum.Spec{
			Size: 1 << 43, DataStart: 3, FailOnInvalid: true, RecordLimit: 16,
			Dialect:   csvsum.Dialect{Delimiter: ';', Quote: '"', Decimal: ',', Newline: csvsum.NewlineCR, NewlineText: "\r", Header: true},
			Selection: csvsum.Selection{Numbers: []int{1, 5, 1000}},
		},
	}}}
	beat := &HeartbeatReply{Stop: []TaskRef{{"a", 1, 2}}}
	n := start(t, &node{
		lease:     func(_ context.Context, r *LeaseRequest) (*LeaseReply, error) { got <- r; return lease, nil },
		heartbeat: func(_ context.Context, r *HeartbeatRequest) (*HeartbeatReply, error) { got <- r; return beat, nil },
		complete: func(_ context.Context, r *CompleteRequest) (*CompleteReply, error) {
			got <- r
			return &CompleteReply{}, nil
		},
		fail: func(_ context.Context, r *FailRequest) (*FailReply, error) { got <- r; return &FailReply{}, nil },
	}, ServerConfig{ClusterID: "c1"})
	c := client(t, ClientConfig{ClusterID: "c1"}, n.addr)
	ctx := within(t)
	check := func(i int, reply, wantReply any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if r := recv(t, got, "the request"); !reflect.DeepEqual(r, want[i]) {
			t.Errorf("request: got %+v, want %+v", r, want[i])
		}
		if !reflect.DeepEqual(reply, wantReply) {
			t.Errorf("reply: got %+v, want %+v", reply, wantReply)
		}
	}
	r0, err := c.Lease(ctx, want[0].(*LeaseRequest))
	check(0, r0, lease, err)
	r1, err := c.Heartbeat(ctx, want[1].(*HeartbeatRequest))
	check(1, r1, beat, err)
	r2, err := c.Complete(ctx, want[2].(*CompleteRequest))
	check(2, r2, &CompleteReply{}, err)
	r3, err := c.Fail(ctx, want[3].(*FailRequest))
	check(3, r3, &FailReply{}, err)
	if c.Leader() != n.addr {
		t.Errorf("leader: got %q, want %q", c.Leader(), n.addr)
	}
}

func TestHandshakeAnswersMismatches(t *testing.T) {
	noLeaks(t)
	n := start(t, &node{}, ServerConfig{ClusterID: "right"})
	hello := func(version uint16, id string) []byte {
		b := binary.BigEndian.AppendUint16([]byte(magic), version)
		return append(append(b, byte(len(id))), id...)
	}
	for _, tc := range []struct {
		name   string
		hello  []byte
		reason Reason
		detail string
	}{
		{"accepted", hello(ProtocolVersion, "right"), accepted, ""},
		{"wrong cluster", hello(ProtocolVersion, "wrong"), BadCluster, `the server belongs to "right", the client to "wrong"`},
		{"no cluster", hello(ProtocolVersion, ""), BadCluster, `the server belongs to "right", the client to ""`},
		{"later version", hello(ProtocolVersion+1, "right"), BadVersion, "the server speaks 1, the client 2"},
		{"later version, other layout", append(hello(99, ""), make([]byte, 1000)...), BadVersion, "the server speaks 1, the client 99"},
		{"http", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), BadMagic, `got "GET / "`},
		{"garbage", bytes.Repeat([]byte{0xff}, 4096), BadMagic, `got "\xff\xff\xff\xff\xff\xff"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", n.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			if _, err := conn.Write(tc.hello); err != nil {
				t.Fatal(err)
			}
			head := make([]byte, len(magic)+5)
			if _, err := io.ReadFull(conn, head); err != nil {
				t.Fatal(err)
			}
			detail := make([]byte, binary.BigEndian.Uint16(head[len(magic)+3:]))
			if _, err := io.ReadFull(conn, detail); err != nil {
				t.Fatal(err)
			}
			if got := Reason(head[len(magic)+2]); got != tc.reason || string(detail) != tc.detail {
				t.Errorf("got %v %q, want %v %q", got, detail, tc.reason, tc.detail)
			}
			if tc.reason != accepted {
				if _, err := conn.Read(head); err != io.EOF {
					t.Errorf("after the answer: got %v, want the connection closed", err)
				}
			}
		})
	}
}

// raw is a connection past the handshake, for frames that no client would send.
func raw(t testing.TB, n *node) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := greet(conn, n.addr, "", patience); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// ended waits until the server closes conn, keep-alive frames aside.
func ended(t testing.TB, conn net.Conn) {
	t.Helper()
	rest, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("the server did not close the connection")
	}
	if len(bytes.Trim(rest, "\x00")) > 0 {
		t.Errorf("got a frame %q, want none", rest)
	}
}

func TestBadFramesEndTheirConnectionOnly(t *testing.T) {
	noLeaks(t)
	limits := quick
	limits.Transfer = 100 * time.Millisecond
	n := start(t, &node{}, ServerConfig{Limits: limits})
	c := client(t, ClientConfig{}, n.addr)
	for _, tc := range []struct {
		name string
		send []byte
	}{
		{"over the limit", binary.BigEndian.AppendUint32(nil, uint32(quick.Frame)+1)},
		{"four gigabytes", []byte{0xff, 0xff, 0xff, 0xff}},
		{"no msgpack", []byte{0, 0, 0, 2, 0xc1, 0xc1}},
		{"a list of four billion", []byte{0, 0, 0, 5, 0xdd, 0xff, 0xff, 0xff, 0xff}},
		{"head that stops", []byte{0, 0}},
		{"frame that stops", []byte{0, 0, 0, 9, 0x82}},
		{"silence", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := raw(t, n)
			if _, err := conn.Write(tc.send); err != nil {
				t.Fatal(err)
			}
			ended(t, conn)
			if _, err := c.Heartbeat(within(t), &HeartbeatRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTricklingFrameIsCutOff(t *testing.T) {
	noLeaks(t)
	limits := quick
	limits.Transfer = 300 * time.Millisecond
	n := start(t, &node{}, ServerConfig{Limits: limits})
	conn := raw(t, n)
	_, _ = conn.Write([]byte{0, 0, 1, 0})
	// A byte now and then keeps the connection from being silent, but not from being late.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	sent := 0
	for sent < 255 {
		<-tick.C
		if _, err := conn.Write([]byte{0x80}); err != nil {
			return
		}
		sent++
	}
	t.Errorf("the server took %d bytes, one at a time", sent)
}

func TestSilentHandshakeIsCutOff(t *testing.T) {
	noLeaks(t)
	limits := quick
	limits.Handshake = 50 * time.Millisecond
	n := start(t, &node{}, ServerConfig{Limits: limits})
	conn, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("col"))
	_ = conn.SetDeadline(time.Now().Add(patience))
	ended(t, conn)
}

func TestUndecodableRequestIsRefusedAndConnectionLivesOn(t *testing.T) {
	noLeaks(t)
	n := start(t, &node{}, ServerConfig{})
	conn := raw(t, n)
	w := newWire(conn, quick)
	defer w.close()
	for i, tc := range []struct {
		method string
		body   any
		want   string
	}{
		{"Colsum.Heartbeat", "a string", "decode"},
		{"Colsum.Nothing", &HeartbeatRequest{}, "can't find method"},
		{"nonsense", &HeartbeatRequest{}, "ill-formed"},
		{"Colsum.Heartbeat", &HeartbeatRequest{}, ""},
	} {
		head, _ := encode(&requestHead{Seq: uint64(i), Method: tc.method})
		body, _ := encode(tc.body)
		if err := w.writeFrame(head, body); err != nil {
			t.Fatal(err)
		}
		f := frameReader{w: w}
		var h responseHead
		if err := f.next(&h); err != nil {
			t.Fatal(err)
		}
		if h.Seq != uint64(i) || !strings.Contains(h.Error, tc.want) || (h.Error == "") != (tc.want == "") {
			t.Errorf("%s: got %+v, want seq %d, error with %q", tc.method, h, i, tc.want)
		}
	}
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	noLeaks(t)
	var out syncBuffer
	n := start(t, &node{
		complete: func(context.Context, *CompleteRequest) (*CompleteReply, error) { panic("a defect") },
	}, ServerConfig{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	c := client(t, ClientConfig{}, n.addr)
	_, err := c.Complete(within(t), &CompleteRequest{})
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Detail, "a defect") {
		t.Errorf("got %v, want a RefusedError that names the panic", err)
	}
	if s := out.String(); !strings.Contains(s, "a defect") || !strings.Contains(s, "server_test.go") {
		t.Errorf("log: got %q, want the panic and its stack", s)
	}
	if _, err := c.Heartbeat(within(t), &HeartbeatRequest{}); err != nil {
		t.Errorf("the same connection afterwards: %v", err)
	}
	if got := n.server.Conns(); got != 1 {
		t.Errorf("connections: got %d, want the same one", got)
	}
}

func TestReplyOverTheLimitIsRefused(t *testing.T) {
	noLeaks(t)
	n := start(t, &node{
		heartbeat: func(context.Context, *HeartbeatRequest) (*HeartbeatReply, error) {
			return &HeartbeatReply{Stop: []TaskRef{{Work: WorkID(strings.Repeat("x", quick.Frame))}}}, nil
		},
	}, ServerConfig{})
	c := client(t, ClientConfig{}, n.addr)
	_, err := c.Heartbeat(within(t), &HeartbeatRequest{})
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Detail, ErrTooLarge.Error()) {
		t.Errorf("got %v, want a RefusedError about the frame limit", err)
	}
}

func TestShutdownFreesCallsInFlight(t *testing.T) {
	noLeaks(t)
	entered := make(chan struct{}, 10)
	var freed atomic.Int32
	n := start(t, &node{
		lease: func(ctx context.Context, _ *LeaseRequest) (*LeaseReply, error) {
			entered <- struct{}{}
			<-ctx.Done()
			freed.Add(1)
			return nil, ctx.Err()
		},
		complete: func(ctx context.Context, _ *CompleteRequest) (*CompleteReply, error) {
			entered <- struct{}{}
			<-ctx.Done()
			freed.Add(1)
			return &CompleteReply{}, nil // committed in the last moment: the reply must still get out
		},
	}, ServerConfig{})
	c := client(t, ClientConfig{}, n.addr)
	ctx, cancel := context.WithCancel(within(t))
	leased, completed := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Lease(ctx, &LeaseRequest{Wait: time.Hour}); leased <- err }()
	go func() { _, err := c.Complete(ctx, &CompleteRequest{}); completed <- err }()
	recv(t, entered, "first call")
	recv(t, entered, "second call")
	n.stop()
	if got := freed.Load(); got != 2 {
		t.Errorf("handlers ended when Serve returned: got %d, want 2", got)
	}
	if err := recv(t, completed, "the last reply"); err != nil {
		t.Errorf("complete: %v", err)
	}
	cancel()
	if err := recv(t, leased, "the lease call"); !errors.Is(err, context.Canceled) {
		t.Errorf("lease: got %v, want canceled", err)
	}
}

func TestDeadClientFreesItsLongPoll(t *testing.T) {
	noLeaks(t)
	entered, freed := make(chan struct{}, 1), make(chan error, 1)
	n := start(t, &node{lease: func(ctx context.Context, _ *LeaseRequest) (*LeaseReply, error) {
		entered <- struct{}{}
		<-ctx.Done()
		freed <- context.Cause(ctx)
		return nil, ctx.Err()
	}}, ServerConfig{})
	c := client(t, ClientConfig{}, n.addr)
	ctx, cancel := context.WithCancel(within(t))
	go func() { _, _ = c.Lease(ctx, &LeaseRequest{Wait: time.Hour}) }()
	recv(t, entered, "the long poll")
	cancel()
	if err := recv(t, freed, "the handler"); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("cause: got %v, want the broken connection", err)
	}
}

func TestLongPollsDoNotStarveOtherCalls(t *testing.T) {
	noLeaks(t)
	n := start(t, &node{lease: func(ctx context.Context, _ *LeaseRequest) (*LeaseReply, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}, ServerConfig{})
	conn := raw(t, n)
	w := newWire(conn, quick)
	defer w.close()
	// On one connection: more polls than it may have, then a heartbeat. The polls beyond the bound are answered "busy".
	const polls = maxConnPolls + 5
	body, _ := encode(&LeaseRequest{})
	for i := range polls {
		head, _ := encode(&requestHead{Seq: uint64(i), Method: "Colsum.Lease"})
		if err := w.writeFrame(head, body); err != nil {
			t.Fatal(err)
		}
	}
	head, _ := encode(&requestHead{Seq: polls, Method: "Colsum.Heartbeat"})
	if err := w.writeFrame(head, body); err != nil {
		t.Fatal(err)
	}
	busy, beat := 0, false
	f := frameReader{w: w}
	for busy < polls-maxConnPolls || !beat {
		var h responseHead
		if err := f.next(&h); err != nil {
			t.Fatal(err)
		}
		if h.Seq == polls {
			beat = true
			continue
		}
		var a Answer[LeaseReply]
		if err := f.body(&a); err != nil {
			t.Fatal(err)
		}
		if a.Fault == nil || a.Fault.Kind != FaultBusy {
			t.Fatalf("a lease beyond the bound: got %+v, want busy", a)
		}
		busy++
	}
}

func TestTooManyConnectionsAreRefused(t *testing.T) {
	noLeaks(t)
	n := start(t, &node{}, ServerConfig{MaxConns: 1})
	first := raw(t, n)
	second, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	_ = second.SetDeadline(time.Now().Add(patience))
	head := make([]byte, len(magic)+3)
	if _, err := io.ReadFull(bufio.NewReader(second), head); err != nil || Reason(head[len(magic)+2]) != Busy {
		t.Errorf("got %q %v, want busy", head, err)
	}
	_ = first.Close()
	c := client(t, ClientConfig{}, n.addr)
	if _, err := c.Heartbeat(within(t), &HeartbeatRequest{}); err != nil {
		t.Errorf("once there is room: %v", err)
	}
}

func TestServeRefusesBadConfig(t *testing.T) {
	noLeaks(t)
	for want, cfg := range map[string]ServerConfig{
		"cluster_id": {ClusterID: strings.Repeat("x", 256)}, "max_conns": {MaxConns: -1}, "limits.frame": {Limits: Limits{Frame: 1}},
	} {
		l := listen(t, "127.0.0.1:0")
		err := NewServer(cfg, &node{}).Serve(context.Background(), l)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %s", err, want)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("listener: got %v, want it closed", err)
		}
	}
}

// syncBuffer may be written and read at the same time.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
