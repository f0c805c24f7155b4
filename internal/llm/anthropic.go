package llm

import (
	"encoding/json"
	"errors"
	"strings"
)

// Anthropic's Messages API, version 2023-06-01. A schema is asked for by the one tool that the model must use, which every
// version of the API knows.

type anthropicRequest struct {
	Model       string           `json:"model"`
	MaxTokens   int              `json:"max_tokens"`
	System      string           `json:"system,omitempty"`
	Messages    []Message        `json:"messages"`
	Temperature *float64         `json:"temperature,omitempty"`
	TopP        *float64         `json:"top_p,omitempty"`
	Tools       []anthropicTool  `json:"tools,omitempty"`
	ToolChoice  *anthropicChoice `json:"tool_choice,omitempty"`
	Stream      bool             `json:"stream,omitempty"`
}

type anthropicTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

type anthropicChoice struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// anthropicMaxTokens stands in for a request without a limit, which this API wants.
const anthropicMaxTokens = 4096

func anthropicBody(r *Request, model string, schema, stream bool) anthropicRequest {
	out := anthropicRequest{Model: model, MaxTokens: r.MaxTokens, Temperature: r.Temperature, TopP: r.TopP, Stream: stream}
	if out.MaxTokens == 0 {
		out.MaxTokens = anthropicMaxTokens
	}
	var system []string
	for _, m := range r.messages(schema) {
		if m.Role == "system" {
			system = append(system, m.Content)
			continue
		}
		out.Messages = append(out.Messages, m)
	}
	out.System = strings.Join(system, "\n\n")
	if schema {
		out.Tools = []anthropicTool{{"answer", "Gives the answer.", r.Schema}}
		out.ToolChoice = &anthropicChoice{"tool", "answer"}
	}
	return out
}

type anthropicUsage struct {
	Input      int64 `json:"input_tokens"`
	Output     int64 `json:"output_tokens"`
	CacheRead  int64 `json:"cache_read_input_tokens"`
	CacheWrite int64 `json:"cache_creation_input_tokens"`
}

func (u anthropicUsage) in() int64 { return u.Input + u.CacheRead + u.CacheWrite }

type anthropicReply struct {
	Type    string `json:"type"`
	Model   string `json:"model"`
	Content []struct {
		Type  string          `json:"type"`
		Text  string          `json:"text"`
		Input json.RawMessage `json:"input"`
	} `json:"content"`
	StopReason string         `json:"stop_reason"`
	Usage      anthropicUsage `json:"usage"`
	Error      *serverError   `json:"error"`
}

func anthropicFinish(s string) string {
	switch s {
	case "max_tokens", "model_context_window_exceeded":
		return FinishLength
	case "refusal":
		return FinishFilter
	}
	return FinishStop
}

func anthropicAnswer(b []byte) (*Response, error) {
	var r anthropicReply
	if err := unmarshal(b, &r); err != nil {
		return nil, err
	}
	if err := r.Error.err(); err != nil {
		return nil, err
	}
	if r.StopReason == "" {
		return nil, errors.New("a message without stop_reason")
	}
	out := &Response{Model: r.Model, Finish: anthropicFinish(r.StopReason), Usage: Usage{r.Usage.in(), r.Usage.Output}}
	for _, c := range r.Content {
		if c.Type == "tool_use" {
			out.Text += string(c.Input)
		}
		out.Text += c.Text
	}
	return out, nil
}

func anthropicEvent(data []byte, out *Response) (string, bool, error) {
	var r struct {
		Type    string         `json:"type"`
		Message anthropicReply `json:"message"`
		Delta   struct {
			Text        string `json:"text"`
			PartialJSON string `json:"partial_json"`
			StopReason  string `json:"stop_reason"`
		} `json:"delta"`
		Usage anthropicUsage `json:"usage"`
		Error *serverError   `json:"error"`
	}
	if err := unmarshal(data, &r); err != nil {
		return "", false, err
	}
	switch r.Type {
	case "message_start":
		out.Model, out.Usage.In = r.Message.Model, r.Message.Usage.in()
	case "message_delta":
		out.Finish, out.Usage.Out = anthropicFinish(r.Delta.StopReason), r.Usage.Output
	}
	return r.Delta.Text + r.Delta.PartialJSON, r.Type == "message_stop", r.Error.err()
}
