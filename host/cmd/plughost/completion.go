package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

//go:embed completion.bash
var bashCompletion string

//go:embed completion.zsh
var zshCompletion string

//go:embed completion.fish
var fishCompletion string

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script.
func (cmd completionCommand) Run() error {
	fmt.Print(map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[cmd.Shell])
	return nil
}

// completeCommand is what the scripts call, with the words of a command line behind
// "plughost", the last of which is being written. It never fails: then nothing is
// offered.
type completeCommand struct {
	Words []string `arg:"" optional:""`
}

// Run prints one candidate a line.
func (cmd completeCommand) Run(ctx *kong.Context) error {
	words := cmd.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	for _, c := range candidates(ctx.Model.Node, words[:len(words)-1], last) {
		if strings.HasPrefix(c, last) {
			fmt.Println(c)
		}
	}
	return nil
}

// candidates lists what may come behind words.
func candidates(node *kong.Node, words []string, last string) (list []string) {
	given := hostFlags{}
	arguments := 0
	for i := 0; i < len(words); i++ {
		w := words[i]
		if !strings.HasPrefix(w, "-") {
			if child := command(node, w); child != nil {
				node = child
			} else {
				arguments++
			}
			continue
		}
		flag, value, inline := strings.Cut(w, "=")
		f := flagOf(node, flag)
		if f == nil || f.IsBool() {
			continue
		}
		if !inline {
			if i++; i == len(words) {
				return nil // the value itself: the shell's own completion does files
			}
			value = words[i]
		}
		switch f.Name {
		case "data-dir":
			given.DataDir = value
		case "config":
			given.Config = value
		}
	}
	if strings.HasPrefix(last, "-") {
		for _, group := range node.AllFlags(true) {
			for _, f := range group {
				list = append(list, "--"+f.Name)
			}
		}
		return list
	}
	for _, child := range node.Children {
		if !child.Hidden {
			list = append(list, child.Name)
		}
	}
	if len(node.Positional) == 0 {
		return list
	}
	switch p := node.Positional[min(arguments, len(node.Positional)-1)]; {
	case arguments >= len(node.Positional) && !p.IsCumulative():
	case p.Enum != "":
		list = append(list, strings.Split(p.Enum, ",")...)
	case p.Name == "plug":
		list = append(list, plugNames(given, "")...)
	case p.Name == "operation":
		list = append(list, parkedOperations(given)...)
	case p.Name == "channel":
		list = append(list, plugNames(given, "/")...)
	}
	return list
}

func command(node *kong.Node, name string) *kong.Node {
	i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == name && !n.Hidden })
	if i < 0 {
		return nil
	}
	return node.Children[i]
}

func flagOf(node *kong.Node, name string) *kong.Flag {
	for _, group := range node.AllFlags(false) {
		for _, f := range group {
			if name == "--"+f.Name || f.Short != 0 && name == "-"+string(f.Short) {
				return f
			}
		}
	}
	return nil
}

// plugNames asks the running host, if there is one.
func plugNames(of hostFlags, suffix string) (names []string) {
	client, ctx, cancel, err := of.client()
	if err != nil {
		return nil
	}
	defer cancel()
	defer client.Close()
	plugs, err := client.Plugs(ctx)
	if err != nil {
		return nil
	}
	for _, s := range plugs {
		names = append(names, string(s.Plug)+suffix)
	}
	return names
}

// parkedOperations asks the running host for the ids of what is parked.
func parkedOperations(of hostFlags) (ids []string) {
	client, ctx, cancel, err := of.client()
	if err != nil {
		return nil
	}
	defer cancel()
	defer client.Close()
	parked, err := client.Parked(ctx, &hostv1.ListParkedRequest{})
	if err != nil {
		return nil
	}
	for _, p := range parked {
		ids = append(ids, p.Operation.OperationId)
	}
	return ids
}
