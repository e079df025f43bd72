package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// One look at all counters.
type sample struct {
	at             time.Time
	units          int64
	client, server int64
}

func take(callers []*caller, serverPid int) sample {
	units := int64(0)
	for _, caller := range callers {
		units += caller.units.Load()
	}
	return sample{at: time.Now(), units: units, client: cpu(os.Getpid()), server: cpu(serverPid)}
}

// The scheduler's sum of all threads, in nanoseconds.
func cpu(pid int) int64 {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	sum := int64(0)
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if fields := strings.Fields(string(text)); len(fields) > 0 {
			nanos, _ := strconv.ParseInt(fields[0], 10, 64)
			sum += nanos
		}
	}
	return sum
}

// In KiB.
func peakMemory(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib
		}
	}
	return 0
}

func quantile(sorted []time.Duration, share float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(share*float64(len(sorted)-1))].Nanoseconds()
}
