package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/config"
)

type checkCommand struct {
	configFlag
}

// Run checks the config.
func (cmd checkCommand) Run() error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	c, err := cmd.load(ctx)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("check was interrupted")
	}
	printProblems(os.Stdout, c)
	switch {
	case len(c.Problems) == 0:
		fmt.Printf("%s: all is well: %s, %s\n", c.File, count(len(c.Options.Plugs), "plug"), count(len(c.Options.Conversations), "conversation"))
		return nil
	case !c.Runnable():
		fmt.Printf("%s: %s: nothing would start\n", c.File, count(len(c.Problems), "problem"))
		return &exit{code: exitConfig}
	}
	fmt.Printf("%s: %s: %s\n", c.File, count(len(c.Problems), "problem"), whatStarts(c))
	return &exit{code: exitPerson}
}

// whatStarts says what becomes of a config of which only plugs are wrong.
func whatStarts(c *config.Config) string {
	if len(c.Unusable) == 0 {
		return "all plugs would start, as well as they can"
	}
	return fmt.Sprintf("all would start but %s", names(c.Unusable))
}

func names(plugs []id.InstanceName) string {
	words := make([]string, len(plugs))
	for i, p := range plugs {
		words[i] = string(p)
	}
	return strings.Join(words, ", ")
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
