package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// ProtocolVersion changes whenever a message or the framing changes in a way the other side would not understand.
const ProtocolVersion = 1

// magic opens both halves of the handshake. It is not the beginning of a TLS record or of an HTTP request.
const magic = "colsum"

// MaxClusterID is the longest cluster id in bytes.
const MaxClusterID = 255

const maxDetail = 512

// Reason is the status byte with which a server answers a handshake. Values are part of the wire format.
type Reason uint8

const (
	accepted Reason = iota
	// BadMagic: the other side does not speak this protocol.
	BadMagic
	// BadVersion: it speaks another version of it.
	BadVersion
	// BadCluster: it belongs to another cluster.
	BadCluster
	// Busy: the server has too many connections. Trying again later may help.
	Busy
)

func (r Reason) String() string {
	switch r {
	case accepted:
		return "accepted"
	case BadMagic:
		return "not the colsum protocol"
	case BadVersion:
		return "protocol version differs"
	case BadCluster:
		return "cluster id differs"
	case Busy:
		return "too many connections"
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// greet is the client's half of the handshake on a new connection.
func greet(conn net.Conn, addr, cluster string, d time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	hello := binary.BigEndian.AppendUint16([]byte(magic), ProtocolVersion)
	hello = append(hello, byte(len(cluster)))
	hello = append(hello, cluster...)
	if _, err := conn.Write(hello); err != nil {
		return fmt.Errorf("send handshake: %w", err)
	}
	var head [len(magic) + 5]byte
	if n, err := io.ReadFull(conn, head[:]); err != nil {
		if n > 0 && string(head[:min(n, len(magic))]) != magic[:min(n, len(magic))] {
			return &HandshakeError{Addr: addr, Reason: BadMagic, Detail: fmt.Sprintf("the server answered %q", head[:n])}
		}
		return fmt.Errorf("read handshake: %w", err)
	}
	if string(head[:len(magic)]) != magic {
		return &HandshakeError{Addr: addr, Reason: BadMagic, Detail: fmt.Sprintf("the server answered %q", head[:])}
	}
	rest := head[len(magic):]
	version, reason := binary.BigEndian.Uint16(rest), Reason(rest[2])
	detail := make([]byte, min(int(binary.BigEndian.Uint16(rest[3:])), maxDetail))
	if _, err := io.ReadFull(conn, detail); err != nil {
		return fmt.Errorf("read handshake: %w", err)
	}
	if reason == accepted && version != ProtocolVersion {
		reason, detail = BadVersion, fmt.Appendf(nil, "the server speaks %d, this client %d", version, ProtocolVersion)
	}
	if reason != accepted {
		return &HandshakeError{Addr: addr, Reason: reason, Detail: string(detail)}
	}
	return conn.SetDeadline(time.Time{})
}

// welcome is the server's half. It answers before it returns an error; the caller closes the connection.
func welcome(conn net.Conn, cluster string, d time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	// Each part is judged before the next is read: what a stranger or another version sends after it is unknown.
	var head [len(magic)]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return fmt.Errorf("read handshake: %w", err)
	}
	if string(head[:]) != magic {
		return refuse(conn, BadMagic, fmt.Sprintf("got %q", head[:]))
	}
	var fixed [3]byte
	if _, err := io.ReadFull(conn, fixed[:2]); err != nil {
		return fmt.Errorf("read handshake: %w", err)
	}
	if v := binary.BigEndian.Uint16(fixed[:]); v != ProtocolVersion {
		return refuse(conn, BadVersion, fmt.Sprintf("the server speaks %d, the client %d", ProtocolVersion, v))
	}
	if _, err := io.ReadFull(conn, fixed[2:]); err != nil {
		return fmt.Errorf("read handshake: %w", err)
	}
	id := make([]byte, fixed[2])
	if _, err := io.ReadFull(conn, id); err != nil {
		return fmt.Errorf("read handshake: %w", err)
	}
	if string(id) != cluster {
		return refuse(conn, BadCluster, fmt.Sprintf("the server belongs to %q, the client to %q", cluster, id))
	}
	if err := reply(conn, accepted, ""); err != nil {
		return fmt.Errorf("answer handshake: %w", err)
	}
	return conn.SetDeadline(time.Time{})
}

func refuse(conn net.Conn, why Reason, detail string) error {
	err := &HandshakeError{Addr: conn.RemoteAddr().String(), Reason: why, Detail: detail}
	if e := reply(conn, why, detail); e != nil {
		return errors.Join(err, e)
	}
	// Closing a connection that holds unread bytes resets it, and the reset may overtake the answer: end our half first,
	// then let the other side finish, within the deadline of the handshake.
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, conn, 64<<10)
	}
	return err
}

func reply(conn net.Conn, r Reason, detail string) error {
	detail = detail[:min(len(detail), maxDetail)]
	b := binary.BigEndian.AppendUint16([]byte(magic), ProtocolVersion)
	b = append(b, byte(r))
	b = binary.BigEndian.AppendUint16(b, uint16(len(detail)))
	_, err := conn.Write(append(b, detail...))
	return err
}
