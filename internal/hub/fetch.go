package hub

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// partSuffix marks a file that is not complete.
const partSuffix = ".part"

// fetch brings one file to its place. A first wrong hash may be the fault of an old part: the file is fetched again from its start.
func (d *download) fetch(f *file) error {
	path := d.path(f.Name)
	if ok, err := f.verify(path); err != nil {
		return err
	} else if ok {
		d.progress(f.Size)
		return nil
	}
	part := path + partSuffix
	before := d.done
	for _, last := range []bool{false, true} {
		d.done = before
		if err := d.load(f, part); err != nil {
			return err
		}
		ok, err := f.verify(part)
		switch {
		case err != nil:
			return err
		case ok:
			return os.Rename(part, path)
		case last:
			os.Remove(part)
			return fmt.Errorf("%w than its hash says", ErrCorrupt)
		}
		if err := os.Remove(part); err != nil {
			return err
		}
	}
	return nil
}

// load completes part, from the bytes it has.
func (d *download) load(f *file, part string) error {
	out, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	at, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if at > f.Size {
		at = 0
	}
	d.progress(at)
	err = d.retry(func() (bool, error) {
		if at == f.Size {
			return false, out.Truncate(at)
		}
		start := at
		err := d.stream(f, out, &at)
		return at > start, err
	})
	if err != nil {
		return err
	}
	return out.Sync()
}

// stream asks for the bytes from at on and writes what comes.
func (d *download) stream(f *file, out *os.File, at *int64) error {
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	idle := time.AfterFunc(d.opt.Idle, cancel)
	defer idle.Stop()
	resp, err := d.get(ctx, d.opt.Endpoint+"/"+d.name+"/resolve/"+d.model.Commit+"/"+url.PathEscape(f.Name), *at)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent && !continues(resp, *at):
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%w: it answers with bytes that were not asked for", ErrUnavailable)
		}
		d.progress(-*at)
		*at = 0 // the server does not resume: from the start
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		d.progress(-*at)
		*at = 0
		return fmt.Errorf("%w (%s)", ErrUnavailable, resp.Status)
	case resp.StatusCode != http.StatusPartialContent:
		return status(resp)
	}
	return d.copy(f, out, at, resp.Body, func() { idle.Reset(d.opt.Idle) })
}

// continues reports whether a partial answer starts where it was asked to.
func continues(resp *http.Response, at int64) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", at))
}

// copy writes body to out from at on, no more than the file's size.
func (d *download) copy(f *file, out *os.File, at *int64, body io.Reader, alive func()) error {
	buf := make([]byte, 256<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			alive()
			if *at+int64(n) > f.Size {
				return fmt.Errorf("%w: more than the %d bytes it announced", ErrCorrupt, f.Size)
			}
			if _, err := out.WriteAt(buf[:n], *at); err != nil {
				return err
			}
			*at += int64(n)
			d.model.Loaded += int64(n)
			d.progress(int64(n))
		}
		switch {
		case err == io.EOF && *at == f.Size:
			return out.Truncate(*at)
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
			fallthrough
		case err != nil:
			return fmt.Errorf("%w: %w after %d of %d bytes", ErrUnavailable, err, *at, f.Size)
		}
	}
}

func (d *download) progress(n int64) {
	d.done += n
	if d.opt.Progress != nil {
		d.opt.Progress(d.done, d.model.Bytes)
	}
}

// gitBlob is the hash by which git names a file's content.
func gitBlob(path string, size int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha1.New() // git's choice, not ours
	fmt.Fprintf(h, "blob %d\x00", size)
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
