package raftnode

import "errors"

var (
	// ErrNotLeader is returned when this node does not lead, or lost the leadership before it accepted the command.
	// Nothing was proposed and nothing will come of it: it is safe to try again elsewhere.
	ErrNotLeader = errors.New("not the leader")
	// ErrUnknownOutcome is returned by Propose when the command had been accepted but its fate is not known: leadership
	// was lost, the caller's ctx ended or the node was closed while it waited for the commit. It may have been committed
	// already, it may be committed later by the next leader, or never. Only a command that is harmless to repeat (a
	// Submit with the same id, a Complete, a Cancel) may be proposed again.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrTooLarge is returned when a command's log entry is over Config.MaxEntryBytes. Nothing was proposed.
	ErrTooLarge = errors.New("log entry too large")
	// ErrBusy is returned when the leader's queue did not take the command in time. Nothing was proposed.
	ErrBusy = errors.New("leader is overloaded")
	// ErrInvalid is returned when a command breaks fsm's rules. Nothing was proposed.
	ErrInvalid = errors.New("invalid command")
	// ErrClosed is returned by methods of a closed node.
	ErrClosed = errors.New("raft node closed")
	// ErrLocked is returned by Open when another process uses the data folder.
	ErrLocked = errors.New("data folder is in use by another process")
	// ErrDamaged is returned by Open when snapshots and log of the data folder do not make a whole state any more. The others
	// have it: remove the folder, and the node is brought up to date when it is started.
	ErrDamaged = errors.New("data folder is damaged")
	// ErrIdentity is returned by Open when the data folder belongs to another node or another cluster.
	ErrIdentity = errors.New("data folder belongs to someone else")
)
