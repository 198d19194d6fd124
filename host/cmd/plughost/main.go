package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // for machines without a database of time zones

	"github.com/alecthomas/kong"
)

// Exit codes. 64 and 78 are those of sysexits.h.
const (
	exitFailed = 1
	exitPerson = 2
	exitUsage  = 64
	exitConfig = 78
)

// version is set by the linker.
var version string

type commands struct {
	Run        runCommand        `cmd:"" help:"Run the plugs of the config and carry messages between them, until SIGINT or SIGTERM."`
	Check      checkCommand      `cmd:"" help:"Check the config, and start nothing: says everything that is wrong with it."`
	Status     statusCommand     `cmd:"" help:"Show how the plugs of a running host do, and what waits to be sent."`
	Send       sendCommand       `cmd:"" help:"Send a message to a channel."`
	Parked     parkedCommand     `cmd:"" help:"Show what could not be delivered; put it back, or drop it."`
	Tail       tailCommand       `cmd:"" help:"Print what is said, as it comes, until SIGINT."`
	Start      startCommand      `cmd:"" help:"Start a plug that was stopped; try one again that is in back-off, held or failed."`
	Stop       stopCommand       `cmd:"" help:"Stop a plug of a running host, until it is started or the host is. What is said to it waits."`
	Restart    restartCommand    `cmd:"" help:"Restart a plug of a running host, also one that is held, failed or stopped."`
	Logs       logsCommand       `cmd:"" help:"Print the newest lines of a plug's log."`
	Channels   channelsCommand   `cmd:"" help:"List the channels of a plug's network."`
	Demo       demoCommand       `cmd:"" help:"Bridge two webchats, to try it out: kill what you like and watch it come back."`
	Completion completionCommand `cmd:"" help:"Print a script that completes plughost's commands in a shell."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
	Complete   completeCommand   `cmd:"" name:"__complete" hidden:"" passthrough:"" help:"List what may come next on a command line."`
	Sweep      sweepCommand      `cmd:"" hidden:"" help:"Remove a demo's directory when the demo is gone."`
}

// The main goroutine stays on the main thread, which lives as long as the
// process: the demo's children are to die with the thread that started them.
func init() { runtime.LockOSThread() }

func main() {
	var given commands
	parser := kong.Must(&given, kong.Name("plughost"), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Description("Connects chat networks, each by a plug of its own process, and carries messages between them."))
	command, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "plughost: %v; see plughost --help\n", err)
		os.Exit(exitUsage)
	}
	os.Exit(code(command.Run()))
}

// exit is an error with an exit code. With a nil error everything was said.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string { return fmt.Sprintf("exit code %d: %v", e.code, e.err) }

// code says what went wrong, and gives the exit code for it.
func code(err error) int {
	if err == nil {
		return 0
	}
	e := (*exit)(nil)
	if !errors.As(err, &e) {
		e = &exit{exitFailed, err}
	}
	if e.err != nil {
		fmt.Fprintf(os.Stderr, "plughost: %v\n", e.err)
	}
	return e.code
}

// stopSignals gives the signals that end a command.
func stopSignals() chan os.Signal {
	signals := make(chan os.Signal, 2) // the first stops cleanly, the second at once
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return signals
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	fmt.Printf("plughost %s (%s, %s/%s)\n", versionName(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// versionName gives what the linker was told, or what the module says.
func versionName() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
