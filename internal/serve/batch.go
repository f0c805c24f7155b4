package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

const batchPath = "/api/v1/batch"

// maxStreams bounds the streams in progress. Each has one line in work at a time, so that they leave room for single requests.
const maxStreams = 16

// batchError stands in the place of a line that could not be linked.
type batchError struct {
	ID    string `json:"id,omitempty"`
	Line  int    `json:"line"`
	Error string `json:"error"`
}

// batchRoute links a stream of documents, one JSON object a line, and answers each line before it reads the next.
func (s *Server) batchRoute() {
	slots := make(chan struct{}, maxStreams)
	s.mux.HandleFunc("POST "+batchPath, func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			w.Header().Set("Retry-After", "5")
			refuse(w, http.StatusTooManyRequests, fmt.Sprintf("at most %d streams are served at a time", maxStreams))
			return
		}
		s.stream(w, r)
	})
	op := s.describe("POST", batchPath, "batch", "Link a stream of documents", "link", "application/x-ndjson")
	op.Description = "One document a line in, one linked document a line out, in order and as soon as each is done; a line that cannot be linked is answered by an object with line and error."
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Document](), true, "Document")
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/x-ndjson": {Schema: schema}}}
}

// stream is the loop of one client. Deadlines move with it: a client that stalls for longer than an answer may take is dropped.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	ctl := http.NewResponseController(w)
	_ = ctl.EnableFullDuplex() // HTTP/2 has it always
	w.Header().Set("Content-Type", "application/x-ndjson")
	sc := bufio.NewScanner(r.Body)
	sc.Buffer(make([]byte, 1<<16), int(s.opt.MaxBody))
	for line := 1; ; line++ {
		_ = ctl.SetReadDeadline(time.Now().Add(s.opt.Timeout))
		if !sc.Scan() {
			break
		}
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		_ = ctl.SetWriteDeadline(time.Now().Add(2 * s.opt.Timeout))
		if err := encode(w, s.line(r.Context(), sc.Bytes(), line)); err != nil || ctl.Flush() != nil {
			return
		}
	}
	if err := sc.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		_ = encode(w, batchError{Error: fmt.Sprintf("the stream ends here: a line has at most %d bytes and comes within %s", s.opt.MaxBody, s.opt.Timeout)})
	}
}

// line links one line. When single requests fill the queue it waits for its turn.
func (s *Server) line(ctx context.Context, b []byte, n int) any {
	var d Document
	if !utf8.Valid(b) {
		return batchError{Line: n, Error: "not valid UTF-8"}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return batchError{Line: n, Error: "not a document in JSON"}
	}
	for {
		tctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
		out, err := s.link(tctx, &d, 5)
		cancel()
		if errors.Is(err, errBusy) {
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
				continue
			}
		}
		if err != nil {
			return batchError{ID: d.ID, Line: n, Error: problemOf(err).Error()}
		}
		return out
	}
}
