package main

import (
	"context"
	"net"
	"os"
	"runtime"
	"strconv"

	"colsum/rpc"
	"colsum/worker"
)

// WorkerCmd runs a worker: it leases tasks of the cluster's works and reads the files from where this process is.
type WorkerCmd struct {
	Coordinator []string `default:"127.0.0.1:5002" placeholder:"HOST:PORT" help:"The rpc address of a coordinator; give several (repeated, or parted by commas). The leader is found by itself (default 127.0.0.1:5002)."`
	Slots       int      `placeholder:"N" help:"Tasks to run at once (default: one for each processor)."`
	ID          string   `placeholder:"NAME" help:"Name of this worker, unlike all others' (default: a random one)."`
	ClusterName string   `default:"colsum" placeholder:"NAME" help:"Name of the cluster; a worker of another is turned away (default colsum)."`

	StorageFlags
	LogFlags
}

func (*WorkerCmd) Help() string {
	return `A worker needs the same storage settings as the coordinators: it reads the files itself. On SIGTERM it finishes or hands
back its tasks. A second signal ends it at once.

Examples:
  colsum worker --coordinator host1:5002,host2:5002,host3:5002 --data /srv/csv
  MINIO_ENDPOINT=https://s3.example:9000 MINIO_ACCESS_KEY=... MINIO_SECRET_KEY=... \
    colsum worker --coordinator host1:5002 --slots 8`
}

func (c *WorkerCmd) Validate() error {
	if c.Slots < 0 {
		return usagef("--slots: must be at least 1, got %d", c.Slots)
	}
	if len(c.Coordinator) == 0 {
		return usagef("--coordinator: must name at least one coordinator")
	}
	for _, a := range c.Coordinator {
		if err := checkAddress("--coordinator", a, 1); err != nil {
			return err
		}
	}
	return nil
}

func (c *WorkerCmd) Run(ctx context.Context) error {
	logger, err := c.logger(os.Stderr)
	if err != nil {
		return err
	}
	if c.Slots == 0 {
		c.Slots = runtime.GOMAXPROCS(0)
	}
	files, err := c.router()
	if err != nil {
		return err
	}
	client, err := rpc.NewClient(rpc.ClientConfig{Coordinators: c.Coordinator, ClusterID: c.ClusterName, Logger: logger})
	if err != nil {
		return err
	}
	defer client.Close()
	w, err := worker.New(worker.Config{ID: rpc.WorkerID(c.ID), Slots: c.Slots, Version: version, Logger: logger}, client, files)
	if err != nil {
		return err
	}
	logger.Info("worker starts", "slots", c.Slots, "coordinators", c.Coordinator)
	return endedWell(ctx, w.Run(ctx))
}

// endedWell turns the end that a signal asked for into success.
func endedWell(ctx context.Context, err error) error {
	if ctx.Err() != nil && (err == nil || isCancel(err)) {
		return nil
	}
	return err
}

// checkAddress refuses what is not host:port with a port from least on.
func checkAddress(flag, addr string, least int) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return usagef("%s: must be host:port, got %q", flag, addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < least || n > 65535 {
		return usagef("%s: the port must be between %d and 65535, got %q", flag, least, addr)
	}
	return nil
}
