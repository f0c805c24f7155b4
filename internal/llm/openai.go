package llm

import (
	"encoding/json"
	"errors"
)

// The chat completions of OpenAI, as vLLM, SGLang, llama-server, Ollama and most hosts answer them.

type openaiRequest struct {
	Model               string        `json:"model"`
	Messages            []Message     `json:"messages"`
	MaxTokens           int           `json:"max_tokens,omitempty"`
	MaxCompletionTokens int           `json:"max_completion_tokens,omitempty"`
	Temperature         *float64      `json:"temperature,omitempty"`
	TopP                *float64      `json:"top_p,omitempty"`
	Seed                int64         `json:"seed,omitempty"`
	ResponseFormat      *openaiFormat `json:"response_format,omitempty"`
	Stream              bool          `json:"stream,omitempty"`
	StreamOptions       *streamOption `json:"stream_options,omitempty"`
}

type openaiFormat struct {
	Type       string       `json:"type"`
	JSONSchema openaiSchema `json:"json_schema"`
}

type openaiSchema struct {
	Name   string          `json:"name"`
	Strict bool            `json:"strict"`
	Schema json.RawMessage `json:"schema"`
}

type streamOption struct {
	IncludeUsage bool `json:"include_usage"`
}

func openaiBody(r *Request, model string, schema, stream, newTokens bool) openaiRequest {
	out := openaiRequest{Model: model, Messages: r.messages(schema), Temperature: r.Temperature, TopP: r.TopP, Seed: r.Seed, Stream: stream}
	if newTokens {
		out.MaxCompletionTokens = r.MaxTokens
	} else {
		out.MaxTokens = r.MaxTokens
	}
	if schema {
		out.ResponseFormat = &openaiFormat{"json_schema", openaiSchema{"answer", true, r.Schema}}
	}
	if stream {
		out.StreamOptions = &streamOption{true}
	}
	return out
}

type openaiReply struct {
	Model   string `json:"model"`
	Choices []struct {
		Message      openaiMessage `json:"message"`
		Delta        openaiMessage `json:"delta"`
		FinishReason string        `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
	} `json:"usage"`
	Error *serverError `json:"error"`
}

type openaiMessage struct {
	Content string `json:"content"`
	Refusal string `json:"refusal"`
}

// note keeps what a reply or event says besides its text.
func (r *openaiReply) note(out *Response) {
	if r.Model != "" {
		out.Model = r.Model
	}
	if r.Usage != nil {
		out.Usage = Usage{r.Usage.Prompt, r.Usage.Completion}
	}
	if len(r.Choices) > 0 && r.Choices[0].FinishReason != "" {
		out.Finish = openaiFinish(r.Choices[0].FinishReason)
	}
}

func openaiFinish(s string) string {
	switch s {
	case "length":
		return FinishLength
	case "content_filter":
		return FinishFilter
	}
	return FinishStop
}

func openaiAnswer(b []byte) (*Response, error) {
	var r openaiReply
	if err := unmarshal(b, &r); err != nil {
		return nil, err
	}
	if err := r.Error.err(); err != nil {
		return nil, err
	}
	if len(r.Choices) == 0 {
		return nil, errors.New("a reply without choices")
	}
	out := &Response{Finish: FinishStop, Text: r.Choices[0].Message.Content}
	r.note(out)
	if out.Text == "" && r.Choices[0].Message.Refusal != "" {
		out.Finish = FinishFilter
	}
	return out, nil
}

// openaiEvent never says that the answer is complete: "[DONE]" does, after the event with the usage.
func openaiEvent(data []byte, out *Response) (string, bool, error) {
	var r openaiReply
	if err := unmarshal(data, &r); err != nil {
		return "", false, err
	}
	r.note(out)
	if err := r.Error.err(); err != nil || len(r.Choices) == 0 {
		return "", false, err
	}
	if r.Choices[0].Delta.Refusal != "" {
		out.Finish = FinishFilter
	}
	return r.Choices[0].Delta.Content, false, nil
}
