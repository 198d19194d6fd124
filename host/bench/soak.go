package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Bounds of the soak's journal, small enough to be reached soon.
const (
	soakJournal = 512 << 20
	soakEntries = 200_000
	// Above its bound the log has an eighth for what is under way. The map, of some
	// hundred bytes for each entry, and the ballast of 16 MiB come to that.
	soakDisk = soakJournal + soakJournal/8 + soakEntries*1024 + 16<<20
)

// soak carries messages for as long as it takes, and says how much larger the host is in
// the end than when a quarter had been carried, and how much it ever had on disk. Each
// message arrives; whether one arrives twice is bridge's to find, since the ledgers are
// too large to be compared.
func soak(ctx context.Context, s *suite, messages int) ([]figure, error) {
	w, err := s.newWorld(ctx, layout{pairs: 1, channels: 10, targets: 1,
		settings: fmt.Sprintf("journal: {max_bytes: %dMiB, ballast: 16MiB, map: {max_entries: %d}}\n", soakJournal>>20, soakEntries)})
	if err != nil {
		return nil, err
	}
	defer w.close()
	const steps = 20
	var sizes []float64
	most := 0.0
	for step := range steps {
		if err := w.talk(ctx, 2560, func() bool { return w.said >= messages*(step+1)/steps }); err != nil {
			return nil, err
		}
		size, err := pss(w.host.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		disk := diskUse(w.dataDir())
		sizes, most = append(sizes, size/1e6), max(most, disk/1e6)
		fmt.Fprintf(s.say, "  %d messages: host %.0f MB, %.0f MB on disk\n", w.said, size/1e6, disk/1e6)
	}
	quarter, end := median(sizes[steps/4-1:steps/2]), median(sizes[3*steps/4:])
	return []figure{
		{Name: "rss_growth", Value: end, Unit: "MB", Limit: quarter, expected: "ratio ≤ 1.1",
			note: fmt.Sprintf("%d messages; the median of the last quarter's samples against the second quarter's", w.said)},
		{Name: "disk_most", Value: most, Unit: "MB", Limit: soakDisk / 1e6, expected: "ratio ≤ 1", note: "the data directory, sampled"},
	}, nil
}

// diskUse is the size of all files beneath a directory.
func diskUse(dir string) (bytes float64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // removed meanwhile
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			bytes += float64(info.Size())
		}
		return nil
	})
	return bytes
}
