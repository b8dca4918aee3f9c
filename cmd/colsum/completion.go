package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// CompletionCmd prints a script that teaches a shell the commands, flags and words of this program.
type CompletionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (*CompletionCmd) Help() string {
	return `Examples:
  colsum completion bash > /etc/bash_completion.d/colsum
  source <(colsum completion bash)       # for this shell only
  source <(colsum completion zsh)        # in ~/.zshrc, after compinit
  colsum completion fish > ~/.config/fish/completions/colsum.fish`
}

func (c *CompletionCmd) Run(model *kong.Application) error {
	var b strings.Builder
	switch c.Shell {
	case "fish":
		fishScript(&b, model)
	case "zsh":
		b.WriteString("autoload -U +X bashcompinit && bashcompinit\n")
		bashScript(&b, model)
	default:
		bashScript(&b, model)
	}
	_, err := os.Stdout.WriteString(b.String())
	return err
}

// bashScript is one function with a case for each command. zsh runs it too, so it keeps to what both understand.
func bashScript(w io.Writer, model *kong.Application) {
	fmt.Fprint(w, `# colsum completion bash
_colsum() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= word words=
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		-*) ;;
`)
	fmt.Fprintf(w, "\t\t%s) [[ -n $command ]] || command=$word ;;\n\t\tesac\n\tdone\n", strings.Join(names(model.Node), "|"))
	fmt.Fprint(w, "\tcase $command:$prev in\n")
	eachCommand(model.Node, func(name string, n *kong.Node) {
		for _, f := range n.Flags {
			if values := wordsOf(f.Value); len(values) > 0 {
				fmt.Fprintf(w, "\t%s:--%s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", name, f.Name, strings.Join(values, " "))
			}
		}
	})
	fmt.Fprint(w, "\tesac\n\tcase $command in\n")
	fmt.Fprintf(w, "\t'') words='%s --help' ;;\n", strings.Join(names(model.Node), " "))
	eachCommand(model.Node, func(name string, n *kong.Node) {
		fmt.Fprintf(w, "\t%s) words='%s' ;;\n", name, strings.Join(append(names(n), append(positionals(n), flags(n)...)...), " "))
	})
	fmt.Fprint(w, `	esac
	if [[ -n $command && $cur != -* && " sum serve worker generate " == *" $command "* ]]; then
		COMPREPLY=($(compgen -f -- "$cur"))
		return
	fi
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o filenames -o bashdefault -F _colsum colsum
`)
}

func fishScript(w io.Writer, model *kong.Application) {
	fmt.Fprint(w, "# colsum completion fish\ncomplete -c colsum -n __fish_use_subcommand -f\n")
	eachCommand(model.Node, func(name string, n *kong.Node) {
		fmt.Fprintf(w, "complete -c colsum -n __fish_use_subcommand -a %s -d %s\n", name, quoted(n.Help))
		in := "-n '__fish_seen_subcommand_from " + name + "'"
		for _, word := range append(names(n), positionals(n)...) {
			fmt.Fprintf(w, "complete -c colsum %s -f -a %s\n", in, word)
		}
		for _, f := range allFlags(n) {
			line := fmt.Sprintf("complete -c colsum %s -l %s -d %s", in, f.Name, quoted(f.Help))
			if values := wordsOf(f.Value); len(values) > 0 {
				line += " -x -a " + quoted(strings.Join(values, " "))
			} else if !f.IsBool() {
				line += " -r"
			}
			fmt.Fprintln(w, line)
		}
	})
}

// eachCommand visits the first level of commands.
func eachCommand(n *kong.Node, fn func(name string, n *kong.Node)) {
	for _, child := range n.Children {
		if !child.Hidden {
			fn(child.Name, child)
		}
	}
}

func names(n *kong.Node) []string {
	var list []string
	eachCommand(n, func(name string, _ *kong.Node) { list = append(list, name) })
	return list
}

// allFlags are a command's flags and those of the commands below it.
func allFlags(n *kong.Node) []*kong.Flag {
	seen := map[string]bool{}
	var list []*kong.Flag
	for _, node := range append([]*kong.Node{n}, n.Children...) {
		for _, f := range node.Flags {
			if !seen[f.Name] && !f.Hidden {
				seen[f.Name] = true
				list = append(list, f)
			}
		}
	}
	return list
}

func flags(n *kong.Node) []string {
	list := []string{"--help"}
	for _, f := range allFlags(n) {
		if f.Name != "help" {
			list = append(list, "--"+f.Name)
		}
	}
	return list
}

// positionals are the words that an argument of the command can be.
func positionals(n *kong.Node) []string {
	var list []string
	for _, p := range n.Positional {
		list = append(list, wordsOf(p)...)
	}
	return list
}

// wordsOf are the words that a value can be: of an enum, or of a placeholder such as auto|yes|no. nil for any other value.
func wordsOf(v *kong.Value) []string {
	words := slices.DeleteFunc(v.EnumSlice(), func(w string) bool { return w == "" })
	if hint := v.Tag.PlaceHolder; len(words) == 0 && strings.Contains(hint, "|") && hint == strings.ToLower(hint) {
		words = strings.Split(hint, "|")
	}
	return words
}

// quoted is s for fish, between single quotes.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
