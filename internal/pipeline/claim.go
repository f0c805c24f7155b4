package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"
)

// claim refuses a folder that holds something else or in which another command is at work, and keeps others out until release is
// called: two runs of one folder would write into each other's unfinished models.
func (r *runner) claim() (release func(), err error) {
	if err := r.checkOut(); err != nil {
		return nil, err
	}
	work := filepath.Join(r.opt.Out, "work")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, fmt.Errorf("making output folder: %w", err)
	}
	lock := flock.New(filepath.Join(work, "lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking output folder: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("another command is at work in output folder %s: wait for it, stop it, or choose another folder", r.opt.Out)
	}
	return func() { lock.Unlock() }, nil
}

// checkOut refuses a folder that holds something else.
func (r *runner) checkOut() error {
	list, err := os.ReadDir(r.opt.Out)
	if errors.Is(err, fs.ErrNotExist) || len(list) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading output folder: %w", err)
	}
	for _, e := range list {
		if e.Name() == "work" || e.Name() == RunName {
			return nil
		}
	}
	if slices.ContainsFunc(list, func(e os.DirEntry) bool { return e.Name() != "data" }) {
		return fmt.Errorf("output folder %s holds other files and no earlier run: choose an empty or new folder", r.opt.Out)
	}
	return nil
}
