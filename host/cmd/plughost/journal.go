package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/verify"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// journalTimeout bounds the counting of a journal, openTimeout the opening of one.
const (
	journalTimeout = 2 * time.Minute
	openTimeout    = 2 * time.Minute
)

type journalCommand struct {
	Info   journalInfoCommand   `cmd:"" help:"Show what is stored, of a host that runs or is stopped: format, sizes, records of each kind, what waits."`
	Verify journalVerifyCommand `cmd:"" help:"Read all that a stopped host has stored, and say what is not as it must be."`
}

type journalInfoCommand struct {
	hostFlags
	JSON bool `help:"Print JSON."`
}

// Run shows what is stored.
func (cmd journalInfoCommand) Run() error {
	client, err := cmd.open()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeoutCause(context.Background(), journalTimeout, fmt.Errorf("the host does not answer within %v; see its log", journalTimeout))
	defer cancel()
	info, err := client.Journal(ctx, true)
	if errors.Is(err, api.ErrNoHost) {
		info, err = cmd.stopped(ctx)
	}
	if err != nil {
		return explain(ctx, err)
	}
	if cmd.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(infoJSON(info))
	}
	return printInfo(os.Stdout, info)
}

// stopped reads what a host that does not run has stored.
func (cmd journalInfoCommand) stopped(ctx context.Context) (info *hostv1.GetJournalResponse, err error) {
	err = cmd.read(ctx, func(store storage.Store) error {
		j, err := journal.Inspect(ctx, store)
		if err != nil {
			return err
		}
		contents, err := j.Contents(ctx)
		if err != nil {
			return err
		}
		state := store.State()
		info = &hostv1.GetJournalResponse{Contents: api.Contents(contents), Status: &hostv1.JournalStatus{Bytes: uint64(state.Bytes), Entries: uint64(state.Entries)}}
		return nil
	})
	return info, err
}

// read opens the journal of a host that does not run.
func (f hostFlags) read(ctx context.Context, do func(storage.Store) error) error {
	dir, err := f.dir()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	store, err := storage.OpenStopped(ctx, filepath.Join(dir, "journal"))
	if err != nil {
		return err
	}
	return errors.Join(do(store), store.Close())
}

func printInfo(w io.Writer, info *hostv1.GetJournalResponse) error {
	s, c := info.Status, info.Contents
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "format\t%d\nepoch\t%x\n", c.Format, c.Epoch)
	fmt.Fprintf(table, "log\t%s\n", of(s.Bytes, s.MaxBytes, humanize.IBytes))
	fmt.Fprintf(table, "message map\t%s entries\n", of(s.Entries, s.MaxEntries, func(n uint64) string { return humanize.Comma(int64(n)) }))
	if s.MaxFileBytes > 0 {
		fmt.Fprintf(table, "files\t%s\n", of(s.FileBytes, s.MaxFileBytes, humanize.IBytes))
	}
	if s.DiskFreeBytes > 0 {
		fmt.Fprintf(table, "free on the disk\t%s\n", humanize.IBytes(s.DiskFreeBytes))
	}
	for _, t := range []struct {
		name string
		at   time.Time
	}{{"oldest record", asTime(c.Oldest)}, {"newest record", asTime(c.Newest)}} {
		if !t.at.IsZero() {
			fmt.Fprintf(table, "%s\t%s\n", t.name, t.at.UTC().Format(time.RFC3339))
		}
	}
	fmt.Fprintf(table, "waiting\t%d\nparked\t%d\ncursors\t%d\n", c.Waiting, c.Parked, c.Cursors)
	fmt.Fprintln(table, "\nRECORDS\tKIND")
	for _, n := range c.Counts {
		fmt.Fprintf(table, "%d\t%s\n", n.Records, n.Kind)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return printJournal(w, s)
}

// of says how much there is, and of how much if that is bounded.
func of(n, most uint64, text func(uint64) string) string {
	if most == 0 {
		return text(n)
	}
	return text(n) + " of at most " + text(most)
}

// printJournal prints which bounds are reached, if any is.
func printJournal(w io.Writer, s *hostv1.JournalStatus) error {
	if s.Reason == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s\n", printable(s.Reason))
	return err
}

// statusJSON is how scripts get how the journal does.
type statusJSON struct {
	Reason        string `json:"reason,omitempty"`
	Bytes         uint64 `json:"bytes"`
	MaxBytes      uint64 `json:"max_bytes,omitempty"`
	Entries       uint64 `json:"entries"`
	MaxEntries    uint64 `json:"max_entries,omitempty"`
	DiskFreeBytes uint64 `json:"disk_free_bytes,omitempty"`
	FileBytes     uint64 `json:"file_bytes"`
	MaxFileBytes  uint64 `json:"max_file_bytes,omitempty"`
}

func journalJSON(s *hostv1.JournalStatus) statusJSON {
	return statusJSON{s.Reason, s.Bytes, s.MaxBytes, s.Entries, s.MaxEntries, s.DiskFreeBytes, s.FileBytes, s.MaxFileBytes}
}

// contentsJSON is how scripts get what is stored.
type contentsJSON struct {
	statusJSON
	Format  uint32            `json:"format"`
	Epoch   string            `json:"epoch"`
	Records map[string]uint64 `json:"records"`
	Oldest  time.Time         `json:"oldest,omitzero"`
	Newest  time.Time         `json:"newest,omitzero"`
	Waiting uint64            `json:"waiting"`
	Parked  uint64            `json:"parked"`
	Cursors uint64            `json:"cursors"`
}

func infoJSON(info *hostv1.GetJournalResponse) contentsJSON {
	c := info.Contents
	all := contentsJSON{journalJSON(info.Status), c.Format, fmt.Sprintf("%x", c.Epoch), map[string]uint64{}, asTime(c.Oldest), asTime(c.Newest), c.Waiting, c.Parked, c.Cursors}
	for _, n := range c.Counts {
		all.Records[n.Kind] = n.Records
	}
	return all
}

type journalVerifyCommand struct {
	hostFlags
}

// Run reads all that is stored.
func (cmd journalVerifyCommand) Run() error {
	return cmd.read(context.Background(), func(store storage.Store) error {
		report, err := verify.Journal(context.Background(), store, func(f verify.Finding) {
			fmt.Println(printable(f.String()))
		})
		if err != nil {
			return err
		}
		if report.Findings > 0 {
			return fmt.Errorf("%s were read, and %s found: keep a copy of the data directory as it is, and start the host on a copy", count(report.Records, "record"), count(report.Findings, "fault"))
		}
		fmt.Printf("%s were read: all is as it must be\n", count(report.Records, "record"))
		return nil
	})
}
