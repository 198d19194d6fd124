package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/config/bridging"
	"github.com/plughost/plughost/host/internal/config/document"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// EnvVar names the environment variable that holds a config's path.
	EnvVar = "PLUGHOST_CONFIG"

	defaultDataDir  = "./plughost-data"
	defaultPlugsDir = "./plugs"
)

// defaultFiles are where a config is looked for when nothing names one.
var defaultFiles = []string{"plughost.yaml", "/etc/plughost/plughost.yaml"}

// Describe asks a plug's binary what it is and can do, by running it. It is
// called for several plugs at once; the error concerns one plug only.
type Describe func(ctx context.Context, plug id.InstanceName, path string) (*plugv1.DescribeResponse, error)

// Problem is one thing that is wrong with a config. It never holds the value of
// a secret.
type Problem = document.Problem

// Config is what a file says.
type Config struct {
	// File is its path, as it was given.
	File string
	// Options of the host. Of use only if Runnable, and once the unusable plugs
	// have been given their Fault.
	Options host.Options
	// Problems are all that is wrong, in the file's order.
	Problems []Problem
	// Plugs are the names of all plugs, in the file's order.
	Plugs []id.InstanceName
	// Unusable are the plugs that can't be started, in the file's order, each with
	// at least one problem.
	Unusable []id.InstanceName
}

// Runnable says whether a host can be started: nothing is wrong with the config as
// a whole, and there is at least one plug that can be started.
func (c *Config) Runnable() bool {
	return len(c.Options.Plugs) > len(c.Unusable) && !slices.ContainsFunc(c.Problems, func(p Problem) bool { return p.Plug == "" })
}

// Find returns the path of the config: named if it is not empty, else what
// $PLUGHOST_CONFIG holds, else the first that exists of ./plughost.yaml and
// /etc/plughost/plughost.yaml.
func Find(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	if path := os.Getenv(EnvVar); path != "" {
		return path, nil
	}
	for _, path := range defaultFiles {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no config: neither ./%s nor %s is there; write one, or name it with --config or $%s",
		defaultFiles[0], defaultFiles[1], EnvVar)
}

// Load reads a config, asks its plugs what they are, and checks everything. The
// error is of a file that cannot be read; what is wrong in it is in
// Config.Problems. With a nil describe no binary is run and plugs' configs are not
// compared with their schemas; with a nil validate plugs don't check them.
func Load(ctx context.Context, file string, describe Describe, validate Validate) (*Config, error) {
	data, dir, err := read(file)
	if err != nil {
		return nil, err
	}
	return load(ctx, file, dir, data, describe, validate), nil
}

// DataDir returns the data directory that a config names. All else that may be
// wrong with the file doesn't matter.
func DataDir(file string) (string, error) {
	data, dir, err := read(file)
	if err != nil {
		return "", err
	}
	r := &reader{Problems: document.NewProblems(file), dir: dir}
	root := r.Parse(data)
	if root == nil {
		return "", fmt.Errorf("read config: %s", r.Sorted()[0])
	}
	return r.directory(r.Fields(root, "the config", "", topKeys)["data_dir"], "data_dir", defaultDataDir), nil
}

// read gives a file's content and its directory, from which relative paths go.
func read(file string) (data []byte, dir string, err error) {
	if data, err = document.ReadFile(file, document.MaxFile); err != nil {
		return nil, "", fmt.Errorf("read config: %w", err)
	}
	if dir, err = filepath.Abs(filepath.Dir(file)); err != nil {
		return nil, "", fmt.Errorf("read config: %w", err)
	}
	return data, dir, nil
}

var topKeys = document.Keys{
	Known: []string{
		"version", "timezone", "data_dir", "plugs_dir", "plugs", "defaults", "conversations",
		"journal", "settle_timeout", "supervision",
	},
	Later: []string{"alerts", "files", "hooks", "channels", "groups", "include", "api", "metrics", "users"},
}

// reader reads one file.
type reader struct {
	*document.Problems
	dir      string // the file's own
	root     *document.Node
	plugsDir string

	all []*plug
}

func load(ctx context.Context, file, dir string, data []byte, describe Describe, validate Validate) *Config {
	r := &reader{Problems: document.NewProblems(file), dir: dir}
	c := &Config{File: file}
	if r.root = r.Parse(data); r.root != nil {
		r.read(ctx, c, describe, validate)
	}
	c.Problems = r.Sorted()
	return c
}

func (r *reader) read(ctx context.Context, c *Config, describe Describe, validate Validate) {
	if !r.Expect(r.root, document.Mapping, "the config", "write it as a mapping, such as version: 1") {
		return
	}
	top := r.Fields(r.root, "the config", "version: 1", topKeys)
	o := &c.Options
	r.version(top["version"])
	o.TimeZone = r.timeZone(top["timezone"])
	o.DataDir = r.directory(top["data_dir"], "data_dir", defaultDataDir)
	r.plugsDir = r.directory(top["plugs_dir"], "plugs_dir", defaultPlugsDir)
	r.journal(top["journal"], o)
	r.Duration(top["settle_timeout"], "settle_timeout", minSettle, maxSettle, &o.SettleTimeout)
	r.supervision(top["supervision"], &o.Supervision)

	r.plugs(top["plugs"])
	if describe != nil {
		r.ask(ctx, describe)
	}
	for _, p := range r.all {
		r.check(p)
	}
	if validate != nil {
		r.validate(ctx, validate)
	}
	bridged := make([]bridging.Plug, len(r.all))
	for i, p := range r.all {
		bridged[i] = bridging.Plug{Name: p.name, Facts: p.facts}
	}
	o.Conversations = bridging.Read(r.Problems, top["conversations"], top["defaults"], bridged)

	o.Plugs = r.plugOptions()
	for _, p := range r.all {
		c.Plugs = append(c.Plugs, p.name)
		if p.json == nil {
			c.Unusable = append(c.Unusable, p.name)
		}
	}
}
