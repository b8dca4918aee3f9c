package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"

	"colsum/csvsum"
	"colsum/metrics"
	"colsum/rpc"
	"colsum/storage"
	"colsum/worker"
)

// WorkerCmd runs a worker: it leases tasks of the cluster's works and reads the files from where this process is.
type WorkerCmd struct {
	Coordinator []string `default:"127.0.0.1:5002" placeholder:"HOST:PORT" help:"The rpc address of a coordinator; give several (repeated, or parted by commas). The leader is found by itself (default 127.0.0.1:5002)."`
	Slots       int      `placeholder:"N" help:"Tasks to run at once (default: one for each processor)."`
	ID          string   `placeholder:"NAME" help:"Name of this worker, unlike all others' (default: a random one)."`
	ClusterName string   `default:"colsum" placeholder:"NAME" help:"Name of the cluster; a worker of another is turned away (default colsum)."`
	Metrics     string   `placeholder:"HOST:PORT" help:"Answer Prometheus at /metrics, and /healthz, here (default: nowhere)."`

	StorageFlags
	LogFlags
	PprofFlags
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
	if c.Metrics != "" {
		if err := checkAddress("--metrics", c.Metrics, 0); err != nil {
			return err
		}
	}
	return c.PprofFlags.Validate()
}

func (c *WorkerCmd) Run(ctx context.Context) error {
	logger, err := c.logger(os.Stderr)
	if err != nil {
		return err
	}
	if _, err := csvsum.Kernel(); err != nil {
		return err // each task would fail, and after three its work
	}
	if c.Slots == 0 {
		c.Slots = runtime.GOMAXPROCS(0)
	}
	limitMemory(c.Slots)
	shown, err := listen(ctx, "--metrics", c.Metrics)
	if err != nil {
		return err
	}
	profiles, err := listen(ctx, "--pprof", c.Pprof)
	if err != nil {
		return err
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
	logger.Info("worker starts", "worker", w.ID(), "slots", c.Slots, "coordinators", c.Coordinator)
	parts := newGroup(logger)
	if profiles != nil {
		parts.start(ctx, "pprof", func(ctx context.Context) error { return serveAside(ctx, profiles, pprofHandler()) })
	}
	if shown != nil {
		logger.Info("metrics", "http", "http://"+shown.Addr().String()+"/metrics")
		h := c.aside(w, files)
		parts.start(ctx, "metrics", func(ctx context.Context) error { return serveAside(ctx, shown, h) })
	}
	parts.start(ctx, "worker", w.Run)
	return endedWell(ctx, parts.wait(ctx))
}

// aside is what a worker answers over HTTP.
func (*WorkerCmd) aside(w *worker.Worker, files *storage.Router) http.Handler {
	reg := metrics.New(version)
	reg.Storage(files.Stats())
	reg.Worker(w.Status)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", reg.Handler())
	mux.HandleFunc("GET /healthz", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprintln(out, "ok") })
	return mux
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
