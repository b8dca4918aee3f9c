// Command bench-peers times whole processes side by side on the same files: colsum with its best kernel and built without
// assembly, DuckDB, Polars and ClickHouse (chdb) through their npm packages, `wc -l`, and a plain pread loop as the limit of
// the machine. It prints one Markdown table per file.
//
// Run it by `make bench-peers`, which builds colsum and installs the peers. Files are written once into the folder given
// by -dir and kept. The processes run in turn, round after round, and each figure is the median of its rounds, so that a
// drift of the machine's speed meets all of them alike.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", "bench", "folder for the generated files")
	rounds := flag.Int("rounds", 5, "rounds per file, 1 to 50")
	only := flag.String("only", "", "comma-separated shapes; empty for all: "+strings.Join(shapeNames(), ","))
	bigRows := flag.Int("big-rows", 3_000_000, "rows of the big file of decimals (100 columns)")
	smallMB := flag.Int("small-mb", 600, "size of the other files in MB")
	preadThreads := flag.Int("pread", 0, "internal: read FILE with so many threads and exit")
	flag.Parse()
	if *preadThreads > 0 {
		if err := preadLoop(flag.Arg(0), *preadThreads); err != nil {
			log.Fatal(err)
		}
		return
	}
	if *rounds < 1 || *rounds > 50 {
		log.Fatalf("-rounds: must be 1 to 50, got %d", *rounds)
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		log.Fatal(err)
	}
	fmt.Println(machine())
	for _, s := range shapes {
		if *only != "" && !contains(strings.Split(*only, ","), s.name) {
			continue
		}
		path, err := filepath.Abs(filepath.Join(*dir, s.name+".csv"))
		if err != nil {
			log.Fatal(err)
		}
		if err := s.ensure(path, *bigRows, *smallMB); err != nil {
			log.Fatalf("write %s: %v", path, err)
		}
		if err := bench(path, s, *rounds); err != nil {
			log.Fatalf("%s: %v", s.name, err)
		}
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
