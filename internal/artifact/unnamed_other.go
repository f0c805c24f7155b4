//go:build !linux

package artifact

import (
	"errors"
	"os"
)

// unnamed is not offered here: files have a temporary name.
func unnamed(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func give(*os.File, string) error { return errors.ErrUnsupported }
