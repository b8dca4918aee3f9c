package main

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every example in a help text, the program's own included, is a command line that the program understands.
func TestExamplesInHelpTexts(t *testing.T) {
	grammar := func() *kong.Kong {
		p, err := kong.New(&cli{}, kong.Name("colsum"), kong.Description(description), kong.PostBuild(nameEnvars),
			kong.Writers(io.Discard, io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	texts := map[string]string{"colsum": description}
	for _, n := range grammar().Model.Leaves(false) {
		texts[n.Path()] = n.Detail
		if !strings.Contains(n.Detail, "Example") && n.Name != "version" && n.Name != "recover" {
			t.Errorf("%s: no example", n.Path())
		}
	}
	command := regexp.MustCompile(`(?m)^  (?:.*?[ (])?colsum ([a-z].*(?:\\\n.*)?)$`)
	examples := 0
	for path, text := range texts {
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			line, _, _ := strings.Cut(m[1], " | ")
			line, _, _ = strings.Cut(line, " > ")
			line, _, _ = strings.Cut(line, " #")
			if strings.HasSuffix(line, "...") {
				continue // says itself that it is not whole
			}
			examples++
			if _, err := grammar().Parse(words(line)); err != nil {
				t.Errorf("%s: colsum %s: %v", path, line, err)
			}
		}
	}
	if examples < 30 {
		t.Errorf("only %d examples", examples)
	}
}

// words splits a line as a shell would, as far as the examples go; $(...) is one word.
func words(line string) []string {
	line = regexp.MustCompile(`"?\$\([^)]*\)"?`).ReplaceAllString(line, "ID")
	line = strings.NewReplacer("\\\n", "", "&", "", ")", "").Replace(line)
	var list []string
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		list = append(list, m[1]+m[2]+m[3])
	}
	return list
}
