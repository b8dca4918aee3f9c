// Command colsum sums columns of huge CSV files exactly: alone (colsum sum), or as a cluster of coordinators (colsum serve)
// and workers (colsum worker) that the other commands talk to over HTTP.
//
//	colsum serve, built in this order, shut down from the outside in:
//
//	      users                    other nodes            workers
//	        | HTTP                     | raft                | rpc
//	  +-----v------+                   |              +------v-----+     +---------+
//	  | api        |                   |              | rpc.Server | <---| worker  | (embedded, if --workers > 0)
//	  +-----+------+                   |              +------+-----+     +----+----+
//	        |        +-----------------|---------------------+                |
//	  +-----v--------v---+             |                                      |
//	  | coordinator      |-------------|----------------------------+         |
//	  | (leader duties)  |             |                            |         |
//	  +-----+------------+             |                            |         |
//	        |                   +------v-----+               +------v---------v-----+
//	        +------------------>| raftnode   |               | storage: disk and S3 |
//	                            +------+-----+               +----------------------+
//	                                   |
//	                            +------v-----+
//	                            | fsm        |
//	                            +------------+
package main

import (
	"context"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the grammar of the command line: kong makes flags, environment variables and help texts of it.
type cli struct {
	Serve    ServeCmd    `cmd:"" help:"Run a coordinator, by default with workers in the same process."`
	Worker   WorkerCmd   `cmd:"" help:"Run a worker for a cluster."`
	Sum      SumCmd      `cmd:"" help:"Sum files on this machine, without a cluster."`
	Schedule ScheduleCmd `cmd:"" help:"Ask a cluster to sum a file; prints the work id."`
	Works    WorksCmd    `cmd:"" help:"List a cluster's works and how many are in progress."`
	Result   ResultCmd   `cmd:"" help:"Print the result of a work."`
	Watch    WatchCmd    `cmd:"" help:"Follow a work to its end."`
	Cancel   CancelCmd   `cmd:"" help:"Stop a work."`
	Files    FilesCmd    `cmd:"" help:"List the files that a cluster can sum."`
	Cluster  ClusterCmd  `cmd:"" help:"Look at a cluster's nodes and workers, and change its members."`
	Generate GenerateCmd `cmd:"" help:"Write a CSV file of random numbers."`
	Version  VersionCmd  `cmd:"" help:"Print the version."`

	Completion CompletionCmd `cmd:"" help:"Print the completions of a shell."`
}

const description = `colsum sums every 10th column of huge CSV files, exactly.

Every flag can also be given in the environment, as COLSUM_ and its name: --min-chunk is COLSUM_MIN_CHUNK. Exit status: 0
done, 1 failed, 2 wrong usage.

Try it on one machine:
  colsum generate --columns 100 --rows 100000 --out data/a.csv
  colsum sum data/a.csv
or as a service:
  colsum serve &
  colsum schedule a.csv --wait`

func main() { os.Exit(run(os.Args[1:])) }

// run is the whole program; it returns the exit status.
func run(args []string) int {
	parser, err := kong.New(grammar(args),
		kong.Name("colsum"),
		kong.Description(description),
		kong.PostBuild(nameEnvars),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 120}),
	)
	if err != nil {
		panic(err) // the grammar above is wrong: no run can work
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return report(os.Stderr, commandOf(args, parser), err)
	}

	// The first signal ends ctx and with it the run, in good order; the second one finds the default action again.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.Bind(parser.Model)
	return report(os.Stderr, parsed.Selected().Path(), parsed.Run())
}

// grammar returns what kong is to read: of a command that args begin with, its declaration alone. Reading all of them takes
// 8 ms, which is much beside the sum of a small file. The completions are those of all commands.
func grammar(args []string) any {
	all := reflect.TypeFor[cli]()
	for i := range all.NumField() {
		f := all.Field(i)
		if len(args) > 0 && args[0] == strings.ToLower(f.Name) && f.Type != reflect.TypeFor[CompletionCmd]() {
			return reflect.New(reflect.StructOf([]reflect.StructField{f})).Interface()
		}
	}
	return new(cli)
}

// nameEnvars gives every flag its environment variable, unless its declaration names one: COLSUM_S3_ENDPOINT for
// --s3-endpoint. kong.DefaultEnvars would make that COLSUM_S_3_ENDPOINT.
func nameEnvars(k *kong.Kong) error {
	for _, command := range k.Model.Leaves(false) {
		for _, flag := range command.Flags {
			if flag.Name != "help" && len(flag.Envs) == 0 {
				name := "COLSUM_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
				flag.Envs = append(flag.Envs, name)
				flag.Tag.Envs = append(flag.Tag.Envs, name)
			}
		}
	}
	return nil
}

// commandOf returns the subcommand that args name, "" for none: for the hint at its help.
func commandOf(args []string, parser *kong.Kong) string {
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			continue
		}
		for _, n := range parser.Model.Children {
			if n.Name == a {
				return a
			}
		}
		return ""
	}
	return ""
}
