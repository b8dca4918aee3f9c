package csvsum

import (
	"fmt"
	"os"
	"sync"
)

// kernel is one implementation of the hot loops. All of them answer alike; the automaton is the specification.
type kernel struct {
	name string
	// index is automaton.run.
	index func(a *automaton, dst []uint32, src []byte, base uint32, s State) (out []uint32, records int, end State)
}

// kernels lists what this machine can run, the portable one first and the one of choice last.
var kernels = []*kernel{
	{name: "portable", index: indexPortable},
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
