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
}

// claim checks that dir belongs to want, and makes it so if it belongs to nobody yet.
func claim(dir string, want identity) error {
	path := filepath.Join(dir, identityFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return writeIdentity(path, want)
	}
	if err != nil {
		return fmt.Errorf("read identity: %w", err)
	}
	var have identity
	if err := json.Unmarshal(text, &have); err != nil {
		return fmt.Errorf("read identity: %s: %w", path, err)
	}
	switch {
	case have.Cluster != want.Cluster:
		return fmt.Errorf("%w: %s is of cluster %q, this node is of cluster %q", ErrIdentity, dir, have.Cluster, want.Cluster)
	case have.Node != want.Node:
		return fmt.Errorf("%w: %s is of node %q, this is node %q", ErrIdentity, dir, have.Node, want.Node)
	}
	return nil
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
