package llm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// chatPath is where a request is sent, below the endpoint's URL.
func (e *endpoint) chatPath(r *Request) string {
	switch e.API {
	case Anthropic:
		return "/v1/messages"
	case Gemini:
		verb := ":generateContent"
		if e.Stream {
			verb = ":streamGenerateContent?alt=sse"
		}
		return "/v1beta/models/" + url.PathEscape(e.modelOf(r)) + verb
	}
	return "/chat/completions"
}

// modelOf is what the endpoint calls the request's model.
func (e *endpoint) modelOf(r *Request) string {
	if e.Model != "" {
		return e.Model
	}
	return r.Model
}

// encode returns the body of a request.
func (e *endpoint) encode(r *Request, schema bool) any {
	switch e.API {
	case Anthropic:
		return anthropicBody(r, e.modelOf(r), schema, e.Stream)
	case Gemini:
		return geminiBody(r, schema)
	}
	return openaiBody(r, e.modelOf(r), schema, e.Stream, e.newTokens.Load())
}

// decode reads the body of an answer.
func decode(api string, b []byte) (*Response, error) {
	var out *Response
	var err error
	switch api {
	case Anthropic:
		out, err = anthropicAnswer(b)
	case Gemini:
		out, err = geminiAnswer(b)
	default:
		out, err = openaiAnswer(b)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProtocol, err)
	}
	return out, nil
}

// read reads an answer, whole or as a stream of events.
func (e *endpoint) read(w *watchdog, body io.Reader) (*Response, error) {
	if e.Stream {
		return readStream(e.API, io.LimitReader(body, maxReply), w.feed)
	}
	b, err := io.ReadAll(io.LimitReader(body, maxReply))
	if err != nil {
		return nil, err
	}
	return decode(e.API, b)
}

// adapt learns from a refusal what the server does not know, and reports whether the request is worth sending again at once.
func (e *endpoint) adapt(status int, body string, schema bool) bool {
	if status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
		return false
	}
	if e.API == OpenAI && strings.Contains(body, "max_completion_tokens") && !e.newTokens.Swap(true) {
		return true
	}
	if !schema || e.Structured != StructuredAuto {
		return false
	}
	for _, word := range []string{"response_format", "json_schema", "schema", "tool_choice", "grammar", "structured"} {
		if strings.Contains(body, word) {
			e.noSchema.Store(true)
			return true
		}
	}
	return false
}

// maxEvent bounds one event of a stream.
const maxEvent = 1 << 20

// readStream joins the parts of a streamed answer (server-sent events). A stream that stops before it says so is cut, and no
// answer; alive is called at every event.
func readStream(api string, r io.Reader, alive func()) (*Response, error) {
	out := &Response{}
	var text strings.Builder
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 4<<10), maxEvent)
	done := false
	for sc.Scan() {
		alive()
		data, ok := bytes.CutPrefix(sc.Bytes(), []byte("data:"))
		if !ok {
			continue
		}
		if data = bytes.TrimSpace(data); string(data) == "[DONE]" {
			done = true
			break
		}
		part, end, err := decodeEvent(api, data, out)
		if err != nil {
			return nil, fmt.Errorf("%w: event of a stream: %w", errProtocol, err)
		}
		text.WriteString(part)
		done = done || end
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	if !done {
		return nil, fmt.Errorf("the stream ended before the answer: %w", io.ErrUnexpectedEOF)
	}
	out.Text = text.String()
	return out, nil
}

// decodeEvent returns the text of one event, notes the rest in out, and reports whether the answer is complete.
func decodeEvent(api string, data []byte, out *Response) (string, bool, error) {
	switch api {
	case Anthropic:
		return anthropicEvent(data, out)
	case Gemini:
		part, err := geminiAnswer(data)
		if err != nil {
			return "", false, err
		}
		out.Model, out.Usage, out.Finish = part.Model, part.Usage, part.Finish
		return part.Text, part.Finish != "", nil
	}
	return openaiEvent(data, out)
}

// serverError is an error object inside a reply of status 200.
type serverError struct {
	Message string `json:"message"`
}

func (e *serverError) err() error {
	if e == nil {
		return nil
	}
	return fmt.Errorf("error in the reply: %s", e.Message)
}

func unmarshal(b []byte, into any) error {
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("invalid JSON after %d bytes: %w", len(b), err)
	}
	return nil
}
