package raftnode

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// identityFile says whose data folder this is. Two nodes that took each other's folder would vote twice in one term.
const identityFile = "identity.json"

type identity struct {
	Cluster string `json:"cluster"`
	Node    string `json:"node"`
	// Unborn: the node may not vote yet, see birth.go.
	Unborn bool `json:"unborn,omitempty"`
	// Joined: a membership that has this node in it was committed, see Node.Joined.
	Joined bool `json:"joined,omitempty"`
}

// claim checks that dir belongs to want, and makes it so if it belongs to nobody yet. It returns what the folder says.
func claim(dir string, want identity) (have identity, err error) {
	path := filepath.Join(dir, identityFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return want, writeIdentity(path, want)
	}
	if err != nil {
		return have, fmt.Errorf("read identity: %w", err)
	}
	if err := json.Unmarshal(text, &have); err != nil {
		return have, fmt.Errorf("read identity: %s: %w", path, err)
	}
	switch {
	case have.Cluster != want.Cluster:
		return have, fmt.Errorf("%w: %s is of cluster %q, this node is of cluster %q", ErrIdentity, dir, have.Cluster, want.Cluster)
	case have.Node != want.Node:
		return have, fmt.Errorf("%w: %s is of node %q, this is node %q", ErrIdentity, dir, have.Node, want.Node)
	}
	return have, nil
}

// writeIdentity writes the file whole or not at all.
func writeIdentity(path string, id identity) error {
	text, err := json.Marshal(id)
	if err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), identityFile+".*")
	if err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	defer os.Remove(f.Name()) // after the rename there is nothing by this name
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
