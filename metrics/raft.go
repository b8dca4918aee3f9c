package metrics

import (
	"fmt"

	gometrics "github.com/hashicorp/go-metrics"
	sink "github.com/hashicorp/go-metrics/prometheus"
)

// Raft shows what hashicorp/raft measures of itself. That goes through a variable of the whole process: call it once, before
// the first node is opened. With several nodes in one process their values mix.
func (r *Registry) Raft() error {
	s, err := sink.NewPrometheusSinkFrom(sink.PrometheusOpts{Registerer: r.reg, Name: "raft"}) // nothing expires
	if err != nil {
		return fmt.Errorf("raft metrics: %w", err)
	}
	conf := gometrics.DefaultConfig("")
	conf.EnableHostname, conf.EnableHostnameLabel, conf.EnableRuntimeMetrics = false, false, false
	if _, err := gometrics.NewGlobal(conf, s); err != nil {
		return fmt.Errorf("raft metrics: %w", err)
	}
	return nil
}
