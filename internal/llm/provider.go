package llm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// piped streams what write produces as a request's body, so that a shard is never in memory.
func piped(write func(io.Writer) error) io.Reader {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }() // ends when the request closes its end
	return r
}

// submitOpenAI uploads a file and makes a batch of it (POST /files, POST /batches).
func (c *Client) submitOpenAI(ctx context.Context, e *endpoint, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var boundary bytes.Buffer
	form := multipart.NewWriter(&boundary)
	body := piped(func(w io.Writer) error {
		m := multipart.NewWriter(w)
		m.SetBoundary(form.Boundary())
		if err := m.WriteField("purpose", "batch"); err != nil {
			return err
		}
		h := textproto.MIMEHeader{"Content-Disposition": {multipart.FileContentDisposition("file", filepath.Base(path))}, "Content-Type": {"application/jsonl"}}
		part, err := m.CreatePart(h)
		if err != nil {
			return err
		}
		if _, err := io.Copy(part, f); err != nil {
			return err
		}
		return m.Close()
	})
	var file, batch struct {
		ID string `json:"id"`
	}
	if err := c.call(ctx, e, "POST", "/files", form.FormDataContentType(), body, &file); err != nil {
		return "", err
	}
	job, err := json.Marshal(map[string]string{"input_file_id": file.ID, "endpoint": "/v1/chat/completions", "completion_window": "24h"})
	if err != nil {
		return "", err
	}
	err = c.call(ctx, e, "POST", "/batches", "application/json", bytes.NewReader(job), &batch)
	return batch.ID, err
}

func (c *Client) pollOpenAI(ctx context.Context, e *endpoint, s *Shard) error {
	var r struct {
		Status string `json:"status"`
		Output string `json:"output_file_id"`
		Errors string `json:"error_file_id"`
	}
	if err := c.call(ctx, e, "GET", "/batches/"+url.PathEscape(s.ID), "", nil, &r); err != nil {
		return err
	}
	s.Status = r.Status
	content := func(id string) string {
		if id == "" {
			return ""
		}
		return "/files/" + url.PathEscape(id) + "/content"
	}
	switch r.Status {
	case "completed", "expired", "cancelled": // the last two may hold some results
		s.Output, s.Errors = content(r.Output), content(r.Errors)
		s.Done = true
	case "failed":
		s.Failed = true
	}
	return nil
}

// submitAnthropic sends the lines of a file as one request (POST /v1/messages/batches).
func (c *Client) submitAnthropic(ctx context.Context, e *endpoint, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	body := piped(func(w io.Writer) error {
		out := bufio.NewWriter(w)
		out.WriteString(`{"requests":[`)
		err := scanLines(f, path, func(b []byte, line int, _ int64, _ bool) error {
			if line > 1 {
				out.WriteByte(',')
			}
			_, err := out.Write(bytes.TrimSpace(b))
			return err
		})
		if err != nil {
			return err
		}
		out.WriteString(`]}`)
		return out.Flush()
	})
	var r struct {
		ID string `json:"id"`
	}
	err = c.call(ctx, e, "POST", "/v1/messages/batches", "application/json", body, &r)
	return r.ID, err
}

func (c *Client) pollAnthropic(ctx context.Context, e *endpoint, s *Shard) error {
	var r struct {
		Status string `json:"processing_status"`
	}
	if err := c.call(ctx, e, "GET", "/v1/messages/batches/"+url.PathEscape(s.ID), "", nil, &r); err != nil {
		return err
	}
	s.Status = r.Status
	if r.Status == "ended" {
		s.Done, s.Output = true, "/v1/messages/batches/"+url.PathEscape(s.ID)+"/results"
	}
	return nil
}

// submitGemini uploads a file by the resumable protocol and makes a batch of it (models.batchGenerateContent).
func (c *Client) submitGemini(ctx context.Context, e *endpoint, path, model string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	name, err := c.uploadGemini(ctx, e, f, st.Size())
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(map[string]any{"batch": map[string]any{"displayName": filepath.Base(path), "inputConfig": map[string]string{"fileName": name}}})
	if err != nil {
		return "", err
	}
	var r struct {
		Name string `json:"name"`
	}
	err = c.call(ctx, e, "POST", "/v1beta/models/"+url.PathEscape(model)+":batchGenerateContent", "application/json", bytes.NewReader(body), &r)
	return r.Name, err
}

// startUpload announces a file to Gemini's resumable upload.
const startUpload = `{"file":{"displayName":"requests"}}`

func (c *Client) uploadGemini(ctx context.Context, e *endpoint, body io.Reader, size int64) (string, error) {
	upload := func(address, command string, length int64, body io.Reader, out any) (http.Header, error) {
		req, err := e.newRequest(ctx, "POST", address, "application/json", body)
		if err != nil {
			return nil, &Error{Kind: KindRejected, Endpoint: e.Name, Msg: "the address is not valid"}
		}
		req.ContentLength = length
		for k, v := range map[string]string{"Protocol": "resumable", "Command": command, "Offset": "0",
			"Header-Content-Length": strconv.FormatInt(size, 10), "Header-Content-Type": "application/jsonl"} {
			req.Header.Set("X-Goog-Upload-"+k, v)
		}
		res, err := c.http.Do(req)
		if err != nil {
			return nil, e.readFailure(err)
		}
		return res.Header, c.answer(e, res, out)
	}
	h, err := upload(e.address("/upload/v1beta/files"), "start", int64(len(startUpload)), strings.NewReader(startUpload), nil)
	if err != nil {
		return "", err
	}
	to, err := url.Parse(h.Get("X-Goog-Upload-Url"))
	if base, _ := url.Parse(e.URL); err != nil || to.Host != base.Host || to.Scheme != base.Scheme {
		return "", &Error{Kind: KindMalformed, Endpoint: e.Name, Msg: "the upload address lies at another host"}
	}
	var r struct {
		File struct {
			Name string `json:"name"`
		} `json:"file"`
	}
	_, err = upload(to.String(), "upload, finalize", size, body, &r)
	return r.File.Name, err
}

func (c *Client) pollGemini(ctx context.Context, e *endpoint, s *Shard) error {
	var r struct {
		Done     bool `json:"done"`
		Metadata struct {
			State string `json:"state"`
		} `json:"metadata"`
		Response struct {
			ResponsesFile string `json:"responsesFile"`
		} `json:"response"`
		Error *serverError `json:"error"`
	}
	if !strings.HasPrefix(s.ID, "batches/") {
		return fmt.Errorf("%q is no batch of Gemini", s.ID)
	}
	if err := c.call(ctx, e, "GET", "/v1beta/"+s.ID, "", nil, &r); err != nil {
		return err
	}
	s.Status = r.Metadata.State
	switch {
	case r.Done && r.Response.ResponsesFile != "":
		s.Done, s.Output = true, "/download/v1beta/"+r.Response.ResponsesFile+":download?alt=media"
	case r.Done:
		s.Failed = true
		if r.Error != nil {
			s.Status += ": " + r.Error.Message
		}
	}
	return nil
}
