//go:build unix

package artifact

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Map maps a file read-only into memory and returns its bytes and what unmaps them. The pages are shared by all processes
// that map the same file. An empty file gives an empty slice.
func Map(path string) ([]byte, func() error, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if st.Size() == 0 {
		return nil, func() error { return nil }, nil
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	return b, func() error { return unix.Munmap(b) }, nil
}
