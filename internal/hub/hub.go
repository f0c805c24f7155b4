// Package hub downloads the folder of a model from a server that speaks the protocol of the Hugging Face hub, given the model's name:
// only when it is called, only the files that checkpoint and tokenizer read, each checked against the hash the server states.
// An interrupted download goes on where it stopped. It stands before checkpoint, and nothing else of the program uses the
// network to get a model.
//
// Protocol: `GET /api/models/NAME/revision/REV?blobs=true` lists the files with their hashes (SHA-256 of large files, the git blob
// hash of small ones) and the commit; `GET /NAME/resolve/COMMIT/FILE` answers with the file, often by way of a redirect.
package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"syncabel/internal/artifact"
)

// Endpoint is the public hub.
const Endpoint = "https://huggingface.co"

// Errors that a caller may tell apart.
var (
	ErrDenied      = errors.New("the hub refuses")             // no use in trying again
	ErrUnavailable = errors.New("the hub cannot be reached")   // later perhaps
	ErrCorrupt     = errors.New("the hub sends other content") // the hash is wrong, twice
)

// Options of Download.
type Options struct {
	Endpoint string        // default Endpoint
	Revision string        // branch, tag or commit; default main
	Token    string        // for models that need permission; it is sent to the endpoint only, never to where that redirects
	Tries    int           // in a row without a new byte, before giving up; default 5
	Wait     time.Duration // before the second try, doubled each time; default 1 s
	Idle     time.Duration // without a byte before a connection counts as dead; default 1 min
	Client   *http.Client  // default http.DefaultClient
	Progress func(done, total int64)
}

// A Model is what Download fetched.
type Model struct {
	Name   string
	Commit string
	Files  []string
	Bytes  int64 // of all files
	Loaded int64 // over the network by this call
}

// validName is an owner and a name, or a name alone.
var validName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?$`)

// validRevision is a branch, a tag or a commit.
var validRevision = regexp.MustCompile(`^[A-Za-z0-9][\w./-]{0,199}$`)

// wanted are the files of a model folder that are of use here, beside the weights.
var wanted = []string{"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
	"added_tokens.json", "model.safetensors.index.json", "adapter_config.json", "adapter_model.safetensors", "LICENSE", "LICENSE.txt", "README.md"}

// weightFile is the one file or a shard of a model's weights.
var weightFile = regexp.MustCompile(`^model(-\d{1,6}-of-\d{1,6})?\.safetensors$`)

// Bounds of what a server may make us read.
const (
	maxList  = 32 << 20 // bytes of the list of files
	maxFiles = 4096
)

// A file as the list names it.
type file struct {
	Name string `json:"rfilename"`
	Size int64  `json:"size"`
	Blob string `json:"blobId"` // git's hash, of a small file
	LFS  *struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	} `json:"lfs"`
}

// Download fetches model name into dir. Files that are there with the right hash are not fetched again.
func Download(ctx context.Context, name, dir string, opt Options) (*Model, error) {
	opt.Endpoint = strings.TrimRight(cmp.Or(opt.Endpoint, Endpoint), "/")
	opt.Revision, opt.Tries, opt.Wait = cmp.Or(opt.Revision, "main"), cmp.Or(opt.Tries, 5), cmp.Or(opt.Wait, time.Second)
	opt.Idle, opt.Client = cmp.Or(opt.Idle, time.Minute), cmp.Or(opt.Client, http.DefaultClient)
	if !validName.MatchString(name) || strings.Contains(name, "..") {
		return nil, fmt.Errorf("downloading model: %q is no name of a model: owner/name is expected", name)
	}
	if !validRevision.MatchString(opt.Revision) || strings.Contains(opt.Revision, "..") {
		return nil, fmt.Errorf("downloading model %s: %q is no revision", name, opt.Revision)
	}
	d := &download{ctx: ctx, name: name, dir: dir, opt: opt}
	if err := d.run(); err != nil {
		return nil, fmt.Errorf("downloading model %s: %w", name, err)
	}
	return &d.model, nil
}

type download struct {
	ctx   context.Context
	name  string
	dir   string
	opt   Options
	model Model
	done  int64
}

func (d *download) run() error {
	files, err := d.list()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		d.model.Bytes += f.Size
	}
	for i := range files {
		if err := d.fetch(&files[i]); err != nil {
			return fmt.Errorf("%s: %w", files[i].Name, err)
		}
		d.model.Files = append(d.model.Files, files[i].Name)
	}
	return nil
}

// list asks for the files of the model and keeps those of use.
func (d *download) list() ([]file, error) {
	var list struct {
		SHA   string `json:"sha"`
		Files []file `json:"siblings"`
	}
	err := d.retry(func() (bool, error) {
		resp, err := d.get(d.ctx, d.opt.Endpoint+"/api/models/"+d.name+"/revision/"+url.PathEscape(d.opt.Revision)+"?blobs=true", 0)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return false, status(resp)
		}
		b, err := io.ReadAll(io.LimitReader(resp.Body, maxList+1))
		if err == nil && len(b) > maxList {
			return false, fmt.Errorf("%w: its list of files is larger than %d bytes", ErrCorrupt, maxList)
		}
		if err != nil {
			return false, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		if err := json.Unmarshal(b, &list); err != nil {
			return false, fmt.Errorf("%w: its list of files: %w", ErrCorrupt, err)
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	if !validRevision.MatchString(list.SHA) || strings.ContainsAny(list.SHA, "./") || len(list.Files) > maxFiles {
		return nil, fmt.Errorf("%w: commit %.60q, %d files", ErrCorrupt, list.SHA, len(list.Files))
	}
	d.model.Name, d.model.Commit = d.name, list.SHA
	return choose(list.Files)
}

// choose keeps the files that are read here, and complains where the weights are not in a form that is.
func choose(all []file) ([]file, error) {
	var out []file
	weights, pickled := false, ""
	for _, f := range all {
		switch {
		case weightFile.MatchString(f.Name), f.Name == "adapter_model.safetensors":
			weights = true
		case strings.HasSuffix(f.Name, ".bin"):
			pickled = f.Name
			continue
		case !slices.Contains(wanted, f.Name):
			continue
		}
		if f.LFS != nil {
			f.Size = f.LFS.Size
		}
		if f.Size < 0 || f.LFS == nil && f.Blob == "" {
			return nil, fmt.Errorf("%w: no hash for %s", ErrCorrupt, f.Name)
		}
		out = append(out, f)
	}
	switch {
	case !weights && pickled != "":
		return nil, fmt.Errorf("%w: its weights are pickled (%s), which is not read; look for a safetensors version", ErrDenied, pickled)
	case !weights:
		return nil, fmt.Errorf("%w: it has no weights in safetensors", ErrDenied)
	}
	slices.SortFunc(out, func(a, b file) int { return cmp.Or(cmp.Compare(a.Size, b.Size), strings.Compare(a.Name, b.Name)) })
	return out, nil
}

// get sends one request for the bytes from at on.
func (d *download) get(ctx context.Context, address string, at int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "syncabel")
	req.Header.Set("Accept-Encoding", "identity") // hashes and ranges are of the bytes as stored
	if d.opt.Token != "" {
		req.Header.Set("Authorization", "Bearer "+d.opt.Token) // net/http drops it on a redirect to another host
	}
	if at > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
	}
	resp, err := d.opt.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return resp, nil
}

// status turns an answer that is no success into an error that says what to do.
func status(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w (%s): the model does not exist or needs permission: accept its licence on the hub and set HF_TOKEN", ErrDenied, resp.Status)
	case http.StatusNotFound:
		return fmt.Errorf("%w (%s): no such model, revision or file", ErrDenied, resp.Status)
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return fmt.Errorf("%w (%s)", ErrUnavailable, resp.Status)
	}
	if resp.StatusCode >= 500 {
		return fmt.Errorf("%w (%s)", ErrUnavailable, resp.Status)
	}
	return fmt.Errorf("%w (%s)", ErrDenied, resp.Status)
}

// retry calls f until it succeeds, fails for good, or was tried often enough without progress, which f reports.
func (d *download) retry(f func() (progress bool, err error)) error {
	wait := d.opt.Wait
	for n := 1; ; n++ {
		progress, err := f()
		if err == nil || d.ctx.Err() != nil || !errors.Is(err, ErrUnavailable) {
			return cmp.Or(d.ctx.Err(), err)
		}
		if progress {
			n, wait = 1, d.opt.Wait
		}
		if n >= d.opt.Tries {
			return err
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-d.ctx.Done():
			return d.ctx.Err()
		}
	}
}

// verify reports whether path holds what f says.
func (f *file) verify(path string) (bool, error) {
	st, err := os.Stat(path)
	if err != nil || st.Size() != f.Size {
		return false, nil
	}
	if f.LFS != nil {
		h, err := artifact.HashFile(path)
		return err == nil && h.SHA256 == strings.ToLower(f.LFS.SHA256), err
	}
	h, err := gitBlob(path, f.Size)
	return err == nil && h == strings.ToLower(f.Blob), err
}

func (d *download) path(name string) string { return filepath.Join(d.dir, name) }
