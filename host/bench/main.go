package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// figure is one line of the result.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Limit is what the value is held against, Ratio value divided by it.
	Limit float64 `json:"limit"`
	Ratio float64 `json:"ratio"`
	// Short marks a figure of a run that was too short to be quoted.
	Short bool `json:"short,omitempty"`

	expected, note string // for the table
}

// suite is what all measurements share.
type suite struct {
	bin   string // holds plughost, simnetd and the plugs
	dir   string // for everything that is written
	short bool
	// profile, if set, is where CPU profiles of the host go. The host is then this
	// program and not the shipped one, which has no profiler.
	profile string
	say     io.Writer // progress
}

// measurement makes the figures that it is named by.
type measurement struct {
	names []string
	run   func(context.Context, *suite) ([]figure, error)
}

var measurements = []measurement{
	{[]string{"bridge"}, bridge},
	{[]string{"relay"}, relayRate},
	{[]string{"bridge_1to9"}, bridgeToNine},
	{[]string{"bridge_50ms"}, bridgeSlow},
	{[]string{"bridge_50ms_1000ch"}, bridgeThousand},
	{[]string{"e2e_p50_1k", "e2e_p99_1k"}, latency},
	{[]string{"put_p50", "put_p99"}, putLatency},
	{[]string{"intake"}, intakeRate},
	{[]string{"bridge_file_100mb"}, bridgeFile},
	{[]string{"render"}, render},
	{[]string{"recovery_kill9_plug", "recovery_kill9_host"}, recovery},
	{[]string{"host_pss_10_plugs", "plug_pss_idle"}, memory},
}

func main() {
	var s suite
	out := flag.String("out", "", "file for the figures as JSON")
	only := flag.String("only", "", "names of the wanted figures, with commas; empty: all")
	flag.StringVar(&s.bin, "bin", "bin", "directory with plughost, simnetd and plugs/simnet")
	flag.BoolVar(&s.short, "short", false, "seconds in place of minutes; the figures are marked")
	flag.StringVar(&s.profile, "profile", "", "directory for CPU profiles of the host, which then runs in this program")
	messages := flag.Int("soak", 0, "carry so many messages instead, and see that memory and disk stay bounded")
	bareSocket := flag.String("serve-bare", "", "be the bare server on this socket (for the program itself)")
	hostConfig := flag.String("serve-host", "", "be the host with this config (for the program itself)")
	flag.Parse()

	var err error
	switch {
	case *bareSocket != "":
		err = serveBare(*bareSocket)
	case *hostConfig != "":
		err = serveHost(*hostConfig, s.profile)
	default:
		wanted, chooseErr := choose(*only)
		if *messages > 0 {
			wanted = []measurement{{[]string{"rss_growth", "disk_most"}, func(ctx context.Context, s *suite) ([]figure, error) { return soak(ctx, s, *messages) }}}
		}
		if err = chooseErr; err == nil {
			err = s.measure(wanted, *out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measure runs the wanted measurements and reports.
func (s *suite) measure(wanted []measurement, out string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if s.bin, err = filepath.Abs(s.bin); err != nil {
		return err
	}
	if s.profile != "" {
		if s.profile, err = filepath.Abs(s.profile); err != nil {
			return err
		}
	}
	if s.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	s.say = os.Stderr

	fmt.Printf("%s, %d cores, %s, %s; load before: %s\n", cpuModel(), runtime.NumCPU(), kernel(), runtime.Version(), load())
	begun := time.Now()
	var figures []figure
	var failed []error
	for _, m := range wanted {
		fmt.Fprintf(s.say, "%s …\n", strings.Join(m.names, ", "))
		made, err := m.run(ctx, s)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", m.names[0], err))
		}
		for i := range made {
			made[i].Short = s.short
			made[i].Ratio = made[i].Value / made[i].Limit
		}
		figures = append(figures, made...)
	}
	printTable(os.Stdout, figures)
	fmt.Printf("took %v; load after: %s\n", time.Since(begun).Round(time.Second), load())
	if out != "" {
		data, err := json.MarshalIndent(figures, "", "  ")
		if err == nil {
			err = os.WriteFile(out, append(data, '\n'), 0o644)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// choose finds the measurements that make the named figures.
func choose(only string) ([]measurement, error) {
	if only == "" {
		return measurements, nil
	}
	var wanted []measurement
	for _, name := range strings.Split(only, ",") {
		i := slices.IndexFunc(measurements, func(m measurement) bool { return slices.Contains(m.names, name) })
		if i < 0 {
			return nil, fmt.Errorf("there is no figure %q", name)
		}
		if !slices.ContainsFunc(wanted, func(m measurement) bool { return m.names[0] == measurements[i].names[0] }) {
			wanted = append(wanted, measurements[i])
		}
	}
	return wanted, nil
}

func printTable(w io.Writer, figures []figure) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIGURE\tVALUE\tLIMIT\tUNIT\tRATIO\tEXPECTED\tHOW")
	for _, f := range figures {
		name := f.Name
		if f.Short {
			name += " (short)"
		}
		fmt.Fprintf(t, "%s\t%.4g\t%.4g\t%s\t%.2f\t%s\t%s\n", name, f.Value, f.Limit, f.Unit, f.Ratio, f.expected, f.note)
	}
	_ = t.Flush()
}

// pick returns long, or brief in a short run.
func pick[T any](s *suite, long, brief T) T {
	if s.short {
		return brief
	}
	return long
}

// median of values, which it sorts. There must be one.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// load is the machine's load averages.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(b))
}

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
