package llm

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/text"
)

// A Batch is a folder of request files for a provider's batch API or for `vllm run-batch`, with what became of each. Its state
// is written before and after every call that costs money, so that a killed program does not submit a file twice.
type Batch struct {
	Dir    string  `json:"-"`
	API    string  `json:"api"`
	URL    string  `json:"url,omitempty"`
	Model  string  `json:"model"`
	Shards []Shard `json:"shards"`
}

// A Shard is one file of a batch: one job at the provider.
type Shard struct {
	File     string `json:"file"`
	Requests int    `json:"requests"`
	Started  bool   `json:"started,omitempty"` // a submission was begun
	ID       string `json:"id,omitempty"`      // at the provider: the submission was confirmed
	Status   string `json:"status,omitempty"`  // in the provider's words
	Done     bool   `json:"done,omitempty"`    // results can be fetched
	Failed   bool   `json:"failed,omitempty"`  // there will be none
	Results  string `json:"results,omitempty"` // file of fetched results
	Output   string `json:"output,omitempty"`  // the provider's file of results
	Errors   string `json:"errors,omitempty"`  // and of failures
}

// Limits of a shard: below the strictest provider (OpenAI takes 50,000 lines and 200 MB), and little to lose when one fails.
const (
	ShardLines = 40_000
	ShardBytes = 90 << 20
)

// batchState is the state file of a batch's folder.
const batchState = "batch.json"

// WriteBatch writes the requests of seq as files for the endpoint's API into dir and returns the batch. Lines and bytes bound a
// file; 0 stands for ShardLines and ShardBytes.
func WriteBatch(dir string, cfg Endpoint, seq Requests, lines int, size int64) (*Batch, error) {
	e := &endpoint{Endpoint: cfg}
	e.API, e.Stream = cmp.Or(e.API, OpenAI), false
	e.newTokens.Store(wantsNewTokens(cfg.URL))
	if _, err := os.Stat(filepath.Join(dir, batchState)); err == nil {
		return nil, fmt.Errorf("writing batch: %s holds a batch already: submit it, or choose another folder", dir)
	}
	w := &shardWriter{b: &Batch{Dir: dir, API: e.API, Model: cfg.Model}, lines: cmp.Or(lines, ShardLines), size: cmp.Or(size, ShardBytes)}
	for r, err := range seq {
		if err == nil {
			w.b.Model = cmp.Or(w.b.Model, r.Model)
			err = w.write(batchLine(e, r))
		}
		if err != nil {
			w.close()
			return nil, fmt.Errorf("writing batch: %w", err)
		}
	}
	if err := w.close(); err != nil {
		return nil, fmt.Errorf("writing batch: %w", err)
	}
	return w.b, w.b.save()
}

// Unanswered passes on the requests that have no usable answer among known ones and may get one, for another batch.
func Unanswered(seq Requests, known *Index, accept Accept) Requests {
	return func(yield func(*Request, error) bool) {
		for req, err := range seq {
			var e Entry
			var ok bool
			if err == nil {
				e, ok, err = known.Get(req.Key())
			}
			if err == nil && ok && (e.Final || e.Error == "" && accept(req, &Response{Text: e.Answer}) == nil) {
				continue
			}
			if !yield(req, err) || err != nil {
				return
			}
		}
	}
}

// batchLine is a request in the form of the API's batch files.
func batchLine(e *endpoint, r *Request) any {
	body := e.encode(r, e.schema(r))
	switch e.API {
	case Anthropic:
		return struct {
			ID     string `json:"custom_id"`
			Params any    `json:"params"`
		}{r.Key().String(), body}
	case Gemini:
		return struct {
			Key     string `json:"key"`
			Request any    `json:"request"`
		}{r.Key().String(), body}
	}
	return struct {
		ID     string `json:"custom_id"`
		Method string `json:"method"`
		URL    string `json:"url"`
		Body   any    `json:"body"`
	}{r.Key().String(), "POST", "/v1/chat/completions", body}
}

type shardWriter struct {
	b       *Batch
	lines   int
	size    int64
	f       *os.File
	out     *bufio.Writer
	written int64
}

func (w *shardWriter) write(v any) error {
	line, err := encodeLine(v)
	if err != nil {
		return err
	}
	if n := len(w.b.Shards); w.f == nil || w.b.Shards[n-1].Requests == w.lines || w.written+int64(len(line)) > w.size {
		if err := w.next(); err != nil {
			return err
		}
	}
	w.b.Shards[len(w.b.Shards)-1].Requests++
	w.written += int64(len(line))
	_, err = w.out.Write(line)
	return err
}

func (w *shardWriter) next() error {
	if err := w.close(); err != nil {
		return err
	}
	name := fmt.Sprintf("requests-%04d.jsonl", len(w.b.Shards)+1)
	if err := os.MkdirAll(w.b.Dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(w.b.Dir, name))
	if err != nil {
		return err
	}
	w.f, w.out, w.written = f, bufio.NewWriterSize(f, 1<<20), 0
	w.b.Shards = append(w.b.Shards, Shard{File: name})
	return nil
}

func (w *shardWriter) close() error {
	if w.f == nil {
		return nil
	}
	err := errors.Join(w.out.Flush(), w.f.Close())
	w.f = nil
	return err
}

func (b *Batch) save() error {
	j, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return fmt.Errorf("encoding batch: %w", err)
	}
	return artifact.WriteFile(filepath.Join(b.Dir, batchState), append(j, '\n'))
}

// OpenBatch reads the state of a batch that WriteBatch wrote.
func OpenBatch(dir string) (*Batch, error) {
	raw, err := os.ReadFile(filepath.Join(dir, batchState))
	if err != nil {
		return nil, fmt.Errorf("opening batch: %w", err)
	}
	b := &Batch{Dir: dir}
	if err := json.Unmarshal(raw, b); err != nil {
		return nil, &text.SyntaxError{File: filepath.Join(dir, batchState), Msg: err.Error()}
	}
	for _, s := range b.Shards {
		if s.File != filepath.Base(s.File) || s.Results != "" && s.Results != filepath.Base(s.Results) {
			return nil, &text.SyntaxError{File: filepath.Join(dir, batchState), Msg: "a shard lies outside the folder"}
		}
	}
	return b, nil
}

// provider returns the client's one endpoint, which must speak the batch's API.
func (c *Client) provider(b *Batch) (*endpoint, error) {
	e := c.pool.endpoints[0]
	if len(c.pool.endpoints) != 1 || e.API != b.API {
		return nil, fmt.Errorf("a batch of %s files needs one endpoint of that api", b.API)
	}
	return e, nil
}

// Submit sends every shard that was not sent. A shard whose submission was begun and not confirmed, by a program that was
// killed at that moment, is an error that names it: sending it again might pay twice, and only the user can look.
func (c *Client) Submit(ctx context.Context, b *Batch, again bool) error {
	e, err := c.provider(b)
	if err != nil {
		return err
	}
	b.URL = e.URL
	for i := range b.Shards {
		s := &b.Shards[i]
		if s.ID != "" {
			continue
		}
		if s.Started && !again {
			return fmt.Errorf("submitting %s: an earlier submission was interrupted before the provider confirmed it: look whether a batch of %d requests is listed there; submit with --again only if not",
				s.File, s.Requests)
		}
		s.Started = true
		if err := b.save(); err != nil {
			return err
		}
		id, err := c.submit(ctx, e, b, s)
		if err != nil {
			var refused *Error
			if errors.As(err, &refused) && 400 <= refused.Status && refused.Status < 500 {
				s.Started = false // the provider took nothing
				err = errors.Join(err, b.save())
			}
			return fmt.Errorf("submitting %s: %w", s.File, err)
		}
		s.ID = id
		if err := b.save(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) submit(ctx context.Context, e *endpoint, b *Batch, s *Shard) (string, error) {
	path := filepath.Join(b.Dir, s.File)
	switch e.API {
	case Anthropic:
		return c.submitAnthropic(ctx, e, path)
	case Gemini:
		return c.submitGemini(ctx, e, path, b.Model)
	}
	return c.submitOpenAI(ctx, e, path)
}

// Poll asks the provider how far the submitted shards are.
func (c *Client) Poll(ctx context.Context, b *Batch) error {
	e, err := c.provider(b)
	if err != nil {
		return err
	}
	for i := range b.Shards {
		s := &b.Shards[i]
		if s.ID == "" || s.Done || s.Failed {
			continue
		}
		switch e.API {
		case Anthropic:
			err = c.pollAnthropic(ctx, e, s)
		case Gemini:
			err = c.pollGemini(ctx, e, s)
		default:
			err = c.pollOpenAI(ctx, e, s)
		}
		if err != nil {
			return fmt.Errorf("polling %s: %w", s.File, err)
		}
	}
	return b.save()
}

// Fetch writes the results of every finished shard to a file beside it and returns those files, the ones of earlier calls too.
func (c *Client) Fetch(ctx context.Context, b *Batch) ([]string, error) {
	e, err := c.provider(b)
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range b.Shards {
		s := &b.Shards[i]
		if s.Done && s.Results == "" {
			name := strings.Replace(s.File, "requests", "results", 1)
			err := artifact.WriteWith(filepath.Join(b.Dir, name), func(w io.Writer) error { return c.fetch(ctx, e, s, w) })
			if err != nil {
				return nil, fmt.Errorf("fetching results of %s: %w", s.File, err)
			}
			s.Results = name
			if err := b.save(); err != nil {
				return nil, err
			}
		}
		if s.Results != "" {
			out = append(out, filepath.Join(b.Dir, s.Results))
		}
	}
	return out, nil
}

// fetch copies a shard's files of results and failures.
func (c *Client) fetch(ctx context.Context, e *endpoint, s *Shard, w io.Writer) error {
	for _, path := range []string{s.Output, s.Errors} {
		if path == "" {
			continue
		}
		res, failure := c.request(ctx, e, "GET", path, "", nil)
		if failure != nil {
			return failure
		}
		if err := c.copyBody(w, e, res); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) copyBody(w io.Writer, e *endpoint, res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		return c.answer(e, res, nil)
	}
	defer res.Body.Close()
	_, err := io.Copy(w, res.Body)
	return err
}
