// Package toxi puts a toxiproxy in front of a server, in the test's own process and without its HTTP API: what a network
// can do to a connection. What an HTTP server can say wrong is storagetest.Proxy's.
package toxi

import (
	"context"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Network is the way to one server.
type Network struct {
	// Addr is what a client connects to: host:port. It stays the same.
	Addr  string
	proxy *toxiproxy.Proxy
}

// Start opens a way to the server at upstream (host:port). The test's end closes it.
func Start(t testing.TB, upstream string) *Network {
	t.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(api, "s3", "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return &Network{p.Listen, p}
}

// Add adds a toxic, given as toxiproxy's JSON.
func (n *Network) Add(t testing.TB, json string) {
	t.Helper()
	if _, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(json)); err != nil {
		t.Fatal(err)
	}
}

// Silence lets nothing through in either direction; connections stay, and new ones are accepted.
func (n *Network) Silence(t testing.TB) {
	t.Helper()
	n.Add(t, `{"name":"down","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`)
	n.Add(t, `{"name":"up","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`)
}

// Heal removes all toxics.
func (n *Network) Heal() { n.proxy.Toxics.ResetToxics(context.Background()) }

// Refuse closes all connections and lets nobody connect, until Accept.
func (n *Network) Refuse() { n.proxy.Stop() }

// Accept ends Refuse. It may fail when somebody else has taken the port.
func (n *Network) Accept() error { return n.proxy.Start() }
