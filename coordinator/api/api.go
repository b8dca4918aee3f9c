package api

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"colsum/coordinator"
	"colsum/coordinator/raftnode"
	"colsum/coordinator/web"
	"colsum/csvsum"
	"colsum/fsm"
	"colsum/storage"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Works is what the calls need of a coordinator; *coordinator.Coordinator has it. Errors are *problem.Error.
type Works interface {
	Submit(ctx context.Context, req coordinator.SubmitRequest) (id string, err error)
	Cancel(ctx context.Context, id string) error
	Clean(ctx context.Context, maxAge time.Duration) (removed int, err error)
	Announce(ctx context.Context, node fsm.Node) error
	ReadBarrier(ctx context.Context) error
	Leader() (leader fsm.Node, self, ok bool)
	State() *fsm.FSM
	Document(id string) (*csvsum.Document, bool)
	Progress(w fsm.Summary) csvsum.Progress
	TaskCounts() coordinator.TaskCounts
	Workers() []coordinator.WorkerView
}

// Cluster is what the calls need of a raft node; *raftnode.Node has it.
type Cluster interface {
	ID() string
	Members() []raftnode.Member
	Stats() raftnode.Stats
	Joined() bool
	LeaderChanged() <-chan struct{}
	Membership
}

// Config of an API.
type Config struct {
	// Self is how others reach this node, for KeepAnnounced.
	Self fsm.Node
	// Version of the program, shown by /api/cluster. Default "dev".
	Version string
	// HoldLeader is how long a request is held while nobody leads, before it is refused. Default 5 s.
	HoldLeader time.Duration
	// MaxWait caps ?wait= of get_result. Default 10 min.
	MaxWait time.Duration
	// Metrics answers GET /metrics; nil for no such path.
	Metrics http.Handler
	// Observe is told of each answer: the call as its path's pattern ("/api/get_result/{work_id}"; "page", or "unknown" for a
	// path that is none), its status, and how long it took. nil for nobody.
	Observe func(call string, status int, took time.Duration)
	// Logger. Default slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.HoldLeader == 0 {
		c.HoldLeader = 5 * time.Second
	}
	if c.MaxWait == 0 {
		c.MaxWait = 10 * time.Minute
	}
	if c.Observe == nil {
		c.Observe = func(string, int, time.Duration) {}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.HoldLeader < time.Millisecond:
		return fmt.Errorf("api config: HoldLeader: must be at least 1ms, got %v", c.HoldLeader)
	case c.MaxWait < time.Second:
		return fmt.Errorf("api config: MaxWait: must be at least 1s, got %v", c.MaxWait)
	}
	return nil
}

// API answers HTTP requests. It is an http.Handler; Serve runs it on a listener.
type API struct {
	cfg     Config
	works   Works
	cluster Cluster
	files   storage.Store
	log     *slog.Logger

	mux      *http.ServeMux
	page     http.Handler
	toLeader http.RoundTripper
	idle     func()        // closes toLeader's idle connections
	closing  chan struct{} // closed when Serve begins to end: long polls answer at once
}

// New returns the API of a node.
func New(cfg Config, works Works, cluster Cluster, files storage.Store) (*API, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	transport := &http.Transport{
		// A leader whose host is gone must not use up the time in which the next one is found.
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}
	a := &API{
		cfg: cfg, works: works, cluster: cluster, files: files, log: cfg.Logger,
		mux: http.NewServeMux(), page: web.Handler(), toLeader: transport, idle: transport.CloseIdleConnections,
		closing: make(chan struct{}),
	}
	a.routes()
	return a, nil
}

// routes registers every path but those of the page, which front.go tries where the mux knows none.
func (a *API) routes() {
	conf := huma.DefaultConfig("colsum", a.cfg.Version)
	conf.Info.Description = "Exact sums of the columns of huge CSV files."
	conf.CreateHooks = nil // no $schema member in the answers
	conf.DocsPath, conf.SchemasPath = "", ""
	conf.RejectUnknownQueryParameters = true
	aliases(conf.Components.Schemas)
	h := humago.New(a.mux, conf)

	get := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary}
	}
	post := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodPost, Path: path, Summary: summary}
	}
	huma.Register(h, get("list_files", "/api/list_files", "List the files of the default store"), a.listFiles)
	huma.Register(h, get("preview_file", "/api/preview_file", "Show how options read the beginning of a file"), a.previewFile)
	submit := post("schedule_work", "/api/schedule_work", "Sum the columns of a file")
	submit.DefaultStatus = http.StatusAccepted
	huma.Register(h, submit, a.scheduleWork)
	huma.Register(h, get("list_works", "/api/list_works", "List works, newest first, and count them"), a.listWorks)
	huma.Register(h, get("get_result", "/api/get_result/{work_id}", "The result document of a work"), a.getResult)
	huma.Register(h, get("watch_work", "/api/watch_work/{work_id}", "Follow a work to its end, as server-sent events"), a.watchWork)
	huma.Register(h, post("cancel_work", "/api/cancel_work/{work_id}", "Stop a work"), a.cancelWork)
	huma.Register(h, post("clean_works", "/api/clean_works", "Forget ended works"), a.cleanWorks)
	huma.Register(h, get("cluster", "/api/cluster", "Nodes, leader and workers"), a.clusterView)
	a.membership(h, post)
	a.mux.HandleFunc("GET /api/cluster/backup", a.backup)
	huma.Register(h, get("healthz", "/healthz", "Whether the process lives"), a.healthz)
	huma.Register(h, get("readyz", "/readyz", "Whether a leader is known"), a.readyz)

	describe(h.OpenAPI())
	if a.cfg.Metrics != nil {
		a.mux.Handle("GET /metrics", a.cfg.Metrics)
	}
	a.mux.Handle("GET /{$}", a.page) // lets other methods be answered 405
}
