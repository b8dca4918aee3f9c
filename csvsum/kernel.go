package csvsum

import (
	"fmt"
	"os"
	"sync"
)

// kernel is one implementation of the hot loops. All of them answer alike; the automaton is the specification.
type kernel struct {
	name string
	// index finds the ends of fields and records in src, entered in state s: see automaton.run. dst must have room
	// for len(src) + indexSlack more. other is the state after src for who entered it with the opposite parity of quotes: in
	// Quoted if s is another state, outside quotes if s is Quoted; Unknown where that cannot be told cheaply, and always
	// unless both is set.
	index func(a *automaton, dst []uint32, src []byte, base uint32, s State) (out []uint32, records int, end, other State)
	both  bool
	// cells sums the first n selected columns of a run of records that have width fields each, save for some cells: those
	// it lists in scan.left, by ascending end, and returns how many. pos[0] is the end of what precedes the run, the ends of
	// its fields follow. There are at most pairCells records.
	cells func(s *scan, pos []uint32, records, width, n int) (left int)
}

// indexSlack is how many words behind the last position an index function may overwrite.
const indexSlack = 64

// kernels lists what this machine can run, the portable one first and the one of choice last.
var kernels = []*kernel{
	{name: "portable", index: indexPortable, both: true, cells: cellsPortable},
}

var chosen = sync.OnceValues(func() (*kernel, error) {
	return chooseKernel(os.Getenv("COLSUM_KERNEL"))
})

func chooseKernel(name string) (*kernel, error) {
	if name == "" {
		return kernels[len(kernels)-1], nil
	}
	var names []string
	for _, k := range kernels {
		if k.name == name {
			return k, nil
		}
		names = append(names, k.name)
	}
	return nil, fmt.Errorf("COLSUM_KERNEL: kernel %q is not available here, only %v", name, names)
}

// Kernel returns the name of the kernel that scans use: the fastest this machine can run, or the one that the environment
// variable COLSUM_KERNEL names. Where that one is unknown or unavailable, it and every Scan return an error.
func Kernel() (name string, err error) {
	k, err := chosen()
	if err != nil {
		return "", err
	}
	return k.name, nil
}
