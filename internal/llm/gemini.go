package llm

import (
	"encoding/json"
	"errors"
)

// Gemini's generateContent, version v1beta.

type geminiRequest struct {
	Contents          []geminiContent `json:"contents"`
	SystemInstruction *geminiContent  `json:"systemInstruction,omitempty"`
	GenerationConfig  geminiConfig    `json:"generationConfig"`
}

type geminiContent struct {
	Role  string       `json:"role,omitempty"`
	Parts []geminiPart `json:"parts"`
}

type geminiPart struct {
	Text    string `json:"text"`
	Thought bool   `json:"thought,omitempty"`
}

type geminiConfig struct {
	MaxOutputTokens    int             `json:"maxOutputTokens,omitempty"`
	Temperature        *float64        `json:"temperature,omitempty"`
	TopP               *float64        `json:"topP,omitempty"`
	Seed               int32           `json:"seed,omitempty"`
	ResponseMIMEType   string          `json:"responseMimeType,omitempty"`
	ResponseJSONSchema json.RawMessage `json:"responseJsonSchema,omitempty"`
}

func geminiBody(r *Request, schema bool) geminiRequest {
	out := geminiRequest{GenerationConfig: geminiConfig{MaxOutputTokens: r.MaxTokens, Temperature: r.Temperature, TopP: r.TopP,
		Seed: int32(r.Seed & 0x7fffffff)}}
	if schema {
		out.GenerationConfig.ResponseMIMEType, out.GenerationConfig.ResponseJSONSchema = "application/json", r.Schema
	}
	for _, m := range r.messages(schema) {
		c := geminiContent{Role: "user", Parts: []geminiPart{{Text: m.Content}}}
		switch {
		case m.Role == "assistant":
			c.Role = "model"
		case m.Role == "system" && out.SystemInstruction == nil:
			c.Role = ""
			out.SystemInstruction = &c
			continue
		case m.Role == "system":
			out.SystemInstruction.Parts = append(out.SystemInstruction.Parts, c.Parts...)
			continue
		}
		out.Contents = append(out.Contents, c)
	}
	return out
}

// geminiAnswer reads a reply or one event of a stream, whose Finish is empty before the last.
func geminiAnswer(b []byte) (*Response, error) {
	var r struct {
		Candidates []struct {
			Content      geminiContent `json:"content"`
			FinishReason string        `json:"finishReason"`
		} `json:"candidates"`
		PromptFeedback struct {
			BlockReason string `json:"blockReason"`
		} `json:"promptFeedback"`
		UsageMetadata struct {
			Prompt     int64 `json:"promptTokenCount"`
			Candidates int64 `json:"candidatesTokenCount"`
			Thoughts   int64 `json:"thoughtsTokenCount"`
		} `json:"usageMetadata"`
		ModelVersion string       `json:"modelVersion"`
		Error        *serverError `json:"error"`
	}
	if err := unmarshal(b, &r); err != nil {
		return nil, err
	}
	if err := r.Error.err(); err != nil {
		return nil, err
	}
	u := r.UsageMetadata
	out := &Response{Model: r.ModelVersion, Usage: Usage{u.Prompt, u.Candidates + u.Thoughts}}
	switch {
	case r.PromptFeedback.BlockReason != "":
		out.Finish = FinishFilter
		return out, nil
	case len(r.Candidates) == 0:
		return nil, errors.New("a reply without candidates")
	}
	for _, p := range r.Candidates[0].Content.Parts {
		if !p.Thought {
			out.Text += p.Text
		}
	}
	switch r.Candidates[0].FinishReason {
	case "":
	case "STOP":
		out.Finish = FinishStop
	case "MAX_TOKENS":
		out.Finish = FinishLength
	default: // SAFETY, RECITATION, BLOCKLIST, PROHIBITED_CONTENT, SPII ...
		out.Finish = FinishFilter
	}
	return out, nil
}
