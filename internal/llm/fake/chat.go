package fake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// protocol is how one API words requests and answers.
type protocol struct {
	parse  func(b []byte) (a Ask, stream bool, err error)
	whole  func(a Ask, text string, cut bool) any
	stream func(a Ask, parts []string, cut bool) []string // the lines of an event stream
}

var (
	openai    = protocol{parseOpenAI, wholeOpenAI, streamOpenAI}
	anthropic = protocol{parseAnthropic, wholeAnthropic, streamAnthropic}
	gemini    = protocol{parseGemini, wholeGemini, streamGemini}
)

// chat handles one request of a protocol.
func (s *Server) chat(p protocol) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, ok := body(w, r)
		if !ok {
			return
		}
		a, stream, err := p.parse(b)
		switch {
		case err != nil:
			fail(w, http.StatusBadRequest, err.Error())
			return
		case s.opt.NoSchema && a.Schema != nil:
			fail(w, http.StatusBadRequest, "response_format is not supported by this model")
			return
		}
		time.Sleep(s.opt.Latency)
		done, fault := s.spoil(w)
		if done {
			return
		}
		text, cut := s.answer(a)
		if stream || r.URL.Query().Get("alt") == "sse" {
			s.send(w, a, fault, strings.Join(p.stream(a, pieces(text), cut), "\n\n")+"\n\n", "text/event-stream")
			return
		}
		out, err := json.Marshal(p.whole(a, text, cut))
		if err != nil {
			fail(w, http.StatusInternalServerError, err.Error())
			return
		}
		s.send(w, a, fault, string(out), "application/json")
	}
}

// send writes a reply whole, or as far as the fault lets it.
func (s *Server) send(w http.ResponseWriter, a Ask, fault, out, contentType string) {
	w.Header().Set("Content-Type", contentType)
	switch fault {
	case Cut:
		w.Header().Set("Content-Length", fmt.Sprint(len(out)))
		w.Write([]byte(out[:len(out)/2]))
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler) // closes the connection
	case Truncated:
		w.Write([]byte(out[:len(out)/2]))
		return
	}
	if _, err := w.Write([]byte(out)); err == nil {
		s.done(a)
	}
}

// pieces cuts an answer as a stream would, between runes.
func pieces(text string) []string {
	const size = 24
	var out []string
	for len(text) > size {
		n := size
		for !utf8.RuneStart(text[n]) {
			n++
			if n == len(text) {
				break
			}
		}
		out, text = append(out, text[:n]), text[n:]
	}
	return append(out, text)
}

// tokens counts as a tokenizer might.
func tokens(s string) int { return (len(s) + 3) / 4 }

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// split takes messages apart into system and last user message.
func split(list []message) (system, user string) {
	for _, m := range list {
		if m.Role == "system" {
			system += m.Content
		} else {
			user = m.Content
		}
	}
	return system, user
}

func parseOpenAI(b []byte) (Ask, bool, error) {
	var r struct {
		Model          string    `json:"model"`
		Messages       []message `json:"messages"`
		Seed           int64     `json:"seed"`
		Stream         bool      `json:"stream"`
		ResponseFormat *struct {
			Type       string `json:"type"`
			JSONSchema struct {
				Name   string          `json:"name"`
				Schema json.RawMessage `json:"schema"`
			} `json:"json_schema"`
		} `json:"response_format"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return Ask{}, false, fmt.Errorf("could not parse the JSON body: %w", err)
	}
	a := Ask{Model: r.Model, Seed: r.Seed}
	a.System, a.User = split(r.Messages)
	switch {
	case r.Model == "":
		return a, false, fmt.Errorf("you must provide a model parameter")
	case len(r.Messages) == 0:
		return a, false, fmt.Errorf("'messages' is a required property")
	case r.ResponseFormat != nil && (r.ResponseFormat.Type != "json_schema" || r.ResponseFormat.JSONSchema.Name == "" || !json.Valid(r.ResponseFormat.JSONSchema.Schema)):
		return a, false, fmt.Errorf("response_format: type json_schema with name and schema is expected")
	case r.ResponseFormat != nil:
		a.Schema = r.ResponseFormat.JSONSchema.Schema
	}
	return a, r.Stream, nil
}

func openaiFinish(cut bool) string {
	if cut {
		return "length"
	}
	return "stop"
}

func openaiUsage(a Ask, text string) map[string]int {
	in, out := tokens(a.System)+tokens(a.User), tokens(text)
	return map[string]int{"prompt_tokens": in, "completion_tokens": out, "total_tokens": in + out}
}

func wholeOpenAI(a Ask, text string, cut bool) any {
	return map[string]any{"id": fmt.Sprintf("chatcmpl-%x", hash(0, a.User)), "object": "chat.completion", "created": 1700000000, "model": a.Model,
		"choices": []any{map[string]any{"index": 0, "message": message{"assistant", text}, "finish_reason": openaiFinish(cut)}}, "usage": openaiUsage(a, text)}
}

func streamOpenAI(a Ask, parts []string, cut bool) []string {
	chunk := func(choices []any, extra map[string]any) string {
		m := map[string]any{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": a.Model, "choices": choices}
		for k, v := range extra {
			m[k] = v
		}
		return "data: " + asJSON(m)
	}
	choice := func(delta map[string]any, finish any) []any {
		return []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}
	}
	out := []string{chunk(choice(map[string]any{"role": "assistant", "content": ""}, nil), nil)}
	for _, p := range parts {
		out = append(out, chunk(choice(map[string]any{"content": p}, nil), nil))
	}
	return append(out, chunk(choice(map[string]any{}, openaiFinish(cut)), nil),
		chunk([]any{}, map[string]any{"usage": openaiUsage(a, strings.Join(parts, ""))}), ": keep-alive", "data: [DONE]")
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings and numbers
	}
	return string(b)
}

func parseAnthropic(b []byte) (Ask, bool, error) {
	var r struct {
		Model     string    `json:"model"`
		MaxTokens int       `json:"max_tokens"`
		System    string    `json:"system"`
		Messages  []message `json:"messages"`
		Stream    bool      `json:"stream"`
		Tools     []struct {
			InputSchema json.RawMessage `json:"input_schema"`
		} `json:"tools"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return Ask{}, false, fmt.Errorf("invalid JSON: %w", err)
	}
	a := Ask{Model: r.Model, System: r.System}
	_, a.User = split(r.Messages)
	for _, m := range r.Messages {
		if m.Role != "user" && m.Role != "assistant" {
			return a, false, fmt.Errorf("messages: role %q is not allowed", m.Role)
		}
	}
	if r.MaxTokens < 1 || r.Model == "" || len(r.Messages) == 0 {
		return a, false, fmt.Errorf("model, max_tokens and messages: field required")
	}
	if len(r.Tools) > 0 {
		a.Schema = r.Tools[0].InputSchema
	}
	return a, r.Stream, nil
}

func anthropicFinish(a Ask, cut bool) string {
	switch {
	case cut:
		return "max_tokens"
	case a.Schema != nil:
		return "tool_use"
	}
	return "end_turn"
}

func wholeAnthropic(a Ask, text string, cut bool) any {
	block := map[string]any{"type": "text", "text": text}
	if a.Schema != nil {
		input := json.RawMessage(text)
		if !json.Valid(input) {
			input = json.RawMessage(`{}`)
		}
		block = map[string]any{"type": "tool_use", "id": "toolu_1", "name": "answer", "input": input}
	}
	return map[string]any{"id": "msg_1", "type": "message", "role": "assistant", "model": a.Model, "content": []any{block},
		"stop_reason": anthropicFinish(a, cut), "usage": map[string]int{"input_tokens": tokens(a.System) + tokens(a.User), "output_tokens": tokens(text)}}
}

func streamAnthropic(a Ask, parts []string, cut bool) []string {
	event := func(kind string, m map[string]any) string {
		m["type"] = kind
		return "event: " + kind + "\ndata: " + asJSON(m)
	}
	out := []string{event("message_start", map[string]any{"message": map[string]any{"id": "msg_1", "type": "message", "role": "assistant", "model": a.Model,
		"content": []any{}, "usage": map[string]int{"input_tokens": tokens(a.System) + tokens(a.User), "output_tokens": 1}}}),
		event("content_block_start", map[string]any{"index": 0, "content_block": map[string]any{"type": "text", "text": ""}}), event("ping", map[string]any{})}
	for _, p := range parts {
		delta := map[string]any{"type": "text_delta", "text": p}
		if a.Schema != nil {
			delta = map[string]any{"type": "input_json_delta", "partial_json": p}
		}
		out = append(out, event("content_block_delta", map[string]any{"index": 0, "delta": delta}))
	}
	return append(out, event("content_block_stop", map[string]any{"index": 0}),
		event("message_delta", map[string]any{"delta": map[string]any{"stop_reason": anthropicFinish(a, cut)}, "usage": map[string]int{"output_tokens": tokens(strings.Join(parts, ""))}}),
		event("message_stop", map[string]any{}))
}

type geminiContent struct {
	Role  string `json:"role,omitempty"`
	Parts []struct {
		Text string `json:"text"`
	} `json:"parts"`
}

func (c *geminiContent) text() string {
	s := ""
	for _, p := range c.Parts {
		s += p.Text
	}
	return s
}

func parseGemini(b []byte) (Ask, bool, error) {
	var r struct {
		Contents          []geminiContent `json:"contents"`
		SystemInstruction geminiContent   `json:"systemInstruction"`
		GenerationConfig  struct {
			Seed               int64           `json:"seed"`
			ResponseMIMEType   string          `json:"responseMimeType"`
			ResponseJSONSchema json.RawMessage `json:"responseJsonSchema"`
		} `json:"generationConfig"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return Ask{}, false, fmt.Errorf("invalid JSON payload received: %w", err)
	}
	if len(r.Contents) == 0 {
		return Ask{}, false, fmt.Errorf("contents is not specified")
	}
	a := Ask{Model: "gemini", System: r.SystemInstruction.text(), User: r.Contents[len(r.Contents)-1].text(), Seed: r.GenerationConfig.Seed}
	if r.GenerationConfig.ResponseMIMEType == "application/json" {
		a.Schema = r.GenerationConfig.ResponseJSONSchema
	}
	return a, false, nil
}

func geminiCandidate(a Ask, text, all string, finish any) map[string]any {
	c := map[string]any{"content": map[string]any{"role": "model", "parts": []any{map[string]any{"text": text}}}, "index": 0}
	if finish != nil {
		c["finishReason"] = finish
	}
	return map[string]any{"candidates": []any{c}, "modelVersion": "gemini-fake",
		"usageMetadata": map[string]int{"promptTokenCount": tokens(a.System) + tokens(a.User), "candidatesTokenCount": tokens(all)}}
}

func geminiFinish(cut bool) string {
	if cut {
		return "MAX_TOKENS"
	}
	return "STOP"
}

func wholeGemini(a Ask, text string, cut bool) any {
	return geminiCandidate(a, text, text, geminiFinish(cut))
}

func streamGemini(a Ask, parts []string, cut bool) []string {
	var out []string
	for i, p := range parts {
		var finish any
		if i == len(parts)-1 {
			finish = geminiFinish(cut)
		}
		out = append(out, "data: "+asJSON(geminiCandidate(a, p, strings.Join(parts[:i+1], ""), finish)))
	}
	return out
}

// geminiCall parts models/NAME:VERB.
func (s *Server) geminiCall(w http.ResponseWriter, r *http.Request) {
	_, verb, _ := strings.Cut(r.PathValue("call"), ":")
	switch verb {
	case "generateContent", "streamGenerateContent":
		s.chat(gemini)(w, r)
	case "batchGenerateContent":
		s.geminiBatch(w, r)
	default:
		fail(w, http.StatusNotFound, "no method "+verb)
	}
}
