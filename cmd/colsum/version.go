package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"colsum/csvsum"
)

// version is set by the linker: -X main.version=v1.2.3.
var version = "dev"

// VersionCmd prints what this binary is.
type VersionCmd struct {
	JSON bool `help:"Print a JSON document."`
}

func (*VersionCmd) Help() string {
	return "The kernel is the code that scans files, chosen for this processor; COLSUM_KERNEL=portable, avx2 or avx512 forces one."
}

type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Dirty   bool   `json:"dirty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	Kernel  string `json:"kernel"`
}

// buildInfo gathers what the toolchain wrote into the binary. Commit is "" in a build outside of a repository.
func buildInfo() versionInfo {
	v := versionInfo{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.modified":
				v.Dirty = s.Value == "true"
			}
		}
	}
	return v
}

func (c *VersionCmd) Run() error {
	v := buildInfo()
	name, err := csvsum.Kernel()
	if err != nil {
		return err
	}
	v.Kernel = name
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(v)
	}
	commit := v.Commit
	if commit == "" {
		commit = "unknown commit"
	} else if v.Dirty {
		commit += " with changes"
	}
	_, err = fmt.Printf("colsum %s (%s), %s %s/%s, kernel %s\n", v.Version, commit, v.Go, v.OS, v.Arch, v.Kernel)
	return err
}
