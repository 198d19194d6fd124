package main

import (
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/mattn/go-isatty"
)

// logFlags are of the commands that log.
type logFlags struct {
	LogLevel  string `enum:"trace,debug,info,warn,error" default:"info" help:"Least level that is logged: trace, debug, info, warn, error."`
	LogFormat string `enum:"auto,text,json" default:"auto" help:"How logs look: text, json, or auto: coloured text on a terminal, JSON elsewhere."`
}

// logger logs on stderr.
func (f logFlags) logger() hclog.Logger {
	terminal := isatty.IsTerminal(os.Stderr.Fd())
	o := &hclog.LoggerOptions{
		Name:       "plughost",
		Level:      hclog.LevelFromString(f.LogLevel),
		Output:     os.Stderr,
		JSONFormat: f.LogFormat == "json" || f.LogFormat == "auto" && !terminal,
	}
	if terminal {
		o.Color, o.ColorHeaderAndFields = hclog.AutoColor, true
	}
	return hclog.New(o)
}
