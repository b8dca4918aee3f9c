// Package metrics shows the parts of a process to Prometheus.
//
// A [Registry] is one process's. Each part that has something to show is given to it once: a storage's counters, a worker,
// a coordinator with its raft node. Values are read when they are asked for; only calls (HTTP, rpc) are counted as they
// happen. Names follow Prometheus' conventions: colsum_ in front, base units, _total behind counters. Raft's own metrics
// come through go-metrics and keep its names, raft_... , durations in milliseconds.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry holds what a process shows.
type Registry struct{ reg *prometheus.Registry }

// New returns a registry with the Go runtime's and the process's metrics and colsum_build_info.
func New(version string) *Registry {
	r := &Registry{prometheus.NewRegistry()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "colsum_build_info", Help: "1, labelled with the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.reg.MustRegister(build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Handler answers with all metrics in the format that the asker prefers. One that is at odds with another is left out, and
// counted: it must not hide the rest.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{Registry: r.reg, ErrorHandling: promhttp.ContinueOnError})
}

// collector reads values when it is asked. Its metrics need not be known before: it is an unchecked collector.
type collector func(emit emitter)

// Describe sends nothing, which makes the collector unchecked.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the values.
func (c collector) Collect(out chan<- prometheus.Metric) { c(emitter{out}) }

type emitter struct{ out chan<- prometheus.Metric }

// gauge emits a value that goes up and down; labels is name, value, name, value...
func (e emitter) gauge(name, help string, v float64, labels ...string) {
	e.emit(prometheus.GaugeValue, name, help, v, labels)
}

// counter emits a value that only grows. Its name ends in _total.
func (e emitter) counter(name, help string, v float64, labels ...string) {
	e.emit(prometheus.CounterValue, name, help, v, labels)
}

func (e emitter) emit(kind prometheus.ValueType, name, help string, v float64, labels []string) {
	var names, values []string
	for i := 0; i < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	e.out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, v, values...)
}
