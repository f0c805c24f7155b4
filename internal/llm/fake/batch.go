package fake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// job is a batch at work.
type job struct {
	polls  int
	output string // names in store
	errors string
	lines  int
}

// result is one line of a batch's output.
type result struct {
	line   string
	failed bool
}

// put stores a file under a new name.
func (s *Server) put(prefix string, b []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("%s%d", prefix, len(s.store)+1)
	s.store[name] = b
	return name
}

func (s *Server) get(name string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.store[name]
	return b, ok
}

// begin answers every line of a batch, in an order of its own as providers do, and makes a job of it.
func (s *Server) begin(prefix string, input []byte, line func([]byte) result) string {
	var good, bad []string
	sc := bufio.NewScanner(bytes.NewReader(input))
	sc.Buffer(nil, maxBody)
	n := 0
	for sc.Scan() {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		n++
		r := line(sc.Bytes())
		to := &good
		if r.failed {
			to = &bad
		}
		*to = append(*to, r.line)
		if i := hash(s.opt.Seed, r.line) % uint64(len(*to)); i != uint64(len(*to)-1) {
			(*to)[i], (*to)[len(*to)-1] = (*to)[len(*to)-1], (*to)[i]
		}
	}
	j := &job{polls: s.opt.Polls, lines: n}
	if len(good) > 0 {
		j.output = s.put("file-", []byte(strings.Join(good, "\n")+"\n"))
	}
	if len(bad) > 0 {
		j.errors = s.put("file-", []byte(strings.Join(bad, "\n")+"\n"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("%s%d", prefix, len(s.jobs)+1)
	s.jobs[name] = j
	return name
}

// poll looks a job up and lets it advance.
func (s *Server) poll(w http.ResponseWriter, name string) (j job, done, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.jobs[name]
	if at == nil {
		fail(w, http.StatusNotFound, "no batch "+name)
		return job{}, false, false
	}
	at.polls--
	return *at, at.polls < 0, true
}

// lose reports whether a line of a batch fails: the faults of the transport that a batch can have.
func (s *Server) lose(line []byte) bool {
	x := float64(hash(s.opt.Seed, string(line), "batch")>>11) / (1 << 53)
	return x < s.opt.Faults[Internal]
}

func (s *Server) openaiUpload(w http.ResponseWriter, r *http.Request) {
	f, h, err := r.FormFile("file")
	if err != nil || r.FormValue("purpose") != "batch" {
		fail(w, http.StatusBadRequest, "file and purpose=batch are required")
		return
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	reply(w, map[string]any{"id": s.put("file-", b), "object": "file", "bytes": len(b), "filename": h.Filename, "purpose": "batch"})
}

func (s *Server) openaiDownload(w http.ResponseWriter, r *http.Request) {
	b, ok := s.get(r.PathValue("id"))
	if !ok {
		fail(w, http.StatusNotFound, "No such File object")
		return
	}
	w.Write(b)
}

func (s *Server) openaiBatch(w http.ResponseWriter, r *http.Request) {
	var in struct {
		File     string `json:"input_file_id"`
		Endpoint string `json:"endpoint"`
		Window   string `json:"completion_window"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	b, ok := s.get(in.File)
	if err != nil || !ok || in.Endpoint != "/v1/chat/completions" || in.Window != "24h" {
		fail(w, http.StatusBadRequest, "input_file_id, endpoint and completion_window are required")
		return
	}
	id := s.begin("batch_", b, s.openaiLine)
	reply(w, map[string]any{"id": id, "object": "batch", "status": "validating", "input_file_id": in.File})
}

func (s *Server) openaiLine(b []byte) result {
	var in struct {
		ID   string          `json:"custom_id"`
		URL  string          `json:"url"`
		Body json.RawMessage `json:"body"`
	}
	out := map[string]any{"error": nil}
	status, answer := 200, any(nil)
	err := json.Unmarshal(b, &in)
	a, _, perr := parseOpenAI(in.Body)
	switch {
	case err != nil || perr != nil || in.URL != "/v1/chat/completions":
		status, answer = 400, map[string]any{"error": map[string]any{"message": "invalid line"}}
	case s.lose(b):
		status, answer = 500, map[string]any{"error": map[string]any{"message": "the server had an error"}}
	default:
		text, cut := s.answer(a)
		answer = wholeOpenAI(a, text, cut)
		s.done(a)
	}
	out["id"], out["custom_id"] = fmt.Sprintf("batch_req_%x", hash(0, string(b))), in.ID
	out["response"] = map[string]any{"status_code": status, "request_id": "req_1", "body": answer}
	return result{asJSON(out), status != 200}
}

func (s *Server) openaiPoll(w http.ResponseWriter, r *http.Request) {
	j, done, ok := s.poll(w, r.PathValue("id"))
	if !ok {
		return
	}
	out := map[string]any{"id": r.PathValue("id"), "object": "batch", "status": "in_progress", "request_counts": map[string]int{"total": j.lines}}
	if done {
		out["status"] = "completed"
		for k, v := range map[string]string{"output_file_id": j.output, "error_file_id": j.errors} {
			if v != "" {
				out[k] = v
			}
		}
	}
	reply(w, out)
}

func (s *Server) anthropicBatch(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Requests []json.RawMessage `json:"requests"`
	}
	b, ok := body(w, r)
	if !ok {
		return
	}
	if err := json.Unmarshal(b, &in); err != nil || len(in.Requests) == 0 {
		fail(w, http.StatusBadRequest, "requests: field required")
		return
	}
	var lines bytes.Buffer
	for _, q := range in.Requests {
		json.Compact(&lines, q)
		lines.WriteByte('\n')
	}
	id := s.begin("msgbatch_", lines.Bytes(), s.anthropicLine)
	reply(w, map[string]any{"id": id, "type": "message_batch", "processing_status": "in_progress", "results_url": nil})
}

func (s *Server) anthropicLine(b []byte) result {
	var in struct {
		ID     string          `json:"custom_id"`
		Params json.RawMessage `json:"params"`
	}
	json.Unmarshal(b, &in) // begin gives whole lines only
	a, _, err := parseAnthropic(in.Params)
	res := map[string]any{"type": "succeeded"}
	switch {
	case err != nil:
		res = map[string]any{"type": "errored", "error": map[string]any{"type": "error", "error": map[string]any{"type": "invalid_request_error", "message": err.Error()}}}
	case s.lose(b):
		res = map[string]any{"type": "expired"}
	default:
		text, cut := s.answer(a)
		res["message"] = wholeAnthropic(a, text, cut)
		s.done(a)
	}
	return result{asJSON(map[string]any{"custom_id": in.ID, "result": res}), false}
}

func (s *Server) anthropicPoll(w http.ResponseWriter, r *http.Request) {
	_, done, ok := s.poll(w, r.PathValue("id"))
	if !ok {
		return
	}
	out := map[string]any{"id": r.PathValue("id"), "type": "message_batch", "processing_status": "in_progress", "results_url": nil}
	if done {
		out["processing_status"] = "ended"
		out["results_url"] = "http://" + r.Host + "/v1/messages/batches/" + r.PathValue("id") + "/results"
	}
	reply(w, out)
}

func (s *Server) anthropicResults(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	j := s.jobs[r.PathValue("id")]
	s.mu.Unlock()
	if j == nil || j.polls >= 0 {
		fail(w, http.StatusNotFound, "no results")
		return
	}
	b, _ := s.get(j.output)
	w.Write(b)
}

// geminiUpload is both steps of the resumable protocol: the start names the address of the second.
func (s *Server) geminiUpload(w http.ResponseWriter, r *http.Request) {
	switch command := r.Header.Get("X-Goog-Upload-Command"); command {
	case "start":
		w.Header().Set("X-Goog-Upload-Url", "http://"+r.Host+"/upload/v1beta/files?upload_id=1")
		reply(w, map[string]any{})
	case "upload, finalize":
		b, ok := body(w, r)
		if !ok {
			return
		}
		reply(w, map[string]any{"file": map[string]any{"name": "files/" + s.put("f", b)}})
	default:
		fail(w, http.StatusBadRequest, "unknown upload command "+command)
	}
}

func (s *Server) geminiBatch(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Batch struct {
			InputConfig struct {
				FileName string `json:"fileName"`
			} `json:"inputConfig"`
		} `json:"batch"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	b, ok := s.get(strings.TrimPrefix(in.Batch.InputConfig.FileName, "files/"))
	if err != nil || !ok {
		fail(w, http.StatusBadRequest, "inputConfig.fileName is required")
		return
	}
	id := s.begin("batches/b", b, s.geminiLine)
	reply(w, map[string]any{"name": id, "metadata": map[string]any{"state": "BATCH_STATE_PENDING"}})
}

func (s *Server) geminiLine(b []byte) result {
	var in struct {
		Key     string          `json:"key"`
		Request json.RawMessage `json:"request"`
	}
	json.Unmarshal(b, &in) // a fault shows in the request
	a, _, err := parseGemini(in.Request)
	out := map[string]any{"key": in.Key}
	switch {
	case err != nil:
		out["error"] = map[string]any{"code": 3, "message": err.Error()}
	case s.lose(b):
		out["error"] = map[string]any{"code": 13, "message": "internal"}
	default:
		text, cut := s.answer(a)
		out["response"] = wholeGemini(a, text, cut)
		s.done(a)
	}
	return result{asJSON(out), false}
}

func (s *Server) geminiPoll(w http.ResponseWriter, r *http.Request) {
	name := "batches/" + r.PathValue("id")
	j, done, ok := s.poll(w, name)
	if !ok {
		return
	}
	out := map[string]any{"name": name, "metadata": map[string]any{"state": "BATCH_STATE_RUNNING"}}
	if done {
		out["done"] = true
		out["metadata"] = map[string]any{"state": "BATCH_STATE_SUCCEEDED"}
		out["response"] = map[string]any{"responsesFile": "files/" + j.output}
	}
	reply(w, out)
}

func (s *Server) geminiDownload(w http.ResponseWriter, r *http.Request) {
	b, ok := s.get(strings.TrimSuffix(r.PathValue("file"), ":download"))
	if !ok || r.URL.Query().Get("alt") != "media" {
		fail(w, http.StatusNotFound, "no such file")
		return
	}
	w.Write(b)
}
