package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"colsum/coordinator/raftnode"
	"colsum/fsm"

	"github.com/dustin/go-humanize"
)

// ClusterBackupCmd writes the state of a cluster to a file.
type ClusterBackupCmd struct {
	File string `arg:"" help:"The file to write; it is replaced only by a whole archive."`

	ServerFlags
}

func (*ClusterBackupCmd) Help() string {
	return `The archive holds all works, their results, and the progress of those that run, as they are at one moment; the cluster goes on.
It is verified before it takes its name.

Example:
  colsum cluster backup colsum-$(date +%F).backup`
}

func (c *ClusterBackupCmd) Run(ctx context.Context) error {
	archive, err := c.client().get(ctx, "/api/cluster/backup")
	if err != nil {
		return err
	}
	info, err := fsm.VerifySnapshot(bytes.NewReader(archive))
	if err != nil {
		return fmt.Errorf("the archive did not come through whole: %w", err)
	}
	if err := writeWhole(c.File, archive); err != nil {
		return err
	}
	_, err = fmt.Printf("%s: %s, %d works, log entry %d\n", c.File, humanize.Bytes(uint64(info.Bytes)), info.Works, info.Index)
	return err
}

// writeWhole writes a file whole or not at all.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing by this name
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// FolderFlags name the folder of a node that does not run, and the members it shall know.
type FolderFlags struct {
	ID          string   `default:"node1" placeholder:"NAME" help:"Name of the node (default node1)."`
	Dir         string   `default:"colsum-state" placeholder:"DIR" help:"Its state folder (default ./colsum-state)."`
	Peer        []string `placeholder:"ID=HOST:PORT" required:"" help:"A member and its raft address; repeat it for each, this node included."`
	ClusterName string   `default:"colsum" placeholder:"NAME" help:"Name of the cluster (default colsum)."`
}

func (f *FolderFlags) Validate() error {
	_, err := f.config()
	return err
}

func (f *FolderFlags) config() (raftnode.Config, error) {
	peers, err := (&ServeCmd{ID: f.ID, Peer: f.Peer}).peers()
	c := raftnode.Config{ID: f.ID, Cluster: f.ClusterName, Dir: f.Dir, Peers: peers, Logger: slog.New(slog.DiscardHandler)}
	for _, p := range peers {
		if p.ID == f.ID {
			c.Bind = p.Addr
		}
	}
	return c, err
}

// ClusterRestoreCmd begins a node's life with an archive.
type ClusterRestoreCmd struct {
	File string `arg:"" help:"The archive."`

	FolderFlags
}

func (*ClusterRestoreCmd) Help() string {
	return `Writes an empty state folder, for a node that is not running. Do so for every member, with the same archive and the same
--peer list, then start them with 'serve' as usual; or restore one alone and let the others join it.

Example:
  colsum cluster restore colsum.backup --id a --dir /var/lib/colsum --peer a=h1:5001,b=h2:5001,c=h3:5001`
}

func (c *ClusterRestoreCmd) Run() error {
	archive, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	info, err := fsm.VerifySnapshot(bytes.NewReader(archive))
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	unlock, err := lockDir(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	conf, err := c.config()
	if err != nil {
		return err
	}
	if err := raftnode.Restore(conf, bytes.NewReader(archive), info); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	_, err = fmt.Printf("%s: %d works, log entry %d\n", c.Dir, info.Works, info.Index)
	return err
}

// ClusterRecoverCmd gives a node's folder another membership.
type ClusterRecoverCmd struct{ FolderFlags }

func (*ClusterRecoverCmd) Help() string {
	return `For a cluster that has lost its majority for good, and only then: what the lost nodes had committed and this one had not
received is gone. Stop all nodes that are left, choose the one that shows the highest 'last' in /api/cluster?consistency=stale,
recover it with itself as the only member, start it, and let new nodes join:
  colsum cluster recover --id c --dir /var/lib/colsum --peer c=h3:5001
  colsum serve --id c --dir /var/lib/colsum ...
  colsum serve --id d --join h3:5000 ...

A node that was recovered must never meet the old ones again: remove their folders.`
}

func (c *ClusterRecoverCmd) Run() (err error) {
	if _, err := os.Stat(filepath.Join(c.Dir, "raft.db")); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	unlock, err := lockDir(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	conf, err := c.config()
	if err != nil {
		return err
	}
	state, err := fsm.Open(fsm.Config{Dir: c.Dir, Logger: conf.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	if err := raftnode.Recover(conf, state); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	_, err = fmt.Printf("%s: log entry %d, %d members\n", c.Dir, state.AppliedIndex(), len(conf.Peers))
	return err
}
