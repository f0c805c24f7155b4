package tokenizer

import (
	"encoding/json"
	"fmt"
)

// templateJSON is one piece of TemplateProcessing: a special token or the text.
type templateJSON struct {
	SpecialToken *struct {
		ID string `json:"id"`
	} `json:"SpecialToken,omitempty"`
	Sequence *struct {
		ID string `json:"id"`
	} `json:"Sequence,omitempty"`
}

type specialJSON struct {
	IDs []int32 `json:"ids"`
}

// tokenPair is the ["[SEP]", 102] of BERT's and RoBERTa's processors.
type tokenPair struct{ ID int32 }

func (p *tokenPair) UnmarshalJSON(b []byte) error {
	var list [2]json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	return json.Unmarshal(list[1], &p.ID)
}

// template takes what a post-processor puts before and after a single text.
func (t *Tokenizer) template(c *component) error {
	if c == nil {
		return nil
	}
	switch c.Type {
	case "ByteLevel": // moves offsets only
		return nil
	case "Sequence":
		for i := range c.Processors {
			if err := t.template(&c.Processors[i]); err != nil {
				return err
			}
		}
		return nil
	case "BertProcessing", "RobertaProcessing":
		if c.Cls == nil || c.Sep == nil {
			return fmt.Errorf("post-processor %s has no cls or sep", c.Type)
		}
		return t.wrap([]int32{c.Cls.ID}, []int32{c.Sep.ID})
	case "TemplateProcessing":
		var sides [2][]int32
		side := 0
		for _, p := range c.Single {
			switch {
			case p.Sequence != nil && side == 0:
				side = 1
			case p.SpecialToken != nil:
				s, ok := c.SpecialTokens[p.SpecialToken.ID]
				if !ok {
					return fmt.Errorf("post-processor: special token %q is not described", p.SpecialToken.ID)
				}
				sides[side] = append(sides[side], s.IDs...)
			default:
				return fmt.Errorf("post-processor: a template that holds the text twice is not supported")
			}
		}
		if side == 0 {
			return fmt.Errorf("post-processor: a template without the text is not supported")
		}
		return t.wrap(sides[0], sides[1])
	}
	return fmt.Errorf("post-processor %q is not supported", c.Type)
}

// wrap puts ids around what earlier processors made.
func (t *Tokenizer) wrap(before, after []int32) error {
	for _, id := range append(before, after...) {
		if id < 0 || int(id) >= len(t.tokens) {
			return fmt.Errorf("post-processor: token %d is outside the vocabulary", id)
		}
	}
	t.prefix, t.suffix = append(before, t.prefix...), append(t.suffix, after...)
	return nil
}
