package main

import (
	"os/exec"
	"strings"
	"testing"
)

// bash itself is asked what it would offer.
func TestCompletionInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	script := mustRun(t, "completion", "bash")
	for _, tt := range []struct {
		line string
		want []string // all of what is offered
		some []string // some of it
	}{
		{line: "colsum sched", want: []string{"schedule"}},
		{line: "colsum ", some: []string{"serve", "watch", "cluster", "completion", "--help"}},
		{line: "colsum works --st", want: []string{"--status"}},
		{line: "colsum works --status ", want: []string{"queued", "running", "done", "failed", "cancelled"}},
		{line: "colsum sum --header y", want: []string{"yes"}},
		{line: "colsum sum --deli", want: []string{"--delimiter"}},
		{line: "colsum sum main_te", want: []string{"main_test.go"}},
		{line: "colsum cluster st", want: []string{"status"}},
		{line: "colsum completion f", want: []string{"fish"}},
		{line: "colsum nonsense", want: nil},
	} {
		words := strings.Fields(tt.line)
		if strings.HasSuffix(tt.line, " ") {
			words = append(words, "")
		}
		cmd := exec.CommandContext(t.Context(), bash, append([]string{"-c",
			script + "\nCOMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) COMPREPLY=()\n_colsum\nprintf '%s\\n' \"${COMPREPLY[@]}\"", "bash"}, words...)...)
		out, err := cmd.CombinedOutput()
		got := strings.Fields(string(out))
		if err != nil {
			t.Errorf("%q: %v %s", tt.line, err, out)
			continue
		}
		if tt.some == nil && strings.Join(got, " ") != strings.Join(tt.want, " ") {
			t.Errorf("%q: offers %q, want %q", tt.line, got, tt.want)
		}
		for _, w := range tt.some {
			if !strings.Contains(" "+strings.Join(got, " ")+" ", " "+w+" ") {
				t.Errorf("%q: offers %q, without %q", tt.line, got, w)
			}
		}
	}
	fish := mustRun(t, "completion", "fish")
	for _, w := range []string{"-a watch -d", "'__fish_seen_subcommand_from works' -l status", "'queued running done failed cancelled'"} {
		if !strings.Contains(fish, w) {
			t.Errorf("fish: no %q in\n%.2000s", w, fish)
		}
	}
}
